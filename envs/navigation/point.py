"""A point in the plane: the environment behind the navigation families, natively vectorised.

* Observation: position ``(x, y)``, metres, float32; the start is the origin.
* Action: velocity command in [-1, 1] per axis, times 0.1 m per step.
* Transition: the position moves by that and by the task's wind (m per step).
* Reward: minus the distance to the goal after the step (m); or, where the task is sparse, one minus
  the distance within 0.2 m of the goal and 0 elsewhere.
* End: truncated after ``max_episode_steps``; never terminated. ``success`` says whether the point
  is within 0.05 m of the goal (sparse: 0.2 m).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from metarl.errors import InvalidActionError, TaskError
from metarl.tasks import Task
from metarl.vector import TaskVectorEnv

FAMILY, SPARSE_FAMILY, WIND_FAMILY = "navigation-2d", "navigation-2d-sparse", "navigation-2d-wind"
STEP_SIZE = 0.1
SUCCESS_RADIUS = 0.05
SPARSE_RADIUS = 0.2

OBSERVATION_SPACE = spaces.Box(-np.inf, np.inf, (2,), np.float32)
ACTION_SPACE = spaces.Box(-1.0, 1.0, (2,), np.float32)


@dataclass(frozen=True)
class Problem:
    """What a task asks of the point.

    Attributes:
        goal: Position to reach (m).
        wind: Displacement that every step adds (m).
        sparse: Whether reward is given near the goal only.
    """

    goal: tuple[float, float]
    wind: tuple[float, float] = (0.0, 0.0)
    sparse: bool = False


class NavigationVectorEnv(TaskVectorEnv):
    """Many points at once, each with its own task; rows are task-major.

    Args:
        tasks: One task per block of rows.
        num_envs_per_task: Rows in each block.
        max_episode_steps: Horizon.
    """

    def __init__(
        self, tasks: Sequence[Task], num_envs_per_task: int, max_episode_steps: int
    ) -> None:
        super().__init__(len(tasks), num_envs_per_task, OBSERVATION_SPACE, ACTION_SPACE)
        self.max_episode_steps = max_episode_steps
        self._positions = np.zeros((self.num_envs, 2), dtype=np.float32)
        self._step_counts = np.full(self.num_envs, max_episode_steps)
        self.set_tasks(tasks)

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Gives the blocks of rows other tasks; takes effect with the next :meth:`reset`."""
        self._check_number(tasks)
        problems = [
            problem for task in tasks for problem in [read_task(task)] * self._num_envs_per_task
        ]
        self._goals = np.array([problem.goal for problem in problems], dtype=np.float32)
        self._winds = np.array([problem.wind for problem in problems], dtype=np.float32)
        self._sparse = np.array([problem.sparse for problem in problems])

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Puts points back to the origin: all, or those of ``options["reset_mask"]``."""
        del seed  # nothing here is random
        mask = self._reset_mask(options)
        self._positions[mask] = 0.0
        self._step_counts[mask] = 0
        return self._positions.copy(), {}

    def step(
        self, actions: npt.NDArray[Any]
    ) -> tuple[
        npt.NDArray[np.float32],
        npt.NDArray[np.float64],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Moves every point whose episode is under way.

        Raises:
            InvalidActionError: If an action isn't finite, or has the wrong shape.
        """
        actions = np.asarray(actions, dtype=np.float32)
        active = self._step_counts < self.max_episode_steps
        self._check_actions(actions, active)
        moves = np.clip(actions, -1.0, 1.0) * np.float32(STEP_SIZE)
        self._positions += np.where(active[:, None], moves + self._winds, np.float32(0.0))
        self._step_counts += active
        distances = np.linalg.norm(self._positions - self._goals, axis=1)
        near = distances <= SPARSE_RADIUS
        rewards = np.where(self._sparse, near * (1.0 - distances), -distances)
        rewards = np.where(active, rewards, 0.0).astype(np.float64)
        truncated = self._step_counts >= self.max_episode_steps
        success = np.where(self._sparse, near, distances <= SUCCESS_RADIUS)
        info = {"success": success, "is_success": success}
        return self._positions.copy(), rewards, np.zeros_like(truncated), truncated, info


class NavigationEnv(gymnasium.Env[npt.NDArray[np.float32], npt.NDArray[np.float32]]):
    """One point with one task.

    Args:
        goal: Position to reach, metres; or a task.
        max_episode_steps: Horizon.
        render_mode: None or ``"rgb_array"``.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(
        self,
        goal: Sequence[float] | Task = (0.5, 0.5),
        max_episode_steps: int = 100,
        render_mode: str | None = None,
    ) -> None:
        self.observation_space = OBSERVATION_SPACE
        self.action_space = ACTION_SPACE
        self.render_mode = render_mode
        task = goal if isinstance(goal, Task) else navigation_task(goal)
        self.goal = read_task(task).goal
        self._path: list[npt.NDArray[np.float32]] = []
        self._vec = NavigationVectorEnv([task], 1, max_episode_steps)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Puts the point back to the origin."""
        super().reset(seed=seed)
        del options
        observations, _ = self._vec.reset()
        self._path = [observations[0]]
        return observations[0], {}

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Moves the point.

        Raises:
            InvalidActionError: If the action isn't finite, or has the wrong shape.
        """
        action = np.asarray(action)
        if action.shape != ACTION_SPACE.shape:
            raise InvalidActionError(
                f"action: got shape {action.shape}; must be {ACTION_SPACE.shape}."
            )
        observations, rewards, _, truncated, info = self._vec.step(action[None])
        self._path.append(observations[0])
        flags = {name: bool(values[0]) for name, values in info.items()}
        return observations[0], float(rewards[0]), False, bool(truncated[0]), flags

    def render(self) -> npt.NDArray[np.uint8] | None:
        """Draws goal (green) and path (blue) on a 128 x 128 picture of [-1, 1] x [-1, 1] m."""
        if self.render_mode != "rgb_array":
            return None
        picture = np.full((128, 128, 3), 255, dtype=np.uint8)
        for point, colour, radius in [
            (np.asarray(self.goal), (0, 150, 70), 3),
            *[(position, (40, 90, 200), 1) for position in self._path],
        ]:
            column, row = np.clip((np.array([point[0], -point[1]]) + 1) * 64, 3, 124).astype(int)
            picture[row - radius : row + radius + 1, column - radius : column + radius + 1] = colour
        return picture


def navigation_task(goal: Sequence[float]) -> Task:
    """The task of reaching ``goal``."""
    return Task(FAMILY, {"goal": [float(goal[0]), float(goal[1])]})


def sparse_task(goal: Sequence[float]) -> Task:
    """The task of reaching ``goal``, with reward near it only."""
    return Task(SPARSE_FAMILY, {"goal": [float(goal[0]), float(goal[1])]})


def wind_task(wind: Sequence[float], goal: Sequence[float]) -> Task:
    """The task of reaching ``goal`` in a ``wind``."""
    return Task(WIND_FAMILY, {"goal": [float(x) for x in goal], "wind": [float(x) for x in wind]})


def read_task(task: Task) -> Problem:
    """What a task asks.

    Raises:
        TaskError: If it is none of the three families', or lacks two numbers where they belong.
    """
    fields = {FAMILY: ("goal",), SPARSE_FAMILY: ("goal",), WIND_FAMILY: ("goal", "wind")}
    parameters = task.parameters
    pairs = {name: parameters.get(name) for name in fields.get(task.family, ())}
    valid = pairs and all(
        isinstance(pair, list) and len(pair) == 2 and all(type(x) in (int, float) for x in pair)
        for pair in pairs.values()
    )
    if not valid:
        raise TaskError(
            f"task: got {task!r}; needs family {FAMILY!r} and a goal of two numbers, "
            f"{SPARSE_FAMILY!r} likewise, or {WIND_FAMILY!r} and a wind of two numbers too."
        )
    found: Any = {name: (pair[0], pair[1]) for name, pair in pairs.items() if pair}
    return Problem(**found, sparse=task.family == SPARSE_FAMILY)
