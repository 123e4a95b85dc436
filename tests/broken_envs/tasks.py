"""Faults of what is drawn, and of how tasks reach their environments."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from broken_envs.sound import PushedPoint, Winds
from metarl.tasks import Task
from metarl.vector import EpisodeVectorEnv


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


class Buoy(PushedPoint):
    """Ends away from the middle, and says where that is a success."""

    def step(self, action):
        observation, reward, _, truncated, _ = super().step(action)
        success = bool(self.position > 0.3)
        return observation, reward, abs(self.position) > 0.3, truncated, {"success": success}


class SpoiltVector(EpisodeVectorEnv):
    """What it answers is spoilt by ``spoil(*answer)``."""

    def step(self, actions):
        return self.spoil(*super().step(actions))


class Buoys(Winds):
    env_class = Buoy
    vector_class: Any = EpisodeVectorEnv

    def make_vec(self, tasks, num_envs_per_task):
        return self.vector_class(
            tasks,
            num_envs_per_task,
            make_env=self.make_env,
            retask=self.retask,
            observation_space=self.observation_space,
            action_space=self.action_space,
        )


class OverlookedEnds(Buoys):
    class vector_class(SpoiltVector):
        def spoil(self, observations, rewards, terminated, truncated, infos):
            return observations, rewards, np.zeros_like(terminated), truncated, infos


class OverlookedSuccess(Buoys):
    class vector_class(SpoiltVector):
        def spoil(self, observations, rewards, terminated, truncated, infos):
            return observations, rewards, terminated, truncated, {}


class RestartingRows(Buoys):
    """Its rows begin another episode after the end of one."""

    class vector_class(SpoiltVector):
        def spoil(self, observations, rewards, terminated, truncated, infos):
            restarted = self.over if self.steps else np.zeros_like(terminated)
            self.over, self.steps = terminated | truncated, self.steps + 1
            return (
                np.where(restarted[:, None], 0, observations),
                rewards,
                terminated,
                truncated,
                infos,
            )

        def reset(self, **kwargs):
            self.steps = 0
            return super().reset(**kwargs)


class PaidWaiting(Buoys):
    """Its rows are paid for waiting."""

    class vector_class(SpoiltVector):
        def spoil(self, observations, rewards, terminated, truncated, infos):
            return observations, np.where(rewards == 0, 1.0, rewards), terminated, truncated, infos
