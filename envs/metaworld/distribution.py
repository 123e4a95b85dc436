"""A fixed set of Meta-World tasks as a task distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium

from metarl.tasks import FiniteTaskDistribution, Task

from .environment import (
    ACTION_SPACE,
    MAX_EPISODE_STEPS,
    OBSERVATION_SPACE,
    MetaWorldEnv,
    check_horizon,
    read_task,
)


class MetaWorldTasks(FiniteTaskDistribution):
    """Meta-World tasks, stepped by Meta-World's own environments.

    Args:
        tasks: The tasks, of one or several families.
        max_episode_steps: Horizon, 1 to 500.
        replace: Whether one sample may hold a task twice.

    Raises:
        ConfigError: If the horizon is out of range.
        TaskError: If a task isn't Meta-World's.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        max_episode_steps: int = MAX_EPISODE_STEPS,
        replace: bool = False,
    ) -> None:
        super().__init__(tasks, replace=replace)
        check_horizon(max_episode_steps)
        for task in tasks:
            read_task(task)
        self.observation_space = OBSERVATION_SPACE
        self.action_space = ACTION_SPACE
        self.max_episode_steps = max_episode_steps

    def make_env(self, task: Task, render_mode: str | None = None) -> MetaWorldEnv:
        """Builds the environment of one task; takes about 0.1 s."""
        return MetaWorldEnv(task, self.max_episode_steps, render_mode)

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> bool:
        """Moves an environment to another goal of its family."""
        if not isinstance(env, MetaWorldEnv) or not _same_model(env.task, task):
            return False
        env.set_task(task)
        return True


def _same_model(task: Task, other: Task) -> bool:
    version, other_version = (t.parameters["reward_version"] for t in (task, other))
    return task.family == other.family and version == other_version
