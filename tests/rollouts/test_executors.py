import contextlib
import ctypes
import multiprocessing
import os
import pickle
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from metarl.errors import ConfigError, RolloutError, WorkerDiedError
from metarl.policies import make_mlp_policy
from metarl.rollouts import Job, JobResult, ProcessExecutor, SerialExecutor
from metarl.rollouts.executors import _portable
from metarl.seeding import Stream
from stub_envs import (
    ChangedError,
    NotesLostError,
    RecurrentPolicy,
    StubTasks,
    mixed_tasks,
    stub_task,
)

POLICY = make_mlp_policy(
    StubTasks().observation_space,
    StubTasks().action_space,
    (16, 16),
    generator=torch.Generator().manual_seed(0),
)


def jobs_for(tasks, policy=POLICY, num_episodes=3) -> list[Job]:
    params = {name: value.numpy() for name, value in policy.params().items()}
    return [Job(task, params, Stream(0, (key,)), num_episodes) for key, task in enumerate(tasks)]


JOBS = jobs_for(mixed_tasks())


def failing(fault: str, **parameters):
    return stub_task("pushing", fault=fault, fault_at=3, **parameters)


@pytest.fixture(scope="module")
def expected() -> list[JobResult]:
    """Each job run alone, in an executor of its own."""
    results = []
    for job in JOBS:
        with SerialExecutor(StubTasks(), POLICY) as executor:
            results += executor.run([job])
    return results


@pytest.fixture(scope="module", params=[1, 2, 3], ids=lambda number: f"{number}-workers")
def executor(request) -> Iterator[ProcessExecutor]:
    with ProcessExecutor(StubTasks(tasks_per_vec=2), POLICY, request.param) as executor:
        yield executor


@pytest.fixture
def release(tmp_path) -> Iterator[Path]:
    """A file whose appearance ends what a dead worker has left."""
    yield tmp_path / "release"
    (tmp_path / "release").touch()


@contextlib.contextmanager
def fresh_workers(number: int, policy=POLICY, **settings):
    """Yields an executor and its workers' process ids; expects no worker to be left."""
    before = {child.pid for child in multiprocessing.active_children()}
    executor = ProcessExecutor(StubTasks(**settings), policy, number)
    pids = {child.pid for child in multiprocessing.active_children()} - before
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


def assert_same(results: list[JobResult], expected: list[JobResult]) -> None:
    assert len(results) == len(expected)
    for one, other in zip(results, expected, strict=True):
        for field in fields(JobResult):
            left, right = getattr(one, field.name), getattr(other, field.name)
            if left is None or right is None:
                assert left is right, field.name
            else:
                assert left.dtype == right.dtype, field.name
                assert np.array_equal(left, right), field.name


@pytest.mark.parametrize("tasks_per_vec", [1, 4])
def test_serial_results_are_those_of_each_job_alone(expected, tasks_per_vec):
    with SerialExecutor(StubTasks(tasks_per_vec=tasks_per_vec), POLICY) as executor:
        assert_same(executor.run(JOBS), expected)
        assert_same(executor.run(JOBS[::-1]), expected[::-1])


def test_workers_results_are_those_of_each_job_alone(executor, expected):
    assert_same(executor.run(JOBS), expected)


def test_the_order_of_jobs_makes_no_difference_to_workers(executor, expected):
    order = [5, 2, 0, 6, 1, 4, 3]
    results = executor.run([JOBS[index] for index in order])
    assert_same(results, [expected[index] for index in order])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_jobs_are_run_by_any_number_of_workers(executor, expected, count):
    assert_same(executor.run(JOBS[:count]), expected[:count])


def test_workers_are_used_side_by_side(executor):
    """No worker gets everything where there are several."""
    with pytest.MonkeyPatch.context() as patch:
        used = []
        real = ProcessExecutor._receive
        patch.setattr(
            ProcessExecutor,
            "_receive",
            lambda self, worker: used.append(worker.process.pid) or real(self, worker),
        )
        executor.run(JOBS)
    assert len(set(used)) == len(executor._workers)


def test_closing_ends_the_workers_and_may_happen_twice():
    policy = RecurrentPolicy(3, 2)
    jobs = jobs_for(mixed_tasks(), policy)
    with SerialExecutor(StubTasks(), policy) as serial:
        expected = serial.run(jobs)
    with fresh_workers(1, policy, tasks_per_vec=4) as (executor, pids):
        assert_same(executor.run(jobs), expected)  # a policy's state is carried there too
        assert all(is_alive(pid) for pid in pids)
        executor.close()
        executor.close()
        with pytest.raises(RolloutError, match="the executor is closed"):
            executor.run(jobs)


@pytest.mark.parametrize("number", [0, -1])
def test_workers_are_at_least_one(number):
    with pytest.raises(ConfigError, match=f"num_workers: got {number}; must be at least 1"):
        ProcessExecutor(StubTasks(), POLICY, number)


class Refuses:
    def __reduce__(self):
        raise RuntimeError("stays here")


@pytest.mark.parametrize(
    "handle",
    [threading.Lock(), ctypes.pointer(ctypes.c_int(1)), Refuses()],
    ids=["lock", "pointer", "refuses"],
)
def test_a_distribution_that_cannot_be_sent_is_refused_before_any_worker_starts(handle):
    distribution = StubTasks()
    distribution.handle = handle
    before = multiprocessing.active_children()
    with pytest.raises(ConfigError, match="distribution: can't be sent to a worker process"):
        ProcessExecutor(distribution, POLICY, 2)
    assert multiprocessing.active_children() == before


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [0, 1], ids=["serial", "1-worker"])
def test_an_environments_exception_arrives_as_itself_and_says_where(number):
    bad = failing("value error")
    jobs = jobs_for([stub_task(), bad, stub_task()])
    seed = int(jobs[1].stream.numpy().integers(2**31, size=3)[0])
    with contextlib.ExitStack() as stack:
        if number:
            executor, _ = stack.enter_context(fresh_workers(number))
        else:
            executor = stack.enter_context(SerialExecutor(StubTasks(), POLICY))
        with pytest.raises(ValueError, match="the stub fails as told") as caught:
            executor.run(jobs)
        assert type(caught.value) is ValueError
        assert str(caught.value) == "the stub fails as told"
        notes = "\n".join(caught.value.__notes__)
        assert f"task pushing ({bad.digest}), episode 0, seed {seed}, step 2" in notes
        assert ("in a worker process" in notes) == bool(number)
        assert not number or "_perhaps_fail" in notes, "the worker's traceback is lacking"


@pytest.mark.timeout(60)
def test_an_exception_that_cannot_travel_arrives_as_a_rollout_error():
    bad = failing("not portable")
    with fresh_workers(1) as (executor, _):
        with pytest.raises(RolloutError, match="NotPortableError") as caught:
            executor.run(jobs_for([bad]))
        assert str(caught.value) == "NotPortableError: this and that"
        notes = "\n".join(caught.value.__notes__)
        assert f"task pushing ({bad.digest})" in notes
        assert "_perhaps_fail" in notes


@pytest.mark.parametrize(
    ("error", "sent_as", "message"),
    [
        (KeyError("x"), KeyError, "'x'"),
        (NotesLostError("x"), RolloutError, "NotesLostError: x"),
        (ChangedError("x"), RolloutError, "ChangedError: x"),
        (ValueError(threading.Lock()), RolloutError, "ValueError: <unlocked _thread.lock"),
    ],
    ids=["portable", "notes lost", "changed", "unpicklable"],
)
def test_what_is_sent_of_an_exception_says_what_and_where(error, sent_as, message):
    error.add_note("at step 3")
    sent = pickle.loads(pickle.dumps(_portable(error)))
    assert type(sent) is sent_as
    assert str(sent).startswith(message)
    assert "at step 3" in sent.__notes__


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("fault", "number", "how"),
    [
        ("kill", 2, "was killed by SIGKILL; out of memory?"),
        ("kill with an heir", 1, "was killed by SIGKILL; out of memory?"),
        ("leave", 1, "left with 7"),
        ("die while answering", 1, "was killed by SIGKILL; out of memory?"),
    ],
)
def test_a_worker_that_dies_is_told_with_its_task_and_none_is_left(fault, number, how, release):
    bad = failing(fault, release=str(release))
    with fresh_workers(number) as (executor, _):
        with pytest.raises(WorkerDiedError) as caught:
            executor.run(jobs_for([stub_task(), bad, stub_task(), stub_task()]))
        message = str(caught.value)
        assert message.startswith("metarl-worker-")
        assert message.endswith(f"{how}, while it ran pushing ({bad.digest})")


@pytest.mark.timeout(60)
def test_a_worker_that_died_between_runs_is_told():
    with fresh_workers(1) as (executor, pids):
        executor.run(JOBS[:1])
        for pid in pids:
            process = psutil.Process(pid)
            process.kill()
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(5)
        with pytest.raises(WorkerDiedError, match="was killed by SIGKILL"):
            executor.run(JOBS)


@pytest.mark.timeout(60)
def test_ctrl_c_leaves_no_worker():
    """The environment itself presses it, so that work is surely under way."""
    with fresh_workers(1) as (executor, _), pytest.raises(KeyboardInterrupt):
        executor.run(jobs_for([failing("interrupt", pid=os.getpid())]))


def test_closing_the_serial_executor_closes_its_environments():
    distribution = StubTasks()
    executor = SerialExecutor(distribution, POLICY)
    executor.run(JOBS)
    executor.close()
    executor.close()
    assert all(env.closed for env in distribution.made)
