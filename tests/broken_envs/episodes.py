"""Faults of what an episode returns, when it ends and how long it takes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from gymnasium import spaces

from broken_envs.sound import HORIZON, PushedPoint, Winds


class LyingSpace(Winds):
    def __init__(self):
        super().__init__()
        self.observation_space = spaces.Box(-0.01, 0.01, (1,), np.float32)

    class env_class(PushedPoint):
        def __init__(self, wind):
            super().__init__(wind)
            self.observation_space = spaces.Box(-0.01, 0.01, (1,), np.float32)


class NaNReward(Winds):
    class env_class(PushedPoint):
        def reward(self):
            return float("nan") if self.num_steps == 7 else super().reward()


class EndlessEpisode(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            observation, reward, _, _, info = super().step(action)
            return observation, reward, False, False, info


class WrongDtype(Winds):
    class env_class(PushedPoint):
        def observation(self):
            return np.array([self.position])


class SlowStep(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            time.sleep(0.025)
            return super().step(action)


class RaisingReset(Winds):
    class env_class(PushedPoint):
        def reset(self, *, seed=None, options=None):
            raise RuntimeError("the simulator isn't connected")


class HangingStep(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            if self.num_steps == 2:
                time.sleep(600)
            return super().step(action)


class BusyReset(Winds):
    class env_class(PushedPoint):
        def reset(self, *, seed=None, options=None):
            while True:
                pass


class RaisingStep(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            if action[0] > 0.5:
                raise ValueError("joint limit")
            return super().step(action)


class OtherSpace(Winds):
    class env_class(PushedPoint):
        def __init__(self, wind):
            super().__init__(wind)
            self.action_space = spaces.Box(-2.0, 2.0, (1,), np.float32)


class ManyActions(Winds):
    def __init__(self):
        super().__init__()
        self.action_space = spaces.MultiDiscrete([2, 2])


class WrongShape(Winds):
    class env_class(PushedPoint):
        def observation(self):
            return np.array([[self.position]], dtype=np.float32)


class NaNObservation(Winds):
    class env_class(PushedPoint):
        def observation(self):
            return np.array([np.inf if self.num_steps == 3 else self.position], dtype=np.float32)


class OldStep(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            observation, reward, terminated, truncated, info = super().step(action)
            return observation, reward, terminated or truncated, info


class NumbersAsFlags(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            observation, reward, terminated, truncated, info = super().step(action)
            return observation, reward, int(terminated), int(truncated), info


class EarlyTruncation(Winds):
    max_episode_steps = 2 * HORIZON


class TimeLimitAsEnd(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            observation, reward, _, truncated, info = super().step(action)
            return observation, reward, truncated, False, info


class NoHorizon(Winds):
    max_episode_steps: Any = None
