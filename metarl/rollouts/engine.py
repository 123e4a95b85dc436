"""The rollout engine: tasks and parameters in, trajectories out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch

from metarl.errors import ConfigError
from metarl.policies import Policy
from metarl.rollouts.executors import (
    DEFAULT_WORKER_TIMEOUT,
    Executor,
    ProcessExecutor,
    Progress,
    SerialExecutor,
)
from metarl.rollouts.jobs import Job, JobResult
from metarl.seeding import Stream
from metarl.tasks import Task, TaskDistribution
from metarl.types import Params, Trajectories


class RolloutEngine:
    """Collects experience of many tasks, each under its own parameters.

    Args:
        distribution: Where environments come from.
        policy: Structure of the policy.
        num_workers: Worker processes; 0 runs everything in this process.
        worker_timeout: Seconds without a step after which a worker counts as hung, is killed and
            replaced.

    Use it as a context manager, or call :meth:`close`.
    """

    def __init__(
        self,
        distribution: TaskDistribution,
        policy: Policy,
        *,
        num_workers: int = 0,
        worker_timeout: float = DEFAULT_WORKER_TIMEOUT,
    ) -> None:
        if num_workers < 0:
            raise ConfigError(f"num_workers: got {num_workers}; must be at least 0.")
        self.distribution = distribution
        self.policy = policy
        self._executor: Executor = (
            ProcessExecutor(distribution, policy, num_workers, worker_timeout)
            if num_workers
            else SerialExecutor(distribution, policy)
        )

    def collect(
        self,
        tasks: Sequence[Task],
        params: Params | Sequence[Params],
        stream: Stream,
        *,
        num_episodes: int,
        deterministic: bool = False,
        progress: Progress | None = None,
    ) -> Trajectories:
        """Runs ``num_episodes`` episodes of each task.

        Args:
            tasks: ``M`` tasks.
            params: One set of policy parameters for all tasks, or one per task.
            stream: Source of randomness; task ``i`` uses its child ``i``.
            num_episodes: ``E``.
            deterministic: Whether to act by the distribution's mode instead of sampling.
            progress: Called with the number of tasks that have just been finished.

        Returns:
            Experience ``[M, E, S, ...]``. The same arguments give the same bits for any number of
            workers.
        """
        if not tasks:
            raise ConfigError("tasks: got none; must be at least 1.")
        if num_episodes < 1:
            raise ConfigError(f"num_episodes: got {num_episodes}; must be at least 1.")
        if isinstance(params, dict):
            shared = _as_arrays(params)
            arrays = [shared] * len(tasks)
        else:
            arrays = [_as_arrays(one) for one in params]
        if len(arrays) != len(tasks):
            raise ConfigError(f"params: got {len(arrays)} sets for {len(tasks)} tasks.")
        jobs = [
            Job(task, own, stream.child(index), num_episodes, deterministic)
            for index, (task, own) in enumerate(zip(tasks, arrays, strict=True))
        ]
        # Side by side with others of their family, worlds of the batched engine are faster.
        order = sorted(range(len(jobs)), key=lambda index: tasks[index].family)
        results = self._executor.run([jobs[index] for index in order], progress)
        by_task = dict(zip(order, results, strict=True))
        return _stack([by_task[index] for index in range(len(jobs))])

    def close(self) -> None:
        """Ends the workers and closes the environments; may be called twice."""
        self._executor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _as_arrays(params: Params) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    return {
        name: value.detach().to(device="cpu", dtype=torch.float32).numpy()
        for name, value in params.items()
    }


def _stack(results: Sequence[JobResult]) -> Trajectories:
    def stacked(name: str) -> torch.Tensor:
        # Stacked by PyTorch, into memory that it allocated: see _PolicyCopy on alignment and bits.
        return torch.stack([torch.from_numpy(getattr(result, name)) for result in results])

    def optional(name: str) -> torch.Tensor | None:
        return None if any(getattr(r, name) is None for r in results) else stacked(name)

    return Trajectories(
        observations=stacked("observations"),
        actions=stacked("actions"),
        rewards=stacked("rewards"),
        log_probs=stacked("log_probs"),
        dist_params=stacked("dist_params"),
        mask=stacked("mask"),
        terminated=stacked("terminated"),
        truncated=stacked("truncated"),
        last_observations=stacked("last_observations"),
        success=optional("success"),
        unstable=stacked("unstable"),
        initial_state=optional("initial_state"),
    )
