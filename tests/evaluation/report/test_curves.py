from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from metarl.errors import EvaluationError, ManifestMismatchError
from metarl.evaluation.report import Group, Method
from metarl.evaluation.report.curves import (
    adaptation_figures,
    gain_figures,
    learning_figures,
    trace_figures,
)
from metarl.evaluation.summary import summarise
from metarl.tasks import Task
from tests.evaluation.report.made_up import (
    FLAT,
    IMPROVING,
    ORACLE,
    evaluation,
    facts,
    methods,
    trace,
)


def series_of(figure: Any, name: str) -> dict[str, Any]:
    chart = next(chart for chart in figure.charts if chart.name.endswith(name))
    return {one.label: one for one in chart.series}


def test_adaptation_curves_are_the_summary_s() -> None:
    (figure,) = adaptation_figures(Group(methods()), "s1")
    found = series_of(figure, "episode-return")
    lines = summarise([IMPROVING])
    assert found["MAML"].y == [line.episode_return.mean for line in lines]
    assert found["MAML"].low == [line.episode_return.low for line in lines]
    rates = series_of(figure, "success-final")["MAML"]
    assert rates.y == [25.0, 50.0, 50.0]
    assert rates.high == [100 * line.success_final.high for line in lines]  # type: ignore[union-attr]


def test_what_does_not_adapt_is_a_broken_line() -> None:
    (figure,) = adaptation_figures(Group(methods()), "s1")
    oracle = series_of(figure, "episode-return")["oracle, sees the goal"]
    assert (oracle.x, oracle.y, oracle.dashed, oracle.markers) == ([0, 2], [-1, -1], True, False)


def test_without_intervals_there_are_no_bands() -> None:
    alone = evaluation([[-9, -8, -7, -6], [-3, -4, -8, -2]], exhaustive=True)
    (figure,) = adaptation_figures(Group([Method("MAML", [alone], [facts()])]), "s1")
    own = series_of(figure, "episode-return")["MAML"]
    assert (own.y, own.low, own.high) == ([-7.5, -4.25], [], [])
    assert "95 %" not in figure.caption


def test_families_get_charts_of_their_own() -> None:
    tasks = [Task(family, {"goal": [0.1 * i, 0]}) for i, family in enumerate("aabb")]
    own = evaluation([[0, 1, 2, 3], [4, 5, 6, 9]], tasks=tasks)
    figures = adaptation_figures(Group([Method("MAML", [own], [facts()])]), "s1")
    assert series_of(figures[1], "s1-a-episode-return")["MAML"].y == [0.5, 4.5]
    assert series_of(figures[1], "s1-b-episode-return")["MAML"].y == [2.5, 7.5]


def test_learning_curves_skip_what_is_missing() -> None:
    (figure,) = learning_figures(Group(methods()), "s1")
    (chart,) = figure.charts  # no success was recorded
    found = {one.label: one for one in chart.series}  # type: ignore[union-attr]
    assert found["MAML, before adaptation"].x == (100.0, 200.0)
    assert found["MAML, after adaptation"].y == (-9.0, -7.0, -5.0)
    nothing = [Method("MAML", [IMPROVING], [facts(metrics={})])]
    assert learning_figures(Group(nothing), "s1") == []


def test_gains_are_in_order_and_tell_what_got_worse() -> None:
    (figure,) = gain_figures(Group(methods()), "s1")
    chart: Any = figure.charts[0]
    assert [point.y for point in chart.points] == [-0.5, 5.0, 5.0, 7.0]
    assert [point.kind for point in chart.points] == ["lost", "good", "good", "good"]
    assert len(figure.charts) == 2  # the oracle doesn't adapt


def test_traces_are_medians_over_tasks() -> None:
    (figure,) = trace_figures(Method("MAML", [IMPROVING], [facts()], trace()), "s1")
    loss = series_of(figure, "loss")["before the step"]
    assert loss.x == [1.0, 2.0]
    assert loss.y == pytest.approx([-0.1, -0.1])
    assert loss.low == pytest.approx([np.quantile([0, -0.1, -0.2], 0.1)] * 2)
    assert series_of(figure, "loss")["after the step"].y == [-0.5, -0.5]
    assert series_of(figure, "kl")["KL"].y == pytest.approx([0.1, 0.2])
    assert series_of(figure, "change")["network.0"].y == pytest.approx([0.01, 0.01])
    assert trace_figures(Method("MAML", [IMPROVING], [facts()]), "s1") == []


def test_groups_hold_what_can_be_compared() -> None:
    with pytest.raises(EvaluationError, match="no run"):
        Group([Method("oracle", [ORACLE])])
    with pytest.raises(EvaluationError, match="no run"):
        Group([])
    elsewhere = evaluation([[0] * 4] * 3, manifest="ffff")
    with pytest.raises(ManifestMismatchError):
        Group([*methods()[:1], Method("other", [elsewhere], [facts()])])
    with pytest.raises(EvaluationError, match="num_adaptation_steps"):
        Group([Method("MAML", [IMPROVING, ORACLE], [facts(), facts()])])
    others = evaluation([[0] * 4] * 3, tasks=[Task("a", {"goal": [i, i]}) for i in range(4)])
    with pytest.raises(ManifestMismatchError, match="pretrained was evaluated on other tasks"):
        Group([*methods()[:1], Method("pretrained", [others])])
    assert Group([Method("MAML", [IMPROVING, FLAT], [facts(), facts()])]).first is IMPROVING
