"""What an evaluation found: raw rows, and everything computed from them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from scipy.stats import bootstrap

from metarl.storage import write_file, write_json


@dataclass(frozen=True)
class EvaluationRow:
    """One episode.

    Attributes:
        task_index: Number of the task within the evaluation.
        family: The task's family.
        task: The task's digest.
        adaptation_step: Adaptation steps taken before the episode.
        episode: Number of the episode within this task and step.
        length: Steps of the episode.
        episode_return: Undiscounted sum of rewards.
        success_any: Whether the success flag was up at any step; None if the family has none.
        success_final: Whether it was up at the last step; None likewise.
        unstable: Whether the simulation diverged.
    """

    task_index: int
    family: str
    task: str
    adaptation_step: int
    episode: int
    length: int
    episode_return: float
    success_any: bool | None
    success_final: bool | None
    unstable: bool


@dataclass(frozen=True)
class Estimate:
    """A mean over tasks with its 95 % interval (percentile bootstrap over tasks)."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class StepSummary:
    """Results after a number of adaptation steps; success rates are in [0, 1]."""

    adaptation_step: int
    num_tasks: int
    episode_return: Estimate
    success_any: Estimate | None
    success_final: Estimate | None


class Evaluation:
    """Rows of an evaluation.

    Attributes:
        rows: One per (task, adaptation step, episode).
        protocol: How they were made, as JSON data.
    """

    def __init__(self, rows: Sequence[EvaluationRow], protocol: Mapping[str, Any]) -> None:
        self.rows = list(rows)
        self.protocol = dict(protocol)

    @property
    def steps(self) -> list[int]:
        """Numbers of adaptation steps, ascending."""
        return sorted({row.adaptation_step for row in self.rows})

    def per_task(self, field: str, step: int) -> npt.NDArray[np.float64] | None:
        """Mean of one field over each task's episodes after ``step`` adaptation steps, ``[M]``."""
        values: dict[int, list[float]] = {}
        for row in self.rows:
            if row.adaptation_step == step:
                value = getattr(row, field)
                if value is None:
                    return None
                values.setdefault(row.task_index, []).append(float(value))
        return np.array([np.mean(values[index]) for index in sorted(values)], dtype=np.float64)

    def summary(self) -> list[StepSummary]:
        """Means over tasks, every task weighing the same, per adaptation step."""
        summaries = []
        for step in self.steps:
            returns = self.per_task("episode_return", step)
            assert returns is not None
            summaries.append(
                StepSummary(
                    adaptation_step=step,
                    num_tasks=len(returns),
                    episode_return=estimate(returns),
                    success_any=_estimate_or_none(self.per_task("success_any", step)),
                    success_final=_estimate_or_none(self.per_task("success_final", step)),
                )
            )
        return summaries

    def table(self, title: str | None = None) -> Table:
        """The summary as a table for the terminal."""
        table = Table(title=title)
        for heading in ("adaptation steps", "return", "success, last step", "success, any step"):
            table.add_column(heading, justify="right")
        for line in self.summary():
            table.add_row(
                str(line.adaptation_step),
                _number(line.episode_return),
                _percent(line.success_final),
                _percent(line.success_any),
            )
        return table

    def save(self, folder: str | Path) -> Path:
        """Writes ``episodes.csv``, ``summary.json`` and ``adaptation.png`` (and ``.svg``).

        Returns:
            The folder.
        """
        from metarl.evaluation.figures import adaptation_figure

        folder = Path(folder)
        names = [field.name for field in fields(EvaluationRow)]
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        write_file(folder / "episodes.csv", text.getvalue().encode())
        summary = {"protocol": self.protocol, "steps": [asdict(line) for line in self.summary()]}
        write_json(folder / "summary.json", summary)
        for kind in ("png", "svg"):
            write_file(folder / f"adaptation.{kind}", adaptation_figure({"": self}, kind))
        return folder


def estimate(values: npt.NDArray[np.float64]) -> Estimate:
    """Mean of ``values`` ``[M]`` with a 95 % percentile-bootstrap interval over them."""
    mean = float(values.mean())
    if len(values) < 2 or np.ptp(values) == 0:
        return Estimate(mean, mean, mean)
    interval = bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high))


def _estimate_or_none(values: npt.NDArray[np.float64] | None) -> Estimate | None:
    return None if values is None else estimate(values)


def _number(value: Estimate) -> str:
    return f"{value.mean:.1f} [{value.low:.1f}, {value.high:.1f}]"


def _percent(value: Estimate | None) -> str:
    if value is None:
        return "-"
    return f"{100 * value.mean:.0f} % [{100 * value.low:.0f}, {100 * value.high:.0f}]"
