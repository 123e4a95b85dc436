"""Resuming: what is refused, what may change, what is said; and repeating a run from its file."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from metarl.agents.maml import MAML
from metarl.envs import make_benchmark
from metarl.errors import CheckpointError, RunBusyError, RunChangedError
from metarl.runs import RunFolder, RunRecorder, resume
from tests.cli.commands import run_main
from tests.faults.runs import (
    ITERATIONS,
    STEPS_PER_ITERATION,
    left_over,
    outcome_of,
    resumed,
    tiny_run,
)

HALF = ("--total-timesteps", 4 * STEPS_PER_ITERATION)
WHOLE = ("--total-timesteps", ITERATIONS * STEPS_PER_ITERATION)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of four iterations; don't change it."""
    path = tmp_path_factory.mktemp("resume") / "run"
    assert run_main(*tiny_run(path, *HALF)) == 0
    return path


@pytest.fixture
def half(trained, tmp_path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def edit(path: Path, change) -> None:
    load, dump = (
        (yaml.safe_load, yaml.safe_dump) if path.suffix == ".yaml" else (json.loads, json.dumps)
    )
    data = load(path.read_text())
    change(data)
    path.write_text(dump(data))


def events(run: Path) -> list[str]:
    return [entry["event"] for entry in RunFolder(run).history.entries()]


def test_a_finished_run_can_be_prolonged_and_its_settings_say_so(half, undisturbed, capsys):
    assert run_main(*resumed(half), *WHOLE) == 0
    assert outcome_of(half) == undisturbed
    assert f"run folder: {half}; going on after iteration 4" in capsys.readouterr().out
    assert events(half) == ["begun", "done", "resumed", "done"]
    assert run_main(*resumed(half)) == 0
    assert outcome_of(half) == undisturbed


def test_a_run_can_be_resumed_in_python_too(half, undisturbed):
    run = RunFolder(half)
    benchmark = make_benchmark("navigation", max_episode_steps=6)
    with run.lock():
        agent = resume(run, MAML, benchmark)
        with RunRecorder(run, agent.iteration) as recorder, agent:
            agent.learn(ITERATIONS * STEPS_PER_ITERATION, callback=recorder)
            recorder.finish(agent)
    found = outcome_of(half)
    assert (found.tensors, found.state) == (undisturbed.tensors, undisturbed.state)
    assert found.metrics == undisturbed.metrics


def other_versions(run: Path) -> None:
    edit(run / "versions.json", lambda data: data["packages"].update(torch="1.0", mujoco="2.1"))


def other_settings(run: Path) -> None:
    edit(run / "config.yaml", lambda data: data["agent"].update(inner_lr=0.5))


def other_benchmark(run: Path) -> None:
    edit(run / "config.yaml", lambda data: data.update(benchmark_seed=3))


@pytest.mark.parametrize(
    ("change", "error", "differences"),
    [
        (other_versions, "RunChangedError", ["torch: saved 1.0, now ", "mujoco: saved 2.1, now "]),
        (other_settings, "RunChangedError", ["inner_lr: saved 0.1, now 0.5"]),
        (other_benchmark, "ManifestMismatchError", ["seed: saved 0, now 3"]),
    ],
)
def test_a_changed_run_is_refused_unless_told_to_go_on(half, change, error, differences, capsys):
    change(half)
    before = files(half)
    assert run_main(*resumed(half), *WHOLE) == 2
    text = capsys.readouterr().err
    assert f"error: {error}" in text
    for difference in differences:
        assert difference in text
    assert files(half) == before

    assert run_main(*resumed(half), *WHOLE, "--accept-changes") == 0
    text = capsys.readouterr().err
    entries = RunFolder(half).history.entries()
    (changes,) = [entry["changes"] for entry in entries if entry["event"] == "resumed"]
    for difference in differences:
        assert any(difference in told for told in changes)
        assert difference in text
    # From now on it is the run that it has become.
    assert run_main(*resumed(half)) == 0


def test_what_a_killed_writer_left_is_cleared_away_and_never_taken_for_a_checkpoint(half):
    checkpoints = half / "checkpoints"
    shutil.copytree(checkpoints / "iteration-000004", checkpoints / ".iteration-000009.0123abcd")
    (half / ".config.yaml.0123abcd").write_text("half")
    (checkpoints / "iteration-000004").rename(checkpoints / ".iteration-000004.old")
    assert RunFolder(half).latest_checkpoint().name == "iteration-000003"
    assert run_main(*resumed(half)) == 0
    assert left_over(half) == []
    assert sorted(path.name for path in checkpoints.iterdir()) == [
        "iteration-000002",
        "iteration-000003",
        "iteration-000004",
    ]


def test_two_processes_cannot_train_in_one_folder(half, capsys):
    with RunFolder(half).lock():
        busy = pytest.raises(RunBusyError, match="another process is training")
        with busy, RunFolder(half).lock():
            pass
        assert run_main(*resumed(half)) == 2
        assert "RunBusyError" in capsys.readouterr().err
    assert run_main(*resumed(half)) == 0


def files(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.mark.parametrize("content", [b"garbage\n", b"iteration,timesteps\n\xff,1\n"])
def test_a_damaged_table_of_metrics_is_refused_before_anything_changes(half, capsys, content):
    (half / "metrics.csv").write_bytes(content)
    before = files(half)
    assert run_main(*resumed(half), *WHOLE) == 2
    assert f"CheckpointError\n{half / 'metrics.csv'}: " in capsys.readouterr().err
    assert files(half) == before


def test_a_run_whose_checkpoints_were_removed_is_not_begun_again(half, capsys):
    shutil.rmtree(half / "checkpoints")
    before = files(half)
    assert run_main(*resumed(half), *WHOLE) == 2
    said = capsys.readouterr().err
    assert f"{half}: holds no checkpoint, but metrics.csv holds 4 iterations" in said
    assert files(half) == before
    (half / "metrics.csv").unlink()
    assert run_main(*resumed(half)) == 0


def test_a_run_killed_as_its_first_checkpoint_was_due_is_begun_again(half, trained):
    shutil.rmtree(half / "checkpoints")
    table = half / "metrics.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:2]))
    assert run_main(*resumed(half)) == 0
    assert outcome_of(half) == outcome_of(trained)


def test_what_is_no_run_is_refused(tmp_path, capsys):
    assert run_main("train", "--resume", tmp_path) == 2
    assert f"CheckpointError\n{tmp_path}: is no run folder" in capsys.readouterr().err
    with pytest.raises(CheckpointError):
        RunFolder(tmp_path).latest_checkpoint()


def test_a_flag_out_of_range_is_refused_by_name(half, capsys):
    assert run_main("train", "--resume", half, "--num-workers", -1, "--total-timesteps", 0) == 2
    text = capsys.readouterr().err
    assert "num_workers: got -1" in text
    assert "total_timesteps: got 0" in text


def test_a_run_is_repeated_from_its_settings(trained, tmp_path):
    again = tmp_path / "again"
    assert run_main("train", "--config", trained / "config.yaml", "--run", again) == 0
    assert outcome_of(again) == outcome_of(trained)
    other = tmp_path / "other"
    flags = ("--run", other, "--seed", 5)
    assert run_main("train", f"--config={trained / 'config.yaml'}", *flags) == 0
    assert yaml.safe_load((other / "config.yaml").read_text())["seed"] == 5
    assert outcome_of(other).tensors != outcome_of(trained).tensors


def test_other_versions_in_python(half):
    other_versions(half)
    benchmark = make_benchmark("navigation", max_episode_steps=6)
    with pytest.raises(RunChangedError, match=r"torch: saved 1\.0"):
        resume(RunFolder(half), MAML, benchmark)
    with resume(RunFolder(half), MAML, benchmark, accept_changes=True) as agent:
        assert agent.iteration == 4


def test_best_and_milestones_are_kept(tmp_path):
    run = tmp_path / "run"
    assert run_main(*tiny_run(run, "--keep-checkpoints", 1, "--milestone-every", 3)) == 0
    folder = RunFolder(run)
    rows = outcome_of(run).metrics
    best = max(rows, key=lambda row: float(row["post/return"]))
    expected = sorted({3, 6, 8, int(best["iteration"])})
    kept = [int(path.name[-6:]) for path in folder.checkpoints()]
    assert kept == expected
    assert folder.marks().best == int(best["iteration"])
    assert folder.marks().best_value == float(best["post/return"])
    assert sorted(folder.marks().milestones) == [3, 6]
    assert folder.checkpoint("best").name == f"iteration-{folder.marks().best:06d}"
    folder.mark_milestone(8)
    assert sorted(folder.marks().milestones) == [3, 6, 8]
    with pytest.raises(CheckpointError, match="holds no checkpoint '7'; allowed: latest, best, "):
        folder.mark_milestone(7)


def test_a_damaged_list_of_kept_checkpoints_loses_nothing(half, caplog):
    before = sorted(path.name for path in (half / "checkpoints").iterdir())
    (half / "checkpoints.json").write_text("{")
    assert run_main(*resumed(half), *WHOLE) == 0
    assert "keeping every checkpoint that is there" in caplog.text
    assert set(before) <= {path.name for path in (half / "checkpoints").iterdir()}
