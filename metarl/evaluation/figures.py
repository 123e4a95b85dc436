"""Figures of evaluations."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from metarl.evaluation.result import Estimate, Evaluation

COLOURS = ("#1f6fb4", "#c4681a", "#3a8f5c", "#8a5aa8")


def adaptation_figure(evaluations: Mapping[str, Evaluation], kind: str = "png") -> bytes:
    """Draws return and success against adaptation steps, with 95 % intervals.

    Args:
        evaluations: One curve each, by the label that the legend gives it.
        kind: ``"png"`` or ``"svg"``.

    Returns:
        The picture as a file's content.
    """
    first = next(iter(evaluations.values()))
    panels = [("episode_return", "return", 1.0)]
    if first.summary()[0].success_final is not None:
        panels.append(("success_final", "success at the last step (%)", 100.0))
        panels.append(("success_any", "success at any step (%)", 100.0))
    figure = Figure(figsize=(3.6 * len(panels), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (field, label, scale) in zip(axes, panels, strict=True):
        for (name, evaluation), colour in zip(evaluations.items(), COLOURS, strict=False):
            _draw_curve(axis, evaluation, field, scale, name, colour)
        axis.set_xlabel("adaptation steps")
        axis.set_ylabel(label)
        axis.set_xticks(first.steps)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if scale != 1.0:
            axis.set_ylim(-3, 103)
    if any(evaluations):
        axes[0].legend(frameon=False)
    protocol = first.protocol
    figure.suptitle(
        f"{protocol['benchmark']}: {protocol['num_tasks']} tasks, 95 % intervals over tasks",
        fontsize=10,
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {})
    return buffer.getvalue()


def _draw_curve(
    axis: Any, evaluation: Evaluation, field: str, scale: float, name: str, colour: str
) -> None:
    summary = evaluation.summary()
    estimates: list[Estimate] = [getattr(line, field) for line in summary]
    steps = [line.adaptation_step for line in summary]
    means = [scale * value.mean for value in estimates]
    axis.plot(steps, means, marker="o", color=colour, label=name)
    axis.fill_between(
        steps,
        [scale * value.low for value in estimates],
        [scale * value.high for value in estimates],
        color=colour,
        alpha=0.18,
        linewidth=0,
    )
