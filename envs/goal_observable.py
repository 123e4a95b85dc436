"""The same tasks with the goal in sight: what an oracle sees.

``goal_observable(benchmark)`` gives a benchmark of the very same tasks, digests, splits and order
of sampling, whose observations tell the task. A policy trained there needs no adaptation, and what
it reaches on the held-out tasks bounds what adaptation can hope for. Its rows can be laid beside
those of the agent that has to find out.

Meta-World shows its goal by itself, in the last three numbers of the observation. Everywhere else
the numbers among the task's parameters are appended to the flattened observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from metarl.errors import TaskError
from metarl.tasks import Benchmark, Task, TaskDistribution

from .metaworld.distribution import MetaWorldTasks
from .metaworld.vector_env import MetaWorldVectorEnv


def goal_observable(benchmark: Benchmark) -> Benchmark:
    """The same benchmark with its tasks' goals (or parameters) in the observation.

    Raises:
        TaskError: If the tasks' parameters hold no numbers.
    """
    return replace(
        benchmark,
        train=_shown(benchmark.train),
        test=None if benchmark.test is None else _shown(benchmark.test),
        settings={**benchmark.settings, "goal_observable": True},
    )


def _shown(hidden: TaskDistribution) -> TaskDistribution:
    if isinstance(hidden, MetaWorldTasks):
        return GoalObservableMetaWorldTasks(hidden)
    return GoalObservableTasks(hidden)


class GoalObservableMetaWorldTasks(MetaWorldTasks):
    """Meta-World tasks whose goal is observed, whatever their own parameters say.

    Args:
        hidden: The tasks.
    """

    def __init__(self, hidden: MetaWorldTasks) -> None:
        backend: Any = hidden.backend
        super().__init__(
            hidden.tasks,
            max_episode_steps=hidden.max_episode_steps,
            backend=backend,
            replace=hidden.replace,
        )

    def make_env(self, task: Task, render_mode: str | None = None) -> Any:
        """Builds the environment of one task."""
        return super().make_env(_with_goal(task), render_mode)

    def make_vec(
        self, tasks: Sequence[Task], num_envs_per_task: int
    ) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        """Builds many worlds at once."""
        if self.backend == "reference":
            return super().make_vec(tasks, num_envs_per_task)
        return _GoalObservableVectorEnv(tasks, num_envs_per_task, self.max_episode_steps)

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> bool:
        """Moves an environment to another goal of its family."""
        return super().retask(env, _with_goal(task))


class _GoalObservableVectorEnv(MetaWorldVectorEnv):
    """The batched engine's worlds, every goal observed."""

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        super().set_tasks([_with_goal(task) for task in tasks])


def _with_goal(task: Task) -> Task:
    return Task(task.family, {**task.parameters, "goal_observable": True})


class GoalObservableTasks(TaskDistribution):
    """Tasks whose numerical parameters follow the flattened observation.

    Args:
        hidden: The tasks; their parameters' numbers, in the order of the parameters' names, are as
            many for each.

    Raises:
        TaskError: If there are none.
    """

    def __init__(self, hidden: TaskDistribution) -> None:
        self.hidden = hidden
        self.action_space = hidden.action_space
        self.max_episode_steps = hidden.max_episode_steps
        self.tasks_per_vec = hidden.tasks_per_vec
        known = hidden.tasks
        example = hidden.sample(1, np.random.default_rng(0))[0] if known is None else known[0]
        self.num_numbers = len(_numbers(example))
        size = spaces.flatdim(hidden.observation_space) + self.num_numbers
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)

    @property
    def tasks(self) -> Sequence[Task] | None:
        """All tasks, if there are finitely many."""
        return self.hidden.tasks

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws the tasks that the hidden distribution would draw."""
        return self.hidden.sample(num_tasks, rng)

    def make_env(self, task: Task, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """Builds the environment of one task.

        Raises:
            TaskError: If the task has more or fewer numbers than the others.
        """
        numbers = _numbers(task)
        if len(numbers) != self.num_numbers:
            raise TaskError(
                f"task: {task!r} has {len(numbers)} numbers; the others have {self.num_numbers}."
            )
        env = self.hidden.make_env(task, render_mode)
        return _WithNumbers(env, numbers, self.observation_space)

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> bool:
        """Moves an environment to another task, if the hidden distribution can."""
        if not isinstance(env, _WithNumbers) or not self.hidden.retask(env.env, task):
            return False
        env.numbers = _numbers(task)
        return True

    def describe(self) -> dict[str, Any]:
        """That of the hidden tasks, under this type's name."""
        return {**self.hidden.describe(), "type": type(self).__name__}


class _WithNumbers(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Flattens the observation and appends numbers."""

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        numbers: npt.NDArray[np.float32],
        space: spaces.Space[Any],
    ) -> None:
        super().__init__(env)
        self.numbers = numbers
        self.hidden_space = env.observation_space
        self.observation_space = space

    def observation(self, observation: Any) -> npt.NDArray[np.float32]:
        flat = np.asarray(spaces.flatten(self.hidden_space, observation), dtype=np.float32)
        return np.concatenate([flat, self.numbers])


def _numbers(task: Task) -> npt.NDArray[np.float32]:
    """The numbers among a task's parameters, in the order of their names.

    Raises:
        TaskError: If there are none.
    """
    found = list(_leaves(task.parameters))
    if not found:
        raise TaskError(f"task: {task!r} has no numbers among its parameters, so none to observe.")
    return np.array(found, dtype=np.float32)


def _leaves(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for name in sorted(value) for number in _leaves(value[name])]
    if isinstance(value, list):
        return [number for item in value for number in _leaves(item)]
    return [float(value)] if isinstance(value, int | float) else []
