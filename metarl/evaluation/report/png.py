"""Charts as PNG files, drawn by Matplotlib."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from metarl.evaluation.report.charts import Chart, LineChart, PointChart, short

COLOURS = ("#1c66a8", "#b4550f", "#2a7a4b", "#77459b", "#ad2f3a", "#5a6472")
MARKS = ("o", "s", "^", "D", "v", "P")
KINDS: dict[str, dict[str, Any]] = {
    "good": {"marker": "o", "color": "#2a7a4b"},
    "bad": {"marker": "o", "facecolors": "none", "edgecolors": "#b4550f"},
    "middle": {"marker": "D", "color": "#1c66a8"},
    "lost": {"marker": "x", "color": "#ad2f3a"},
}


def png(chart: Chart) -> bytes:
    """The content of a PNG file, on white."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel=chart.x_label, ylabel=chart.y_label)
    axes.set_title(chart.title, fontsize=11, parse_math=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    if isinstance(chart, LineChart):
        _lines(axes, chart)
    else:
        _points(axes, chart)
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1 or isinstance(chart, PointChart):
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()


def _lines(axes: Any, chart: LineChart) -> None:
    seen: set[str] = set()
    for one in chart.series:
        number = one.colour % len(COLOURS)
        axes.plot(
            one.x,
            one.y,
            color=COLOURS[number],
            linestyle="--" if one.dashed else "-",
            marker=MARKS[number] if one.markers else None,
            markersize=5,
            label="_" if one.label in seen else one.label.lstrip("_"),
        )
        seen.add(one.label)
        if one.low and len(one.x) > 1:
            axes.fill_between(
                one.x, one.low, one.high, color=COLOURS[number], alpha=0.15, linewidth=0
            )
    if chart.y_range is not None:
        axes.set_ylim(*chart.y_range)
    if chart.whole_x:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _points(axes: Any, chart: PointChart) -> None:
    for kind, meaning in chart.kinds.items():
        own = [point for point in chart.points if point.kind == kind]
        axes.scatter(
            [point.x for point in own],
            [point.y for point in own],
            s=26,
            label=meaning,
            **KINDS[kind],
        )
    if chart.equal:
        axes.set_aspect("equal", adjustable="datalim")
    if chart.zero:
        axes.axhline(0.0, color="#8a94a3", linewidth=1)
