"""Workers of a training run that are killed or stopped, and runs whose workers come to grief."""

import random
import signal
import time

import psutil
import pytest

from metarl.runs import RunFolder
from tests.faults.launcher import wait_until
from tests.faults.runs import ITERATIONS, outcome_of, tiny_run


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        (signal.SIGKILL, 0),
        (signal.SIGSTOP, 0),
        *(
            pytest.param(number, seed, marks=pytest.mark.slow)
            for seed in range(1, 6)
            for number in (signal.SIGKILL, signal.SIGSTOP)
        ),
    ],
)
def test_a_worker_killed_or_stopped_in_training(launcher, undisturbed, tmp_path, number, seed):
    rng = random.Random(seed)
    run, output = tmp_path / "run", tmp_path / "output"
    # Long enough for a worker on a busy machine, which must not be taken for a stopped one.
    timeout = 8 if number == signal.SIGSTOP else 60
    command = launcher.start(tiny_run(run, "--worker-timeout", timeout, workers=2), output)
    told = rng.randrange(1, ITERATIONS - 3)
    wait_until(lambda: f"iteration {told}," in command.text(), 120)
    time.sleep(rng.uniform(0, 0.1))
    victim = rng.choice(command.workers())
    victim.send_signal(number)
    assert command.wait() == 0, output.read_text()
    command.expect_no_process()
    assert not psutil.pid_exists(victim.pid)
    assert outcome_of(run) == undisturbed
    text = output.read_text()
    how = {signal.SIGKILL: "was killed by SIGKILL", signal.SIGSTOP: "took no step for 8 s"}[number]
    assert how in text
    warnings = [e for e in RunFolder(run).history.entries() if e["event"] == "warning"]
    assert any(how in entry["message"] for entry in warnings)
