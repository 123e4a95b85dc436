import json
import shutil

import numpy as np
import pytest

from metarl.cli import main
from metarl.evaluation import Evaluation
from metarl.evaluation.comparison import compare

from .conftest import evaluate, train


def test_two_runs_are_compared_and_drawn(evaluated, tmp_path, capsys):
    a = Evaluation.load(evaluated / "evaluation" / "test")
    b = Evaluation.load(evaluated / "evaluation" / "test" / "controls" / "pretrained")
    control = tmp_path / "control"
    shutil.copytree(evaluated.with_name("run-pretrained"), control)
    b.save(control / "evaluation" / "test")
    output = tmp_path / "out"
    assert main(["compare", str(evaluated), str(control), "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "navigation: run against control" in printed
    assert printed.splitlines()[-1] == f"figure and numbers: {output}"
    names = {path.name for path in output.iterdir()}
    assert names == {"comparison.png", "comparison.svg", "comparison.json"}
    data = json.loads((output / "comparison.json").read_text())
    expected = compare([a], [b])
    assert data["labels"] == ["run", "control"]
    for line, found in zip(expected.lines, data["lines"], strict=True):
        assert found["difference"]["mean"] == line.difference.mean
        assert found["per_task"] == list(line.per_task)


def test_further_seeds_are_put_together(evaluated, tmp_path, capsys):
    runs = [train(tmp_path / f"run{seed}", "--seed", seed) for seed in (1, 2)]
    for run in runs:
        evaluate(run)
    output = tmp_path / "out"
    more = ("--more-a", str(runs[1]), "--output", str(output))
    assert main(["compare", str(runs[0]), str(evaluated), *more]) == 0
    line = json.loads((output / "comparison.json").read_text())["lines"][0]
    means = [Evaluation.load(run / "evaluation" / "test").summary()[0] for run in runs]
    assert line["a"]["mean"] == pytest.approx(np.mean([m.episode_return.mean for m in means]))
    single = f"Intervals of a single run ({evaluated.name}) are over tasks alone"
    assert single in capsys.readouterr().out


def test_a_run_that_is_not_evaluated_is_refused(evaluated, trained, refused):
    message = refused("compare", evaluated, trained)
    assert f"EvaluationError {trained}: isn't evaluated; first `metarl evaluate" in message


def test_a_corrupt_row_file_is_refused(evaluated, tmp_path, refused):
    copy = shutil.copytree(evaluated, tmp_path / "run")
    rows = copy / "evaluation" / "test" / "rows.csv"
    rows.write_bytes(rows.read_bytes().replace(b"False", b"True", 1))
    message = refused("compare", evaluated, copy)
    assert f"EvaluationError {rows}: is damaged (its SHA-256 differs)" in message


def test_other_tasks_are_refused(evaluated, tmp_path, refused):
    other = train(tmp_path / "other", "--benchmark-seed", 3)
    evaluate(other)
    assert "ManifestMismatchError evaluations are of different tasks" in refused(
        "compare", evaluated, other
    )
