"""Paired comparison of two methods on the same tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metarl.evaluation.rates import rate
from metarl.evaluation.statistics import (
    Estimate,
    estimate,
    mean,
    mean_difference,
    probability_of_improvement,
)
from metarl.evaluation.summary import check_comparable, score_matrix

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
        """Whether the interval of the difference leaves out zero."""
        return self.difference.low > 0 or self.difference.high < 0


@dataclass(frozen=True)
class Comparison:
    """A against B on the same tasks.

    Attributes:
        labels: Names of A and of B.
        lines: One per quantity and adaptation step.
        header: Of A's first evaluation, as JSON data without its tasks.
    """

    labels: tuple[str, str]
    lines: tuple[PairedLine, ...]
    header: dict[str, Any]

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
    families = a[0].families
    episodes = a[0].protocol.evaluation_episodes
    lines = []
    for step in a[0].steps:
        for field in FIELDS:
            x, y = score_matrix(a, field, step), score_matrix(b, field, step)
            if x is None or y is None:
                continue
            success = field != "episode_return"
            lines.append(
                PairedLine(
                    adaptation_step=step,
                    field=field,
                    a=rate(x, episodes, families)
                    if success
                    else estimate(mean, x, families=families),
                    b=rate(y, episodes, families)
                    if success
                    else estimate(mean, y, families=families),
                    difference=estimate(
                        mean_difference,
                        x,
                        y,
                        families=families,
                        bounds=(-1.0, 1.0) if success else (-np.inf, np.inf),
                    ),
                    probability=estimate(
                        probability_of_improvement, x, y, families=families, bounds=(0.0, 1.0)
                    ),
                    per_task=tuple((x.mean(axis=0) - y.mean(axis=0)).tolist()),
                )
            )
    header = a[0].header.to_json()
    del header["tasks"]
    return Comparison(labels, tuple(lines), header)
