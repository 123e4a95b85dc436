import numpy as np
import pytest

from metarl.errors import ManifestMismatchError
from metarl.evaluation.comparison import compare
from metarl.evaluation.statistics import (
    estimate,
    mean_difference,
    probability_of_improvement,
)
from tests.evaluation.stubs import made_up

RNG = np.random.default_rng(0)
LEVEL = 50 * RNG.normal(size=(1, 12, 1, 1))
WORSE = LEVEL + RNG.normal(size=(2, 12, 2, 1))
BETTER = LEVEL + RNG.normal(size=(3, 12, 2, 1)) + [[[0.0], [4.0]]]


def runs(returns, success=None):
    flags = [None] * len(returns) if success is None else success
    return [made_up(one, own, seed=i) for i, (one, own) in enumerate(zip(returns, flags))]  # noqa: B905


def test_a_line_pairs_the_tasks():
    comparison = compare(runs(BETTER), runs(WORSE), ("better", "worse"))
    line = comparison.line("episode_return", 1)
    x, y = BETTER[:, :, 1, 0], WORSE[:, :, 1, 0]
    families = ["made, up"] * 12
    assert line.difference == estimate(mean_difference, x, y, families=families)
    expected = estimate(probability_of_improvement, x, y, families=families, bounds=(0.0, 1.0))
    assert line.probability == expected
    assert line.per_task == pytest.approx(x.mean(axis=0) - y.mean(axis=0))
    assert line.difference.mean == pytest.approx(line.a.mean - line.b.mean)


def test_pairing_decides_what_the_tasks_levels_would_hide():
    comparison = compare(runs(BETTER), runs(WORSE))
    before, after = (comparison.line("episode_return", step) for step in (0, 1))
    assert not before.decided
    assert after.decided
    assert after.difference.low > 1
    assert after.a.high - after.a.low > 20
    # Every pair is won, but of the worse there are only two runs, which count as two.
    assert after.probability.low == pytest.approx(0.025 ** (1 / 2), abs=0.01)


def test_the_other_way_round_everything_is_reversed():
    there, back = compare(runs(BETTER), runs(WORSE)), compare(runs(WORSE), runs(BETTER))
    for line, reverse in zip(there.lines, back.lines, strict=True):
        assert reverse.difference.mean == pytest.approx(-line.difference.mean)
        assert reverse.probability.mean == pytest.approx(1 - line.probability.mean)


def test_a_run_is_no_better_than_itself():
    (line, _) = compare(runs(BETTER[:1]), runs(BETTER[:1])).lines
    assert (line.difference.mean, line.probability.mean) == (0.0, 0.5)
    assert not line.decided


def test_a_single_task_of_single_runs_decides_nothing():
    comparison = compare([made_up([[[3.0]]], [[[True]]])], [made_up([[[1.0]]], [[[False]]])])
    returns, success = (comparison.line(f, 0) for f in ("episode_return", "success_final"))
    assert (returns.difference.mean, returns.difference.ends) == (2.0, None)
    assert success.difference.ends == pytest.approx((-0.95, 1.0))
    assert not returns.decided
    assert not success.decided


def test_beside_a_single_run_differences_are_over_tasks_and_each_methods_own_over_what_varies():
    several, single = runs(BETTER), runs(WORSE[:1])
    comparison = compare(several, single)
    assert comparison.over == "tasks"
    line = comparison.line("episode_return", 1)
    assert line.a == compare(several, several).line("episode_return", 1).a
    x, y = BETTER[:, :, 1, 0].mean(axis=0, keepdims=True), WORSE[:1, :, 1, 0]
    families = ["made, up"] * 12
    assert line.difference.ends == pytest.approx(
        estimate(mean_difference, x, y, families=families).ends
    )


def test_equal_success_of_few_tasks_decides_little():
    success = np.zeros((1, 12, 1, 1), dtype=bool)
    both = runs(np.zeros((1, 12, 1, 1)), success)
    line = compare(both, both).line("success_final", 0)
    assert line.difference.mean == 0.0
    assert line.difference.high == -line.difference.low == pytest.approx(0.26, abs=0.01)


def test_runs_that_agree_make_a_difference_of_rates_no_surer():
    """Three runs that never succeed aren't known to; beside a single run they are given."""
    never = np.zeros((3, 50, 1, 1), dtype=bool)
    often = np.random.default_rng(1).random((3, 50, 1, 1)) < 0.5
    level = np.zeros((3, 50, 1, 1))
    a, b = runs(level, often), runs(level, never)
    line = compare(a, b).line("success_final", 0)
    expected = (line.a.mean - line.a.low) ** 2 + line.b.high**2
    assert line.difference.low == pytest.approx(line.difference.mean - expected**0.5)
    assert line.b.high == pytest.approx(0.287, abs=1e-3)
    single = compare(a[:1], b).line("success_final", 0)
    families = ["made, up"] * 50
    x, y = often[:1, :, 0, 0].astype(float), never.mean(axis=0)[None, :, 0, 0]
    plain = estimate(mean_difference, x, y, families=families, bounds=(-1.0, 1.0))
    assert single.difference.ends == pytest.approx(plain.ends)


def test_success_is_compared_where_both_report_it():
    success = np.zeros((1, 12, 2, 1), dtype=bool)
    with_success, without = runs(WORSE[:1], success), runs(WORSE[:1])
    assert {line.field for line in compare(with_success, with_success).lines} == {
        "episode_return",
        "success_final",
        "success_any",
    }
    assert {line.field for line in compare(with_success, without).lines} == {"episode_return"}


def test_different_tasks_are_refused():
    with pytest.raises(ManifestMismatchError):
        compare(runs(BETTER), [made_up(WORSE[0], manifest="f" * 64)])


def test_tasks_that_are_all_there_are_are_compared_over_seeds_or_episodes():
    """Two tasks; B is better by 5 on one and by 15 on the other."""
    level = np.array([-300.0, 300.0])[:, None, None]
    better = level + np.array([5.0, 15.0])[:, None, None]

    def method(mean, runs, episodes):
        noise = np.random.default_rng(0).normal(size=(runs, 2, 1, episodes))
        return [made_up(mean + one, exhaustive=True) for one in noise]

    for runs, episodes, over in ((3, 1, "runs"), (1, 20, "episodes")):
        a, b = method(better, runs, episodes), method(level, runs, episodes)
        comparison = compare(a, b)
        assert comparison.over == over
        line = comparison.line("episode_return", 0)
        assert line.decided
        assert line.difference.high - line.difference.low < 10
    assert line.probability.ends is None
    comparison = compare(method(better, 1, 1), method(level, 1, 1))
    line = comparison.line("episode_return", 0)
    assert (comparison.over, line.difference.ends, line.decided) == ("nothing", None, False)
    assert line.difference.mean == pytest.approx(10.0)
    assert compare(runs_of_three := method(better, 3, 1), method(level, 1, 1)).over == "nothing"
    assert compare(runs_of_three, runs_of_three).lines[0].a.ends is not None
