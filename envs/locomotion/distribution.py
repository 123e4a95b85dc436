"""Tasks of one locomotion family as a task distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium

from metarl.errors import ConfigError
from metarl.tasks import FiniteTaskDistribution, Task

from .environment import LocomotionEnv
from .families import family_of
from .vector_env import LocomotionVectorEnv

MAX_EPISODE_STEPS = 200
"""The horizon of Finn et al. 2017 and of PEARL for locomotion."""


class LocomotionTasks(FiniteTaskDistribution):
    """Some tasks of one family.

    Args:
        tasks: The tasks.
        max_episode_steps: Horizon, at least 1.
        replace: Whether one sample may hold a task twice.

    Raises:
        ConfigError: If the horizon is out of range.
        TaskError: If the tasks aren't all of one family, or malformed.
        UnknownNameError: If there is no such family.
    """

    tasks_per_vec = 10

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        max_episode_steps: int = MAX_EPISODE_STEPS,
        replace: bool = False,
    ) -> None:
        super().__init__(tasks, replace=replace)
        if max_episode_steps < 1:
            raise ConfigError(f"max_episode_steps: got {max_episode_steps}; must be at least 1.")
        self.family = family_of(tasks[0].family)
        for task in tasks:
            self.family.goal_of(task)
        reference = self.family.robot.reference
        self.observation_space = reference.observation_space
        self.action_space = reference.action_space
        self.max_episode_steps = max_episode_steps

    def make_env(self, task: Task, render_mode: str | None = None) -> LocomotionEnv:
        """Builds Gymnasium's own environment with the task's reward."""
        robot = self.family.robot
        return LocomotionEnv(
            robot.make(render_mode, max_episode_steps=self.max_episode_steps), task
        )

    def make_vec(self, tasks: Sequence[Task], num_envs_per_task: int) -> LocomotionVectorEnv:
        """Builds many worlds at once."""
        return LocomotionVectorEnv(self.family, tasks, num_envs_per_task, self.max_episode_steps)

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> bool:
        """Moves an environment to another task of its family."""
        if not isinstance(env, LocomotionEnv) or env.task.family != task.family:
            return False
        env.set_task(task)
        return True

    def describe(self) -> dict[str, Any]:
        """Adds Gymnasium's id and the settings that differ from its defaults."""
        robot = self.family.robot
        return {**super().describe(), "env": robot.env_id, "env_settings": dict(robot.settings)}
