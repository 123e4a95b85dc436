"""Agents small enough to train in a moment."""

from __future__ import annotations

from typing import Any, TypeVar

import gymnasium
import numpy as np
import torch

from metarl.agents import MetaPolicyGradient
from metarl.envs.navigation import navigation
from metarl.tasks import Benchmark, Task, TaskDistribution
from metarl.types import Params

HORIZON = 6
SMALL: dict[str, Any] = {"hidden_sizes": (4,), "meta_batch_size": 3, "episodes_per_task": 2}

AgentT = TypeVar("AgentT", bound=MetaPolicyGradient[Any])


def small_agent(kind: type[AgentT], **settings: Any) -> AgentT:
    return kind(navigation(max_episode_steps=HORIZON), **{**SMALL, **settings})


def after(iterations: int, agent: MetaPolicyGradient[Any]) -> Params:
    """Meta-parameters after so many more iterations."""
    with agent:
        for _ in range(iterations):
            agent.train_iteration()
    return agent.meta_params


class CartPoleTasks(TaskDistribution):
    """Discrete actions, and episodes that end early."""

    max_episode_steps = 40

    def __init__(self) -> None:
        env = gymnasium.make("CartPole-v1")
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        return [Task("cartpole", {"length": x}) for x in rng.uniform(0.3, 1, num_tasks).tolist()]

    def make_env(self, task: Task, render_mode: str | None = None) -> gymnasium.Env:
        env = gymnasium.make("CartPole-v1", max_episode_steps=40, render_mode=render_mode)
        env.unwrapped.length = task.parameters["length"]
        return env


def as_benchmark(train: TaskDistribution) -> Benchmark:
    return Benchmark(name="stub", train=train, test=None, seed=0, settings={})


def identical(one: Params, other: Params) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) for name, value in one.items()
    )
