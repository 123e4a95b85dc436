"""Worker processes return the same bits, and their failures are told plainly."""

import multiprocessing
import os
import signal

import gymnasium
import numpy as np
import pytest

from metarl.errors import ConfigError, InvalidActionError, WorkerDiedError

from .rollouts import assert_same, play

ARGUMENTS = {"envs_list": ["reach-v3", "push-v3", "reach-v3"], "seed": 1, "max_episode_steps": 9}


def make(num_workers, **more):
    return gymnasium.make_vec(
        "metarl/custom-mt-envs-v0", num_workers=num_workers, **ARGUMENTS, **more
    )


@pytest.fixture(scope="module")
def envs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metaworld._N_GOALS", 4)
        made = make(2, autoreset_mode="Disabled", terminate_on_success=True)
    yield made
    made.close()
    assert not multiprocessing.active_children()


def test_same_bits_as_in_this_process(envs):
    alone = make(0, autoreset_mode="Disabled", terminate_on_success=True)
    assert play(alone, envs, steps=30)[0] >= 9
    assert_same(alone.reset()[0], envs.reset()[0])
    alone.close()


def test_a_part_of_the_rows_is_reset(envs):
    obs, _ = envs.reset()
    stepped, *_ = envs.step(np.ones((3, 4), dtype=np.float32))
    obs, infos = envs.reset(options={"reset_mask": np.array([True, False, False])})
    assert not np.array_equal(obs[0], stepped[0])
    assert_same(obs[1:], stepped[1:])
    assert infos == {}


def test_attributes(envs):
    envs.set_attr("sample_tasks_on_reset", [True, False, True])
    assert envs.get_attr("sample_tasks_on_reset") == (True, False, True)
    envs.call("toggle_sample_tasks_on_reset", True)
    assert envs.get_attr("sample_tasks_on_reset") == (True, True, True)
    names = ("SawyerReachEnvV3", "SawyerPushEnvV3", "SawyerReachEnvV3")
    assert envs.get_attr("task_name") == names


def test_a_bad_call_or_action_changes_nothing(envs):
    envs.reset()
    with pytest.raises(AttributeError, match="task_name"):
        envs.call("no_such_name")
    actions = np.zeros((3, 4))
    actions[2, 1] = np.nan
    with pytest.raises(InvalidActionError, match="row 2"):
        envs.step(actions)
    envs.step(np.zeros((3, 4)))
    assert envs.get_attr("episode_lengths") == (1, 1, 1)


def test_more_workers_than_rows():
    with pytest.raises(ConfigError, match="num_workers: got 4; allowed: 0 to 3"):
        make(4)


def test_a_dead_worker_is_told_and_no_process_stays():
    before = set(multiprocessing.active_children())
    envs = make(3)
    envs.reset()
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 3
    os.kill(min(workers, key=lambda p: p.pid).pid, signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match=r"rows \d to \d was killed by SIGKILL"):
        envs.step(np.zeros((3, 4)))
    assert envs.closed
    assert set(multiprocessing.active_children()) <= before
    with pytest.raises(ConfigError, match="closed"):
        envs.reset()
