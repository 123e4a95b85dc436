"""A fixed set of Meta-World tasks as a task distribution."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

import gymnasium
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.errors import ConfigError
from metarl.tasks import FiniteTaskDistribution, Task

from .engine import TASKS
from .environment import (
    ACTION_SPACE,
    MAX_EPISODE_STEPS,
    OBSERVATION_SPACE,
    MetaWorldEnv,
    check_horizon,
    read_task,
)
from .vector_env import MetaWorldVectorEnv

Backend = Literal["fast", "reference"]

TASKS_PER_BATCH = 10
"""Enough rows to spread the cost of a batch over, few enough to share out between workers."""

OBJECT_POSITION = ("rand_vec[0]", "rand_vec[1]", "rand_vec[2]")
"""Where the object starts, which the observation shows also where it hides the goal."""


class MetaWorldTasks(FiniteTaskDistribution):
    """Meta-World tasks.

    Args:
        tasks: The tasks, of one or several families.
        max_episode_steps: Horizon, 1 to 500.
        backend: What steps many of them at once: ``"fast"``, the batched engine, or
            ``"reference"``, Meta-World's own environments one by one. The bits are the same. What
            the engine doesn't know (reward version 1, environment classes that aren't
            Meta-World's) takes the reference; of such classes a warning tells.
        replace: Whether one sample may hold a task twice.

    Raises:
        ConfigError: If the horizon is out of range.
        TaskError: If a task isn't Meta-World's.
        UnknownNameError: If there is no such family.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        max_episode_steps: int = MAX_EPISODE_STEPS,
        backend: Backend = "fast",
        replace: bool = False,
    ) -> None:
        super().__init__(tasks, replace=replace)
        check_horizon(max_episode_steps)
        for task in tasks:
            read_task(task)
        if backend not in get_args(Backend):
            raise ConfigError(f"backend: got {backend!r}; allowed: {', '.join(get_args(Backend))}.")
        self.backend = _available(backend, tasks)
        self.tasks_per_vec = TASKS_PER_BATCH if self.backend == "fast" else 1
        self.observation_space = OBSERVATION_SPACE
        self.action_space = ACTION_SPACE
        self.max_episode_steps = max_episode_steps
        goal_observable = all(task.parameters["goal_observable"] for task in tasks)
        self.observable_parameters = ("rand_vec",) if goal_observable else OBJECT_POSITION

    def make_env(self, task: Task, render_mode: str | None = None) -> MetaWorldEnv:
        """Builds the environment of one task; takes about 0.1 s."""
        return MetaWorldEnv(task, self.max_episode_steps, render_mode)

    def make_vec(
        self, tasks: Sequence[Task], num_envs_per_task: int
    ) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        """Builds many worlds at once."""
        if self.backend == "reference":
            return super().make_vec(tasks, num_envs_per_task)
        return MetaWorldVectorEnv(tasks, num_envs_per_task, self.max_episode_steps)

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> bool:
        """Moves an environment to another goal of its family."""
        if not isinstance(env, MetaWorldEnv) or not _same_model(env.task, task):
            return False
        env.set_task(task)
        return True


def _available(backend: Backend, tasks: Sequence[Task]) -> Backend:
    """The backend asked for, or the reference where the engine doesn't know all the tasks."""
    foreign = [
        family
        for family in sorted({task.family for task in tasks})
        if family not in TASKS
        or not ALL_V3_ENVIRONMENTS[family].__module__.startswith("metaworld.")
    ]
    if backend == "fast" and foreign:
        warnings.warn(
            f"{', '.join(foreign)}: not one of Meta-World's own environment classes, so the "
            "batched engine can't step it; using the environments themselves",
            stacklevel=3,
        )
        return "reference"
    versions = {read_task(task)[1]["reward_version"] for task in tasks}
    return backend if versions == {"v2"} else "reference"


def _same_model(task: Task, other: Task) -> bool:
    version, other_version = (t.parameters["reward_version"] for t in (task, other))
    return task.family == other.family and version == other_version
