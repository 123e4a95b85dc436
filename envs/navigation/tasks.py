"""2-D point navigation: goals, goals with sparse reward, winds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from metarl.errors import ConfigError
from metarl.tasks import Benchmark, Task, TaskDistribution

from .point import (
    ACTION_SPACE,
    OBSERVATION_SPACE,
    STEP_SIZE,
    SUCCESS_RADIUS,
    NavigationEnv,
    NavigationVectorEnv,
    navigation_task,
    sparse_task,
    wind_task,
)

GOAL_RANGE = 0.5
GOAL_DISTANCE = 1.0
WIND_RANGE = 0.05
WIND_GOAL = (0.0, 0.5)


class PointTasks(TaskDistribution):
    """What the distributions below share.

    Args:
        max_episode_steps: Horizon, at least 1.
    """

    tasks_per_vec = 64

    def __init__(self, max_episode_steps: int) -> None:
        if max_episode_steps < 1:
            raise ConfigError(f"max_episode_steps: got {max_episode_steps}; must be at least 1.")
        self.observation_space = OBSERVATION_SPACE
        self.action_space = ACTION_SPACE
        self.max_episode_steps = max_episode_steps

    @abstractmethod
    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws tasks."""

    def make_env(self, task: Task, render_mode: str | None = None) -> NavigationEnv:
        """Builds one point with its task."""
        return NavigationEnv(task, self.max_episode_steps, render_mode)

    def make_vec(self, tasks: Sequence[Task], num_envs_per_task: int) -> NavigationVectorEnv:
        """Builds all rows as one array."""
        return NavigationVectorEnv(tasks, num_envs_per_task, self.max_episode_steps)


class NavigationTasks(PointTasks):
    """Goals uniform on a square.

    Args:
        max_episode_steps: Horizon, at least 1.
        goal_range: Half the side of the square, metres, above 0.
    """

    def __init__(self, max_episode_steps: int = 100, goal_range: float = GOAL_RANGE) -> None:
        super().__init__(max_episode_steps)
        if not 0 < goal_range < np.inf:
            raise ConfigError(f"goal_range: got {goal_range}; must be finite and above 0.")
        self.goal_range = goal_range

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws goals."""
        goals = rng.uniform(-self.goal_range, self.goal_range, size=(num_tasks, 2))
        return [navigation_task(goal) for goal in goals.tolist()]

    def describe(self) -> dict[str, Any]:
        """Adds the range of the goals."""
        return {**super().describe(), "goal_range": self.goal_range}


class SparseNavigationTasks(PointTasks):
    """Goals uniform on the upper half of the unit circle, with reward within 0.2 m only."""

    def __init__(self, max_episode_steps: int = 20) -> None:
        super().__init__(max_episode_steps)

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws goals."""
        angles = rng.uniform(0.0, np.pi, size=num_tasks)
        goals = GOAL_DISTANCE * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return [sparse_task(goal) for goal in goals.tolist()]


class WindyNavigationTasks(PointTasks):
    """Winds uniform on a square; one goal for all.

    Args:
        max_episode_steps: Horizon, at least 1.
        wind_range: Greatest wind along each axis, metres per step, above 0.
    """

    def __init__(self, max_episode_steps: int = 100, wind_range: float = WIND_RANGE) -> None:
        super().__init__(max_episode_steps)
        if not 0 < wind_range < np.inf:
            raise ConfigError(f"wind_range: got {wind_range}; must be finite and above 0.")
        self.wind_range = wind_range

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws winds."""
        winds = rng.uniform(-self.wind_range, self.wind_range, size=(num_tasks, 2))
        return [wind_task(wind, WIND_GOAL) for wind in winds.tolist()]

    def describe(self) -> dict[str, Any]:
        """Adds the range of the winds."""
        return {**super().describe(), "wind_range": self.wind_range}


def navigation(seed: int = 0, *, max_episode_steps: int = 100) -> Benchmark:
    """2-D navigation (Finn et al. 2017, section 5.3.1); goals from a square, for test too.

    The paper's reward is the squared distance; its published code uses the plain one, as this
    does. The paper also ends an episode within 0.01 m of the goal; here the point has to stay, so
    that all episodes are of one length.

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


def navigation_sparse(seed: int = 0, *, max_episode_steps: int = 20) -> Benchmark:
    """2-D navigation with sparse reward (Rakelly et al. 2019, section 6.3).

    Goals lie on a half-circle of 1 m. PEARL trains on the dense reward and measures the sparse one
    in the end; here reward is sparse throughout. Its goals are 100 fixed ones, here any angle.

    Args:
        seed: Recorded in the manifest; the goals themselves are drawn by whoever samples.
        max_episode_steps: Horizon; 20 is PEARL's.
    """
    return Benchmark(
        name="navigation-sparse",
        train=SparseNavigationTasks(max_episode_steps),
        test=SparseNavigationTasks(max_episode_steps),
        seed=seed,
        settings={"step_size": STEP_SIZE},
    )


def navigation_wind(seed: int = 0, *, max_episode_steps: int = 100) -> Benchmark:
    """2-D navigation where a constant wind, not the goal, differs between tasks.

    What has to be inferred is how the world moves; the reward is one function for all tasks.

    Args:
        seed: Recorded in the manifest; the winds themselves are drawn by whoever samples.
        max_episode_steps: Horizon.
    """
    return Benchmark(
        name="navigation-wind",
        train=WindyNavigationTasks(max_episode_steps),
        test=WindyNavigationTasks(max_episode_steps),
        seed=seed,
        settings={"step_size": STEP_SIZE, "success_radius": SUCCESS_RADIUS, "goal": [*WIND_GOAL]},
    )
