"""A Gymnasium MuJoCo environment whose model a task changes."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.utils import RecordConstructorArgs

from metarl.envs.simulation import has_diverged, log_warnings
from metarl.errors import ConfigError, TaskError
from metarl.tasks import Task

from .models import Changes, ModelEditor, assign_model


class PhysicsEnv(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Applies the physics of one task after another to one environment.

    Every task starts from the model as it was built, so nothing is left of the task before. An
    episode is truncated where the simulation became unstable (``info["sim_unstable"]``).

    Args:
        env: The environment.
        task: The first task.

    Raises:
        ConfigError: If the environment isn't one of Gymnasium's MuJoCo environments.
        TaskError: If the task has no physics.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], task: Task) -> None:
        RecordConstructorArgs.__init__(self, task=task)  # lets Gymnasium build it from its spec
        gymnasium.Wrapper.__init__(self, env)
        simulation = check_mujoco(env)
        log_warnings()
        self._editor = ModelEditor(simulation.model, simulation.fullpath)
        self.set_task(task)

    def set_task(self, task: Task) -> None:
        """Changes the model to another task's; the next call must be ``reset``.

        Raises:
            TaskError: If the task has no physics.
        """
        simulation: Any = self.unwrapped
        assign_model(simulation.model, self._editor.edited(changes_of(task)))
        self.task = task

    def restore(self) -> None:
        """Gives the model back as it was built; the next call must be ``reset``."""
        simulation: Any = self.unwrapped
        assign_model(simulation.model, self._editor.original)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Steps the environment."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        simulation: Any = self.unwrapped
        unstable = has_diverged(simulation.data)
        info = {**info, "sim_unstable": unstable}
        return observation, reward, bool(terminated), bool(truncated or unstable), info


def check_mujoco(env: gymnasium.Env[Any, Any]) -> Any:
    """Returns the MuJoCo environment inside wrappers.

    Raises:
        ConfigError: If there is none.
    """
    inner: Any = env.unwrapped
    if not isinstance(inner, MujocoEnv):
        raise ConfigError(
            f"env: {type(inner).__name__} isn't a gymnasium.envs.mujoco.MujocoEnv; "
            "only those have a model to vary."
        )
    return inner


def changes_of(task: Task) -> Changes:
    """What a task changes in the model.

    Raises:
        TaskError: If the task doesn't say.
    """
    changes: Any = task.parameters.get("physics")
    if not isinstance(changes, list) or not all(isinstance(change, dict) for change in changes):
        raise TaskError(f"task: got {task!r}; needs physics, a list of changes.")
    return changes
