"""A sound task distribution, to be spoilt."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from metarl.tasks import Task, TaskDistribution

HORIZON = 20


class PushedPoint(gymnasium.Env[Any, Any]):
    """A point on a line, started at random, in a wind that the task sets; reward: -|position|."""

    def __init__(self, wind: float) -> None:
        self.wind = wind
        self.observation_space: Any = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space: Any = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-0.1, 0.1)
        self.num_steps = 0
        return self.observation(), {}

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        self.position += 0.1 * float(action[0]) + 0.05 * self.wind
        self.num_steps += 1
        return self.observation(), self.reward(), False, self.num_steps >= HORIZON, {}

    def observation(self) -> Any:
        return np.array([self.position], dtype=np.float32)

    def reward(self) -> Any:
        return -abs(self.position)


class Winds(TaskDistribution):
    """Sound."""

    env_class: Any = PushedPoint
    max_episode_steps = HORIZON

    def __init__(self) -> None:
        env = PushedPoint(0.0)
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        return [Task("winds", {"wind": wind}) for wind in rng.uniform(-1, 1, num_tasks).tolist()]

    def make_env(self, task: Task, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        return self.env_class(task.parameters["wind"])
