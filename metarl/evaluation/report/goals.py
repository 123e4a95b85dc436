"""Which goals adapt and which don't, drawn where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from metarl.evaluation.report.charts import Figure, Point, PointChart
from metarl.evaluation.report.names import after, kept_apart, slug
from metarl.evaluation.result import Evaluation
from metarl.evaluation.summary import score_matrix
from metarl.tasks import Task

Values = npt.NDArray[np.float64]

AXES = ("x", "y", "z")
_FLAT = 0.01
"""A coordinate that varies less than this (metres) isn't drawn."""


@dataclass(frozen=True)
class Place:
    """Where a task is, among those of its family.

    Attributes:
        what: What is there: ``"goal"``, or the name of a parameter.
        coordinates: One number, or two or three (metres).
    """

    what: str
    coordinates: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.what} " + ", ".join(f"{value:.3g}" for value in self.coordinates)


def place_of(task: Task) -> Place | None:
    """Where a task is; None if its parameters don't tell.

    A parameter ``goal`` of one to three numbers is a place. Meta-World's random vector ends with
    the goal where it has six numbers (the object's place comes before it); where it has three it is
    what varies, goal or object. Otherwise, a single number among the parameters is a place on a
    line.
    """
    parameters = task.parameters
    goal = _numbers(parameters.get("goal"))
    if 1 <= len(goal) <= 3:
        return Place("goal", goal)
    vector = _numbers(parameters.get("rand_vec"))
    if len(vector) >= 6:
        return Place("goal", vector[-3:])
    if len(vector) == 3:
        return Place("place", vector)
    numbers = [(name, _numbers(value)) for name, value in sorted(parameters.items())]
    single = [(name, value) for name, value in numbers if len(value) == 1]
    if len(single) == 1:
        return Place(*single[0])
    return None


def goal_figures(evaluations: Sequence[Evaluation], prefix: str) -> list[Figure]:
    """A figure for each family whose tasks have places.

    Args:
        evaluations: Of one method, a run each; what is drawn is the mean over runs.
        prefix: Of the charts' names.
    """
    first = evaluations[0]
    figures = []
    for family in dict.fromkeys(first.families):
        indices = [i for i, task in enumerate(first.tasks) if task.family == family]
        places = [place_of(first.tasks[index]) for index in indices]
        known = [place for place in places if place is not None]
        shapes = {(place.what, len(place.coordinates)) for place in known}
        if len(known) == len(places) and len(shapes) == 1:
            columns = np.array(indices)
            figures.append(_family(evaluations, family, columns, known, f"{prefix}-{slug(family)}"))
    return figures


def _family(
    evaluations: Sequence[Evaluation],
    family: str,
    columns: npt.NDArray[np.intp],
    places: Sequence[Place],
    name: str,
) -> Figure:
    coordinates = np.array([place.coordinates for place in places])
    if coordinates.shape[1] == 1:
        return _along(evaluations, family, columns, places, name)
    varying = [axis for axis in range(coordinates.shape[1]) if np.ptp(coordinates[:, axis]) > _FLAT]
    views = [(0, 1), (0, 2)] if 2 in varying else [(0, 1)]
    steps = evaluations[0].steps
    shown = steps if len(steps) <= 3 else [0, 1, steps[-1]]
    success = {step: _success(evaluations, columns, step) for step in shown}
    what = places[0].what
    charts = []
    for across, up in views:
        view = "" if len(views) == 1 else (", from above" if up == 1 else ", from the front")
        for step in shown:
            flags = success[step]
            kinds = _kinds_of_step(flags, evaluations, columns, step)
            charts.append(
                PointChart(
                    name=f"{name}-{AXES[across]}{AXES[up]}-step{step}",
                    title=f"{after(step).capitalize()}{view}",
                    x_label=f"{what} {AXES[across]} (m)",
                    y_label=f"{what} {AXES[up]} (m)",
                    points=[
                        Point(place[across], place[up], kind, f"task {column}: {meaning}")
                        for place, column, (kind, meaning) in zip(
                            coordinates.tolist(), columns.tolist(), kinds, strict=True
                        )
                    ],
                    kinds=SUCCESS_KINDS if flags is not None else GAIN_KINDS,
                    equal=True,
                )
            )
    told = "success at the last step" if success[0] is not None else "return"
    runs = "" if len(evaluations) == 1 else f" in most of {len(evaluations)} runs"
    split = kept_apart(evaluations[0].header)
    return Figure(f"{family}: each mark is one {split} {what}, by its {told}{runs}.", charts)


SUCCESS_KINDS = {"good": "success", "bad": "no success", "lost": "lost: success before"}
GAIN_KINDS = {"good": "better than before", "bad": "no better", "lost": "worse than before"}


def _kinds_of_step(
    flags: Values | None,
    evaluations: Sequence[Evaluation],
    columns: npt.NDArray[np.intp],
    step: int,
) -> list[tuple[str, str]]:
    """Kind and meaning of each task's mark."""
    if flags is None:
        gains = _mean(evaluations, "episode_return", step)[columns]
        gains = gains - _mean(evaluations, "episode_return", 0)[columns]
        return [
            ("good", f"gain {gain:+.3g}")
            if gain > 0
            else ("lost", f"gain {gain:+.3g}")
            if gain < 0
            else ("bad", "no gain")
            for gain in gains.tolist()
        ]
    before = _success(evaluations, columns, 0)
    assert before is not None
    return [
        ("good", "success")
        if now >= 0.5
        else ("lost", "success lost")
        if then >= 0.5
        else ("bad", "no success")
        for now, then in zip(flags.tolist(), before.tolist(), strict=True)
    ]


def _along(
    evaluations: Sequence[Evaluation],
    family: str,
    columns: npt.NDArray[np.intp],
    places: Sequence[Place],
    name: str,
) -> Figure:
    """Tasks that differ in one number: returns before and after against it."""
    what, last = places[0].what, evaluations[0].steps[-1]
    where = [place.coordinates[0] for place in places]
    points = []
    for step, kind in ((0, "bad"), (last, "good")):
        values = _mean(evaluations, "episode_return", step)[columns]
        points += [
            Point(x, y, kind, f"task {column}, {after(step)}: {y:.4g}")
            for x, y, column in zip(where, values.tolist(), columns.tolist(), strict=True)
        ]
    kinds = {"good": after(last), "bad": after(0)}
    chart = PointChart(name, family, what, "return", points, kinds)
    split = kept_apart(evaluations[0].header)
    return Figure(f"{family}: each {split} task's return, by its {what}.", [chart])


def _success(
    evaluations: Sequence[Evaluation], columns: npt.NDArray[np.intp], step: int
) -> Values | None:
    scores = score_matrix(evaluations, "success_final", step)
    return None if scores is None else scores.mean(axis=0)[columns]


def _mean(evaluations: Sequence[Evaluation], field: str, step: int) -> Values:
    scores = score_matrix(evaluations, field, step)
    assert scores is not None
    result: Values = scores.mean(axis=0)
    return result


def _numbers(value: object) -> tuple[float, ...]:
    """A number, or a list of numbers, as floats; nothing else."""
    items: list[object] = list(value) if isinstance(value, list) else [value]
    numbers = [
        float(item)
        for item in items
        if isinstance(item, int | float) and not isinstance(item, bool)
    ]
    return tuple(numbers) if len(numbers) == len(items) else ()
