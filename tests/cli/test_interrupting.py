"""Training that is told to stop."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metarl.cli import load_run

from .commands import TINY, newest_checkpoint, run_main


def test_the_callers_signal_handlers_are_back_after_training(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run_main(*TINY, "--total-timesteps", 1, "--run", tmp_path / "run") == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def processes_of_group(group: int) -> list[str]:
    """Names of the live processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _, process_group = rest.split()[:3]
        if int(process_group) == group and state != "Z":
            found.append(name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_training_with_a_checkpoint_and_no_process_left(tmp_path, number):
    run = tmp_path / "a run"
    arguments = [*TINY[:-1], "2", "--total-timesteps", str(10**9), "--run", str(run)]
    process = subprocess.Popen(
        [sys.executable, "-m", "metarl.cli", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        said = [process.stderr.readline()]
        assert said[0].startswith("iteration 1, "), said[0] + process.stderr.read()
        assert len(processes_of_group(process.pid)) >= 3, "the command and its two workers"
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 128 + number
        deadline = time.monotonic() + 20
        while (left := processes_of_group(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == []
    finally:
        if processes_of_group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
    assert "finishing the job at hand, then saving" in rest
    assert "Traceback" not in rest
    agent = load_run(run)
    assert rest.splitlines()[-2:] == [
        f"stopped after iteration {agent.iteration}; checkpoint: {newest_checkpoint(run)}",
        f"to go on: metarl train --resume '{run}'",
    ]
    with (run / "metrics.csv").open(newline="") as file:
        assert [int(row["iteration"]) for row in csv.DictReader(file)] == list(
            range(1, agent.iteration + 1)
        )
