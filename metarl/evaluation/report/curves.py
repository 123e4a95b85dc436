"""Curves of a group: adaptation, learning, gains, and what adaptation did inside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from metarl.evaluation.report.charts import Figure, LineChart, Point, PointChart, Series
from metarl.evaluation.report.content import Group, Method, TraceLine
from metarl.evaluation.report.names import FIELDS, after, display, kept_apart, slug
from metarl.evaluation.result import Evaluation
from metarl.evaluation.sampling import RunScores, Sampling, intervals_over
from metarl.evaluation.statistics import Estimate, mean
from metarl.evaluation.summary import score_matrix

PERCENT = (-3.0, 103.0)


def adaptation_figures(group: Group, prefix: str) -> list[Figure]:
    """Return and success against adaptation steps: over all tasks, then family by family."""
    everything = np.arange(len(group.first.tasks))
    figures = [
        Figure(
            f"{kept_apart(group.first.header).capitalize()} tasks before adaptation and after each "
            f"step of it{bands(group)}. Broken lines don't adapt.",
            _adaptation(group, everything, "all tasks", f"{prefix}-adaptation"),
        )
    ]
    families = list(dict.fromkeys(group.first.families))
    if len(families) > 1:
        names = np.asarray(group.first.families)
        charts = [
            chart
            for family in families
            for chart in _adaptation(
                group, np.flatnonzero(names == family), family, f"{prefix}-{slug(family)}"
            )[:2]
        ]
        figures.append(Figure("The same, family by family.", charts))
    return figures


def bands(group: Group) -> str:
    """What the bands around lines are, if any line has one."""
    over = {intervals_over(method.evaluations) for method in group.methods}
    return "" if over == {"nothing"} else "; bands are 95 % intervals"


def _adaptation(
    group: Group, columns: npt.NDArray[np.intp], what: str, name: str
) -> list[LineChart]:
    charts = []
    last = group.first.steps[-1]
    for field, (label, scale) in FIELDS.items():
        series = []
        for number, method in enumerate(group.methods):
            values = curve(method.evaluations, field, columns)
            if not values:
                continue
            # What doesn't adapt stays where it is.
            constant = len(values) == 1 and last > 0
            steps = [0, last] if constant else list(range(len(values)))
            drawn = [value.scaled(scale) for value in ([*values, *values] if constant else values)]
            ends = [value.ends for value in drawn if value.ends is not None]
            series.append(
                Series(
                    display(method.label),
                    [float(step) for step in steps],
                    [value.mean for value in drawn],
                    [low for low, _ in ends],
                    [high for _, high in ends],
                    colour=number,
                    dashed=constant,
                    markers=not constant,
                )
            )
        if series:
            charts.append(
                LineChart(
                    f"{name}-{slug(field)}",
                    f"{label.capitalize()}, {what}",
                    "adaptation steps",
                    label if scale == 1.0 else f"{label} (%)",
                    series,
                    y_range=None if scale == 1.0 else PERCENT,
                    whole_x=True,
                )
            )
    return charts


def curve(
    evaluations: Sequence[Evaluation], field: str, columns: npt.NDArray[np.intp]
) -> list[Estimate]:
    """One quantity over some tasks, step by step; empty if a family doesn't report it."""
    first = evaluations[0]
    sampling = Sampling.of(evaluations).of_tasks(columns)
    found = []
    for step in first.steps:
        scores = RunScores.of(evaluations, field, step)
        if scores is None:
            return []
        own = scores.of_tasks(columns)
        found.append(
            sampling.estimate(mean, own) if field == "episode_return" else sampling.rate(own)
        )
    return found


LEARNING = {
    "return": ("Return in training", "return", 1.0),
    "success_final": ("Success in training, last step", "success (%)", 100.0),
}


def learning_figures(group: Group, prefix: str) -> list[Figure]:
    """What the runs recorded while they trained: before and after adaptation."""
    charts = []
    for field, (title, label, scale) in LEARNING.items():
        series = []
        for number, method in enumerate(group.methods):
            for run in method.runs:
                for phase, told in (("pre", "before"), ("post", "after")):
                    series += _recorded(
                        run.metrics,
                        f"{phase}/{field}",
                        scale,
                        f"{display(method.label)}, {told} adaptation",
                        2 * number + (phase == "post"),
                        dashed=phase == "pre",
                    )
        if series:
            name = f"{prefix}-learning-{slug(field)}"
            charts.append(
                LineChart(
                    name,
                    title,
                    "environment steps",
                    label,
                    series,
                    y_range=None if scale == 1.0 else PERCENT,
                )
            )
    if not charts:
        return []
    caption = (
        "Every training run is a line, one value per iteration, by sampled actions on training "
        "tasks: not the evaluation above."
    )
    return [Figure(caption, charts)]


def _recorded(
    metrics: Mapping[str, Sequence[float]],
    column: str,
    scale: float,
    label: str,
    colour: int,
    *,
    dashed: bool,
) -> list[Series]:
    steps, values = metrics.get("timesteps", ()), metrics.get(column, ())
    pairs = [
        (float(x), scale * float(y))
        for x, y in zip(steps, values, strict=False)
        if math.isfinite(x) and math.isfinite(y)
    ]
    if not pairs:
        return []
    xs, ys = zip(*pairs, strict=True)
    return [Series(label, xs, ys, colour=colour, dashed=dashed, markers=False)]


def gain_figures(group: Group, prefix: str) -> list[Figure]:
    """Each task's gain in return after the last step, in order of size."""
    charts = []
    for method in group.methods:
        steps = method.evaluations[0].steps
        if len(steps) < 2:
            continue
        gains = gains_of(method.evaluations, steps[-1])
        order = np.argsort(gains)
        points = [
            Point(
                float(place),
                float(gains[index]),
                "good" if gains[index] > 0 else "lost" if gains[index] < 0 else "bad",
                f"task {index}: {gains[index]:+.4g}",
            )
            for place, index in enumerate(order.tolist())
        ]
        charts.append(
            PointChart(
                f"{prefix}-gains-{slug(method.label)}",
                f"Gain per task, {display(method.label)}",
                "tasks in order of gain",
                f"gain {after(steps[-1])}",
                points,
                {"good": "better", "bad": "equal", "lost": "worse"},
                zero=True,
            )
        )
    if not charts:
        return []
    return [Figure("Return after adaptation less return before it, task by task.", charts)]


def gains_of(evaluations: Sequence[Evaluation], step: int) -> npt.NDArray[np.float64]:
    """Return after ``step`` steps less that before, ``[T]``, mean over runs."""
    now, before = (score_matrix(evaluations, "episode_return", one) for one in (step, 0))
    assert now is not None
    assert before is not None
    gains: npt.NDArray[np.float64] = (now - before).mean(axis=0)
    return gains


def trace_figures(method: Method, prefix: str) -> list[Figure]:
    """What adaptation did inside: loss, gradient, divergence, change of each layer."""
    if not method.trace:
        return []
    name = f"{prefix}-trace-{slug(method.label)}"
    before = _middle(method.trace, lambda line: line.loss, "before the step", 0)
    behind = _middle(method.trace, lambda line: line.loss_after, "after the step", 1)
    norm = _middle(method.trace, lambda line: line.gradient_norm, "gradient norm", 0)
    divergence = _middle(method.trace, lambda line: line.kl, "KL", 0)
    charts = [
        LineChart(f"{name}-{key}", title, "adaptation step", label, series, whole_x=True)
        for key, title, label, series in (
            ("loss", "Inner loss", "inner loss", [before, behind]),
            ("gradient", "Gradient norm", "norm before the step", [norm]),
            ("kl", "Divergence from the start", "KL (nats)", [divergence]),
        )
    ]
    layers = list(dict.fromkeys(layer for line in method.trace for layer in line.relative_change))
    change = [_change_of(method.trace, layer, number) for number, layer in enumerate(layers)]
    if change:
        charts.append(
            LineChart(
                f"{name}-change",
                "Relative change of each layer",
                "adaptation step",
                "change / norm before",
                change,
                whole_x=True,
            )
        )
    caption = (
        f"{display(method.label)}: median over tasks, bands from the 10th to the 90th percentile."
    )
    return [Figure(caption, charts)]


def _change_of(trace: Sequence[TraceLine], layer: str, colour: int) -> Series:
    lines = [line for line in trace if layer in line.relative_change]
    return _middle(lines, lambda line: line.relative_change[layer], layer, colour)


def _middle(
    lines: Sequence[TraceLine], read: Callable[[TraceLine], float], label: str, colour: int
) -> Series:
    steps = sorted({line.step for line in lines})
    values = [np.array([read(line) for line in lines if line.step == step]) for step in steps]
    low, middle, high = (
        [float(np.quantile(own, share)) for own in values] for share in (0.1, 0.5, 0.9)
    )
    return Series(label, [float(step) for step in steps], middle, low, high, colour=colour)
