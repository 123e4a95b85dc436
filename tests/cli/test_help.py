"""What can be had without training: versions, help, lists, and the way there."""

import inspect
import re
from importlib.metadata import version

import pytest

from metarl import cli
from metarl.agents import MAML, MAMLConfig
from metarl.cli import config_type
from metarl.envs import BENCHMARKS

from .commands import plain, run_main


def test_version(capsys):
    assert run_main("--version") == 0
    assert capsys.readouterr().out == f"metarl {version('metarl')}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["train", "evaluate", "tasks", "held-out tasks"]),
        (["train", "--help"], ["maml", "Meta-train a policy with MAML-TRPO"]),
        (["train", "maml", "--help"], ["--benchmark", "--run", "Ctrl-C", "Example: metarl train"]),
        (
            ["evaluate", "--help"],
            ["PATH", "--num-adaptation-steps", "--preset", "--controls", "rows.csv"],
        ),
        (["tasks", "--help"], ["List the benchmarks"]),
    ],
)
def test_help_is_there_at_every_level(capsys, arguments, words):
    assert run_main(*arguments) == 0
    text = plain(capsys.readouterr().out)
    assert all(word in text for word in words)


def test_help_of_training_shows_every_setting_with_its_description(capsys):
    assert run_main("train", "maml", "--help") == 0
    text = plain(capsys.readouterr().out)
    fields = {**config_type(MAML).model_fields, **MAMLConfig.model_fields}
    fields.pop("agent")
    assert len(fields) > 20
    for name, field in fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert field.description, name
        assert field.description in text, name


@pytest.mark.parametrize("name", ["evaluate", "compare", "card"])
def test_help_describes_every_option(capsys, name):
    assert run_main(name, "--help") == 0
    text = plain(capsys.readouterr().out)
    command = cli.COMMANDS[name]
    arguments = (inspect.getdoc(command) or "").partition("Args:\n")[2]
    described = [plain(one) for one in re.split(r"^    (?=\w)", arguments, flags=re.MULTILINE)[1:]]
    names = [one.partition(": ")[0] for one in described]
    assert names == list(inspect.signature(command).parameters)
    for one in described:
        assert one.partition(": ")[2] in text, one


def test_tasks_lists_every_benchmark_and_family(capsys):
    assert run_main("tasks") == 0
    text = capsys.readouterr().out
    for entry in BENCHMARKS:
        assert entry.name in text
        assert all(family in text for family in entry.families)
    assert "one of 50:" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["train", "evaluate", "tasks"]),
        (["evalute"], ["evalute", "evaluate"]),
        (["train"], ["maml"]),
        (["train", "mamml"], ["mamml", "maml"]),
        (["train", "maml"], ["--benchmark"]),
        (["evaluate"], ["PATH"]),
    ],
)
def test_an_incomplete_or_misspelt_command_is_refused_with_what_there_is(refused, arguments, words):
    message = refused(*arguments)
    assert all(word in message for word in words)
