from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from metarl.evaluation import Evaluation
from metarl.evaluation.report import Group, Method
from metarl.evaluation.report.charts import LineChart
from metarl.evaluation.report.profiles import gap_tables, profile_figures
from metarl.evaluation.statistics import performance_profile
from tests.evaluation.report.made_up import IMPROVING, evaluation, facts, methods
from tests.evaluation.stubs import made_up


def charts_of(*shown: Method) -> dict[str, LineChart]:
    (figure,) = profile_figures(Group(shown), "s1")
    return {chart.name: chart for chart in figure.charts if isinstance(chart, LineChart)}


def several_episodes(*runs: Any, **settings: Any) -> list[Evaluation]:
    """Success rates of each run's tasks, each over ten episodes."""
    flags = [np.arange(10)[None, None, :] < 10 * np.array(own)[:, None, None] for own in runs]
    return [made_up(own.astype(float), own, **settings) for own in flags]


def test_a_profile_is_the_share_of_scores_above_each_threshold() -> None:
    (chart,) = charts_of(*methods()).values()
    own = chart.series[0]
    last = np.array([[-2, -3, -7.5, -1]])
    assert own.y == pytest.approx(100 * performance_profile(last, np.array(own.x)))
    assert (own.y[0], own.y[-1]) == (100.0, 0.0)
    assert all(np.diff(own.y) <= 0)
    assert all(low <= y <= high for low, y, high in zip(own.low, own.y, own.high, strict=True))


def test_every_method_has_its_line_after_its_own_last_step() -> None:
    (chart,) = charts_of(*methods()).values()
    assert chart.title == "Profile of return, after 2 steps"
    assert [one.label for one in chart.series] == [
        "MAML",
        "pretrained, no meta-learning",
        "oracle, sees the goal",
    ]
    oracle = chart.series[-1]
    assert {y for x, y in zip(oracle.x, oracle.y, strict=True) if x < -1} == {100.0}


def test_rates_over_several_episodes_have_a_profile_too() -> None:
    found = charts_of(Method("MAML", several_episodes([0.2, 0.6, 0.6, 1.0]), [facts()]))
    chart = found["s1-profile-success-final"]
    shares = dict(zip(np.round(chart.series[0].x, 6), chart.series[0].y, strict=True))
    assert (shares[0.0], shares[50.0], shares[90.0], shares[100.0]) == (100.0, 75.0, 25.0, 0.0)
    assert list(charts_of(Method("MAML", [IMPROVING], [facts()]))) == ["s1-profile-episode-return"]


def test_equal_scores_are_drawn() -> None:
    (chart,) = charts_of(Method("MAML", [evaluation([[3.0] * 4])], [facts()])).values()
    assert chart.series[0].x[0] < 3.0 < chart.series[0].x[-1]


def test_one_run_of_all_tasks_there_are_has_no_band() -> None:
    runs = several_episodes([0.2, 0.6, 0.1, 0.9], [0.4, 0.8, 0.1, 0.8], exhaustive=True)
    for count, drawn in ((1, False), (2, True)):
        (figure,) = profile_figures(Group([Method("MAML", runs[:count], [facts()] * count)]), "s1")
        chart: Any = figure.charts[0]
        assert chart.name == "s1-profile-success-final"
        assert bool(chart.series[0].low) is ("95 %" in figure.caption) is drawn


def test_few_tasks_have_no_profile() -> None:
    runs = several_episodes([0.2, 0.6, 0.9])
    assert profile_figures(Group([Method("MAML", runs, [facts()])]), "s1") == []


def test_the_optimality_gap_is_shown_step_by_step_where_success_is_reported() -> None:
    (table,) = gap_tables(Group(methods()))
    assert table.columns == ["method", "before adaptation", "after 1 step", "after 2 steps"]
    texts = [[cell.text for cell in row.cells] for row in table.rows]
    assert [row[0] for row in texts] == [
        "MAML",
        "pretrained, no meta-learning",
        "oracle, sees the goal",
    ]
    assert texts[0][3].startswith("50 % [")
    assert texts[1][3].startswith("75 % [")
    assert (texts[2][1][:5], texts[2][2:]) == ("0 % [", ["", ""])
    assert [row.own for row in table.rows] == [True, False, False]
    silent = Method("MAML", [evaluation([[1.0, 2.0, 3.0, 4.0]])], [facts()])
    assert gap_tables(Group([silent])) == []
