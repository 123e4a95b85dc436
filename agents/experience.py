"""Where the training loop's experience comes from, and what is counted of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from metarl.adaptation import AdaptationState
from metarl.baselines import LinearFeatureBaseline, estimate_advantages
from metarl.errors import NonFiniteError
from metarl.policies import Policy
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from metarl.tasks import Task, TaskDistribution
from metarl.types import Trajectories


class StopRequested(Exception):  # noqa: N818 - no error
    """Leaves an iteration half-way."""


@dataclass
class Counts:
    """What one iteration has collected so far, whatever comes of it.

    Attributes:
        num_steps: Environment steps.
        num_unstable: Episodes whose simulation diverged.
        seconds: Time that collecting took.
    """

    num_steps: int = 0
    num_unstable: int = 0
    seconds: float = 0.0


class ExperienceSource:
    """Collects episodes for training and estimates their advantages.

    Args:
        distribution: Where environments come from.
        policy: Structure of the policy, on the CPU.
        num_episodes: Episodes per task.
        gamma: Discount factor.
        gae_lambda: Trace decay of advantages.
        num_workers: Processes that collect; 0 collects in this one.
        worker_timeout: Seconds without a step after which a worker process counts as hung.
        device: Where the experience is put.
        stop: Asked after each job; whether to leave the iteration.
    """

    def __init__(
        self,
        distribution: TaskDistribution,
        policy: Policy,
        *,
        num_episodes: int,
        gamma: float,
        gae_lambda: float,
        num_workers: int,
        worker_timeout: float,
        device: torch.device,
        stop: Callable[[], bool],
    ) -> None:
        self.distribution = distribution
        self.policy = policy
        self.num_episodes = num_episodes
        self.gamma = gamma
        self.gae_lambda = gae_lambda
        self.num_workers = num_workers
        self.worker_timeout = worker_timeout
        self.device = device
        self.counts = Counts()
        self._stop = stop
        self._baseline = LinearFeatureBaseline()
        self._engine: RolloutEngine | None = None

    def collect(
        self, tasks: Sequence[Task], states: Sequence[AdaptationState], stream: Stream
    ) -> Trajectories:
        """Collects episodes of each task under its own parameters, and counts them.

        Returns:
            Experience with advantages, without the episodes whose simulation diverged.

        Raises:
            StopRequested: If ``stop`` said so.
        """
        if self._engine is None:
            self._engine = RolloutEngine(
                self.distribution,
                self.policy,
                num_workers=self.num_workers,
                worker_timeout=self.worker_timeout,
            )
        began = time.perf_counter()
        collected = self._engine.collect(
            tasks,
            [state.params for state in states],
            stream,
            num_episodes=self.num_episodes,
            progress=self._leave_if_asked,
        )
        self.counts.num_steps += collected.num_steps
        self.counts.num_unstable += collected.num_unstable
        self.counts.seconds += time.perf_counter() - began
        return self.with_advantages(collected.without_unstable())

    def with_advantages(self, trajectories: Trajectories) -> Trajectories:
        """Attaches advantages, by a baseline fitted to each task, and moves to the device."""
        estimated = estimate_advantages(
            trajectories, self._baseline, gamma=self.gamma, gae_lambda=self.gae_lambda
        )
        return estimated.to(self.device)

    def close(self) -> None:
        """Ends worker processes and closes environments; collecting starts them anew."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _leave_if_asked(self, num_jobs: int) -> None:
        del num_jobs
        if self._stop():
            raise StopRequested


def usable_tasks(trajectories: Trajectories) -> list[int]:
    """Tasks that have an episode to learn from.

    Raises:
        NonFiniteError: If none has, because all simulations became unstable.
    """
    usable = [i for i, counted in enumerate(trajectories.counted.any(dim=-1).tolist()) if counted]
    if not usable:
        raise NonFiniteError("experience: every episode of every task was unstable")
    return usable
