import numpy as np
import pytest

from metarl.errors import EvaluationError, ManifestMismatchError
from metarl.evaluation import Estimate, summarise
from metarl.evaluation.rates import rate
from metarl.evaluation.statistics import estimate, interquartile_mean, mean
from metarl.evaluation.summary import check_comparable, score_matrix
from tests.evaluation.stubs import made_up

RNG = np.random.default_rng(0)
RETURNS = RNG.normal(size=(3, 8, 2, 2))
SUCCESS = RNG.random((3, 8, 2, 2)) < 0.4
FAMILIES = ["a"] * 4 + ["b"] * 4
RUNS = [
    made_up(RETURNS[i], SUCCESS[i], families=FAMILIES, seed=i, tasks=tuple("ab")) for i in range(3)
]


def test_scores_are_each_runs_means_over_a_tasks_episodes():
    assert np.array_equal(score_matrix(RUNS, "episode_return", 1), RETURNS[:, :, 1].mean(axis=-1))


def test_a_summary_is_made_of_the_statistics_of_the_scores():
    first, second = summarise(RUNS)
    assert (first.adaptation_step, second.adaptation_step) == (0, 1)
    assert (second.num_runs, second.num_tasks) == (3, 8)
    before, after = (RETURNS[:, :, step].mean(axis=-1) for step in (0, 1))
    assert second.episode_return == estimate(mean, after, families=FAMILIES)
    assert second.interquartile_return == estimate(interquartile_mean, after, families=FAMILIES)
    success = SUCCESS[:, :, 1].mean(axis=-1)
    assert second.success_final == rate(success, 2, FAMILIES)
    assert second.gain == estimate(mean, after - before, families=FAMILIES)
    assert second.share_worse == rate((after < before).astype(float), 1, FAMILIES)
    assert second.share_worse != rate((after < before).astype(float), 1)
    assert (first.gain, first.share_worse) == (None, None)


def test_one_run_is_summarised_alone():
    assert RUNS[0].summary() == summarise(RUNS[:1])


def test_a_family_without_success_has_no_rate():
    (summary,) = made_up(RETURNS[0][:, :1]).summary()
    assert (summary.success_any, summary.success_final) == (None, None)
    assert isinstance(summary.episode_return, Estimate)


def test_nothing_to_summarise_is_refused():
    with pytest.raises(EvaluationError, match="evaluations: got none"):
        summarise([])


def test_different_tasks_are_refused():
    with pytest.raises(ManifestMismatchError, match="different tasks: 8 test tasks of made-up"):
        check_comparable([RUNS[0], made_up(RETURNS[0], SUCCESS[0])])


def test_another_benchmarks_manifest_is_refused():
    other = made_up(RETURNS[0], SUCCESS[0], families=FAMILIES, manifest="f" * 64)
    with pytest.raises(ManifestMismatchError, match=r"manifest 0{12}\) and .*manifest f{12}"):
        check_comparable([RUNS[0], other])


def test_different_protocols_are_refused_and_seeds_are_not():
    same = made_up(RETURNS[0], SUCCESS[0], families=FAMILIES, num_tasks=8)
    check_comparable([RUNS[0], same])
    other = made_up(RETURNS[0], SUCCESS[0], families=FAMILIES, adaptation_episodes=20)
    with pytest.raises(EvaluationError, match="in protocol: adaptation_episodes: 10 and 20"):
        check_comparable([RUNS[0], other])


def test_tasks_that_are_all_there_are_leave_seeds_to_vary():
    """Two tasks far apart: over tasks the interval would be thousands wide."""
    level = np.array([-300.0, 300.0])[:, None, None]
    returns = level + np.random.default_rng(0).normal(size=(3, 2, 2, 1))
    runs = [made_up(one, one > 0, exhaustive=True, seed=i) for i, one in enumerate(returns)]
    for line in summarise(runs):
        assert line.episode_return.high - line.episode_return.low < 10
    (before, after) = summarise(runs[:1])
    assert before.episode_return == Estimate(returns[0, :, 0].mean())
    assert (after.success_final, after.optimality_gap) == (Estimate(0.5), Estimate(0.5))
    assert after.gain.ends is after.share_worse.ends is None


def test_the_optimality_gap_mirrors_the_rate_of_final_success():
    summary = summarise(RUNS)[1]
    gap, success = summary.optimality_gap, summary.success_final
    assert gap.mean == pytest.approx(1 - success.mean)
    assert gap.ends == pytest.approx((1 - success.high, 1 - success.low))
    assert made_up(RETURNS[0]).summary()[0].optimality_gap is None
