"""Commands that are printed so that they can be pasted."""

import json
import shlex
import shutil
from pathlib import Path

import yaml

from metarl.cli.cards import write_card
from metarl.cli.loading import DIGEST, rows_digest
from metarl.cli.repeating import evaluation_command
from metarl.storage import write_json

from .commands import run_main
from .conftest import evaluate


def test_the_commands_of_a_card_give_the_same_again(run, tmp_path):
    path = run.rename(tmp_path / "with space")
    evaluate(path, "--checkpoint", 1)
    commands = json.loads(write_card([path], tmp_path / "card").with_suffix(".json").read_text())[
        "commands"
    ]
    config = yaml.safe_load((path / "config.yaml").read_text())
    rows = (path / "evaluation" / "test" / "rows.csv").read_bytes()
    shutil.rmtree(path)
    for command in commands:
        name, *words = shlex.split(command)
        assert name == "metarl"
        assert run_main(*words, "--num-workers", 0) == 0
    assert yaml.safe_load((path / "config.yaml").read_text()) == config
    assert (path / "evaluation" / "test" / "rows.csv").read_bytes() == rows


def test_the_command_of_an_evaluation_names_what_differs_from_the_default(evaluated):
    assert evaluation_command(evaluated) == (
        f"metarl evaluate {evaluated} --num-tasks 10 --num-adaptation-steps 1 "
        "--adaptation-episodes 5 --controls pretrained untrained"
    )


def test_the_command_of_an_evaluation_names_meta_worlds_where_it_was_asked(evaluated, tmp_path):
    copy = Path(shutil.copytree(evaluated, tmp_path / "run"))
    folder = copy / "evaluation" / "test"
    write_json(folder / "upstream.json", {DIGEST: rows_digest(folder)})
    assert evaluation_command(copy).endswith("--controls pretrained untrained --as-upstream")
    write_json(folder / "upstream.json", {DIGEST: "of others"})
    assert evaluation_command(copy).endswith("--controls pretrained untrained")
