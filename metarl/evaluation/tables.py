"""Evaluations as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from metarl.evaluation.comparison import Comparison
from metarl.evaluation.result import Evaluation
from metarl.evaluation.statistics import Estimate
from metarl.evaluation.summary import StepSummary, summarise

FIELD_NAMES = {
    "episode_return": "return",
    "success_final": "success, last step",
    "success_any": "success, any step",
}


def summary_table(
    evaluations: Mapping[str, Sequence[Evaluation]], title: str | None = None
) -> Table:
    """Summaries of several methods.

    Args:
        evaluations: Each method's runs by its label; a single method may have an empty label.
        title: Heading of the table.
    """
    table = Table(title=title)
    if any(evaluations):
        table.add_column("")
    for heading in ("steps", *FIELD_NAMES.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for label, runs in evaluations.items():
        for line in summarise(runs):
            table.add_row(*([label] if any(evaluations) else []), *_cells(line))
        table.add_section()
    return table


def comparison_table(comparison: Comparison) -> Table:
    """A paired comparison, line by line."""
    first, second = comparison.labels
    table = Table(title=f"{comparison.header['benchmark']}: {first} against {second}")
    table.add_column("steps", justify="right")
    table.add_column("")
    for heading in (first, second, "difference", f"P({first} better)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in comparison.lines:
        show = number if line.field == "episode_return" else percent
        table.add_row(
            str(line.adaptation_step),
            FIELD_NAMES[line.field],
            show(line.a),
            show(line.b),
            show(line.difference),
            number(line.probability, digits=2),
        )
    return table


def gain_lines(summaries: Sequence[StepSummary]) -> list[str]:
    """What adaptation added and what it spoilt, a sentence per adaptation step."""
    return [
        f"after {count(line.adaptation_step, 'step')}: return {number(line.gain, sign=True)} over "
        f"no adaptation; {percent(line.share_worse)} of tasks made worse"
        for line in summaries
        if line.gain is not None and line.share_worse is not None
    ]


def count(value: int, noun: str) -> str:
    """A number with its noun."""
    return f"{value} {noun}{'' if value == 1 else 's'}"


def number(value: Estimate, *, digits: int | None = None, sign: bool = False) -> str:
    """An estimate with its interval."""
    if digits is None:
        digits = 0 if abs(value.mean) >= 100 else 1
    if sign:
        return f"{value.mean:+.{digits}f} [{value.low:+.{digits}f}, {value.high:+.{digits}f}]"
    return f"{value.mean:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"


def percent(value: Estimate | None) -> str:
    """A rate with its interval, in percent; a dash where there is none."""
    if value is None:
        return "-"
    return f"{100 * value.mean:.0f} % [{100 * value.low:.0f}, {100 * value.high:.0f}]"


def _cells(line: StepSummary) -> list[str]:
    return [
        str(line.adaptation_step),
        number(line.episode_return),
        percent(line.success_final),
        percent(line.success_any),
    ]
