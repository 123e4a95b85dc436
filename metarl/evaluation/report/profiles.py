"""Performance profiles and optimality gaps (Agarwal et al. 2021): all scores, not their mean alone.

A profile is the share of scores above a threshold, for every threshold; an optimality gap is how
far scores fall short of the best there is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from metarl.evaluation.report.charts import Figure, LineChart, Series
from metarl.evaluation.report.content import Group, Method
from metarl.evaluation.report.curves import PERCENT
from metarl.evaluation.report.names import FIELDS, after, display, slug
from metarl.evaluation.report.tables import Cell, Row, Table
from metarl.evaluation.sampling import RunScores, Sampling
from metarl.evaluation.statistics import performance_profile
from metarl.evaluation.summary import summarise
from metarl.evaluation.tables import percent
from metarl.evaluation.variation import Scores

NUM_THRESHOLDS = 61
MIN_TASKS = 4
NUM_RESAMPLES = 1000  # a picture needs no more, and 61 thresholds take 61 times the room


def profile_figures(group: Group, prefix: str) -> list[Figure]:
    """Profiles of returns after the last step, and of success rates over several episodes.

    Where a task counts one episode its success is a flag, whose profile is a step: the rate itself
    says as much. So does the table of tasks where they are fewer than four.
    """
    if len(group.first.tasks) < MIN_TASKS:
        return []
    charts = []
    last = group.first.steps[-1]
    for field in ("success_final", "episode_return"):
        if field != "episode_return" and group.first.protocol.evaluation_episodes == 1:
            continue
        found = [
            (number, method, scores)
            for number, method in enumerate(group.methods)
            if (scores := RunScores.of(method.evaluations, field, _last(method))) is not None
        ]
        if not found:
            continue
        label, scale = FIELDS[field]
        thresholds = _thresholds([scores.means for _, _, scores in found], rates=scale != 1.0)
        charts.append(
            LineChart(
                f"{prefix}-profile-{slug(field)}",
                f"Profile of {label}, {after(last)}",
                f"threshold: {label}" if scale == 1.0 else f"threshold: {label} (%)",
                "scores above it (%)",
                [_profile(method, scores, thresholds, scale, n) for n, method, scores in found],
                y_range=PERCENT,
            )
        )
    if not charts:
        return []
    any_band = any(one.low for chart in charts for one in chart.series)
    banded = "; bands are 95 % intervals" if any_band else ""
    caption = (
        "Share of all scores, one per run and task, that exceed a threshold. A line that lies "
        "above another everywhere belongs to the better method; where lines cross, one has fewer "
        f"bad scores, the other more very good ones{banded}."
    )
    return [Figure(caption, charts)]


def gap_tables(group: Group) -> list[Table]:
    """Each method's optimality gap in final success, step by step; none where it isn't reported."""
    steps = group.first.steps
    rows = []
    for method in group.methods:
        gaps = [line.optimality_gap for line in summarise(method.evaluations)]
        if gaps[0] is not None:
            cells = [Cell(percent(gap), None if gap is None else gap.mean) for gap in gaps]
            unadapted = [Cell("")] * (len(steps) - len(cells))
            name = Cell(display(method.label))
            rows.append(Row([name, *cells, *unadapted], own=not method.is_control))
    if not rows:
        return []
    caption = "Optimality gap: how far success at the last step falls short of 100 %."
    return [Table(caption, ["method", *(after(step) for step in steps)], rows)]


def _last(method: Method) -> int:
    return method.evaluations[0].steps[-1]


def _thresholds(scores: list[Scores], *, rates: bool) -> npt.NDArray[np.float64]:
    """Thresholds from below all scores to the greatest, where no score is above any more."""
    if rates:
        return np.linspace(0.0, 1.0, NUM_THRESHOLDS)
    low, high = min(float(own.min()) for own in scores), max(float(own.max()) for own in scores)
    room = 0.03 * (high - low) or 0.5
    return np.linspace(low - room, high + room, NUM_THRESHOLDS)


def _profile(
    method: Method,
    scores: RunScores,
    thresholds: npt.NDArray[np.float64],
    scale: float,
    colour: int,
) -> Series:
    share, low, high = Sampling.of(method.evaluations).interval(
        lambda means: performance_profile(means, thresholds),
        scores,
        bounds=(0.0, 1.0),
        of_runs=True,
        num_resamples=NUM_RESAMPLES,
    )
    return Series(
        display(method.label),
        (scale * thresholds).tolist(),
        (100 * share).tolist(),
        [] if low is None else (100 * low).tolist(),
        [] if high is None else (100 * high).tolist(),
        colour=colour,
        markers=False,
    )
