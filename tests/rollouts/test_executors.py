import contextlib
import ctypes
import dataclasses
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from metarl.errors import ConfigError, NonFiniteError, RolloutError, WorkerDiedError
from metarl.policies import make_mlp_policy
from metarl.rollouts import Job, JobResult, ProcessExecutor, SerialExecutor
from metarl.rollouts.jobs import episode_seeds
from metarl.rollouts.processes import Worker
from metarl.rollouts.worker import portable
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
    before = children()
    with pytest.raises(ConfigError, match="distribution: can't be sent to a worker process"):
        ProcessExecutor(distribution, POLICY, 2)
    assert children() == before


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
    sent = pickle.loads(pickle.dumps(portable(error)))
    assert type(sent) is sent_as
    assert str(sent).startswith(message)
    assert "at step 3" in sent.__notes__


KILLED = "was killed by SIGKILL; out of memory?"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("fault", "number", "how"),
    [
        ("kill", 2, KILLED),
        ("kill with an heir", 1, KILLED),
        ("leave", 1, "left with 7"),
        ("die while answering", 1, KILLED),
        ("crash", 1, "was killed by SIGSEGV"),
        ("hang", 1, "took no step for 2 s and was killed"),
        pytest.param("stop", 1, "took no step for 2 s and was killed", marks=pytest.mark.slow),
    ],
)
def test_a_job_that_costs_every_worker_its_life_is_told_and_none_is_left(
    fault, number, how, release, caplog
):
    bad = failing(fault, release=str(release))
    with fresh_workers(number, worker_timeout=2.0) as (executor, _):
        jobs = jobs_for([stub_task(), bad, stub_task(), stub_task()])
        with pytest.raises(WorkerDiedError) as caught:
            executor.run(jobs)
    message = str(caught.value)
    seeds = ", ".join(map(str, episode_seeds(jobs[1].stream.numpy(), 3)))
    where = f"while it ran pushing ({bad.digest}), seeds {seeds}, step 2"
    assert re.match(rf"metarl-worker-\d {re.escape(how)}, {re.escape(where)}", message), message
    assert message.endswith("; 3 workers were lost over it")
    assert [record.getMessage().endswith("does its work again") for record in caplog.records] == [
        True,
        True,
    ]
    if fault in ("crash", "hang"):
        assert "_perhaps_fail" in "\n".join(caught.value.__notes__), "the traceback is lacking"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("fault", "tasks_per_vec"),
    [
        ("kill", 4),
        ("stop", 1),
        ("hang", 4),
        ("value error", 4),
        pytest.param("kill", 1, marks=pytest.mark.slow),
        pytest.param("stop", 4, marks=pytest.mark.slow),
        pytest.param("hang", 1, marks=pytest.mark.slow),
        pytest.param("leave", 1, marks=pytest.mark.slow),
        pytest.param("leave", 4, marks=pytest.mark.slow),
        pytest.param("value error", 1, marks=pytest.mark.slow),
    ],
)
def test_work_that_was_lost_once_is_done_again_to_the_same_bits(
    fault, tasks_per_vec, tmp_path, caplog
):
    """Not a bit shows that a worker was killed, stopped or hung in the middle of its jobs."""
    calm = jobs_for([stub_task(value=0.5), failing(fault, once=str(tmp_path / "once"))])
    (tmp_path / "once").touch()
    with SerialExecutor(StubTasks(tasks_per_vec=tasks_per_vec), POLICY) as serial:
        expected = serial.run(calm)
    (tmp_path / "once").unlink()
    before = children()
    with ProcessExecutor(StubTasks(tasks_per_vec=tasks_per_vec), POLICY, 1, 2.0) as executor:
        assert_same(executor.run(calm), expected)
        assert (tmp_path / "once").exists(), "nothing failed, so the test shows nothing"
        assert len(children() - before) == 1
        assert_same(executor.run(calm), expected)
    assert children() == before
    (record,) = caplog.records
    again = "done once again in new envir" if fault == "value error" else "does its work again"
    assert again in record.getMessage()


@pytest.mark.timeout(60)
def test_an_exception_is_tried_once_more_in_this_process_too(tmp_path):
    jobs = jobs_for([stub_task(), failing("value error", once=str(tmp_path / "once"))])
    (tmp_path / "once").touch()
    with SerialExecutor(StubTasks(tasks_per_vec=2), POLICY) as executor:
        expected = executor.run(jobs)
        (tmp_path / "once").unlink()
        assert_same(executor.run(jobs), expected)


@pytest.mark.timeout(60)
def test_a_worker_that_died_between_runs_is_replaced(expected):
    before = children()
    with ProcessExecutor(StubTasks(), POLICY, 1) as executor:
        executor.run(JOBS[:1])
        for pid in children() - before:
            psutil.Process(pid).kill()
        assert_same(executor.run(JOBS), expected)


@pytest.mark.timeout(60)
def test_a_worker_stopped_between_runs_is_replaced(expected):
    """Parameters larger than the pipe holds must not leave the sender waiting for ever."""
    policy = make_mlp_policy(StubTasks().observation_space, StubTasks().action_space, (300, 300))
    jobs = jobs_for(mixed_tasks()[:1], policy)
    before = children()
    with ProcessExecutor(StubTasks(), policy, 1, 4.0) as executor:
        first = executor.run(jobs)
        (pid,) = children() - before
        psutil.Process(pid).suspend()
        assert_same(executor.run(jobs), first)
        assert pid not in children()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("what", "step"), [("nan_observation_at", 3), ("inf_reward_at", 2), ("wrong_shape_at", 2)]
)
def test_what_an_environment_must_not_return_is_told_with_task_seed_and_step(what, step, number):
    bad = stub_task("pushing", **{what: 3})
    jobs = jobs_for([stub_task(), bad])
    seed = episode_seeds(jobs[1].stream.numpy(), 3)[0]
    error = ConfigError if what == "wrong_shape_at" else NonFiniteError
    with contextlib.ExitStack() as stack:
        executor = stack.enter_context(
            ProcessExecutor(StubTasks(), POLICY, 1)
            if number
            else SerialExecutor(StubTasks(), POLICY)
        )
        with pytest.raises(error) as caught:
            executor.run(jobs)
        text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
        for part in (f"pushing ({bad.digest})", "episode 0", f"seed {seed}", f"step {step}"):
            assert part in text, text
        if error is NonFiniteError:
            executor.run(jobs[:1])  # the workers are still there


def test_an_unstable_simulation_may_leave_numbers_that_are_not_finite():
    jobs = jobs_for([stub_task(unstable_at=3, nan_observation_at=3, inf_reward_at=3)])
    with SerialExecutor(StubTasks(), POLICY) as executor:
        (result,) = executor.run(jobs)
    assert result.unstable.all()
    assert result.truncated.all()
    assert (result.mask.sum(axis=1) == 3).all()
    for field in ("observations", "rewards", "last_observations", "actions", "log_probs"):
        assert np.isfinite(getattr(result, field)).all(), field


def test_actions_that_are_not_finite_never_reach_an_environment():
    (job,) = jobs_for([stub_task("pushing")])
    spoilt = {name: np.full_like(value, np.nan) for name, value in job.params.items()}
    message = r"action: got .* Task pushing .*, step 0"
    with (
        SerialExecutor(StubTasks(), POLICY) as executor,
        pytest.raises(NonFiniteError, match=message),
    ):
        executor.run([dataclasses.replace(job, params=spoilt)])


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


def wait_until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.timeout(60)
def test_ctrl_c_leaves_no_worker():
    """The environment itself presses it, so that work is surely under way."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
    try:
        with fresh_workers(1) as (executor, _), pytest.raises(KeyboardInterrupt):
            executor.run(jobs_for([failing("interrupt", pid=os.getpid())]))
    finally:
        signal.signal(signal.SIGINT, before)


def test_closing_the_serial_executor_closes_its_environments():
    distribution = StubTasks()
    executor = SerialExecutor(distribution, POLICY)
    executor.run(JOBS)
    executor.close()
    executor.close()
    assert all(env.closed for env in distribution.made)
