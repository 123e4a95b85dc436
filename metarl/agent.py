"""What every agent can do, whatever it learns and however it adapts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from metarl.adapted_policy import AdaptedPolicy
from metarl.errors import ConfigError
from metarl.rollouts import RolloutEngine
from metarl.seeding import MAX_KEY, Purpose, Stream
from metarl.tasks import Benchmark, Task, TaskDistribution
from metarl.trace import TraceStep
from metarl.types import Trajectories

Callback: TypeAlias = Callable[["Agent", Mapping[str, float]], bool | None]
"""Called after every iteration with the agent and its figures; returning False ends learning."""


class Agent(ABC):
    """A learner over a distribution of tasks. The words are Stable-Baselines3's.

    An agent's knowledge is a policy that can be adapted. :meth:`unadapted` gives it as it stands,
    :meth:`adapt_step` takes one step on a task's experience; whether that step is a gradient or
    something else is the agent's own business, and everything else (:meth:`adapt`,
    :meth:`predict`, the evaluation) is built on these two.

    Attributes:
        benchmark: The tasks.
        seed: Root of all random streams.
        num_timesteps: Environment steps taken in training so far.
        iteration: Iterations of training so far.
        stop_requested: Whether :meth:`request_stop` has been called and not been answered yet.
    """

    benchmark: Benchmark
    seed: int
    num_timesteps: int
    iteration: int

    stop_requested = False

    # The policy that predict acts by, and its iteration: kept, so that every call draws new noise.
    _acting: tuple[int, AdaptedPolicy] | None = None

    @abstractmethod
    def learn(
        self,
        total_timesteps: int,
        callback: Callback | list[Callback] | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Trains until ``total_timesteps`` environment steps have been taken in all."""

    def request_stop(self) -> None:
        """Asks :meth:`learn` to end soon; signal handlers and other threads may call this.

        The rollout job at hand is finished. An iteration that isn't done by then doesn't count: the
        agent is as it was after the last whole one, so that what is saved goes on to the same bits.
        """
        self.stop_requested = True

    @abstractmethod
    def unadapted(self) -> AdaptedPolicy:
        """The policy before any adaptation."""

    @abstractmethod
    def adapt_step(self, policy: AdaptedPolicy, support: Trajectories) -> AdaptedPolicy:
        """Adapts a policy by one step to one task's experience (``M = 1``)."""

    @abstractmethod
    def save(self, path: str | Path) -> None:
        """Writes everything needed to go on from here into a folder."""

    @classmethod
    @abstractmethod
    def load(cls, path: str | Path, benchmark: Benchmark) -> Self:
        """Reads what :meth:`save` wrote."""

    @abstractmethod
    def close(self) -> None:
        """Ends worker processes and closes environments, if there are any."""

    def adapt(
        self,
        task: Task,
        *,
        num_steps: int = 1,
        num_episodes: int = 10,
        distribution: TaskDistribution | None = None,
        seed: int | None = None,
        trace: bool = False,
    ) -> AdaptedPolicy:
        """Adapts to a task by acting in it.

        Args:
            task: The task.
            num_steps: Adaptation steps, at least 0.
            num_episodes: Episodes of experience before each step.
            distribution: Where the task's environment comes from; by default the benchmark's
                training distribution, which can make the test tasks too where both come from the
                same families.
            seed: Root of the randomness, by default the agent's: of the experience, and of the
                actions that the result samples, which differ from task to task.
            trace: Whether to describe each step in the result's ``trace``.

        Returns:
            A policy with Stable-Baselines3's ``predict``.

        Raises:
            ConfigError: If a number is out of range.
        """
        if num_steps < 0:
            raise ConfigError(f"num_steps: got {num_steps}; must be at least 0.")
        if seed is not None and seed < 0:
            raise ConfigError(f"seed: got {seed}; must be at least 0.")
        root = Stream(self.seed if seed is None else seed)
        stream = root.child(Purpose.ADAPTATION)
        source = self.benchmark.train if distribution is None else distribution
        # What is made in inference mode can't have gradients, which adaptation may need.
        with torch.inference_mode(False):
            policy = self.unadapted()
            with RolloutEngine(source, policy.policy) as engine:
                for step in range(num_steps):
                    support = engine.collect(
                        [task], policy.params, stream.child(step), num_episodes=num_episodes
                    )
                    after = self.adapt_step(policy, support)
                    if trace:
                        after.trace = (*policy.trace, self.trace_step(policy, after, support))
                    policy = after
        key = int(task.digest, 16) % (MAX_KEY + 1)
        return policy.acting_by(root.child(Purpose.ACTING, key, num_steps))

    def trace_step(
        self, before: AdaptedPolicy, after: AdaptedPolicy, support: Trajectories
    ) -> TraceStep:
        """Describes the adaptation step that led from one policy to another.

        Raises:
            ConfigError: If this agent's adaptation has no loss to be described by.
        """
        del before, after, support
        raise ConfigError(f"trace: {type(self).__name__} doesn't adapt by the descent of a loss.")

    def with_adaptation_lr(self, rate: float) -> Self:
        """The same agent, but adapted at another step size; this one stays as it is.

        Raises:
            ConfigError: If the rate is out of range, or this agent's adaptation has none.
        """
        raise ConfigError(
            f"adaptation_lr: got {rate}; the adaptation of {type(self).__name__} has no such rate."
        )

    def predict(
        self,
        observation: npt.NDArray[Any],
        state: tuple[npt.NDArray[Any], ...] | None = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[Any], tuple[npt.NDArray[Any], ...] | None]:
        """Acts by the policy before adaptation; see :meth:`AdaptedPolicy.predict`."""
        if self._acting is None or self._acting[0] != self.iteration:
            self._acting = (self.iteration, self.unadapted())
        return self._acting[1].predict(observation, state, episode_start, deterministic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
