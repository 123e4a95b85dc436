"""Task distributions with one fault each, beside a sound one."""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from metarl.tasks import Task, TaskDistribution

HORIZON = 20
WIND = {"strength": 0.0}


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


# ---- the twelve


class UnseededReset(Winds):
    class env_class(PushedPoint):
        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.position = np.random.uniform(-0.1, 0.1)  # noqa: NPY002
            return self.observation(), {}


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


class MutatedGlobalState(Winds):
    class env_class(PushedPoint):
        def reset(self, *, seed=None, options=None):
            WIND["strength"] += 0.1
            return super().reset(seed=seed)

        def step(self, action):
            self.position += WIND["strength"]
            return super().step(action)


class EqualTasks(Winds):
    def sample(self, num_tasks, rng):
        return [Task("winds", {"wind": 0.5})] * num_tasks


class Model:
    def __init__(self) -> None:
        self.mass = np.ones(3)


class SharedModel(Winds):
    """One model for all environments, scaled by each task and never put back."""

    def __init__(self):
        super().__init__()
        self.model = Model()

    class env_class(PushedPoint):
        def __init__(self, wind, model):
            super().__init__(wind)
            self.model = model
            model.mass *= 1 + 0.1 * wind

        def step(self, action):
            return super().step(action / self.model.mass[0])

    def make_env(self, task, render_mode=None):
        return self.env_class(task.parameters["wind"], self.model)


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


# ---- and others


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


class RaisingSample(Winds):
    def sample(self, num_tasks, rng):
        raise KeyError("goals")


class TooFewTasks(Winds):
    def sample(self, num_tasks, rng):
        return super().sample(1, rng)


class RaisingMakeEnv(Winds):
    def make_env(self, task, render_mode=None):
        raise FileNotFoundError("model.xml")


class UnseededSampling(Winds):
    def sample(self, num_tasks, rng):
        return super().sample(num_tasks, np.random.default_rng())


class UnseededStep(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            self.position += np.random.default_rng().normal()
            return super().step(action)


class UnseededConstructor(Winds):
    class env_class(PushedPoint):
        def __init__(self, wind):
            super().__init__(wind + np.random.default_rng().normal())


class SeedsGlobally(Winds):
    class env_class(PushedPoint):
        def reset(self, *, seed=None, options=None):
            np.random.seed(seed)  # noqa: NPY002
            return super().reset(seed=seed)


class ChangesErrorHandling(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            np.seterr(divide="ignore")
            return super().step(action)


class StaleState(Winds):
    class env_class(PushedPoint):
        drift = 0.0

        def step(self, action):
            self.drift += 0.01
            self.position += self.drift
            return super().step(action)


class SharedWind(Winds):
    """The task sits in the class: whoever was made last decides."""

    class env_class(PushedPoint):
        current = 0.0

        def __init__(self, wind):
            super().__init__(wind)
            type(self).current = wind

        def step(self, action):
            self.wind = type(self).current
            return super().step(action)


class CompoundingRetask(Winds):
    """Environments are kept, and each task is added to the one before."""

    def retask(self, env, task):
        env.wind += task.parameters["wind"]
        return True


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


class OpenHandle(Winds):
    def __init__(self):
        super().__init__()
        self.handle = (number for number in range(3))


class MixedUpRows(Winds):
    """Its vector environment puts the tasks in another order."""

    def make_vec(self, tasks, num_envs_per_task):
        return super().make_vec(tasks[::-1], num_envs_per_task)


TWELVE = {
    UnseededReset: "unseeded-reset",
    LeakedTask: "task-leak",
    UnpicklableTask: "unpicklable-task",
    LyingSpace: "outside-space",
    NaNReward: "reward-not-finite",
    EndlessEpisode: "endless-episode",
    MutatedGlobalState: "global-state",
    EqualTasks: "equal-tasks",
    SharedModel: "task-not-restored",
    WrongDtype: "wrong-dtype",
    SlowStep: "slow-step",
    RaisingReset: "raising-reset",
}
OTHERS = {
    HangingStep: "hangs",
    BusyReset: "hangs",
    RaisingStep: "raising-step",
    RaisingSample: "raising-sample",
    RaisingMakeEnv: "raising-make-env",
    TooFewTasks: "wrong-sample",
    UnseededSampling: "unseeded-sampling",
    UnseededStep: "unseeded-step",
    UnseededConstructor: "unseeded-constructor",
    SeedsGlobally: "global-state",
    ChangesErrorHandling: "global-state",
    StaleState: "stale-state",
    SharedWind: "shared-state",
    CompoundingRetask: "task-not-restored",
    OtherSpace: "spaces-differ",
    ManyActions: "unsupported-space",
    WrongShape: "wrong-shape",
    NaNObservation: "observation-not-finite",
    OldStep: "wrong-result",
    NumbersAsFlags: "wrong-result",
    EarlyTruncation: "early-truncation",
    TimeLimitAsEnd: "time-limit-as-end",
    NoHorizon: "no-horizon",
    TaskWithoutEffect: "task-without-effect",
    SparseReward: "no-reward-difference",
    RewardOfRounding: "no-reward-difference",
    OpenHandle: "unpicklable-distribution",
    MixedUpRows: "vector-differs",
}
