"""Faults of what is drawn, and of how tasks reach their environments."""

from __future__ import annotations

import gymnasium
import numpy as np
from gymnasium import spaces

from broken_envs.sound import PushedPoint, Winds
from metarl.tasks import Task


class RaisingSample(Winds):
    def sample(self, num_tasks, rng):
        raise KeyError("goals")


class TooFewTasks(Winds):
    def sample(self, num_tasks, rng):
        return super().sample(1, rng)


class EqualTasks(Winds):
    def sample(self, num_tasks, rng):
        return [Task("winds", {"wind": 0.5})] * num_tasks


class TaskWithFunction(Task):
    __slots__ = ("function",)

    def __init__(self, family, parameters):
        super().__init__(family, parameters)
        object.__setattr__(self, "function", lambda: parameters)

    def __reduce__(self):
        return _rebuild, (self.function,)


def _rebuild(function):
    raise NotImplementedError


class UnpicklableTask(Winds):
    def sample(self, num_tasks, rng):
        return [TaskWithFunction(t.family, t.parameters) for t in super().sample(num_tasks, rng)]


class OpenHandle(Winds):
    def __init__(self):
        super().__init__()
        self.handle = (number for number in range(3))


class RaisingMakeEnv(Winds):
    def make_env(self, task, render_mode=None):
        raise FileNotFoundError("model.xml")


class RegisteredOnce(Winds):
    """Its environment is registered by whoever makes the distribution, so not in workers."""

    def __init__(self):
        super().__init__()
        gymnasium.register("Winds-v0", PushedPoint)

    def make_env(self, task, render_mode=None):
        return gymnasium.make("Winds-v0", **task.parameters)


class MixedUpRows(Winds):
    """Its vector environment puts the tasks in another order."""

    def make_vec(self, tasks, num_envs_per_task):
        return super().make_vec(tasks[::-1], num_envs_per_task)


class LeakedTask(Winds):
    class env_class(PushedPoint):
        def __init__(self, wind):
            super().__init__(wind)
            self.observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)

        def observation(self):
            return np.array([self.position, self.wind], dtype=np.float32)

    def __init__(self):
        super().__init__()
        self.observation_space = self.env_class(0.0).observation_space


class TaskWithoutEffect(Winds):
    def make_env(self, task, render_mode=None):
        return PushedPoint(0.5)


class SparseReward(Winds):
    class env_class(PushedPoint):
        def reward(self):
            return float(self.position > 100)


class RewardOfRounding(Winds):
    """Tasks differ by no more than rounding does."""

    class env_class(PushedPoint):
        def __init__(self, wind):
            super().__init__(0.0)
            self.bonus = 1e-9 * wind

        def reward(self):
            return super().reward() + self.bonus
