"""Faults of what is remembered or drawn beside the seed and the task."""

from __future__ import annotations

import numpy as np

from broken_envs.sound import PushedPoint, Winds


class UnseededSampling(Winds):
    def sample(self, num_tasks, rng):
        return super().sample(num_tasks, np.random.default_rng())


class UnseededConstructor(Winds):
    class env_class(PushedPoint):
        def __init__(self, wind):
            super().__init__(wind + np.random.default_rng().normal())


class UnseededReset(Winds):
    class env_class(PushedPoint):
        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.position = np.random.uniform(-0.1, 0.1)  # noqa: NPY002
            return self.observation(), {}


class UnseededStep(Winds):
    class env_class(PushedPoint):
        def step(self, action):
            self.position += np.random.default_rng().normal()
            return super().step(action)


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


WIND = {"strength": 0.0}


class MutatedGlobalState(Winds):
    class env_class(PushedPoint):
        def reset(self, *, seed=None, options=None):
            WIND["strength"] += 0.1
            return super().reset(seed=seed)

        def step(self, action):
            self.position += WIND["strength"]
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


class CompoundingRetask(Winds):
    """Environments are kept, and each task is added to the one before."""

    def retask(self, env, task):
        env.wind += task.parameters["wind"]
        return True
