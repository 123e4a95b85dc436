"""Numbers that are not finite, caught where they arise and told with task, episode, seed and step.

An episode whose simulation has become unstable is cut there and marked; what it holds that is not
finite is zero from then on, and nothing learns from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.errors import NonFiniteError
from metarl.rollouts.jobs import Job


def check_finite(
    what: str,
    rows: npt.NDArray[Any],
    excused: npt.NDArray[np.bool_],
    jobs: Sequence[Job],
    seeds: Sequence[int],
    step: int,
) -> None:
    """Checks what came in one step, and zeroes it in rows that are excused.

    Args:
        what: What it is, for the message.
        rows: ``[N, ...]``, task-major; changed in place.
        excused: ``[N]``, rows whose episode has ended or become unstable.
        jobs: Jobs that are run side by side.
        seeds: ``N`` seeds of the episodes.
        step: The step.

    Raises:
        NonFiniteError: Naming the first row that isn't finite and isn't excused.
    """
    if np.isfinite(rows).all():
        return
    finite = np.isfinite(rows.reshape(len(rows), -1)).all(axis=1)
    if (finite | excused).all():
        rows[~finite] = 0
        return
    row = int(np.argmin(finite | excused))
    job, episode = jobs[row // jobs[0].num_episodes], row % jobs[0].num_episodes
    raise NonFiniteError(
        f"{what}: got {rows[row]}; must be finite. Task {job.task.family} ({job.task.digest}), "
        f"episode {episode}, seed {seeds[row]}, step {step}"
    )


def check_finite_rewards(
    rewards: npt.NDArray[np.float32],
    unstable: npt.NDArray[np.bool_],
    job: Job,
    seeds: Sequence[int],
) -> None:
    """Checks a job's rewards ``[E, S]``, and zeroes what isn't finite in unstable episodes ``[E]``.

    Raises:
        NonFiniteError: Naming the first step whose reward isn't finite.
    """
    if np.isfinite(rewards).all():
        return
    for step in np.flatnonzero(~np.isfinite(rewards).all(axis=0)).tolist():
        check_finite("reward", rewards[:, step], unstable, [job], seeds, step)
