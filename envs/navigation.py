"""2-D point navigation (Finn, Abbeel and Levine 2017, section 5.3.1), natively vectorised.

A point starts at the origin of a plane and is to reach a goal that it can't see.

* Observation: position ``(x, y)``, metres, float32.
* Action: velocity command in [-1, 1] per axis, times 0.1 m per step.
* Reward: minus the distance to the goal after the step, metres. (The paper says squared distance;
  its published code uses the plain one, as this does.)
* Task: goal, uniform on the square [-0.5, 0.5] x [-0.5, 0.5] m.
* End: truncated after ``max_episode_steps``; never terminated. (The paper also ends an episode
  within 0.01 m of the goal; here the point has to stay, so that all episodes are of one length.)
  ``success`` says whether the point is within 0.05 m of the goal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from metarl.errors import ConfigError, InvalidActionError, TaskError
from metarl.tasks import Benchmark, Task, TaskDistribution

FAMILY = "navigation-2d"
GOAL_RANGE = 0.5
STEP_SIZE = 0.1
SUCCESS_RADIUS = 0.05

OBSERVATION_SPACE = spaces.Box(-np.inf, np.inf, (2,), np.float32)
ACTION_SPACE = spaces.Box(-1.0, 1.0, (2,), np.float32)


class NavigationVectorEnv(VectorEnv[Any, Any, Any]):
    """Many points at once, each with its own goal; rows are task-major.

    Args:
        tasks: One task per block of rows.
        num_envs_per_task: Rows in each block.
        max_episode_steps: Horizon.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(
        self, tasks: Sequence[Task], num_envs_per_task: int, max_episode_steps: int
    ) -> None:
        self.num_envs = len(tasks) * num_envs_per_task
        self.single_observation_space = OBSERVATION_SPACE
        self.single_action_space = ACTION_SPACE
        self.observation_space = batch_space(OBSERVATION_SPACE, self.num_envs)
        self.action_space = batch_space(ACTION_SPACE, self.num_envs)
        self.max_episode_steps = max_episode_steps
        self._num_envs_per_task = num_envs_per_task
        self._positions = np.zeros((self.num_envs, 2), dtype=np.float32)
        self._step_counts = np.full(self.num_envs, max_episode_steps)
        self.set_tasks(tasks)

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Gives the blocks of rows other goals; takes effect with the next :meth:`reset`."""
        if len(tasks) * self._num_envs_per_task != self.num_envs:
            raise TaskError(
                f"tasks: got {len(tasks)}; rows are there for "
                f"{self.num_envs // self._num_envs_per_task}."
            )
        goals = np.array([_goal_of(task) for task in tasks], dtype=np.float32)
        self._goals = np.repeat(goals, self._num_envs_per_task, axis=0)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Puts points back to the origin: all, or those of ``options["reset_mask"]``."""
        del seed  # nothing here is random
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
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
            InvalidActionError: If an action isn't finite.
        """
        actions = np.asarray(actions, dtype=np.float32)
        if not np.isfinite(actions).all():
            row = int(np.argmin(np.isfinite(actions).all(axis=1)))
            raise InvalidActionError(f"action: row {row} is {actions[row]}; must be finite.")
        active = self._step_counts < self.max_episode_steps
        moves = np.clip(actions, -1.0, 1.0) * np.float32(STEP_SIZE)
        self._positions += np.where(active[:, None], moves, np.float32(0.0))
        self._step_counts += active
        distances = np.linalg.norm(self._positions - self._goals, axis=1)
        rewards = np.where(active, -distances, 0.0).astype(np.float64)
        truncated = self._step_counts >= self.max_episode_steps
        success = distances <= SUCCESS_RADIUS
        info = {"success": success, "is_success": success}
        return self._positions.copy(), rewards, np.zeros_like(truncated), truncated, info


class NavigationEnv(gymnasium.Env[npt.NDArray[np.float32], npt.NDArray[np.float32]]):
    """One point with one goal.

    Args:
        goal: Position to reach, metres.
        max_episode_steps: Horizon.
        render_mode: None or ``"rgb_array"``.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(
        self,
        goal: Sequence[float] = (0.5, 0.5),
        max_episode_steps: int = 100,
        render_mode: str | None = None,
    ) -> None:
        self.observation_space = OBSERVATION_SPACE
        self.action_space = ACTION_SPACE
        self.render_mode = render_mode
        self.goal = (float(goal[0]), float(goal[1]))
        self._path: list[npt.NDArray[np.float32]] = []
        self._vec = NavigationVectorEnv([navigation_task(self.goal)], 1, max_episode_steps)

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
        """Moves the point."""
        observations, rewards, _, truncated, info = self._vec.step(np.asarray(action)[None])
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


class NavigationTasks(TaskDistribution):
    """Goals uniform on a square.

    Args:
        max_episode_steps: Horizon, at least 1.
        goal_range: Half the side of the square, metres, above 0.
    """

    tasks_per_vec = 64

    def __init__(self, max_episode_steps: int = 100, goal_range: float = GOAL_RANGE) -> None:
        if max_episode_steps < 1:
            raise ConfigError(f"max_episode_steps: got {max_episode_steps}; must be at least 1.")
        if not goal_range > 0:
            raise ConfigError(f"goal_range: got {goal_range}; must be above 0.")
        self.observation_space = OBSERVATION_SPACE
        self.action_space = ACTION_SPACE
        self.max_episode_steps = max_episode_steps
        self.goal_range = goal_range

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws goals."""
        goals = rng.uniform(-self.goal_range, self.goal_range, size=(num_tasks, 2))
        return [navigation_task(goal) for goal in goals.tolist()]

    def make_env(self, task: Task, render_mode: str | None = None) -> NavigationEnv:
        """Builds one point with its goal."""
        return NavigationEnv(_goal_of(task), self.max_episode_steps, render_mode)

    def make_vec(self, tasks: Sequence[Task], num_envs_per_task: int) -> NavigationVectorEnv:
        """Builds all rows as one array."""
        return NavigationVectorEnv(tasks, num_envs_per_task, self.max_episode_steps)

    def describe(self) -> dict[str, Any]:
        """Adds the range of the goals."""
        return {**super().describe(), "goal_range": self.goal_range}


def navigation(seed: int = 0, *, max_episode_steps: int = 100) -> Benchmark:
    """2-D navigation; training and test goals are drawn from the same square.

    Args:
        seed: Recorded in the manifest; the goals themselves are drawn by whoever samples.
        max_episode_steps: Horizon.
    """
    return Benchmark(
        name="navigation",
        train=NavigationTasks(max_episode_steps),
        test=NavigationTasks(max_episode_steps),
        seed=seed,
        settings={"step_size": STEP_SIZE, "success_radius": SUCCESS_RADIUS},
    )


def navigation_task(goal: Sequence[float]) -> Task:
    """The task of reaching ``goal``."""
    return Task(FAMILY, {"goal": [float(goal[0]), float(goal[1])]})


def _goal_of(task: Task) -> tuple[float, float]:
    goal = task.parameters.get("goal")
    if task.family != FAMILY or not isinstance(goal, list) or len(goal) != 2:
        raise TaskError(f"task: got {task!r}; needs family {FAMILY!r} and a goal of two numbers.")
    return goal[0], goal[1]
