"""What a rollout job is, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.seeding import Stream
from metarl.tasks import Task

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Job:
    """One task's episodes under one set of parameters and one random stream.

    What a job returns depends on these fields alone: not on the executor, the number of workers,
    the order of jobs, or what is stepped beside it.

    Attributes:
        task: The task.
        params: Policy parameters, float32 arrays by name.
        stream: Source of the environments' seeds and the actions' noise.
        num_episodes: ``E``.
        deterministic: Whether to act by the distribution's mode.
        state: Policy state at the start, ``[E, H]``, or ``None`` for the initial one. Carrying it
            from one job to the next makes a trial of several episodes.
    """

    task: Task
    params: dict[str, FloatArray]
    stream: Stream
    num_episodes: int
    deterministic: bool = False
    state: FloatArray | None = None


@dataclass(frozen=True)
class JobResult:
    """The episodes of one job, ``[E, S, ...]``; fields as in :class:`metarl.types.Trajectories`.

    Attributes:
        final_state: Policy state after each episode's last step, ``[E, H]``, or ``None``.
    """

    observations: FloatArray
    actions: npt.NDArray[Any]
    rewards: FloatArray
    log_probs: FloatArray
    dist_params: FloatArray
    mask: BoolArray
    terminated: BoolArray
    truncated: BoolArray
    last_observations: FloatArray
    success: BoolArray | None
    unstable: BoolArray
    initial_state: FloatArray | None
    final_state: FloatArray | None


def chunks(jobs: Sequence[Job], largest: int, num_workers: int) -> Iterator[tuple[int, int]]:
    """Cuts jobs into stretches for workers that take the next one whenever they are free.

    Stretches get smaller (half of what is left, shared out), so that all workers end at about the
    same time. Neighbours of one family stay together where that doesn't double a stretch: many
    environments of a family are stepped faster than few.

    Args:
        jobs: In the order in which they are taken.
        largest: Most jobs in a stretch.
        num_workers: How many workers there are; for a single one nothing is gained by small ones.

    Yields:
        Start and stop of each stretch.
    """
    start = 0
    while start < len(jobs):
        share = -(-(len(jobs) - start) // (2 * num_workers)) if num_workers > 1 else largest
        stop = min(start + share, start + largest, len(jobs))
        family_ends = stop
        while family_ends < len(jobs) and _same_family(jobs, family_ends):
            family_ends += 1
        if family_ends <= start + min(2 * share, largest):
            stop = family_ends
        yield start, stop
        start = stop


def _same_family(jobs: Sequence[Job], index: int) -> bool:
    return jobs[index].task.family == jobs[index - 1].task.family


def episode_seeds(rng: np.random.Generator, num_episodes: int) -> list[int]:
    """Draws the seeds of a job's environments: the first numbers of its stream."""
    return [int(seed) for seed in rng.integers(2**31, size=num_episodes)]
