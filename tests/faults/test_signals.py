"""SIGTERM and Ctrl-C at any instant: exit code, checkpoint, no process left, same bits."""

import random
import signal
import time

import pytest

from metarl.runs import RunFolder
from tests.faults.launcher import wait_until
from tests.faults.runs import ITERATIONS, left_over, outcome_of, resumed, tiny_run

CASES = [(number, seed) for seed in range(10) for number in (signal.SIGTERM, signal.SIGINT)]


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        pytest.param(*case, marks=[pytest.mark.slow] if index >= 2 else [])
        for index, case in enumerate(CASES)
    ],
)
def test_a_signal_at_a_random_instant(launcher, undisturbed, tmp_path, number, seed):
    rng = random.Random(seed)
    run, output = tmp_path / "run", tmp_path / "output"
    command = launcher.start(tiny_run(run, workers=rng.choice([0, 1, 2])), output)
    told = rng.randrange(1, ITERATIONS - 2)
    wait_until(lambda: f"iteration {told}," in command.text(), 120)
    time.sleep(rng.uniform(0, 0.1))
    command.send(number)
    assert command.wait() == 128 + number
    command.expect_no_process()
    text = output.read_text()
    assert "Traceback" not in text
    assert "finishing the job at hand, then saving" in text
    folder = RunFolder(run)
    checkpoint = folder.latest_checkpoint()
    assert f"checkpoint: {checkpoint}" in text
    assert len(outcome_of(run).metrics) == int(checkpoint.name.partition("-")[2])
    assert left_over(run) == []
    assert [entry["event"] for entry in folder.history.entries()] == ["begun", "stopped"]
    assert launcher.run(resumed(run), output) == 0, output.read_text()
    assert outcome_of(run) == undisturbed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_leaves_at_once(launcher, undisturbed, tmp_path, number):
    """The first is being answered: a job that takes long holds it up."""
    run, output = tmp_path / "run", tmp_path / "output"
    endless = ("--max-episode-steps", 100_000, "--episodes-per-task", 50)
    command = launcher.start([*tiny_run(run, workers=1), *endless], output)
    wait_until(lambda: "run folder:" in command.text(), 120)
    wait_until(lambda: command.workers(), 120)
    time.sleep(0.5)
    command.send(number)
    wait_until(lambda: "finishing the job at hand" in command.text())
    command.send(number)
    assert command.wait(30) == 128 + number
    command.expect_no_process()
    assert left_over(run) == []
    assert "Traceback" not in output.read_text()


def test_the_job_at_hand_is_the_last_one(launcher, tmp_path):
    """What is left of the iteration isn't waited for, and doesn't count."""
    run, output = tmp_path / "run", tmp_path / "output"
    long = ("--meta-batch-size", 10_000, "--max-episode-steps", 50)
    command = launcher.start([*tiny_run(run), *long], output)
    wait_until(lambda: "run folder:" in command.text(), 120)
    time.sleep(1)
    command.send(signal.SIGTERM)
    assert command.wait(60) == 128 + signal.SIGTERM
    assert "stopped after iteration 0; checkpoint: " in output.read_text()
    assert RunFolder(run).latest_checkpoint().name == "iteration-000000"
