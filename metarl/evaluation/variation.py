"""Where the variance of a mean comes from: runs, and tasks within their families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from metarl.errors import ConfigError

Scores: TypeAlias = npt.NDArray[np.float64]

ROUNDING = 1e-12
"""Means that differ by less than this share of the largest score differ by rounding alone."""


@dataclass(frozen=True)
class Variation:
    """Where the mean's variance comes from.

    Attributes:
        variance: Unbiased estimate of the mean's variance, runs and tasks together.
        shrunken: The same with each part shrunk to ``(n - 1) / n``, as the bootstrap shrinks it.
        degrees_of_freedom: Satterthwaite's.
    """

    variance: float
    shrunken: float
    degrees_of_freedom: float


def variation(scores: Sequence[Scores], strata: Sequence[npt.NDArray[np.intp]]) -> Variation:
    """Variance of the mean (of one matrix), or of the difference of means (of two).

    The parts of runs and of tasks are added, each with the residual variation in it: it is counted
    twice. The pigeonhole bootstrap itself counts it three times (Owen 2007), so that stretching its
    interval by ``variance / shrunken`` corrects each part for its few units but leaves the residual
    overstated. Both err on the side of a wider interval.

    Args:
        scores: One or two matrices ``[R, T]``.
        strata: Column numbers of each family; none where tasks are fixed, not drawn.
    """
    parts: list[tuple[float, int, int]] = []  # variance, degrees of freedom, units
    rounding = ROUNDING * max(float(np.abs(part).max()) for part in scores)
    for part in scores:
        if len(part) > 1:
            by_run = part.mean(axis=1)
            parts.append((_variance(by_run, rounding) / len(part), len(part) - 1, len(part)))
    by_task = scores[0].mean(axis=0) - (scores[1].mean(axis=0) if len(scores) > 1 else 0.0)
    total = len(by_task)
    for columns in strata:
        if (size := len(columns)) > 1:
            own = _variance(by_task[columns], rounding) * size / total**2
            parts.append((own, size - 1, size))
    variance = sum(own for own, _, _ in parts)
    if variance == 0.0:
        return Variation(0.0, 0.0, max(1, total - len(strata)))
    # Satterthwaite (1946), over runs and over each family of tasks.
    squares = sum(own**2 / freedom for own, freedom, _ in parts)
    shrunken = sum(own * freedom / units for own, freedom, units in parts)
    return Variation(variance, shrunken, max(1.0, variance**2 / squares))


def _variance(values: Scores, rounding: float) -> float:
    """Unbiased variance; exactly 0 where values differ by rounding alone."""
    return 0.0 if np.ptp(values) <= rounding else float(values.var(ddof=1))


def stretch_factor(scores: Sequence[Scores], strata: Sequence[npt.NDArray[np.intp]]) -> float:
    """By how much a percentile interval is too narrow for so few runs and tasks; at least 1."""
    found = variation(scores, strata)
    if found.shrunken == 0.0:
        return 1.0
    t, z = stats.t.ppf(0.975, found.degrees_of_freedom), stats.norm.ppf(0.975)
    return float(t / z * np.sqrt(found.variance / found.shrunken))


def units_of_alike(num_tasks: int, num_runs: int) -> float:
    """How many independent units tasks count for where no run shows another result than another.

    A single run is given, and each task counts as one. Of several runs, that a few agree doesn't
    tell that a further one would: with the degrees of freedom of the runs, as in Korn and
    Graubard's interval, tasks are counted for ``(t(T - 1) / t(R - 1))^2`` each, though no run for
    less than one. Of three runs that all fail in 50 tasks 10.9 units are left, and up to 29 % of
    successes are possible.

    This gives few runs their width; it is no interval for a problem that a run finds or doesn't.
    Where one run in three finds it, three out of ten times none of three will, and more tasks tell
    no more of that: such runs are to be looked at one by one.

    Args:
        num_tasks: ``T``.
        num_runs: ``R``, of the method that has the fewest.
    """
    if num_runs == 1 or num_tasks == 1:
        return float(num_tasks)
    exact, few = stats.t.ppf(0.975, [num_tasks - 1, num_runs - 1])
    return min(num_tasks, max(float(num_runs), num_tasks * float(exact / few) ** 2))


def runs_agree(scores: Scores) -> bool:
    """Whether there are several runs, and none has another mean than another, ``[R, T]``."""
    rounding = ROUNDING * float(np.abs(scores).max())
    return len(scores) > 1 and float(np.ptp(scores.mean(axis=1))) <= rounding


def strata_of(num_tasks: int, families: Sequence[str] | None) -> list[npt.NDArray[np.intp]]:
    """Column numbers of each family; one stratum if a family has a single task.

    Raises:
        ConfigError: If there isn't one family for each task.
    """
    everything = [np.arange(num_tasks)]
    if families is None:
        return everything
    if len(families) != num_tasks:
        raise ConfigError(f"families: got {len(families)} names for {num_tasks} tasks.")
    names = np.asarray(families)
    groups = [np.flatnonzero(names == name) for name in dict.fromkeys(families)]
    return groups if all(len(group) > 1 for group in groups) else everything
