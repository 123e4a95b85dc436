"""`metarl evaluate`: what it leaves, and the runs and numbers that it refuses."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from metarl.cli import load_run
from metarl.cli.repeating import evaluation_command
from metarl.evaluation import Evaluation, EvaluationProtocol, evaluate
from metarl.evaluation.controls import UNKNOWN
from metarl.evaluation.tables import number

from .commands import newest_checkpoint, plain, run_main


def change_config(run: Path, **changes: object) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(config | changes))


def test_evaluation_follows_training(run, capsys):
    arguments = ("--num-adaptation-steps", 2, "--num-tasks", 5, "--num-workers", 0)
    assert run_main("evaluate", run, *arguments, "--adaptation-episodes", 2) == 0
    output = capsys.readouterr().out
    folder = run / "evaluation" / "test"
    assert "navigation, test tasks, iteration 2" in output
    assert output.splitlines()[-1] == f"rows, summary and figure: {folder}"
    assert {path.name for path in folder.iterdir()} == {
        "rows.csv",
        "evaluation.json",
        "summary.json",
        "adaptation.png",
        "adaptation.svg",
    }
    evaluation = Evaluation.load(folder)
    assert [row.adaptation_step for row in evaluation.rows] == [0] * 5 + [1] * 5 + [2] * 5
    assert evaluation.protocol == EvaluationProtocol(num_tasks=5, adaptation_episodes=2)
    assert (evaluation.header.benchmark, evaluation.header.max_episode_steps) == ("navigation", 6)
    manifest = json.loads((run / "manifest.json").read_text())
    assert evaluation.header.manifest == manifest["digest"]
    for line in evaluation.summary():
        assert number(line.episode_return) in output
    assert "by the mean action; mean over tasks [95 % interval]" in output
    assert UNKNOWN in output


def test_a_preset_and_settings_that_replace_its_own(run):
    arguments = ("--preset", "quick", "--evaluation-episodes", 2, "--max-episode-steps", 9)
    assert run_main("evaluate", run, *arguments, "--num-workers", 0) == 0
    evaluation = Evaluation.load(run / "evaluation" / "test")
    assert evaluation.protocol == EvaluationProtocol.preset(
        "quick", evaluation_episodes=2, max_episode_steps=9
    )
    assert evaluation.header.max_episode_steps == 9
    assert {row.length for row in evaluation.rows} == {9}


def test_the_run_and_its_control_choose_their_own_step_sizes(run, capsys):
    """What was chosen is said, kept, and what a trace of the adaptation is made at."""
    rates = ("--adaptation-lrs", 0.001, 0.7, "--num-adaptation-steps", 1)
    arguments = ("--num-tasks", 2, "--adaptation-episodes", 2, "--num-workers", 0)
    assert run_main("evaluate", run, *rates, *arguments, "--controls", "pretrained", "expert") == 2
    assert "expert" in capsys.readouterr().err
    assert run_main("evaluate", run, *rates, *arguments, "--controls", "pretrained") == 0
    folder = run / "evaluation" / "test"
    own, control = (Evaluation.load(f) for f in (folder, folder / "controls" / "pretrained"))
    assert own.protocol == control.protocol
    said = plain(capsys.readouterr().out)
    for label, found in (("this run", own), ("pretrained", control)):
        chosen, returns = (found.header.subject[k] for k in ("adaptation_lr", "training_returns"))
        assert chosen == (0.001, 0.7)[returns.index(max(returns))]
        assert f"{label}: adapted at {chosen:g}, by the return after the last step" in said
    agent = load_run(run)
    again = evaluate(
        *(agent.with_adaptation_lr(own.header.subject["adaptation_lr"]), None, None),
        num_tasks=2,
        num_adaptation_steps=1,
        adaptation_episodes=2,
    )
    assert again.rows == own.rows
    assert evaluation_command(run).endswith("--adaptation-lrs 0.001 0.7 --controls pretrained")
    traced = {}
    for rate in (0.001, 0.7):
        write_rate(folder, rate)
        assert run_main("trace", run, "--num-tasks", 1) == 0
        (traced[rate],) = json.loads((folder / "trace.json").read_text())["steps"]
    assert 0 < traced[0.001]["kl"] < traced[0.7]["kl"]


def write_rate(folder: Path, rate: float) -> None:
    """As if it had been chosen."""
    header = json.loads((folder / "evaluation.json").read_text())
    header["subject"]["adaptation_lr"] = rate
    (folder / "evaluation.json").write_text(json.dumps(header))


def test_each_split_is_evaluated_into_its_own_folder(run):
    for split in ("train", "test"):
        arguments = ("--split", split, "--num-adaptation-steps", 0, "--num-tasks", 2)
        assert run_main("evaluate", run, *arguments, "--num-workers", 0) == 0
    assert {path.name for path in (run / "evaluation").iterdir()} == {"train", "test"}


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_evaluation_can_be_written_elsewhere_and_the_run_left_as_it_is(run, tmp_path, capsys):
    before, output = content(run), tmp_path / "mine" / "out"
    few = ("--num-tasks", 2, "--num-adaptation-steps", 1, "--num-workers", 0)
    controls = ("--controls", "untrained", "pretrained", "oracle")
    assert run_main("evaluate", run, *few, *controls, "--output", output) == 0
    assert content(run) == before
    assert not run.with_name("run-pretrained").exists()
    for folder in (output, *(output / "controls" / name for name in controls[1:])):
        assert len(Evaluation.load(folder).tasks) == 2
    assert {path.name for path in output.parent.iterdir()} == {"out", "out-pretrained"}
    capsys.readouterr()
    assert run_main("evaluate", run, *few, *controls, "--output", output) == 0
    assert "training" not in capsys.readouterr().out


@pytest.mark.parametrize("flags", [(), ("--controls", "pretrained")])
def test_what_cannot_be_written_is_refused_before_anything_runs(
    refused, run, monkeypatch, tmp_path, flags
):
    monkeypatch.setattr("metarl.cli.evaluating.evaluate", lambda *_, **__: pytest.fail("measured"))

    def read_only(**_: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    (tmp_path / "file").touch()
    message = refused("evaluate", run, *flags, "--output", tmp_path / "file" / "out")
    assert "can't be written: Not a directory; `--output DIR` writes elsewhere" in message
    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    message = refused("evaluate", run, *flags)
    assert "can't be written: Read-only file system; `--output DIR` writes elsewhere" in message
    assert not (run / "evaluation").exists()


def test_a_card_of_an_evaluation_elsewhere_is_refused(refused, run, tmp_path):
    message = refused("evaluate", run, "--card", "--output", tmp_path / "out")
    assert "card: got True with output" in message


def test_evaluating_what_is_no_run_is_refused(refused, tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        message = refused("evaluate", path)
        assert f"CheckpointError {path}: is no run folder (it lacks config.yaml)" in message


def test_evaluating_a_run_without_checkpoint_is_refused(refused, run):
    shutil.rmtree(run / "checkpoints")
    assert f"CheckpointError {run}: holds no checkpoint" in refused("evaluate", run)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"benchmark_seed": 5}, "seed: saved 0, now 5"),
        ({"max_episode_steps": 8}, "train.max_episode_steps: saved 6, now 8"),
        ({"max_episode_steps": None}, "test.max_episode_steps: saved 6, now 100"),
        ({"benchmark": "ml1/reach-v3"}, "benchmark: saved 'navigation', now 'ml1/reach-v3'"),
    ],
)
def test_a_checkpoint_of_another_benchmark_is_refused_with_what_differs(
    refused, run, changes, difference
):
    change_config(run, **changes)
    message = refused("evaluate", run)
    assert "ManifestMismatchError saved run and benchmark differ:" in message
    assert difference in message


def test_a_config_with_a_missing_entry_is_refused_by_its_name(refused, run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    del config["benchmark"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    message = refused("evaluate", run)
    assert f"CheckpointError {run / 'config.yaml'}: benchmark: is missing" in message


@pytest.mark.parametrize("name", ["params.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(capsys, run, name):
    path = newest_checkpoint(run) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    few = ("--num-tasks", 2, "--num-adaptation-steps", 0, "--num-workers", 0)
    assert run_main("evaluate", run, *few) == 0
    captured = capsys.readouterr()
    assert "going back to iteration-000001: " in captured.err
    assert f"{newest_checkpoint(run)}: {name} is damaged" in captured.err
    assert "navigation, test tasks, iteration 1" in captured.out


def test_without_any_whole_checkpoint_all_faults_are_told(refused, run):
    for checkpoint in (run / "checkpoints").iterdir():
        (checkpoint / "params.safetensors").unlink()
    message = refused("evaluate", run)
    for checkpoint in (run / "checkpoints").iterdir():
        assert f"{checkpoint}: lacks params.safetensors" in message


def test_the_checkpoint_to_evaluate_can_be_chosen(refused, capsys, run):
    few = ("--num-tasks", 2, "--num-adaptation-steps", 0, "--num-workers", 0)
    assert run_main("evaluate", run, *few, "--checkpoint", 1) == 0
    assert "iteration 1" in capsys.readouterr().out
    best = json.loads((run / "checkpoints.json").read_text())["best"]["iteration"]
    assert run_main("evaluate", run, *few, "--checkpoint", "best") == 0
    assert f"iteration {best}" in capsys.readouterr().out
    message = refused("evaluate", run, "--checkpoint", "7")
    assert "holds no checkpoint '7'; allowed: latest, best, 0, 1, 2" in message


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--num-tasks", 0, "num_tasks: got 0; Input should be greater than or equal to 1"),
        (
            "--num-adaptation-steps",
            -1,
            "num_adaptation_steps: got -1; Input should be greater than or equal to 0",
        ),
        (
            "--adaptation-episodes",
            0,
            "adaptation_episodes: got 0; Input should be greater than or equal to 1",
        ),
        (
            "--evaluation-episodes",
            0,
            "evaluation_episodes: got 0; Input should be greater than or equal to 1",
        ),
        ("--seed", -1, "seed: got -1; Input should be greater than or equal to 0"),
        ("--preset", "metawrld", "metawrld"),
        ("--num-workers", -1, "num_workers: got -1; must be at least 0"),
        ("--split", "validation", "validation"),
    ],
)
def test_numbers_of_an_evaluation_out_of_range_are_refused(refused, trained, flag, value, message):
    assert message in refused("evaluate", trained, flag, value)
    assert not (trained / "evaluation").exists()


def test_evaluation_on_tasks_that_were_trained_on_says_so(tmp_path, capsys):
    run = tmp_path / "run"
    small = ("--max-episode-steps", 3, "--hidden-sizes", 4, "--num-workers", 0)
    few = ("--meta-batch-size", 2, "--episodes-per-task", 2, "--total-timesteps", 1)
    assert (
        run_main("train", "maml", "--benchmark", "halfcheetah-dir", *small, *few, "--run", run) == 0
    )
    assert run_main("evaluate", run, "--num-adaptation-steps", 0, "--num-workers", 0) == 0
    said = capsys.readouterr().out
    assert "not held out: this benchmark's test tasks are among" in said
    assert (
        "with one seed and one episode per task there is nothing to take an interval from" in said
    )
    assert "[" not in said[said.index("halfcheetah-dir, test tasks") :]
    assert run_main("report", run) == 0
    assert "no sample" in (run / "report.html").read_text()
    many = ("--num-adaptation-steps", 0, "--num-workers", 0, "--evaluation-episodes", 2)
    assert run_main("evaluate", run, *many, "--card") == 0
    said = capsys.readouterr().out
    assert "[95 % interval]" in said
    assert "with one seed, intervals are over the episodes of each task" in said
    assert "intervals are over the episodes of each task" in (run / "card.md").read_text()
    again = shutil.copytree(run, tmp_path / "again")
    assert run_main("compare", run, again) == 0
    assert "with one seed, intervals are over" in capsys.readouterr().out
