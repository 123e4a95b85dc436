import numpy as np
import pytest

from metarl.envs import make_benchmark
from metarl.envs.navigation import (
    NavigationEnv,
    NavigationVectorEnv,
    SparseNavigationTasks,
    WindyNavigationTasks,
    navigation_task,
    sparse_task,
    wind_task,
)
from metarl.errors import ConfigError, TaskError
from metarl.tasks import Task

MIXED = [navigation_task((0.5, 0)), sparse_task((0.5, 0)), wind_task((0.03, -0.02), (0.5, 0))]


def test_sparse_reward_is_one_minus_the_distance_near_the_goal_and_nothing_elsewhere():
    env = NavigationEnv(sparse_task((0.55, 0.0)))
    env.reset()
    rewards, successes = [], []
    for _ in range(8):
        _, reward, _, _, info = env.step(np.array([1.0, 0.0], dtype=np.float32))
        rewards.append(reward)
        successes.append(info["success"])
    assert rewards == pytest.approx([0, 0, 0, 0.85, 0.95, 0.95, 0.85, 0.0], abs=1e-6)
    assert successes == [False] * 3 + [True] * 4 + [False]


def test_wind_moves_the_point_in_every_step():
    env = NavigationEnv(wind_task((0.03, -0.02), (0.0, 0.5)))
    env.reset()
    for step in range(1, 6):
        position, reward, *_ = env.step(np.array([0.5, 0.5], dtype=np.float32))
        expected = step * np.array([0.08, 0.03])
        assert position == pytest.approx(expected, abs=1e-6)
        assert reward == pytest.approx(-np.linalg.norm(expected - [0.0, 0.5]), abs=1e-6)


def test_tasks_of_all_three_kinds_share_a_batch_and_each_row_is_as_alone():
    batch = NavigationVectorEnv(MIXED, 2, max_episode_steps=6)
    batch.reset()
    alone = [NavigationEnv(task, 6) for task in MIXED for _ in range(2)]
    for env in alone:
        env.reset()
    rng = np.random.default_rng(0)
    for _ in range(6):
        actions = rng.uniform(-1, 1, (6, 2)).astype(np.float32)
        positions, rewards, _, truncated, infos = batch.step(actions)
        for row, env in enumerate(alone):
            position, reward, _, over, info = env.step(actions[row])
            assert np.array_equal(position, positions[row])
            assert (reward, over) == (rewards[row], truncated[row])
            assert info["success"] == infos["success"][row]
    still, rewards, *_ = batch.step(actions)
    assert np.array_equal(still, positions)  # wind doesn't blow after the end
    assert not rewards.any()


def test_goals_lie_on_the_half_circle_and_winds_in_the_square():
    rng = np.random.default_rng(0)
    goals = [task.parameters["goal"] for task in SparseNavigationTasks().sample(200, rng)]
    assert np.allclose(np.linalg.norm(goals, axis=1), 1)
    assert np.min(goals, axis=0) == pytest.approx([-1, 0], abs=0.05)
    tasks = WindyNavigationTasks(wind_range=0.02).sample(200, rng)
    winds = np.array([task.parameters["wind"] for task in tasks])
    assert np.abs(winds).max() == pytest.approx(0.02, rel=0.05)
    assert {tuple(task.parameters["goal"]) for task in tasks} == {(0.0, 0.5)}


@pytest.mark.parametrize(("name", "horizon"), [("navigation-sparse", 20), ("navigation-wind", 100)])
def test_the_horizons_are_those_of_the_papers(name, horizon):
    assert make_benchmark(name).train.max_episode_steps == horizon


@pytest.mark.parametrize(
    "task",
    [
        Task("navigation-2d-wind", {"goal": [0.0, 0.5]}),
        Task("navigation-2d-wind", {"goal": [0.0, 0.5], "wind": [1.0]}),
        Task("navigation-2d-sparse", {"goal": [0.0, "far"]}),
        Task("navigation-3d", {"goal": [0.0, 0.5]}),
    ],
)
def test_malformed_tasks_are_refused(task):
    with pytest.raises(TaskError, match="a wind of two numbers"):
        NavigationEnv(task)


@pytest.mark.parametrize("wind_range", [0.0, -1.0, np.inf, np.nan])
def test_winds_must_have_a_range(wind_range):
    with pytest.raises(ConfigError, match="wind_range: got"):
        WindyNavigationTasks(wind_range=wind_range)
