"""What is sampled and what is given: what the intervals of an evaluation are over.

Tasks are usually drawn from more of their kind, and an interval says how the result would move had
others been drawn. Where the evaluated tasks are *all there are* (two directions, both trained and
evaluated on), none could have been drawn instead: they are fixed, as strata are. What varies then:

* the training seed, where there are several runs. Their variation holds that of their episodes,
  so nothing is added for these;
* with a single run, the episodes of each task, where several are counted. Such an interval speaks
  of this one trained network, adapted to this one experience;
* with a single run and one episode per task, nothing that could be seen: there is no interval.

Two methods are compared over runs only if both have several. Beside a single run nothing is known
of how its seeds vary, so the other's runs are held fixed too: the interval of the difference is
over tasks alone, and speaks of these trained networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from metarl.evaluation.rates import rate
from metarl.evaluation.statistics import (
    NUM_RESAMPLES,
    Estimate,
    Resampling,
    Statistic,
    interval,
)
from metarl.evaluation.variation import Scores

if TYPE_CHECKING:
    from metarl.evaluation.result import Evaluation

Over: TypeAlias = Literal["tasks", "runs and tasks", "runs", "episodes", "nothing"]

UNBOUNDED = (-np.inf, np.inf)
_ALL_THERE_ARE: dict[Over, str] = {
    "runs": "intervals are over training seeds",
    "episodes": (
        "with one seed, intervals are over the episodes of each task; they say nothing of other "
        "seeds, nor of other experience to adapt to"
    ),
    "nothing": ("with one seed and one episode per task there is nothing to take an interval from"),
}


def intervals_over(*methods: Sequence[Evaluation]) -> Over:
    """What the intervals of some methods' evaluations are over.

    Args:
        *methods: The runs of one method; of two for what is said of both together.
    """
    runs = [len(method) for method in methods]
    if not all(one.header.exhaustive for method in methods for one in method):
        return "tasks" if min(runs) == 1 else "runs and tasks"
    if min(runs) > 1:
        return "runs"
    episodes = min(one.protocol.evaluation_episodes for method in methods for one in method)
    return "episodes" if episodes > 1 else "nothing"


def intervals_named(over: Over) -> str:
    """The intervals in a few words."""
    return "no intervals" if over == "nothing" else f"95 % intervals over {over}"


def single_runs_note(kinds: Mapping[str, Over]) -> str:
    """Which methods' single runs leave seeds out of their intervals, as a sentence.

    Args:
        kinds: What the intervals of each method are over, by its label.

    Returns:
        Empty where all methods are alike.
    """
    single = [label for label, kind in kinds.items() if kind == "tasks"]
    if not single or "runs and tasks" not in kinds.values():
        return ""
    return (
        f"Intervals of a single run ({', '.join(single)}) are over tasks alone, and so are those "
        "of differences from it: they say nothing of seeds that were not run."
    )


def fixed_tasks_note(kinds: Iterable[Over]) -> str:
    """Why intervals are not over tasks, as a sentence; empty where they are.

    Args:
        kinds: Of everything that is shown.
    """
    shown = set(kinds)
    found = [text for kind, text in _ALL_THERE_ARE.items() if kind in shown]
    if not found:
        return ""
    return f"These tasks are all there are, so they are no sample: {'; '.join(found)}."


@dataclass(frozen=True)
class RunScores:
    """Scores of several runs on the same tasks.

    Attributes:
        episodes: Of every episode, ``[R, T, E]``.
        means: Their means, ``[R, T]``.
    """

    episodes: npt.NDArray[np.float64]
    means: Scores

    @classmethod
    def of(cls, evaluations: Sequence[Evaluation], field: str, step: int) -> Self | None:
        """One field after ``step`` steps; None if it is a success that a family doesn't report."""
        values = [one.values(field, step) for one in evaluations]
        found = [own for own in values if own is not None]
        if len(found) < len(values):
            return None
        return cls(np.stack(found), np.stack([own.mean(axis=-1) for own in found]))

    def __sub__(self, other: RunScores) -> RunScores:
        return RunScores(self.episodes - other.episodes, self.means - other.means)

    def of_tasks(self, columns: npt.NDArray[np.intp]) -> RunScores:
        """The scores of some of the tasks, by number."""
        return RunScores(self.episodes[:, columns], self.means[:, columns])


@dataclass(frozen=True)
class Sampling:
    """Makes estimates whose intervals are over what varies.

    Attributes:
        over: What that is.
        families: Family of each task.
    """

    over: Over
    families: Sequence[str]

    @classmethod
    def of(cls, *methods: Sequence[Evaluation]) -> Self:
        """That of one method's runs, or of two methods compared."""
        return cls(intervals_over(*methods), methods[0][0].families)

    def of_tasks(self, columns: npt.NDArray[np.intp]) -> Sampling:
        """The same for some of the tasks, by number."""
        return Sampling(self.over, [self.families[int(column)] for column in columns])

    def estimate(
        self,
        statistic: Statistic,
        *scores: RunScores,
        bounds: tuple[float, float] = UNBOUNDED,
        of_runs: bool = False,
    ) -> Estimate:
        """A statistic of one or two methods' task means ``[R, T]``.

        Args:
            statistic: As for :func:`metarl.evaluation.statistics.estimate`.
            *scores: Of each method.
            bounds: Least and greatest value that the statistic can have.
            of_runs: Whether it counts runs or tasks rather than averages them, so that the episodes
                of one run give it no interval.
        """
        point, low, high = self.interval(statistic, *scores, bounds=bounds, of_runs=of_runs)
        if low is None or high is None:
            return Estimate(float(point))
        return Estimate(float(point), float(low), float(high))

    def interval(
        self,
        statistic: Statistic,
        *scores: RunScores,
        bounds: tuple[float, float] = UNBOUNDED,
        of_runs: bool = False,
        num_resamples: int = NUM_RESAMPLES,
    ) -> tuple[Any, Any, Any]:
        """As :meth:`estimate`, for statistics that are arrays: value, low and high.

        Low and high are None where there is nothing to estimate them from.
        """
        means = [own.means for own in scores]
        if self.over == "nothing" or (of_runs and self.over == "episodes"):
            return statistic(*means), None, None
        bounded = np.isfinite(bounds).all()
        if self.over == "tasks" and means[0].shape[1] == 1 and not bounded:
            # A single task tells nothing of others; only what has bounds can't be anywhere.
            return statistic(*means), None, None
        families: Sequence[str] | None = self.families
        resampling = Resampling()
        if self.over == "tasks":
            resampling = Resampling(runs="fixed")
        elif self.over == "runs":
            resampling = Resampling(tasks="fixed")
        elif self.over == "episodes":
            # Tasks are the strata, episodes are drawn within them. Several runs beside a single one
            # are fixed as it is: the mean over runs of an episode is one draw.
            means = [own.episodes.mean(axis=0).reshape(1, -1) for own in scores]
            families = _task_of_each_episode(scores[0])
            statistic = _of_task_means(statistic, scores[0].episodes.shape[2])
        return interval(
            statistic,
            *means,
            families=families,
            resampling=resampling,
            bounds=bounds,
            num_resamples=num_resamples,
        )

    def rate(self, scores: RunScores) -> Estimate:
        """A success rate."""
        num_episodes = scores.episodes.shape[2]
        if self.over == "nothing":
            return Estimate(float(scores.means.mean()))
        if self.over == "runs":
            return rate(scores.means, num_episodes, tasks="fixed")
        if self.over == "episodes":
            return rate(scores.episodes.reshape(1, -1), 1, _task_of_each_episode(scores))
        return rate(scores.means, num_episodes, self.families)

    def share(self, flags: npt.NDArray[np.bool_]) -> Estimate:
        """Share of (run, task) pairs of which something is true, ``[R, T]``."""
        shares = flags.astype(float)
        if self.over in ("episodes", "nothing"):
            return Estimate(float(shares.mean()))
        if self.over == "runs":
            return rate(shares, 1, tasks="fixed")
        return rate(shares, 1, self.families)


def _task_of_each_episode(scores: RunScores) -> list[str]:
    """Names of the strata ``[T * E]`` where episodes are drawn within their tasks."""
    _, num_tasks, num_episodes = scores.episodes.shape
    return [str(task) for task in range(num_tasks) for _ in range(num_episodes)]


def _of_task_means(statistic: Statistic, num_episodes: int) -> Statistic:
    """A statistic of task means ``[..., R, T]`` as one of episodes ``[..., R, T * E]``."""

    def of_episodes(*scores: Scores) -> npt.NDArray[np.float64]:
        return statistic(
            *(own.reshape(*own.shape[:-1], -1, num_episodes).mean(axis=-1) for own in scores)
        )

    return of_episodes
