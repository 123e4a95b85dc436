from __future__ import annotations

from typing import Any

import pytest

from metarl.evaluation.report.charts import PointChart
from metarl.evaluation.report.goals import Place, goal_figures, place_of
from metarl.tasks import Task
from tests.evaluation.report.made_up import FLAT, GOALS, IMPROVING, evaluation


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ({"goal": [0.1, 0.2]}, Place("goal", (0.1, 0.2))),
        ({"rand_vec": [0.0, 0.6, 0.0, 0.1, 0.8, 0.2]}, Place("goal", (0.1, 0.8, 0.2))),
        ({"rand_vec": [0.1, 0.8, 0.2], "reward_version": "v2"}, Place("place", (0.1, 0.8, 0.2))),
        ({"velocity": 1.5, "name": "run"}, Place("velocity", (1.5,))),
        ({"goal": 2}, Place("goal", (2.0,))),
        ({"a": 1.0, "b": 2.0}, None),
        ({"goal": ["north"], "on": True}, None),
        ({}, None),
    ],
)
def test_where_a_task_is(parameters: dict[str, Any], place: Place | None) -> None:
    assert place_of(Task("family", parameters)) == place


def charts_of(*evaluations: Any) -> list[PointChart]:
    charts: list[Any] = [chart for one in goal_figures(evaluations, "p") for chart in one.charts]
    return charts


def test_goals_are_drawn_by_success_before_and_after() -> None:
    before, after_one, after_two = charts_of(IMPROVING)
    assert before.title == "Before adaptation"
    assert [(point.x, point.y) for point in before.points] == list(GOALS)
    assert [point.kind for point in before.points] == ["bad", "good", "bad", "bad"]
    assert [point.kind for point in after_one.points] == ["good", "lost", "bad", "good"]
    assert after_two.points[1].label == "task 1: success lost"
    assert before.equal


def test_several_runs_count_by_their_majority() -> None:
    last = charts_of(IMPROVING, FLAT, FLAT)[2]
    assert [point.kind for point in last.points] == ["bad", "bad", "bad", "good"]


def test_without_success_the_gain_tells() -> None:
    found = charts_of(evaluation([[0, 0, 0, 0], [1, -1, 0, 2]]))[1]
    assert [point.kind for point in found.points] == ["good", "lost", "bad", "good"]
    assert found.kinds["lost"] == "worse than before"


def test_height_gets_a_view_of_its_own() -> None:
    tasks = [Task("reach-v3", {"rand_vec": [0, 0, 0, x, 0.8, z]}) for x, z in GOALS]
    found = charts_of(evaluation([[1, 2, 3, 4], [1, 2, 3, 5]], tasks=tasks))
    assert [chart.y_label for chart in found] == ["goal y (m)"] * 2 + ["goal z (m)"] * 2
    assert [(point.x, point.y) for point in found[3].points] == list(GOALS)
    assert len({chart.name for chart in found}) == 4


def test_many_steps_are_shown_at_both_ends_and_after_the_first() -> None:
    steps = [[float(step)] * 4 for step in range(6)]
    titles = [chart.title for chart in charts_of(evaluation(steps))]
    assert titles == ["Before adaptation", "After 1 step", "After 5 steps"]


def test_tasks_on_a_line_are_drawn_by_their_return() -> None:
    tasks = [Task("cheetah", {"velocity": v}) for v in (0.5, 1.0, 1.5, 2.0)]
    (chart,) = charts_of(evaluation([[1, 2, 3, 4], [5, 6, 7, 8]], tasks=tasks))
    assert chart.x_label == "velocity"
    assert [(p.x, p.y) for p in chart.points if p.kind == "good"] == [
        (0.5, 5),
        (1.0, 6),
        (1.5, 7),
        (2.0, 8),
    ]


def test_families_get_figures_of_their_own_if_they_have_places() -> None:
    tasks = [
        Task("a", {"goal": [0.0, 1.0]}),
        Task("b", {}),
        Task("a", {"goal": [1.0, 0.0]}),
        Task("c", {"goal": [1.0, 1.0]}),
    ]
    figures = goal_figures([evaluation([[1, 2, 3, 4], [2, 3, 4, 5]], tasks=tasks)], "p")
    assert [figure.caption.split(":")[0] for figure in figures] == ["a", "c"]
    first: Any = figures[0].charts[0]
    assert [point.label.split(":")[0] for point in first.points] == ["task 0", "task 2"]
