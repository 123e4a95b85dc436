import ctypes
import threading
from collections.abc import Iterator

import pytest

from metarl.errors import ConfigError, RolloutError
from metarl.rollouts import ProcessExecutor, SerialExecutor
from metarl.rollouts.processes import Worker
from stub_envs import RecurrentPolicy, StubTasks, mixed_tasks
from tests.rollouts.stub_jobs import JOBS, POLICY, assert_all_same, jobs_for
from tests.rollouts.workers import children, fresh_workers, is_alive


@pytest.fixture(scope="module", params=[1, 2, 3], ids=lambda number: f"{number}-workers")
def executor(request) -> Iterator[ProcessExecutor]:
    with ProcessExecutor(StubTasks(tasks_per_vec=2), POLICY, request.param) as executor:
        yield executor


@pytest.mark.parametrize("tasks_per_vec", [1, 4])
def test_serial_results_are_those_of_each_job_alone(expected, tasks_per_vec):
    with SerialExecutor(StubTasks(tasks_per_vec=tasks_per_vec), POLICY) as executor:
        assert_all_same(executor.run(JOBS), expected)
        assert_all_same(executor.run(JOBS[::-1]), expected[::-1])


def test_workers_results_are_those_of_each_job_alone(executor, expected):
    assert_all_same(executor.run(JOBS), expected)


def test_the_order_of_jobs_makes_no_difference_to_workers(executor, expected):
    order = [5, 2, 0, 6, 1, 4, 3]
    results = executor.run([JOBS[index] for index in order])
    assert_all_same(results, [expected[index] for index in order])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_jobs_are_run_by_any_number_of_workers(executor, expected, count):
    assert_all_same(executor.run(JOBS[:count]), expected[:count])


def test_workers_are_used_side_by_side(executor):
    """No worker gets everything where there are several."""
    with pytest.MonkeyPatch.context() as patch:
        used = []
        real = Worker.start
        patch.setattr(
            Worker, "start", lambda worker, jobs: used.append(worker.pid) or real(worker, jobs)
        )
        executor.run(JOBS)
    assert len(set(used)) == len(executor.workers)


def test_closing_ends_the_workers_and_may_happen_twice():
    policy = RecurrentPolicy(3, 2)
    jobs = jobs_for(mixed_tasks(), policy)
    with SerialExecutor(StubTasks(), policy) as serial:
        expected = serial.run(jobs)
    with fresh_workers(1, policy, tasks_per_vec=4) as (executor, pids):
        assert_all_same(executor.run(jobs), expected)  # a policy's state is carried there too
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
    before = children()
    with pytest.raises(ConfigError, match="distribution: can't be sent to a worker process"):
        ProcessExecutor(distribution, POLICY, 2)
    assert children() == before


def test_closing_the_serial_executor_closes_its_environments():
    distribution = StubTasks()
    executor = SerialExecutor(distribution, POLICY)
    executor.run(JOBS)
    executor.close()
    executor.close()
    assert all(env.closed for env in distribution.made)
