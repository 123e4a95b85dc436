"""What ``call``, ``get_attr`` and ``set_attr`` reach."""

import json

import gymnasium
import metaworld
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from metarl.errors import CheckpointError, TaskError

from .rollouts import assert_same, make_both, quietly

ML1 = {"env_name": "reach-v3", "seed": 0, "meta_batch_size": 2, "max_episode_steps": 4}


@pytest.fixture
def envs():
    made = gymnasium.make_vec("metarl/ML1-test-v0", **ML1)
    yield made
    made.close()


def goals(envs):
    return [tuple(task.data for task in tasks) for tasks in envs.get_attr("tasks")]


def test_answers_the_names_that_metaworld_answers():
    theirs, ours = make_both("ML1-test", **ML1)
    for name in ("task_name", "terminate_on_success", "sample_tasks_on_reset", "max_path_length"):
        assert theirs.get_attr(name) == ours.get_attr(name)
    assert theirs.get_attr("env_id") == ours.get_attr("env_id")
    assert ours.np_random_seed == (0, 0)
    for envs in (theirs, ours):
        envs.call("toggle_terminate_on_success", False)
        envs.call("toggle_sample_tasks_on_reset", True)
        envs.reset()
        for _ in range(9):
            envs.step(np.zeros((2, 4), dtype=np.float32))
    names = ("current_task_idx", "episode_count", "episode_lengths", "episode_returns")
    for name in ("terminate_on_success", "return_queue", "length_queue", *names):
        assert theirs.get_attr(name) == ours.get_attr(name), name
    theirs.close()


def test_no_task_yet(envs):
    with pytest.raises(TaskError, match="sample_tasks"):
        envs.reset()


def test_a_task_of_ones_own(envs):
    task = metaworld.ML1("reach-v3", seed=9).train_tasks[0]
    envs.call("set_task", task)
    obs, _ = envs.reset()
    assert_same(obs[0], obs[1])
    with pytest.raises(TaskError, match="push-v3"):
        envs.call("set_task", metaworld.ML1("push-v3", seed=9).train_tasks[0])


def test_checkpoints_continue_the_choice_of_tasks(envs):
    envs.call("sample_tasks")
    saved = json.loads(json.dumps(envs.call("get_checkpoint")))
    expected = [envs.call("sample_tasks")[0][0] for _ in range(4)]
    order = goals(envs)
    other = gymnasium.make_vec("metarl/ML1-test-v0", **{**ML1, "seed": 7})
    other.call("load_checkpoint", saved)
    got = [other.call("sample_tasks")[0][0] for _ in range(4)]
    assert_same(np.stack(expected), np.stack(got))
    assert goals(other) == order
    with pytest.raises(CheckpointError, match="row 1 needs number 2"):
        other.call("load_checkpoint", saved[:1])


def test_ended_rows_have_to_be_reset_where_nothing_else_does():
    made = gymnasium.make_vec("metarl/ML1-test-v0", autoreset_mode="Disabled", **ML1)
    made.call("sample_tasks")
    made.reset()
    for _ in range(4):
        made.step(np.zeros((2, 4)))
    with pytest.raises(ResetNeeded, match=r"\[0, 1\]"):
        made.step(np.zeros((2, 4)))
    made.reset(options={"reset_mask": np.array([True, True])})
    made.step(np.zeros((2, 4)))


@pytest.mark.parametrize("mask", [[True, True], np.array([1, 0]), np.array([True])])
def test_bad_reset_masks(envs, mask):
    envs.call("sample_tasks")
    with pytest.raises((TypeError, ValueError), match="reset_mask"):
        envs.reset(options={"reset_mask": mask})


def test_statistics_can_be_frozen_and_handed_over():
    wrappers = {"normalize_observations": True, "reward_normalization_method": "gymnasium"}
    theirs, ours = make_both("ML1-test", **ML1, **wrappers)
    actions = np.full((2, 4), 0.3, dtype=np.float32)
    for envs in (theirs, ours):
        envs.call("toggle_sample_tasks_on_reset", True)
        envs.reset()
        for _ in range(6):
            envs.step(actions)
        envs.set_attr("update_running_mean", False)
    for name in ("obs_rms", "return_rms"):
        for a, b in zip(theirs.get_attr(name), ours.get_attr(name), strict=True):
            assert_same(np.asarray(a.mean), np.asarray(b.mean))
            assert_same(np.asarray(a.var), np.asarray(b.var))
            assert a.count == b.count
    assert_same(quietly(theirs.step, actions)[0], ours.step(actions)[0])

    fresh = gymnasium.make_vec("metarl/ML1-test-v0", **ML1, **wrappers)
    for name in ("obs_rms", "return_rms"):
        fresh.set_attr(name, ours.get_attr(name))
        for a, b in zip(fresh.get_attr(name), ours.get_attr(name), strict=True):
            assert_same(np.asarray(a.mean), np.asarray(b.mean))
    theirs.close()


def test_names_that_cannot_be_set(envs):
    with pytest.raises(AttributeError, match="allowed: terminate_on_success"):
        envs.set_attr("tasks", [])
    with pytest.raises(ValueError, match="got 1 for 2"):
        envs.set_attr("terminate_on_success", [True])
    with pytest.raises(AttributeError, match="aren't normalised"):
        envs.get_attr("obs_rms")
