"""Whatever ends the main process ends its workers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.rollouts.stub_jobs import failing, jobs_for
from tests.rollouts.workers import fresh_workers, is_alive

SCRIPT = """
import sys
from metarl.policies import make_mlp_policy
from metarl.rollouts import Job, ProcessExecutor
from metarl.seeding import Stream
from stub_envs import StubTasks, stub_task

policy = make_mlp_policy(StubTasks().observation_space, StubTasks().action_space, (4,))
params = {name: value.numpy() for name, value in policy.params().items()}
executor = ProcessExecutor(StubTasks(), policy, 2, 1000.0)
executor.run([Job(stub_task(), params, Stream(0, (i,)), 1) for i in range(4)])
print(*(worker.pid for worker in executor.workers), flush=True)
fault = stub_task(fault=sys.argv[1], fault_at=2)
executor.run([Job(fault, params, Stream(0), 1)] * 2)
"""


def wait_until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fault", ["hang", "stop"])
def test_workers_end_with_the_main_process_whatever_they_are_doing(fault, tmp_path):
    """No guard in the script, no helper process, nothing left in the temporary folder."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "tmp").mkdir()
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    process = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", fault],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path / "tmp")},
    )
    try:
        workers = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        assert {child.pid for child in psutil.Process(process.pid).children(recursive=True)} == {
            worker.pid for worker in workers
        }
        asleep = {"hang": (psutil.STATUS_SLEEPING,), "stop": (psutil.STATUS_STOPPED,)}[fault]
        wait_until(lambda: all(worker.status() in asleep for worker in workers))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    wait_until(lambda: not any(is_alive(worker.pid) for worker in workers))
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.timeout(60)
def test_ctrl_c_leaves_no_worker():
    """The environment itself presses it, so that work is surely under way."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
    try:
        with fresh_workers(1) as (executor, _), pytest.raises(KeyboardInterrupt):
            executor.run(jobs_for([failing("interrupt", pid=os.getpid())]))
    finally:
        signal.signal(signal.SIGINT, before)
