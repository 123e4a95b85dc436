"""One Meta-World task as a well-behaved Gymnasium environment.

Meta-World's own environments ignore ``reset(seed=...)``, declare bounds that their observations
leave, report success under a name that others don't look for, and let MuJoCo reset a diverged
simulation silently. :class:`MetaWorldEnv` holds one of them and mends that; observations, rewards
and everything in ``info`` are Meta-World's own.

* Observation: float64, 39 numbers: hand position (3, metres), gripper opening (1, in [0, 1]),
  two objects' positions (metres) and quaternions (3 + 4 each, zeros where absent), the same 18
  numbers one step earlier, and the goal (3, metres; zeros where it is hidden).
* Action: float32, 4 numbers in [-1, 1]: hand displacement per axis in hundredths of a metre, and
  gripper effort.
* Reward: in [0, 10] (reward version 2).
* End: truncated after ``max_episode_steps``, or at once when the simulation diverges; never
  terminated.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.types import Task as TheirTask

from metarl.envs.simulation import has_diverged, log_warnings
from metarl.errors import ConfigError, InvalidActionError, TaskError, UnknownNameError
from metarl.tasks import Task

FAMILIES: tuple[str, ...] = tuple(ALL_V3_ENVIRONMENTS)
"""Names of the 50 families, ``"reach-v3"`` and so on."""

REWARD_VERSIONS = ("v1", "v2")
MAX_EPISODE_STEPS = 500
"""Meta-World's own horizon; its environments refuse to go further."""

OBSERVATION_SPACE = spaces.Box(-np.inf, np.inf, (39,), np.float64)
ACTION_SPACE = spaces.Box(-1.0, 1.0, (4,), np.float32)

_MAX_DRAWS = 100
"""A reset asks for the task's vector about twice."""


class MetaWorldEnv(gymnasium.Env[npt.NDArray[np.float64], npt.NDArray[np.float32]]):
    """A Meta-World environment with a fixed task.

    Every reset leads to the same state, as the task fixes all that Meta-World draws at random.

    Args:
        task: Which of the families, and its parameters; see :func:`metaworld_task`.
        max_episode_steps: Horizon, 1 to 500.
        render_mode: None or ``"rgb_array"``.

    Raises:
        ConfigError: If the horizon is out of range.
        TaskError: If the task's parameters aren't Meta-World's.
        UnknownNameError: If there is no such family.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 80}  # noqa: RUF012

    def __init__(
        self,
        task: Task,
        max_episode_steps: int = MAX_EPISODE_STEPS,
        render_mode: str | None = None,
    ) -> None:
        check_horizon(max_episode_steps)
        self.observation_space = OBSERVATION_SPACE
        self.action_space = ACTION_SPACE
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        family, parameters = read_task(task)
        make: Any = ALL_V3_ENVIRONMENTS[family]
        self.inner = make(
            render_mode=render_mode,
            camera_name="corner2" if render_mode else None,
            reward_function_version=parameters["reward_version"],
        )
        self.task = task
        self._reward_version = parameters["reward_version"]
        self._step_count = 0
        self._num_draws = 0
        self._draw = self.inner._get_state_rand_vec
        self.inner._get_state_rand_vec = self._draw_or_refuse
        self.set_task(task)
        log_warnings()

    def set_task(self, task: Task) -> None:
        """Moves to another task of the same family and reward version, from the next reset on.

        Raises:
            TaskError: If the task is of another family or reward version, or its vector hasn't the
                family's length.
        """
        family, parameters = read_task(task)
        if (family, parameters["reward_version"]) != (self.task.family, self._reward_version):
            raise TaskError(f"task: got {task!r}; this environment is of {self.task!r}.")
        length = self.inner._random_reset_space.low.size
        if len(parameters["rand_vec"]) != length:
            raise TaskError(
                f"rand_vec: got {parameters['rand_vec']}; {family} needs {length} numbers."
            )
        data = {
            "env_cls": ALL_V3_ENVIRONMENTS[family],
            "rand_vec": np.array(parameters["rand_vec"], dtype=np.float64),
            "partially_observable": not parameters["goal_observable"],
        }
        # When the observability changes, set_task deletes this cached property and fails if it was
        # not computed since.
        assert self.inner.sawyer_observation_space is not None
        self.inner.set_task(TheirTask(env_name=family, data=pickle.dumps(data)))
        self.task = task

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float64], dict[str, Any]]:
        """Starts an episode.

        Raises:
            TaskError: If the family refuses the task's vector, e.g. a goal too near the object.
        """
        super().reset(seed=seed)
        del options
        self._step_count = self._num_draws = 0
        observation, info = self.inner.reset()
        return observation, dict(info)

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Acts for one control step (five simulation steps of 2.5 ms).

        Raises:
            InvalidActionError: If the action isn't four finite numbers.
        """
        action = np.asarray(action)
        if action.shape != (4,) or not np.isfinite(action).all():
            raise InvalidActionError(f"action: got {action}; must be four finite numbers.")
        observation, reward, _, _, info = self.inner.step(np.clip(action, -1.0, 1.0))
        self._step_count += 1
        unstable = has_diverged(self.inner.data)
        info = {**info, "is_success": bool(info["success"]), "sim_unstable": unstable}
        truncated = unstable or self._step_count >= self.max_episode_steps
        return observation, float(reward), False, truncated, info

    def render(self) -> npt.NDArray[np.uint8] | None:
        """A picture, ``[480, 480, 3]``, or None without a render mode."""
        if self.render_mode is None:
            return None
        # The camera of Meta-World's own videos hangs upside down.
        picture: npt.NDArray[np.uint8] = np.rot90(self.inner.render(), 2)
        return np.ascontiguousarray(picture)

    def close(self) -> None:
        """Frees the renderer."""
        self.inner.close()

    def _draw_or_refuse(self) -> npt.NDArray[np.float64]:
        """Gives the task's vector; a family that rejects it would ask for another one for ever."""
        self._num_draws += 1
        if self._num_draws > _MAX_DRAWS:
            parameters = self.task.parameters
            raise TaskError(
                f"rand_vec: got {parameters['rand_vec']}; {self.task.family} refuses it "
                "(in Meta-World's own tasks, object and goal keep a distance)."
            )
        vector: npt.NDArray[np.float64] = self._draw()
        return vector


def metaworld_task(
    family: str,
    rand_vec: Sequence[float],
    *,
    goal_observable: bool = False,
    reward_version: str = "v2",
) -> Task:
    """Builds the task of one goal.

    Args:
        family: One of :data:`FAMILIES`.
        rand_vec: Meta-World's vector of what it varies: object and goal positions, metres.
        goal_observable: Whether the goal is part of the observation (the MT benchmarks).
        reward_version: ``"v1"`` or ``"v2"``.
    """
    task = Task(
        family,
        {
            "rand_vec": [float(x) for x in rand_vec],
            "goal_observable": goal_observable,
            "reward_version": reward_version,
        },
    )
    read_task(task)
    return task


def read_task(task: Task) -> tuple[str, dict[str, Any]]:
    """Returns family and parameters of a Meta-World task, checked.

    Raises:
        UnknownNameError: If there is no such family.
        TaskError: If a parameter is missing, unknown or out of range.
    """
    if task.family not in ALL_V3_ENVIRONMENTS:
        raise UnknownNameError("family", task.family, FAMILIES)
    parameters = task.parameters
    if parameters.keys() != {"rand_vec", "goal_observable", "reward_version"}:
        raise TaskError(
            f"task: got parameters {sorted(parameters)}; "
            "needs rand_vec, goal_observable and reward_version."
        )
    rand_vec = parameters["rand_vec"]
    if not isinstance(rand_vec, list) or not all(type(x) in (int, float) for x in rand_vec):
        raise TaskError(f"rand_vec: got {rand_vec!r}; must be a list of numbers.")
    if not isinstance(parameters["goal_observable"], bool):
        raise TaskError(
            f"goal_observable: got {parameters['goal_observable']!r}; must be true or false."
        )
    if parameters["reward_version"] not in REWARD_VERSIONS:
        raise TaskError(
            f"reward_version: got {parameters['reward_version']!r}; "
            f"allowed: {', '.join(REWARD_VERSIONS)}."
        )
    return task.family, parameters


def check_horizon(max_episode_steps: int) -> None:
    """Raises a ConfigError unless the horizon is within Meta-World's own."""
    if not 1 <= max_episode_steps <= MAX_EPISODE_STEPS:
        raise ConfigError(
            f"max_episode_steps: got {max_episode_steps}; allowed: 1 to {MAX_EPISODE_STEPS}."
        )
