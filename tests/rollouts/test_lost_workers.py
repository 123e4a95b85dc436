"""Work that a worker, or an attempt, is lost over."""

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from metarl.errors import WorkerDiedError
from metarl.policies import make_mlp_policy
from metarl.rollouts import ProcessExecutor, SerialExecutor
from metarl.rollouts.jobs import episode_seeds
from stub_envs import StubTasks, mixed_tasks, stub_task
from tests.rollouts.stub_jobs import JOBS, POLICY, assert_all_same, failing, jobs_for
from tests.rollouts.workers import children, fresh_workers

KILLED = "was killed by SIGKILL; out of memory?"


@pytest.fixture
def release(tmp_path) -> Iterator[Path]:
    """A file whose appearance ends what a dead worker has left."""
    yield tmp_path / "release"
    (tmp_path / "release").touch()


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
        assert_all_same(executor.run(calm), expected)
        assert (tmp_path / "once").exists(), "nothing failed, so the test shows nothing"
        assert len(children() - before) == 1
        assert_all_same(executor.run(calm), expected)
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
        assert_all_same(executor.run(jobs), expected)


@pytest.mark.timeout(60)
def test_a_worker_that_died_between_runs_is_replaced(expected):
    before = children()
    with ProcessExecutor(StubTasks(), POLICY, 1) as executor:
        executor.run(JOBS[:1])
        for pid in children() - before:
            psutil.Process(pid).kill()
        assert_all_same(executor.run(JOBS), expected)


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
        assert_all_same(executor.run(jobs), first)
        assert pid not in children()
