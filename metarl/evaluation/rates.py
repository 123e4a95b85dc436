"""Intervals for success rates, right also where tasks are few and rates near 0 or 1.

A percentile bootstrap isn't: five tasks without a success give it [0, 0], though a rate of 0.1
leaves them without one more often than not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import stats

from metarl.evaluation.statistics import Estimate
from metarl.evaluation.variation import (
    Scores,
    runs_agree,
    strata_of,
    units_of_alike,
    variation,
)


def rate(
    scores: Scores,
    num_episodes: int,
    families: Sequence[str] | None = None,
    tasks: Literal["sampled", "fixed"] = "sampled",
) -> Estimate:
    """A success rate with the 95 % interval of Korn and Graubard (1998).

    Clopper and Pearson's exact binomial interval, on the *effective* number of episodes: as many
    independent ones as would give the variance that is seen between tasks and between runs,

        n_eff = min(n, p (1 - p) / variance) * (t(n - 1) / t(df))^2 .

    Episodes of one task are alike (where task and policy are deterministic they are equal), and so
    are tasks of one run; ``n_eff`` counts them for what they are worth, never for more than they
    are. Where the episodes of every task end alike they are equal, and count as one; where runs too
    end alike and families always or never succeed, no variance shows, and tasks count as
    :func:`~metarl.evaluation.variation.units_of_alike` says: one each in a single run, less in
    several, whose few degrees of freedom are all that is known of further ones. Families are given
    and tasks drawn from them; as one binomial, the strata's variance is never understated.

    Where tasks are fixed, variance is that between runs alone, and where no run differs from
    another each run counts as one.

    Where several runs have the same rate, they count for no more than that many units; and a single
    success can't leave less room above than none: the interval reaches at least as far as it would
    at a rate of 0 (or, below, of 1).

    Args:
        scores: Success rate of each run on each task, ``[R, T]``.
        num_episodes: Episodes behind each entry.
        families: Family of each task.
        tasks: ``"sampled"`` within their families, or ``"fixed"``: all there are, which takes
            several runs.
    """
    point = float(scores.mean())
    fixed = tasks == "fixed"
    runs, columns = scores.shape
    alike = float(runs) if fixed else units_of_alike(columns, runs)
    strata = [] if fixed else strata_of(columns, families)
    found = variation([scores], strata)
    equal = bool(np.isin(scores, (0.0, 1.0)).all())  # each task's episodes, that is
    if point in (0.0, 1.0) or (fixed and found.variance == 0.0):
        effective = alike
    else:
        episodes = scores.size if equal else scores.size * num_episodes
        if scores.size == 1 or (equal and found.variance == 0.0):
            episodes = columns
        effective = float(episodes)
        if found.variance > 0.0:
            effective = min(effective, point * (1 - point) / found.variance)
        if episodes > 1:
            exact, few = stats.t.ppf(0.975, [episodes - 1, found.degrees_of_freedom])
            effective *= min(1.0, float(exact / few) ** 2)
        if runs_agree(scores):
            effective = min(effective, alike)
    low, high = clopper_pearson(point, effective)
    highest_of_none, lowest_of_all = clopper_pearson(0.0, alike)[1], clopper_pearson(1.0, alike)[0]
    return Estimate(point, min(low, lowest_of_all), max(high, highest_of_none))


def difference(found: Estimate, a: Estimate, b: Estimate) -> Estimate:
    """A difference of two rates where runs of either agree, which a bootstrap takes for certain.

    The interval is at least as wide as that combined from the two rates' own (Newcombe 1998,
    method 10; Zou and Donner 2008, "MOVER"):

        low  = a - b - sqrt((a - a.low)^2 + (b.high - b)^2) ,  high likewise.

    Args:
        found: The difference with its bootstrap interval.
        a: The first rate.
        b: The second.
    """
    if a.ends is None or b.ends is None or found.ends is None:
        return found
    below = math.hypot(a.mean - a.ends[0], b.ends[1] - b.mean)
    above = math.hypot(a.ends[1] - a.mean, b.mean - b.ends[0])
    low, high = found.ends
    return Estimate(found.mean, min(low, found.mean - below), max(high, found.mean + above))


def clopper_pearson(point: float, num_trials: float) -> tuple[float, float]:
    """Exact 95 % interval of a binomial rate (Clopper and Pearson 1934), for any real number >= 0.

    Args:
        point: Share of successes.
        num_trials: Number of independent trials; need not be whole.
    """
    successes = point * num_trials
    failures = num_trials - successes
    low = stats.beta.ppf(0.025, successes, failures + 1) if successes > 0 else 0.0
    high = stats.beta.ppf(0.975, successes + 1, failures) if failures > 0 else 1.0
    return float(low), float(high)
