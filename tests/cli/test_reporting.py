"""`metarl report` and `metarl oracle`."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from metarl.adapted_policy import AdaptedPolicy
from metarl.agents import MAML
from metarl.cli import evaluating
from metarl.evaluation import Evaluation
from metarl.evaluation.upstream import UpstreamResult
from metarl.tasks import Task

from .commands import TINY, run_main

SAID = UpstreamResult(0.1234, 5.0, {"point": 0.1234}, 1, 1, 10, 3, 10)
EVALUATE = ["--num-tasks", 4, "--num-adaptation-steps", 1, "--adaptation-episodes", 2]


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """PNG files have tests of their own, and take most of the time."""
    monkeypatch.setattr("metarl.evaluation.report.page.png", lambda _: b"PNG")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds and an oracle; don't change it."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        run = folder / f"seed{seed}"
        assert run_main(*TINY, "--total-timesteps", 100, "--seed", seed, "--run", run) == 0
        evaluate = ("evaluate", run, *EVALUATE, "--num-workers", 0)
        assert run_main(*evaluate, "--controls", "untrained") == 0
    assert run_main("oracle", folder / "seed0", "--num-workers", 0) == 0
    return folder


@pytest.fixture
def run(evaluated: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(evaluated / "seed0", tmp_path / "run"))


def test_seeds_are_put_together_with_their_controls(evaluated: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    runs = [evaluated / "seed0", evaluated / "seed1"]
    assert run_main("report", *runs, "--output", out, "--title", "Two seeds") == 0
    page = out.read_text()
    for words in (
        "<h1>Two seeds</h1>",
        "MAML: 2 training runs",
        "random initialisation",
        "oracle, sees the goal",
        "runs and tasks",
        f"metarl evaluate {runs[1]}",
        "--seed 1",
        "--controls untrained\n",
        f"metarl oracle {runs[0]} --total-timesteps",
    ):
        assert words in page, words
    assert list((tmp_path / "report-figures").glob("*adaptation*.csv"))


def test_the_page_says_how_it_was_made(run: Path, tmp_path: Path) -> None:
    assert run_main("evaluate", run, *EVALUATE, "--num-workers", 0, "--split", "train") == 0
    out = tmp_path / "trained on.html"
    assert run_main("report", run, "--output", out, "--split", "train", "--title", "A run") == 0
    command = f"metarl report {run} --output '{out}' --title 'A run' --split train"
    page = html.unescape(out.read_text())
    assert f"Made by <code>{command}</code>" in page
    assert "Training tasks before adaptation" in page


def test_by_default_the_page_lies_in_the_first_run(run: Path) -> None:
    assert run_main("report", run) == 0
    assert "Adaptation on navigation" in (run / "report.html").read_text()


def test_runs_on_other_tasks_get_a_section(
    evaluated: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main("evaluate", run, *EVALUATE, "--num-workers", 0, "--num-tasks", 3) == 0
    out = tmp_path / "both.html"
    assert run_main("report", evaluated / "seed1", run, "--output", out) == 0
    page = out.read_text()
    assert page.count("<section ") == 2
    # The copy's controls are of the evaluation before.
    said = " ".join(capsys.readouterr().out.split())
    for control in ("untrained", "oracle"):
        note = f"left out: {run / 'evaluation' / 'test' / 'controls' / control}"
        assert note in said
        assert note in page


def test_a_run_of_inner_rate_zero_is_the_control(run: Path, tmp_path: Path) -> None:
    control = Path(shutil.copytree(run, tmp_path / "control"))
    config = yaml.safe_load((control / "config.yaml").read_text())
    config["agent"]["inner_lr"] = 0.0
    (control / "config.yaml").write_text(yaml.safe_dump(config))
    assert run_main("report", run, control) == 0
    page = (run / "report.html").read_text()
    assert "MAML against control, task by task" in page
    assert "no difference shown" in page


def test_the_oracle_stands_beside_the_run_s_own_rows(evaluated: Path) -> None:
    own = Evaluation.load(evaluated / "seed0" / "evaluation" / "test")
    oracle = Evaluation.load(evaluated / "seed0" / "evaluation" / "test" / "controls" / "oracle")
    assert oracle.tasks == own.tasks
    assert oracle.header.manifest == own.header.manifest
    assert oracle.steps == [0]
    assert oracle.header.subject["algorithm"] == "ppo, goal observed"


def test_the_oracle_is_trained_once(
    run: Path, refused: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main("oracle", run, "--num-workers", 0, "--total-timesteps", 50) == 0
    assert "training" not in capsys.readouterr().out
    said = refused("oracle", run, "--total-timesteps", 10**9)
    assert "total_timesteps" in said
    assert "remove it to train another" in said


def test_what_is_not_evaluated_is_refused(run: Path, refused: Callable[..., str]) -> None:
    shutil.rmtree(run / "evaluation")
    for command in ("report", "oracle"):
        said = refused(command, run)
        assert "EvaluationError" in said
        assert f"metarl evaluate {run}" in said


def test_what_is_no_run_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "is no run folder" in refused("report", tmp_path)
    assert "got none" in refused("report")


def test_damaged_rows_are_refused(run: Path, refused: Callable[..., str]) -> None:
    with (run / "evaluation" / "test" / "rows.csv").open("a") as file:
        file.write("more\n")
    assert "rows.csv: is damaged" in refused("report", run)


def test_tasks_of_another_manifest_are_refused(run: Path, refused: Callable[..., str]) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "digest": "ffff"}))
    said = refused("report", run)
    assert "ManifestMismatchError" in said
    assert "ffff" in said


def test_traces_are_drawn(
    run: Path, refused: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main("trace", run, "--num-tasks", 2) == 0
    assert "trace of 2 tasks" in capsys.readouterr().out
    lines = json.loads((run / "evaluation" / "test" / "trace.json").read_text())["steps"]
    evaluation = Evaluation.load(run / "evaluation" / "test")
    assert [line["task"] for line in lines] == [task.digest for task in evaluation.tasks[:2]]
    assert [line["step"] for line in lines] == [1, 1]
    assert run_main("report", run) == 0
    page = (run / "report.html").read_text()
    assert "Divergence from the start" in page
    assert f"metarl trace {run}" in page
    assert "num_tasks: got 0" in refused("trace", run, "--num-tasks", 0)


def test_a_trace_is_of_the_checkpoint_and_horizon_of_the_evaluation(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ("--checkpoint", 1, "--max-episode-steps", 4, "--num-workers", 0)
    assert run_main("evaluate", run, *EVALUATE, *other) == 0
    real, seen = MAML.adapt, []

    def adapt(agent: MAML, task: Task, **arguments: Any) -> AdaptedPolicy:
        seen.append((agent.iteration, arguments["distribution"].max_episode_steps))
        return real(agent, task, **arguments)

    monkeypatch.setattr(MAML, "adapt", adapt)
    assert run_main("trace", run, "--num-tasks", 1) == 0
    assert seen == [(1, 4)]


def test_what_is_of_an_earlier_evaluation_is_left_out(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As if `evaluate --as-upstream`, `trace`, and then another `evaluate` had been called."""
    folder = run / "evaluation" / "test"
    assert run_main("trace", run, "--num-tasks", 1) == 0
    evaluating._show_upstream(SAID, Evaluation.load(folder), folder)
    assert run_main("report", run) == 0
    page = (run / "report.html").read_text()
    assert "12 % by metaworld.evaluation" in page
    assert "Divergence from the start" in page

    assert run_main("evaluate", run, *EVALUATE, "--num-tasks", 3, "--num-workers", 0) == 0
    capsys.readouterr()
    assert run_main("report", run) == 0
    printed, page = capsys.readouterr().out, (run / "report.html").read_text()
    assert "12 % by metaworld.evaluation" not in page
    assert "Divergence from the start" not in page
    assert f"metarl trace {run}" not in page
    for name in ("trace.json", "upstream.json"):
        note = f"left out: {folder / name}, which is of an earlier evaluation."
        assert note in printed
        assert note in page


def test_other_files_than_pages_are_refused(run: Path, refused: Callable[..., str]) -> None:
    assert "must end in .html" in refused("report", run, "--output", "report.pdf")


def test_a_damaged_table_of_metrics_is_refused(run: Path, refused: Callable[..., str]) -> None:
    (run / "metrics.csv").write_text("timesteps,pre/return\n100,abc\n")
    assert "metrics.csv: can't be read" in refused("report", run)
