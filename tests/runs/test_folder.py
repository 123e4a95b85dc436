import csv
import json
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from metarl.errors import CheckpointError, RunExistsError
from metarl.runs import PACKAGES, RunFolder, RunRecorder
from metarl.runs.folder import iteration_of
from metarl.storage import read_checkpoint, write_checkpoint

CONFIG = {
    "algorithm": "maml",
    "benchmark": "ml1/reach-v3",
    "max_episode_steps": None,
    "agent": {"hidden_sizes": [64, 64], "inner_lr": 0.1, "cg_damping": 1e-05},
}
MANIFEST = {"benchmark": "ml1/reach-v3", "digest": "abc"}


class SavingAgent:
    """As much of an agent as a run folder needs."""

    def __init__(self, iteration: int = 0) -> None:
        self.iteration = iteration

    @property
    def num_timesteps(self) -> int:
        return 100 * self.iteration

    def save(self, path: Path) -> None:
        write_checkpoint(path, {"w": torch.zeros(2)}, {"iteration": self.iteration})


@pytest.fixture
def run(tmp_path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", CONFIG, MANIFEST)


def figures(iteration: int, **more: float) -> dict[str, float]:
    return {
        "post/return": -1.5 * iteration,
        "iteration": iteration,
        "timesteps": 100 * iteration,
        "outer/kl": 0.01,
        **more,
    }


def record(run: RunFolder, first: int, last: int, *, after: int = 0, every: int = 10) -> None:
    if (run.path / "tensorboard").exists():
        time.sleep(1.1)  # TensorBoard orders its files by the second they were begun in
    recorder = RunRecorder(run, after, every)
    for iteration in range(first, last + 1):
        recorder(SavingAgent(iteration), figures(iteration))
    recorder.close()


def metrics(run: RunFolder) -> list[dict[str, str]]:
    with (run.path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def scalars(run: RunFolder, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_a_new_run_folder_holds_settings_manifest_and_versions(run):
    assert RunFolder(run.path).config() == CONFIG
    assert list(RunFolder(run.path).config()) == list(CONFIG)
    assert json.loads((run.path / "manifest.json").read_text()) == MANIFEST
    versions = json.loads((run.path / "versions.json").read_text())
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert versions["packages"].keys() == set(PACKAGES)
    assert versions["packages"]["metaworld"] == "3.1.1"


def test_an_empty_folder_may_become_a_run(tmp_path):
    RunFolder.create(tmp_path, CONFIG, MANIFEST)
    assert RunFolder(tmp_path).config() == CONFIG


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunExistsError, match=f"run: {tmp_path} exists and isn't empty; choose an"):
        RunFolder.create(tmp_path, CONFIG, MANIFEST)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(FileExistsError, match=r"run: .*run exists"):
        RunFolder.create(tmp_path / "run", CONFIG, MANIFEST)
    assert (tmp_path / "run").read_text() == "mine"


def test_a_folder_that_is_no_run_says_so(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(CheckpointError, match=rf"{path}: is no run folder \(it lacks config"):
            RunFolder(path).config()


def test_a_folder_in_the_place_of_the_settings_is_refused(tmp_path):
    (tmp_path / "config.yaml").mkdir()
    with pytest.raises(CheckpointError, match=r"config\.yaml: Is a directory"):
        RunFolder(tmp_path).config()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no settings"),
        (b"- a\n- b\n", "holds no settings"),
        (b"a: [1, 2", "expected ',' or ']'"),
        (b"a: \xff\xfe", "can't decode byte"),
        (b"!!python/object/apply:os.system ['true']", "could not determine a constructor"),
    ],
)
def test_settings_that_cannot_be_read_are_refused_with_the_files_name(run, content, message):
    (run.path / "config.yaml").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.yaml: ") as caught:
        run.config()
    assert message in str(caught.value)


def test_the_newest_checkpoints_are_kept(run):
    for iteration in (0, 9, 10, 99, 100):
        path = run.save_checkpoint(SavingAgent(iteration))
        assert path == run.latest_checkpoint()
        assert read_checkpoint(path)[1] == {"iteration": iteration}
    assert [path.name for path in run.checkpoints()] == [
        "iteration-000010",
        "iteration-000099",
        "iteration-000100",
    ]


def test_half_written_checkpoints_do_not_count(run):
    run.save_checkpoint(SavingAgent(4))
    (run.path / "checkpoints" / ".iteration-000005.x1y2").mkdir()
    assert run.latest_checkpoint().name == "iteration-000004"


def test_a_run_without_checkpoint_says_so(run):
    assert run.checkpoints() == []
    with pytest.raises(CheckpointError, match=f"{run.path}: holds no checkpoint"):
        run.latest_checkpoint()


def test_metrics_are_one_line_per_iteration_with_the_iteration_first(run):
    record(run, 1, 3)
    rows = metrics(run)
    assert list(rows[0]) == ["iteration", "timesteps", "memory/peak_mib", "outer/kl", "post/return"]
    assert [float(row["iteration"]) for row in rows] == [1, 2, 3]
    assert [float(row["post/return"]) for row in rows] == [-1.5, -3.0, -4.5]


def test_figures_that_come_and_go_stay_in_their_own_columns(run):
    recorder = RunRecorder(run)
    recorder(SavingAgent(1), figures(1))
    recorder(SavingAgent(2), figures(2, **{"outer/backtracks": 7}))
    recorder(SavingAgent(3), figures(3))
    recorder.close()
    rows = metrics(run)
    assert [row["outer/backtracks"] for row in rows] == ["", "7", ""]
    assert [row["outer/kl"] for row in rows] == ["0.01"] * 3
    assert [float(row["post/return"]) for row in rows] == [-1.5, -3.0, -4.5]
    assert list(rows[0])[:2] == ["iteration", "timesteps"]


def test_a_resumed_run_drops_the_metrics_that_will_come_again(run):
    record(run, 1, 5)
    record(run, 4, 6, after=3)
    assert [float(row["iteration"]) for row in metrics(run)] == [1, 2, 3, 4, 5, 6]
    assert scalars(run, "post/return") == [(100 * i, -1.5 * i) for i in range(1, 7)]


def test_a_run_resumed_at_its_start_begins_again(run):
    record(run, 1, 2)
    record(run, 1, 1, after=0)
    assert [float(row["iteration"]) for row in metrics(run)] == [1]
    assert scalars(run, "post/return") == [(100, -1.5)]


@pytest.mark.parametrize("torn", ["", "iteration,times", "iteration,timesteps\n1,100\n2"])
def test_a_run_killed_while_it_wrote_metrics_resumes(run, torn):
    (run.path / "metrics.csv").write_text(torn)
    record(run, 2, 3, after=2)
    iterations = [float(row["iteration"]) for row in metrics(run)]
    assert iterations == ([1, 2, 3] if "\n" in torn else [2, 3])


def test_tensorboard_reads_every_figure_at_its_timestep(run):
    record(run, 1, 3)
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == {"memory/peak_mib", "post/return", "outer/kl"}
    assert scalars(run, "post/return") == [(100, -1.5), (200, -3.0), (300, -4.5)]


def test_checkpoints_are_written_at_the_interval_asked_for(run):
    record(run, 1, 7, every=3)
    assert [path.name for path in run.checkpoints()] == ["iteration-000003", "iteration-000006"]


def test_the_last_checkpoint_can_be_the_best(run):
    with RunRecorder(run, checkpoint_every=10) as recorder:
        for iteration in range(1, 26):
            agent = SavingAgent(iteration)
            recorder(agent, figures(iteration, **{"post/return": iteration}))
        recorder.finish(agent)
    assert [iteration_of(path) for path in run.checkpoints()] == [10, 20, 25]
    assert (run.marks().best, run.marks().best_value) == (25, 25.0)


def test_figures_of_another_iteration_make_no_checkpoint_the_best(run):
    with RunRecorder(run, checkpoint_every=10) as recorder:
        recorder(SavingAgent(1), figures(1))
        recorder.finish(SavingAgent(2))
    assert run.marks().best is None


def test_only_checkpoints_that_are_there_are_offered(run):
    with pytest.raises(CheckpointError, match=r"holds no checkpoint 'best'$"):
        run.checkpoint("best")
    run.save_checkpoint(SavingAgent(30))
    with pytest.raises(CheckpointError, match=r"holds no checkpoint 'best'; allowed: latest, 30$"):
        run.checkpoint("best")
    run.save_checkpoint(SavingAgent(31), figures(31))
    with pytest.raises(CheckpointError, match=r"'x'; allowed: latest, best, 30, 31$"):
        run.checkpoint("x")
