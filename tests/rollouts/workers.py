"""Worker processes, and which of them live."""

import contextlib

import psutil

from metarl.rollouts import ProcessExecutor
from stub_envs import StubTasks
from tests.rollouts.stub_jobs import POLICY


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@contextlib.contextmanager
def fresh_workers(number: int, policy=POLICY, worker_timeout: float = 60.0, **settings):
    """Yields an executor and its workers' process ids; expects no worker to be left."""
    before = children()
    executor = ProcessExecutor(StubTasks(**settings), policy, number, worker_timeout)
    pids = children() - before
    assert len(pids) == number
    try:
        yield executor, pids
        assert not any(is_alive(pid) for pid in pids)
    finally:
        executor.close()


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
