"""One task as one environment: Gymnasium's own, with the task's reward."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.utils import RecordConstructorArgs

from metarl.envs.physics import ModelEditor, assign_model, changes_of
from metarl.envs.simulation import has_diverged, log_warnings
from metarl.errors import InvalidActionError, TaskError
from metarl.tasks import Task

from .families import family_of
from .objectives import total_reward
from .robot import FloatArray


class LocomotionEnv(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Gymnasium's environment of a family's robot, with the reward and body of one task.

    Observations, starts and ends are Gymnasium's; an episode also ends, truncated, where the
    simulation became unstable (``info["sim_unstable"]``).

    Args:
        env: What the family's robot makes (:meth:`.Robot.make`).
        task: The first task.

    Raises:
        TaskError: If the task's parameters aren't its family's, or the robot is another one.
        UnknownNameError: If there is no such family.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], task: Task) -> None:
        RecordConstructorArgs.__init__(self, task=task)  # lets Gymnasium build it from its spec
        gymnasium.Wrapper.__init__(self, env)
        self.family = family_of(task.family)
        simulation: Any = self.unwrapped
        if not isinstance(simulation, self.family.robot.env_class):
            raise TaskError(
                f"task: {task.family!r} needs {self.family.robot.env_id}, not "
                f"{type(simulation).__name__}."
            )
        log_warnings()
        self._editor = ModelEditor(simulation.model, simulation.fullpath)
        self.set_task(task)

    def set_task(self, task: Task) -> None:
        """Moves to another task of the family; the next call must be ``reset``.

        Raises:
            TaskError: If it is another family's.
        """
        self._goal = self.family.goal_of(task)[None]
        if self.family.varies:
            simulation: Any = self.unwrapped
            assign_model(simulation.model, self._editor.edited(changes_of(task)))
        self.task = task

    def step(
        self, action: npt.NDArray[Any]
    ) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """Acts for one step of the environment.

        Raises:
            InvalidActionError: If the action isn't finite, or has the wrong shape.
        """
        action = np.asarray(action)
        if action.shape != self.action_space.shape or not np.isfinite(action).all():
            raise InvalidActionError(
                f"action: got {action}; must be {self.action_space.shape} finite numbers."
            )
        observation, _, terminated, truncated, info = self.env.step(action)
        robot = self.family.robot
        axes = "xy"[: robot.dimensions]
        progress = self.family.objective.progress(
            np.array([[info[f"{axis}_position"] for axis in axes]]),
            np.array([[info[f"{axis}_velocity"] for axis in axes]]),
            self._goal,
        )[0]
        weight = robot.values["forward_reward_weight"]
        reward = total_reward(
            weight,
            progress,
            info.get("reward_survive", 0.0),
            -info["reward_ctrl"],
            -info.get("reward_contact", 0.0),
        )
        simulation: Any = self.unwrapped
        unstable = has_diverged(simulation.data)
        del info["reward_forward"]
        info = {**info, "reward_task": weight * progress, "sim_unstable": unstable}
        return observation, float(reward), bool(terminated), bool(truncated or unstable), info
