"""Faults of environments and policies, told where they happened."""

import contextlib
import dataclasses
import pickle
import threading

import numpy as np
import pytest

from metarl.errors import ConfigError, NonFiniteError, RolloutError
from metarl.rollouts import ProcessExecutor, SerialExecutor
from metarl.rollouts.jobs import episode_seeds
from metarl.rollouts.worker import portable
from stub_envs import ChangedError, NotesLostError, StubTasks, stub_task
from tests.rollouts.stub_jobs import POLICY, failing, jobs_for
from tests.rollouts.workers import fresh_workers


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
