"""The same tasks with the goal in sight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.env_checker import check_env

from metarl.envs.goal_observable import GoalObservableTasks, goal_observable
from metarl.envs.metaworld import ML1
from metarl.envs.navigation import navigation
from metarl.errors import TaskError
from metarl.tasks import Benchmark, Task
from stub_envs import StubTasks


@pytest.fixture(scope="module")
def reach() -> Benchmark:
    return ML1("reach-v3", max_episode_steps=10)


def play(env: Any, steps: int = 3) -> list[Any]:
    found = [env.reset(seed=0)[0]]
    for _ in range(steps):
        found.append(env.step(np.full(env.action_space.shape, 0.5, dtype=np.float32))[0])
    return found


def test_meta_world_shows_its_goal_and_nothing_else_changes(reach: Benchmark) -> None:
    seen = goal_observable(reach)
    assert seen.test is not None
    assert reach.test is not None
    assert seen.test.tasks == reach.test.tasks
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    assert seen.train.sample(5, rng) == reach.train.sample(5, same)
    task = reach.test.tasks[3]  # type: ignore[index]
    for hidden, shown in zip(
        play(reach.test.make_env(task)), play(seen.test.make_env(task)), strict=True
    ):
        np.testing.assert_array_equal(hidden[:36], shown[:36])
        np.testing.assert_array_equal(hidden[36:], 0.0)
        np.testing.assert_array_equal(shown[36:], task.parameters["rand_vec"][3:])


@pytest.mark.parametrize("backend", ["fast", "reference"])
def test_many_worlds_are_the_single_ones(reach: Benchmark, backend: Any) -> None:
    seen = goal_observable(ML1("reach-v3", max_episode_steps=10, backend=backend)).train
    first, second = seen.tasks[:2], seen.tasks[2:4]  # type: ignore[index]
    vec: Any = seen.make_vec(first, 1)
    for tasks in (first, second):
        vec.set_tasks(tasks)
        observations = [vec.reset()[0]]
        for _ in range(2):
            observations.append(vec.step(np.full((2, 4), 0.5, dtype=np.float32))[0])
        for row, task in enumerate(tasks):
            expected = play(seen.make_env(task), 2)
            np.testing.assert_array_equal([rows[row] for rows in observations], expected)
    vec.close()


def test_the_manifest_tells_the_two_apart(reach: Benchmark) -> None:
    digest = goal_observable(reach).manifest()["digest"]
    assert digest != reach.manifest()["digest"]


def test_elsewhere_the_numbers_of_the_task_follow_the_observation() -> None:
    hidden = navigation(max_episode_steps=4)
    seen = goal_observable(hidden)
    tasks = seen.train.sample(2, np.random.default_rng(1))
    assert tasks == hidden.train.sample(2, np.random.default_rng(1))
    env = seen.train.make_env(tasks[0])
    check_env(env, skip_render_check=True)
    assert env.observation_space.contains(env.reset(seed=0)[0])
    for plain, shown in zip(
        play(hidden.train.make_env(tasks[0])), play(seen.train.make_env(tasks[0])), strict=True
    ):
        expected = [*plain, *np.float32(tasks[0].parameters["goal"])]
        np.testing.assert_array_equal(shown, expected)
    vec: Any = seen.train.make_vec(tasks[:1], 2)
    vec.set_tasks(tasks[1:])
    goal = np.float32(tasks[1].parameters["goal"])
    np.testing.assert_array_equal(vec.reset()[0][:, 2:], [goal, goal])


def test_every_number_counts_and_nothing_else() -> None:
    class Named(StubTasks):
        def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
            parameters = {"b": [1, 2.5], "a": {"z": -1.0, "on": True}, "name": "odd"}
            return [Task("stub", parameters)] * num_tasks

    seen = GoalObservableTasks(Named())
    task = seen.sample(1, np.random.default_rng(0))[0]
    observation, _ = seen.make_env(task).reset(seed=0)
    np.testing.assert_array_equal(observation[-4:], [1.0, -1.0, 1.0, 2.5])
    assert seen.observation_space.contains(observation)
    with pytest.raises(TaskError, match="has 1 numbers; the others have 4"):
        seen.make_env(Task("stub", {"b": 1.0}))


def test_tasks_without_numbers_are_refused() -> None:
    class Wordy(StubTasks):
        def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
            return [Task("stub", {"name": "odd"})] * num_tasks

    with pytest.raises(TaskError, match="no numbers"):
        GoalObservableTasks(Wordy())
