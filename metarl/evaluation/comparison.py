"""Paired comparison of two methods on the same tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metarl.evaluation.rates import difference
from metarl.evaluation.sampling import UNBOUNDED, Over, RunScores, Sampling
from metarl.evaluation.statistics import (
    Estimate,
    mean,
    mean_difference,
    probability_of_improvement,
)
from metarl.evaluation.summary import check_comparable
from metarl.evaluation.variation import runs_agree

if TYPE_CHECKING:
    from metarl.evaluation.result import Evaluation

FIELDS = ("episode_return", "success_final", "success_any")


@dataclass(frozen=True)
class PairedLine:
    """A against B in one quantity after a number of adaptation steps.

    Attributes:
        adaptation_step: The number.
        field: ``"episode_return"``, ``"success_final"`` or ``"success_any"``.
        a: Mean of A.
        b: Mean of B.
        difference: Mean of A less that of B, task by task.
        probability: Probability that A does better than B on a task, ties counting half.
        per_task: A less B on each task, ``T`` numbers, means over runs.
    """

    adaptation_step: int
    field: str
    a: Estimate
    b: Estimate
    difference: Estimate
    probability: Estimate
    per_task: tuple[float, ...]

    @property
    def decided(self) -> bool:
        """Whether the difference has an interval, and it leaves out zero."""
        ends = self.difference.ends
        return ends is not None and (ends[0] > 0 or ends[1] < 0)


@dataclass(frozen=True)
class Comparison:
    """A against B on the same tasks.

    Attributes:
        labels: Names of A and of B.
        lines: One per quantity and adaptation step.
        header: Of A's first evaluation, as JSON data without its tasks.
        over: What the intervals of differences are over.
    """

    labels: tuple[str, str]
    lines: tuple[PairedLine, ...]
    header: dict[str, Any]
    over: Over

    def line(self, field: str, step: int) -> PairedLine | None:
        """The line of one quantity after ``step`` steps; None if it isn't there."""
        found = [one for one in self.lines if (one.field, one.adaptation_step) == (field, step)]
        return found[0] if found else None


def compare(
    a: Sequence[Evaluation], b: Sequence[Evaluation], labels: tuple[str, str] = ("A", "B")
) -> Comparison:
    """Compares two methods on the same tasks.

    Args:
        a: Evaluations of A, one per run (training seed).
        b: Evaluations of B; the numbers of runs may differ.
        labels: What the two are called.

    Raises:
        EvaluationError: If protocols differ, or one has no evaluation.
        ManifestMismatchError: If tasks differ.
    """
    check_comparable(a)
    check_comparable([*a, *b[:1]])
    check_comparable(b)
    both, own_a, own_b = Sampling.of(a, b), Sampling.of(a), Sampling.of(b)
    lines = []
    for step in a[0].steps:
        for field in FIELDS:
            x, y = RunScores.of(a, field, step), RunScores.of(b, field, step)
            if x is None or y is None:
                continue
            success = field != "episode_return"
            level_a = own_a.rate(x) if success else own_a.estimate(mean, x)
            level_b = own_b.rate(y) if success else own_b.estimate(mean, y)
            apart = both.estimate(
                mean_difference, x, y, bounds=(-1.0, 1.0) if success else UNBOUNDED
            )
            if success and "runs" in both.over and (runs_agree(x.means) or runs_agree(y.means)):
                apart = difference(apart, level_a, level_b)
            lines.append(
                PairedLine(
                    adaptation_step=step,
                    field=field,
                    a=level_a,
                    b=level_b,
                    difference=apart,
                    probability=both.estimate(
                        probability_of_improvement, x, y, bounds=(0.0, 1.0), of_runs=True
                    ),
                    per_task=tuple((x.means.mean(axis=0) - y.means.mean(axis=0)).tolist()),
                )
            )
    header = a[0].header.to_json()
    del header["tasks"]
    return Comparison(labels, tuple(lines), header, both.over)
