"""Figures of evaluations."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from metarl.errors import ConfigError
from metarl.evaluation.comparison import Comparison
from metarl.evaluation.result import Evaluation
from metarl.evaluation.sampling import Over, intervals_named, intervals_over
from metarl.evaluation.statistics import Estimate
from metarl.evaluation.summary import StepSummary, summarise
from metarl.evaluation.tables import count

Shared: TypeAlias = Literal["none", "row", "col", "all"]

COLOURS = ("#1f6fb4", "#c4681a", "#3a8f5c", "#8a5aa8", "#b3364f", "#5f6b76")
SPACING = 0.06
"""Of the curves' bars at a number of adaptation steps, in steps."""

PANELS = {
    "episode_return": ("return", 1.0),
    "success_final": ("success at the last step (%)", 100.0),
    "success_any": ("success at any step (%)", 100.0),
}


def adaptation_figure(evaluations: Mapping[str, Sequence[Evaluation]], kind: str = "png") -> bytes:
    """Draws return and success against adaptation steps, with 95 % intervals, and each run.

    Args:
        evaluations: Runs of each method, by the label that the legend gives its curve.
        kind: ``"png"`` or ``"svg"``.

    Returns:
        The picture as a file's content.

    Raises:
        ConfigError: If there is no evaluation.
    """
    if not evaluations:
        raise ConfigError("evaluations: got none; needs at least one curve.")
    curves = {label: summarise(runs) for label, runs in evaluations.items()}
    names = [
        name
        for name in PANELS
        if all(getattr(lines[0], name) is not None for lines in curves.values())
    ]
    header = next(iter(evaluations.values()))[0].header
    figure, axes = panels(len(names))
    for axis, name in zip(axes, names, strict=True):
        label, scale = PANELS[name]
        for place, (curve, lines) in enumerate(curves.items()):
            colour = COLOURS[place % len(COLOURS)]
            shift = SPACING * (place - (len(curves) - 1) / 2)
            _draw_curve(axis, lines, evaluations[curve], name, scale, curve, colour, shift)
        axis.set_xlabel("adaptation steps")
        axis.set_ylabel(label)
        axis.set_xticks(range(max(len(lines) for lines in curves.values())))
        if scale != 1.0:
            axis.set_ylim(-3, 103)
    if any(evaluations):
        axes[0].legend(frameon=False)
    bars = f"{_intervals_drawn(evaluations)}{_runs_drawn(evaluations)}"
    _title(figure, f"{header.benchmark}: {len(header.tasks)} tasks, {bars}", len(names))
    return picture(figure, kind)


def _runs_drawn(evaluations: Mapping[str, Sequence[Evaluation]]) -> str:
    """How many runs are drawn thinly, curve by curve where they differ; nothing where none is."""
    numbers = {label: len(runs) for label, runs in evaluations.items() if len(runs) > 1}
    if not numbers:
        return ""
    if len(set(numbers.values())) == 1 and len(numbers) == len(evaluations):
        return f"; thin: {count(next(iter(numbers.values())), 'run')}"
    return f"; thin: runs ({', '.join(f'{label}: {number}' for label, number in numbers.items())})"


def _intervals_drawn(evaluations: Mapping[str, Sequence[Evaluation]]) -> str:
    """What the bars are over; the curves whose bars are over something else by name."""
    kinds: dict[str, Over] = {label: intervals_over(runs) for label, runs in evaluations.items()}
    drawn: dict[str, Over] = {
        label: kind for label, kind in kinds.items() if kind != "nothing"
    } or kinds
    first = next(iter(drawn.values()))
    others = [f"{label}: {kind}" for label, kind in drawn.items() if kind != first]
    return intervals_named(first) + (f" ({', '.join(others)})" if others else "")


def comparison_figure(comparison: Comparison, kind: str = "png") -> bytes:
    """Draws what A is better by, task by task, and the mean with its 95 % interval.

    Each panel is one quantity; each column of dots the tasks after one number of adaptation steps.

    Returns:
        The picture as a file's content.
    """
    names = [name for name in PANELS if comparison.line(name, 0) is not None]
    figure, axes = panels(len(names))
    first, second = comparison.labels
    jitter = np.random.default_rng(0)
    for axis, name in zip(axes, names, strict=True):
        label, scale = PANELS[name]
        lines = [line for line in comparison.lines if line.field == name]
        axis.axhline(0.0, color="#888888", linewidth=1)
        for line in lines:
            tasks = scale * np.asarray(line.per_task)
            places = line.adaptation_step + jitter.uniform(-0.18, 0.18, size=len(tasks))
            axis.plot(places, tasks, ".", color=COLOURS[0], alpha=0.3, markersize=4)
            value, ends = line.difference, line.difference.ends
            axis.errorbar(
                line.adaptation_step,
                scale * value.mean,
                yerr=None
                if ends is None
                else [[scale * (value.mean - ends[0])], [scale * (ends[1] - value.mean)]],
                fmt="o",
                color=COLOURS[1],
                capsize=4,
            )
        axis.set_xlabel("adaptation steps")
        axis.set_ylabel(f"difference in {label}")
        axis.set_xticks([line.adaptation_step for line in lines])
    around = "" if comparison.over == "nothing" else f" with 95 % interval over {comparison.over}"
    benchmark = comparison.header["benchmark"]
    _title(figure, f"{benchmark}: {first} less {second}, task by task; mean{around}", len(names))
    return picture(figure, kind)


def panels(
    columns: int,
    rows: int = 1,
    size: tuple[float, float] = (3.6, 3.2),
    sharex: Shared = "none",
    sharey: Shared = "none",
) -> tuple[Figure, list[Any]]:
    """A figure of panels.

    Args:
        columns: Panels side by side.
        rows: Panels above each other.
        size: Of a panel, in inches.
        sharex: Which panels share the axis along.
        sharey: Which panels share the axis up.

    Returns:
        The figure and its panels, row by row.
    """
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for axis in axes:
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _title(figure: Figure, text: str, num_panels: int) -> None:
    """A heading in as many lines as the panels' width asks for."""
    figure.suptitle(textwrap.fill(text, 46 * num_panels), fontsize=10)


def picture(figure: Figure, kind: str = "png") -> bytes:
    """A figure as a file's content, the same every time.

    Args:
        figure: The figure.
        kind: ``"png"`` or ``"svg"``.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {})
    return buffer.getvalue()


def _draw_curve(
    axis: Any,
    lines: Sequence[StepSummary],
    runs: Sequence[Evaluation],
    field: str,
    scale: float,
    name: str,
    colour: str,
    shift: float,
) -> None:
    """A method's means with their intervals, and thinly each of its runs.

    Bars stand beside each other, moved by ``shift``: bands over one another can't be told apart,
    and steps have nothing between them.
    """
    estimates: list[Estimate] = [getattr(line, field) for line in lines]
    places = [line.adaptation_step + shift for line in lines]
    for run in runs if len(runs) > 1 else ():
        own = (run.values(field, line.adaptation_step) for line in lines)
        means = [math.nan if values is None else scale * values.mean() for values in own]
        axis.plot(places, means, color=colour, alpha=0.35, linewidth=0.8)
    axis.plot(
        places, [scale * value.mean for value in estimates], marker="o", color=colour, label=name
    )
    ends = [value.scaled(scale).ends for value in estimates]
    low, high = (
        [math.nan if around is None else around[side] for around in ends] for side in (0, 1)
    )
    axis.vlines(places, low, high, color=colour, linewidth=1.8, alpha=0.7)
