"""SIGKILL of the main process at any instant, then resumed: the same bits all the same."""

import random
import signal
import time

import pytest

from tests.faults.launcher import wait_until
from tests.faults.runs import ITERATIONS, left_over, outcome_of, resumed, tiny_run

SOME, ALL = range(3), range(3, 20)


def seeds(default, slow):
    return [*default, *(pytest.param(seed, marks=pytest.mark.slow) for seed in slow)]


def finish(launcher, run, output, workers=0):
    """Goes on with a run, as its user would."""
    begun = (run / "config.yaml").exists()
    arguments = resumed(run, workers) if begun else tiny_run(run, workers=workers)
    assert launcher.run(arguments, output) == 0, output.read_text()


def expect_same(run, undisturbed):
    found = outcome_of(run)
    assert found == undisturbed
    assert len(found.metrics) == ITERATIONS
    assert left_over(run) == []


@pytest.mark.parametrize("seed", seeds(SOME, ALL))
def test_killed_at_a_random_instant(launcher, undisturbed, tmp_path, seed):
    """By the clock, counted from the moment that a random iteration has been told."""
    rng = random.Random(seed)
    run, output = tmp_path / "run", tmp_path / "output"
    workers = rng.choice([0, 0, 1, 2])
    command = launcher.start(tiny_run(run, workers=workers), output)
    told = rng.randrange(ITERATIONS - 1)
    wait_until(lambda: told == 0 or f"iteration {told}," in command.text(), 120)
    time.sleep(rng.uniform(0, 0.5 if told == 0 else 0.08))
    command.send(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL, "it ended before it was killed"
    command.expect_no_process()
    finish(launcher, run, output, workers=rng.choice([0, 0, 0, 1]))
    expect_same(run, undisturbed)


@pytest.mark.parametrize("seed", seeds(SOME, range(3, 30)))
def test_killed_in_the_middle_of_writing(launcher, undisturbed, tmp_path, seed):
    """At a random operation on the run folder, again and again, until the run is done."""
    rng = random.Random(seed)
    run, output = tmp_path / "run", tmp_path / "output"
    kills = 0
    while True:
        begun = (run / "config.yaml").exists()
        arguments = resumed(run) if begun else tiny_run(run)
        die_at = rng.randrange(1, 180) if kills < 4 else None
        code = launcher.run(arguments, output, die_at=die_at)
        if code == 0:
            break
        assert code == -signal.SIGKILL, output.read_text()
        kills += 1
    assert kills
    expect_same(run, undisturbed)
