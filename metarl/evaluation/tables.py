"""Evaluations as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE
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
    table = Table(title=title, box=SIMPLE)
    if any(evaluations):
        table.add_column("", no_wrap=True)
    for heading in ("steps", *FIELD_NAMES.values()):
        table.add_column(heading.replace(", ", ",\n"), justify="right", no_wrap=True)
    for label, runs in evaluations.items():
        for line in summarise(runs):
            table.add_row(*([label] if any(evaluations) else []), *_cells(line))
        table.add_section()
    return table


def comparison_table(comparison: Comparison) -> Table:
    """A paired comparison, quantity by quantity; intervals are of the differences."""
    first, second = comparison.labels
    table = Table(title=f"{comparison.header['benchmark']}: {first} against {second}", box=SIMPLE)
    table.add_column("")
    for heading in ("steps", first, second, "difference", "P(first better)"):
        table.add_column(heading, justify="right", no_wrap=heading in ("difference", "steps"))
    for field, name in FIELD_NAMES.items():
        for line in [line for line in comparison.lines if line.field == field]:
            show = number if field == "episode_return" else percent
            table.add_row(
                name,
                str(line.adaptation_step),
                show(line.a).partition(" [")[0],
                show(line.b).partition(" [")[0],
                show(line.difference, sign=True),
                number(line.probability, digits=2),
            )
        table.add_section()
    return table


def gain_lines(summaries: Sequence[StepSummary]) -> list[str]:
    """What adaptation added and what it spoilt, a sentence per adaptation step."""
    return [
        f"after {count(line.adaptation_step, 'step')}: return {number(line.gain, sign=True)} over "
        f"no adaptation; {percent(line.share_worse)} of tasks made worse"
        for line in summaries
        if line.gain is not None and line.share_worse is not None
    ]


def rate_lines(evaluations: Mapping[str, Evaluation]) -> list[str]:
    """Which step size each policy chose for its adaptation; nothing if there was no choice.

    Args:
        evaluations: By label.
    """
    lines = []
    for label, evaluation in evaluations.items():
        rates, subject = evaluation.protocol.adaptation_lrs, evaluation.header.subject
        if rates is not None:
            tried = ", ".join(
                f"{rate:g} ({'overflows' if mean is None else format(mean, '.1f')})"
                for rate, mean in zip(rates, subject["training_returns"], strict=True)
            )
            lines.append(
                f"{label}: adapted at {rate_shown(subject['adaptation_lr'])}, by the return after "
                f"the last step on training tasks: {tried}"
            )
    return lines


def rate_shown(rate: float) -> str:
    """An adaptation's step size in words."""
    return f"{rate:g}" if rate else "0 (left as it is)"


def count(value: int, noun: str) -> str:
    """A number with its noun."""
    return f"{value} {noun}{'' if value == 1 else 's'}"


def number(value: Estimate, *, digits: int | None = None, sign: bool = False) -> str:
    """An estimate with its interval, if it has one."""
    if digits is None:
        digits = 0 if abs(value.mean) >= 100 else 1
    return _shown(value, 1.0, digits, "", sign)


def percent(value: Estimate | None, *, sign: bool = False) -> str:
    """A rate in percent with its interval, if it has one; a dash where there is no rate."""
    return "-" if value is None else _shown(value, 100.0, 0, " %", sign)


def _shown(value: Estimate, scale: float, digits: int, unit: str, sign: bool) -> str:
    style = f"{'+' if sign else ''}.{digits}f"
    ends = [format(scale * end + 0.0, style) for end in value.ends or ()]
    around = f" [{', '.join(ends)}]" if ends else ""
    return f"{format(scale * value.mean + 0.0, style)}{unit}{around}"


def _cells(line: StepSummary) -> list[str]:
    return [
        str(line.adaptation_step),
        number(line.episode_return),
        percent(line.success_final),
        percent(line.success_any),
    ]
