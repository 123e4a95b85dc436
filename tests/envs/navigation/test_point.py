import json
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.env_checker import check_env as check_sb3

from metarl.envs.navigation import (
    NavigationEnv,
    NavigationTasks,
    NavigationVectorEnv,
    navigation,
    navigation_task,
)
from metarl.errors import ConfigError, InvalidActionError, TaskError
from metarl.tasks import Task, TaskDistribution, check_manifest
from metarl.vector import EpisodeVectorEnv

GOALS = [(0.5, -0.25), (-0.1, 0.0), (0.3, 0.3)]
TASKS = [navigation_task(goal) for goal in GOALS]


def random_actions(steps: int, rows: int, scale: float = 2.0) -> np.ndarray:
    shape = (steps, rows, 2)
    return np.random.default_rng(0).uniform(-scale, scale, shape).astype(np.float32)


def test_gymnasiums_checker_has_nothing_unexpected_to_say():
    """Positions have no bounds, and the environment isn't registered: two things it remarks on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_gymnasium(NavigationEnv(max_episode_steps=10, render_mode="rgb_array"))
    expected = ("minimum value is -infinity", "maximum value is infinity", "spec")
    messages = [str(warning.message) for warning in caught]
    assert not [one for one in messages if not any(part in one for part in expected)]


def test_sb3s_checker_has_nothing_to_say():
    check_sb3(NavigationEnv(max_episode_steps=10, render_mode="rgb_array"))


def test_rows_of_the_vector_equal_single_environments():
    vec = NavigationTasks(max_episode_steps=5).make_vec(TASKS, 2)
    distribution = NavigationTasks(max_episode_steps=5)
    envs = [distribution.make_env(task) for task in TASKS for _ in range(2)]
    batch, _ = vec.reset(seed=list(range(6)))
    for row, env in enumerate(envs):
        assert np.array_equal(env.reset(seed=row)[0], batch[row])
    for actions in random_actions(5, 6):
        batch, rewards, terminated, truncated, infos = vec.step(actions)
        for row, env in enumerate(envs):
            observation, *rest, info = env.step(actions[row])
            assert np.array_equal(observation, batch[row])
            assert rest == [rewards[row], terminated[row], truncated[row]]
            assert info == {name: infos[name][row] for name in infos}


def test_the_vector_equals_the_one_that_every_family_has():
    distribution = NavigationTasks(max_episode_steps=4)
    fast = distribution.make_vec(TASKS, 2)
    general = TaskDistribution.make_vec(distribution, TASKS, 2)
    assert isinstance(general, EpisodeVectorEnv)
    assert np.array_equal(fast.reset(seed=0)[0], general.reset(seed=0)[0])
    for actions in random_actions(6, 6, scale=1.0):  # two more than the horizon
        for one, other in zip(fast.step(actions)[:4], general.step(actions)[:4], strict=True):
            assert np.array_equal(one, other)


def test_rewards_and_moves_are_those_of_the_formula():
    vec = NavigationVectorEnv(TASKS, 1, max_episode_steps=20)
    positions, _ = vec.reset()
    assert not positions.any()
    expected = np.zeros((3, 2))
    for actions in random_actions(20, 3):
        observations, rewards, terminated, _, infos = vec.step(actions)
        expected += 0.1 * np.clip(actions, -1, 1)
        distances = [
            np.hypot(x - gx, y - gy) for (x, y), (gx, gy) in zip(expected, GOALS, strict=True)
        ]
        np.testing.assert_allclose(observations, expected, atol=1e-6)
        np.testing.assert_allclose(rewards, -np.array(distances), atol=1e-6)
        assert not terminated.any()
        assert infos["success"].tolist() == [distance <= 0.05 for distance in distances]
        assert infos["is_success"].tolist() == infos["success"].tolist()


def test_the_goal_is_reached_by_walking_there():
    env = NavigationEnv(goal=(0.2, -0.1), max_episode_steps=10)
    env.reset()
    flags = [env.step(np.array(action))[4]["success"] for action in [(1, -1), (0.9, 0), (0, 1)]]
    assert flags == [False, True, False]


def test_points_wait_after_the_horizon():
    vec = NavigationVectorEnv(TASKS, 1, max_episode_steps=2)
    vec.reset()
    ones = np.ones((3, 2), dtype=np.float32)
    assert not vec.step(ones)[3].any()
    last, rewards, _, truncated, _ = vec.step(ones)
    assert truncated.all()
    assert (rewards < 0).all()
    observations, rewards, terminated, truncated, _ = vec.step(ones)
    assert np.array_equal(observations, last)
    assert not rewards.any()
    assert not terminated.any()
    assert truncated.all()


def test_the_reset_mask_starts_its_rows_alone():
    vec = NavigationVectorEnv(TASKS, 1, max_episode_steps=2)
    vec.reset()
    ones = np.ones((3, 2), dtype=np.float32)
    vec.step(ones)
    before = vec.step(ones)[0]
    observations, _ = vec.reset(options={"reset_mask": np.array([False, True, False])})
    assert not observations[1].any()
    assert np.array_equal(observations[[0, 2]], before[[0, 2]])
    observations, _, _, truncated, _ = vec.step(ones)
    assert truncated.tolist() == [True, False, True]
    assert np.array_equal(observations[[0, 2]], before[[0, 2]])


def test_results_are_not_overwritten_by_later_steps():
    vec = NavigationVectorEnv(TASKS, 1, max_episode_steps=5)
    kept = [vec.reset()[0], *vec.step(np.ones((3, 2)))[:4]]
    copies = [array.copy() for array in kept]
    vec.step(np.ones((3, 2)))
    assert all(np.array_equal(one, other) for one, other in zip(kept, copies, strict=True))


def test_other_tasks_take_effect_and_their_number_is_checked():
    vec = NavigationVectorEnv(TASKS, 2, max_episode_steps=5)
    vec.reset()
    vec.set_tasks([navigation_task((0.0, distance)) for distance in (1, 2, 3)])
    vec.reset()
    rewards = vec.step(np.zeros((6, 2)))[1]
    assert rewards.tolist() == [-1.0, -1.0, -2.0, -2.0, -3.0, -3.0]
    with pytest.raises(TaskError, match="tasks: got 2; this vector environment holds 3"):
        vec.set_tasks(TASKS[:2])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_actions_that_are_not_finite_are_refused(value):
    vec = NavigationVectorEnv(TASKS, 1, max_episode_steps=5)
    vec.reset()
    actions = np.zeros((3, 2), dtype=np.float32)
    actions[1, 1] = value
    with pytest.raises(InvalidActionError, match=r"action: row 1 is \[.*\]; must be finite"):
        vec.step(actions)
    assert not vec.step(np.zeros((3, 2)))[0].any()


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 2), (3, 3), (2, 2), (2,), ()])
def test_actions_of_another_shape_are_refused(shape):
    vec = NavigationVectorEnv(TASKS, 1, max_episode_steps=5)
    vec.reset()
    with pytest.raises(InvalidActionError, match=r"action: got shape .*; must be \(3, 2\)"):
        vec.step(np.zeros(shape))


@pytest.mark.parametrize("action", [0.5, [0.5], [0.5, 0.5, 0.5]])
def test_a_single_action_of_another_shape_is_refused(action):
    env = NavigationEnv()
    env.reset()
    with pytest.raises(InvalidActionError, match=r"action: got shape .*; must be \(2,\)"):
        env.step(np.array(action))


def test_pictures_show_goal_and_path():
    env = NavigationEnv(goal=(0.5, 0.5), render_mode="rgb_array")
    env.reset()
    first = env.render()
    assert first.shape == (128, 128, 3)
    assert first.dtype == np.uint8
    assert first[32, 96].tolist() == [0, 150, 70]  # up and right of the middle
    assert first[64, 64].tolist() == [40, 90, 200]
    env.step(np.array([-1.0, 0.0]))
    second = env.render()
    assert second[64, 57].tolist() == [40, 90, 200]
    assert first[64, 57].tolist() == [255, 255, 255]
    env.reset()
    assert np.array_equal(env.render(), first)


def test_points_outside_the_picture_are_drawn_at_its_edge():
    env = NavigationEnv(goal=(5.0, -5.0), render_mode="rgb_array")
    env.reset()
    assert env.render()[124, 124].tolist() == [0, 150, 70]


def test_without_a_render_mode_there_is_no_picture():
    env = NavigationEnv()
    env.reset()
    assert env.render() is None


@given(st.integers(1, 50), st.floats(1e-3, 10), st.integers(0, 2**32 - 1))
def test_goals_are_in_the_square_and_depend_on_the_generator_alone(num_tasks, goal_range, seed):
    distribution = NavigationTasks(goal_range=goal_range)
    tasks = distribution.sample(num_tasks, np.random.default_rng(seed))
    goals = np.array([task.parameters["goal"] for task in tasks])
    assert goals.shape == (num_tasks, 2)
    assert np.abs(goals).max() <= goal_range
    assert tasks == distribution.sample(num_tasks, np.random.default_rng(seed))


def test_goals_are_uniform():
    tasks = NavigationTasks().sample(4000, np.random.default_rng(0))
    goals = np.array([task.parameters["goal"] for task in tasks])
    for column in goals.T:
        counts, _ = np.histogram(column, bins=4, range=(-0.5, 0.5))
        assert np.abs(counts - 1000).max() < 110  # four standard deviations
    assert abs(np.corrcoef(goals.T)[0, 1]) < 0.07


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"max_episode_steps": 0}, "max_episode_steps: got 0"),
        ({"goal_range": 0.0}, "goal_range: got 0.0"),
        ({"goal_range": -1.0}, "goal_range: got -1.0"),
        ({"goal_range": float("nan")}, "goal_range: got nan"),
        ({"goal_range": float("inf")}, "goal_range: got inf"),
    ],
)
def test_bad_settings_are_refused(settings, field):
    with pytest.raises(ConfigError, match=field):
        NavigationTasks(**settings)


@pytest.mark.parametrize(
    "task",
    [
        Task("reach-v3", {"goal": [0.0, 0.0]}),
        Task("navigation-2d", {}),
        Task("navigation-2d", {"goal": [0.0]}),
        Task("navigation-2d", {"goal": [0.0, 0.0, 0.0]}),
        Task("navigation-2d", {"goal": 0.5}),
        Task("navigation-2d", {"goal": ["0.5", "0.5"]}),
        Task("navigation-2d", {"goal": [None, 0.5]}),
        Task("navigation-2d", {"goal": [[0.5], [0.5]]}),
    ],
    ids=repr,
)
def test_tasks_of_another_kind_are_refused(task):
    distribution = NavigationTasks()
    with pytest.raises(TaskError, match="a goal of two numbers"):
        distribution.make_env(task)
    with pytest.raises(TaskError, match="a goal of two numbers"):
        distribution.make_vec([task], 2)


def test_the_benchmark_describes_itself_in_json():
    manifest = navigation(seed=3, max_episode_steps=7).manifest()
    assert json.loads(json.dumps(manifest)) == manifest
    assert manifest["train"]["goal_range"] == 0.5
    assert manifest["train"]["max_episode_steps"] == 7
    assert manifest["disjoint"] is None
    check_manifest(json.loads(json.dumps(manifest)), manifest)


def test_gymnasiums_own_vectors_take_it():
    """Whoever has Gymnasium code can use the environment without the rest of the package."""
    envs = gymnasium.vector.SyncVectorEnv([lambda: NavigationEnv(max_episode_steps=3)] * 2)
    envs.reset(seed=0)
    assert envs.step(envs.action_space.sample())[0].shape == (2, 2)
    envs.close()
