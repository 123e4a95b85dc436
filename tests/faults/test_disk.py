"""A disk that is full, read-only, gone, or fails in the middle of writing."""

import contextlib
import csv
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from metarl.errors import DiskError
from metarl.runs import RunFolder, RunRecorder, recorder
from metarl.runs.folder import iteration_of
from metarl.storage import read_checkpoint, write_checkpoint
from tests.faults.launcher import wait_until
from tests.faults.runs import ITERATIONS, left_over, outcome_of, resumed, tiny_run

MOUNT, UMOUNT = shutil.which("mount"), shutil.which("umount")


class SavingAgent:
    """As much of an agent as a recorder needs; its checkpoints fill a few disk blocks."""

    iteration = 0

    @property
    def num_timesteps(self) -> int:
        return 100 * self.iteration

    def save(self, path: Path) -> None:
        params = {"weight": torch.full((5000,), float(self.iteration))}
        write_checkpoint(path, params, {"iteration": self.iteration})

    def train(self, recorder: RunRecorder) -> None:
        """One iteration, and its record."""
        self.iteration += 1
        figures = {"iteration": self.iteration, "timesteps": self.num_timesteps}
        recorder(self, {**figures, "post/return": -1.0 / self.iteration})


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A small disk of its own."""
    if os.geteuid() != 0 or MOUNT is None:
        pytest.skip("mounting a disk takes root's rights")
    path = tmp_path / "disk"
    path.mkdir()
    made = subprocess.run([MOUNT, "-t", "tmpfs", "-o", "size=512k", "tmpfs", path], check=False)
    if made.returncode:
        pytest.skip("mounting isn't permitted here")
    yield path
    subprocess.run([UMOUNT, "-l", path], check=True)


def fill(disk: Path) -> Path:
    """Takes what is left of a disk; removing the file gives it back."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def expect_whole(run: RunFolder, last: int) -> None:
    """Every iteration is in table and event files once, in order, and the last is saved."""
    with (run.path / "metrics.csv").open(newline="") as file:
        rows = [int(row["iteration"]) for row in csv.DictReader(file)]
    assert rows == list(range(1, last + 1))
    events = EventAccumulator(str(run.path / "tensorboard")).Reload().Scalars("post/return")
    assert [event.step for event in events] == [100 * i for i in rows]
    assert iteration_of(run.latest_checkpoint()) == last
    assert left_over(run.path) == []


def begin(path: Path) -> RunFolder:
    return RunFolder.create(path, {"algorithm": "maml"}, {"digest": "abc"})


class Full:
    def __init__(self, disk: Path) -> None:
        self.disk = disk

    def strike(self) -> None:
        self.filler = fill(self.disk)

    def heal(self) -> None:
        self.filler.unlink()


class ReadOnly(Full):
    def strike(self) -> None:
        self._remount("ro")

    def heal(self) -> None:
        self._remount("rw")

    def _remount(self, how: str) -> None:
        # Busy while a file is open for writing, as the table of events is.
        subprocess.run([MOUNT, "-o", f"remount,{how}", self.disk], check=True)


class Vanished(Full):
    def strike(self) -> None:
        (self.disk / "run").rename(self.disk / "elsewhere")

    def heal(self) -> None:
        (self.disk / "elsewhere").rename(self.disk / "run")


@pytest.mark.parametrize("fault", [Full, ReadOnly, Vanished])
def test_training_goes_on_in_memory_and_all_is_written_in_the_end(disk, fault, caplog):
    run, agent, trouble = begin(disk / "run"), SavingAgent(), fault(disk)
    with RunRecorder(run) as recorder:
        for _ in range(3):
            agent.train(recorder)
        before = iteration_of(run.latest_checkpoint())
        if fault is ReadOnly:
            recorder.close()  # a disk with files open for writing can't be made read-only
        trouble.strike()
        for _ in range(4):
            agent.train(recorder)
        if fault is not Vanished:
            assert iteration_of(run.latest_checkpoint()) == before
        trouble.heal()
        agent.train(recorder)
        recorder.finish(agent)
    assert before == 3
    expect_whole(run, 8)
    begins, ends = (record.getMessage() for record in caplog.records)
    why = {Full: "No space left", ReadOnly: "Read-only", Vanished: "the run folder has vanished"}
    assert f"can't be written: {why[fault]}" in begins
    assert "training goes on in memory" in begins
    assert ends.endswith("can be written again; nothing was lost")


@pytest.mark.parametrize("fault", [Full, Vanished])
def test_by_the_other_policy_the_run_stops_and_says_what_is_safe(disk, fault):
    run, agent, trouble = begin(disk / "run"), SavingAgent(), fault(disk)
    with RunRecorder(run, on_disk_error="stop") as recorder:
        for _ in range(3):
            agent.train(recorder)
        trouble.strike()
        with pytest.raises(DiskError, match=r"run can't be written: ") as caught:
            agent.train(recorder)
        trouble.heal()
    if fault is Full:
        assert str(caught.value).endswith("; the newest checkpoint there is iteration-000003")
    assert read_checkpoint(run.checkpoints()[-1])[1] == {"iteration": 3}


def test_at_the_end_of_a_run_writing_is_tried_for_a_while(tmp_path, monkeypatch):
    run, agent, pauses = begin(tmp_path / "run"), SavingAgent(), []
    monkeypatch.setattr(recorder.time, "sleep", pauses.append)
    with RunRecorder(run) as recording:
        agent.train(recording)
        agent.iteration += 1
        run.path.rename(tmp_path / "elsewhere")
        with pytest.raises(DiskError, match="has vanished"):
            recording.finish(agent)
        assert 60 <= sum(pauses) < 120
        monkeypatch.setattr(
            recorder.time, "sleep", lambda _: (tmp_path / "elsewhere").rename(run.path)
        )
        assert recording.finish(agent).name == "iteration-000002"


OPERATIONS = [
    *[(os, "fsync", number) for number in range(1, 13)],
    *[(os, "open", number) for number in range(1, 5)],
    *[(Path, "open", number) for number in range(1, 8)],
    *[(Path, "rename", number) for number in range(1, 3)],
    *[(Path, "replace", number) for number in range(1, 6)],
    *[(Path, "mkdir", number) for number in range(1, 4)],
]


@pytest.mark.parametrize(
    ("owner", "name", "number"), OPERATIONS, ids=[f"{name}-{i}" for _, name, i in OPERATIONS]
)
def test_whatever_fails_while_an_iteration_is_recorded(
    tmp_path, monkeypatch, owner, name, number, caplog
):
    run, agent = begin(tmp_path / "run"), SavingAgent()
    real, calls = getattr(owner, name), []

    def failing(*args, **kwargs):
        calls.append(args)
        if len(calls) == number:
            raise OSError(errno.EIO, "Input/output error")
        return real(*args, **kwargs)

    with RunRecorder(run) as recording:
        for _ in range(3):
            agent.train(recording)
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, failing)
            agent.train(recording)
        assert iteration_of(run.latest_checkpoint()) in (3, 4)
        for _ in range(2):
            agent.train(recording)
        recording.finish(agent)
    expect_whole(run, 6)
    if len(calls) >= number:
        assert "Input/output error" in caplog.text


@pytest.mark.parametrize("policy", ["retry", pytest.param("stop", marks=pytest.mark.slow)])
def test_a_run_whose_disk_is_full_for_a_while(launcher, undisturbed, tmp_path, disk, policy):
    run, output = disk / "run", tmp_path / "output"
    command = launcher.start(tiny_run(run, "--on-disk-error", policy), output)
    wait_until(lambda: "iteration 2," in command.text())
    filler = fill(disk)
    wait_until(lambda: "No space left" in command.text())
    if policy == "retry":
        filler.unlink()
        assert command.wait() == 0, output.read_text()
        assert "training goes on in memory" in output.read_text()
    else:
        assert command.wait() == 2
        assert "error: DiskError" in output.read_text()
        assert "Traceback" not in output.read_text()
        filler.unlink()
        assert launcher.run(resumed(run), output) == 0
    found = outcome_of(run)
    assert len(found.metrics) == ITERATIONS
    assert found.tensors == undisturbed.tensors
    assert found.metrics == undisturbed.metrics
    assert found.state == undisturbed.state
