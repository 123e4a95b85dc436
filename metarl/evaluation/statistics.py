"""Statistics over runs and tasks, and 95 % intervals for them.

Scores are matrices ``[R, T]``: ``R`` training runs (seeds), ``T`` tasks, each entry the mean over a
task's episodes. The definitions are those of Agarwal et al. 2021, "Deep RL at the edge of the
statistical precipice"; every statistic reduces the last two axes, so that a stack of resampled
matrices ``[B, R, T]`` goes through at once.

**What is sampled, what is fixed.** Runs are drawn from all seeds; tasks are drawn from their
families; the families themselves are given. So a resample draws runs with replacement, and tasks
with replacement within each family (the pigeonhole bootstrap of Owen 2007, stratified). A run
keeps its tasks together, because one trained network was evaluated on all of them. rliable
resamples the runs of each task independently, as is right where every task is trained for itself;
``Resampling.RLIABLE`` does that. ``scipy.stats.bootstrap`` can resample several independent samples
along one axis, but not two crossed axes, hence our own resampling; where there is one run of one
family the two agree, and a test compares them.

**Few units.** With few tasks or seeds a percentile interval is too narrow: it knows neither the
bootstrap's shrunken variance, ``(n - 1) / n``, nor Student's t (Hesterberg 2015). So the distances
of its ends from the estimate are stretched by ``t(df) / z * sqrt(unbiased / bootstrap variance)``,
``df`` from Satterthwaite's formula over the two sources of variation. Where no resample differs
from another, because all ``T`` tasks agree, a statistic that has bounds gets an interval all the
same: at most ``u = 1 - 0.025^(1/T)`` of all tasks do otherwise (with confidence 0.975), which moves
it by at most ``u`` of the way to either bound. Several runs that agree too count for less, see
:func:`~metarl.evaluation.variation.units_of_alike`. Where tasks are fixed, runs take their place.

Success rates get another interval, see :mod:`metarl.evaluation.rates`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from metarl.errors import ConfigError
from metarl.evaluation.variation import Scores, strata_of, stretch_factor, units_of_alike

Statistic: TypeAlias = Callable[..., npt.NDArray[np.float64]]

NUM_RESAMPLES = 5000
_ALIKE = 1e-9
"""Resamples that differ by less than this share of a statistic's range differ by rounding alone."""

_CHUNK_ENTRIES = 4_000_000  # of resampled scores held at once: 32 MB


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval.

    Attributes:
        mean: The statistic.
        low: Lower end of the interval; None where there is nothing to estimate one from.
        high: Upper end; None likewise.
    """

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends of the interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def scaled(self, factor: float) -> Estimate:
        """The same in another unit, ``factor`` of which make one; above 0."""
        return Estimate(factor * self.mean, *(factor * end for end in self.ends or ()))


@dataclass(frozen=True)
class Resampling:
    """What a bootstrap draws anew.

    Attributes:
        runs: ``"together"``: whole runs, with all their tasks; ``"per_task"``: the runs of each
            task by themselves; ``"fixed"``: none, so that the interval is that of these runs.
        tasks: ``"sampled"`` within their families, or ``"fixed"``.
        stretch: Whether to widen the interval for few runs and tasks.
    """

    runs: Literal["together", "per_task", "fixed"] = "together"
    tasks: Literal["sampled", "fixed"] = "sampled"
    stretch: bool = True

    RLIABLE: ClassVar[Resampling]


Resampling.RLIABLE = Resampling("per_task", "fixed", stretch=False)


def mean(scores: Scores) -> npt.NDArray[np.float64]:
    """Mean over runs and tasks, ``[..., R, T] -> [...]``."""
    result: npt.NDArray[np.float64] = scores.mean(axis=(-2, -1))
    return result


def interquartile_mean(scores: Scores) -> npt.NDArray[np.float64]:
    """Mean of the middle half of all scores, ``[..., R, T] -> [...]``: a 25 % trimmed mean.

    On single success flags this is nearly a step function of their mean; use it on returns, or on
    rates over many episodes.
    """
    flat = scores.reshape(*scores.shape[:-2], -1)
    result: npt.NDArray[np.float64] = np.asarray(stats.trim_mean(flat, 0.25, axis=-1))
    return result


def optimality_gap(scores: Scores, target: float = 1.0) -> npt.NDArray[np.float64]:
    """How far scores fall short of ``target`` on average, ``[..., R, T] -> [...]``.

    ``target - mean(min(score, target))``: what exceeds the target makes up for nothing.
    """
    return np.asarray(target - np.minimum(scores, target).mean(axis=(-2, -1)))


def performance_profile(
    scores: Scores, thresholds: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Share of (run, task) scores above each threshold, ``[..., R, T] -> [..., K]``."""
    above = scores[..., None] > thresholds
    result: npt.NDArray[np.float64] = above.mean(axis=(-3, -2))
    return result


def probability_of_improvement(x: Scores, y: Scores) -> npt.NDArray[np.float64]:
    """How probably a run of X beats a run of Y on a task, ties counting half.

    ``mean over tasks of P(X_t > Y_t) + P(X_t = Y_t) / 2``, the Mann-Whitney statistic over its
    largest value; ``[..., R, T], [..., Q, T] -> [...]``.
    """
    pairs = x[..., :, None, :] - y[..., None, :, :]
    return np.asarray(
        (pairs > 0).mean(axis=(-3, -2, -1)) + (pairs == 0).mean(axis=(-3, -2, -1)) / 2
    )


def mean_difference(x: Scores, y: Scores) -> npt.NDArray[np.float64]:
    """Mean of X less mean of Y, ``[..., R, T], [..., Q, T] -> [...]``."""
    return mean(x) - mean(y)


def estimate(
    statistic: Statistic,
    *scores: Scores,
    families: Sequence[str] | None = None,
    resampling: Resampling | None = None,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """A statistic with its 95 % stratified bootstrap interval.

    Args:
        statistic: Of one matrix or of two, reducing the last two axes of each.
        *scores: ``[R, T]`` each. Two share their tasks, column by column; their runs are
            independent.
        families: Stratum of each task, ``T`` names; one family if None. Where a family has a single
            task, all are resampled as one, for a stratum of one shows no variation.
        resampling: What is drawn anew; see :class:`Resampling`.
        bounds: Least and greatest value that the statistic can have.
        num_resamples: Resampled matrices.
        seed: Of the resampling.

    Raises:
        ConfigError: If shapes don't fit together.
    """
    point, low, high = interval(
        statistic,
        *scores,
        families=families,
        resampling=resampling,
        bounds=bounds,
        num_resamples=num_resamples,
        seed=seed,
    )
    return Estimate(float(point), float(low), float(high))


def interval(
    statistic: Statistic,
    *scores: Scores,
    families: Sequence[str] | None = None,
    resampling: Resampling | None = None,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> tuple[Any, Any, Any]:
    """As :func:`estimate`, for statistics that are arrays, such as a profile: value, low, high."""
    resampling = resampling or Resampling()
    strata = _strata(scores, families)
    runs = min(len(part) for part in scores)
    units = units_of_alike(scores[0].shape[1], 1 if resampling.runs == "fixed" else runs)
    if resampling.tasks == "fixed":  # what varies is runs alone
        strata, units = [], float(runs)
    point = statistic(*scores)
    rng = np.random.default_rng(seed)
    per_chunk = max(1, _CHUNK_ENTRIES // sum(part.size for part in scores))
    values = []
    for start in range(0, num_resamples, per_chunk):
        count = min(per_chunk, num_resamples - start)
        values.append(statistic(*_resample(scores, strata, resampling, count, rng)))
    resampled = np.concatenate(values)
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    if resampling.stretch:
        factor = stretch_factor(_varying(scores, resampling), strata)
        low, high = point - factor * (point - low), point + factor * (high - point)
        if np.isfinite(bounds).all():
            unseen = 1.0 - 0.025 ** (1.0 / units)
            alike = np.ptp(resampled, axis=0) <= _ALIKE * (bounds[1] - bounds[0])
            low = np.where(alike, point + unseen * (bounds[0] - point), low)
            high = np.where(alike, point + unseen * (bounds[1] - point), high)
    return point, np.clip(low, *bounds), np.clip(high, *bounds)


def _strata(scores: Sequence[Scores], families: Sequence[str] | None) -> list[npt.NDArray[np.intp]]:
    for part in scores:
        if part.ndim != 2 or part.size == 0 or part.shape[1] != scores[0].shape[1]:
            raise ConfigError(
                f"scores: got shapes {', '.join(str(each.shape) for each in scores)}; must be "
                "[runs, tasks], not empty, with the same tasks."
            )
    return strata_of(scores[0].shape[1], families)


def _varying(scores: Sequence[Scores], resampling: Resampling) -> Sequence[Scores]:
    """Scores without the variation between runs where these are fixed."""
    if resampling.runs != "fixed":
        return scores
    return [part.mean(axis=0, keepdims=True) for part in scores]


def _resample(
    scores: Sequence[Scores],
    strata: Sequence[npt.NDArray[np.intp]],
    resampling: Resampling,
    count: int,
    rng: np.random.Generator,
) -> list[Scores]:
    """``count`` resamples of each matrix, ``[count, R, T]``; tasks are drawn for all alike."""
    num_tasks = scores[0].shape[1]
    columns = np.broadcast_to(np.arange(num_tasks), (count, num_tasks))
    if resampling.tasks == "sampled":
        columns = np.empty((count, num_tasks), dtype=np.intp)
        for own in strata:
            columns[:, own] = own[rng.integers(len(own), size=(count, len(own)))]
    drawn = []
    for part in scores:
        num_runs = len(part)
        if resampling.runs == "fixed":
            rows = np.arange(num_runs)[None, :, None]
        elif resampling.runs == "together":
            rows = rng.integers(num_runs, size=(count, num_runs, 1))
        else:
            rows = rng.integers(num_runs, size=(count, num_runs, num_tasks))
        drawn.append(part[rows, columns[:, None, :]])
    return drawn
