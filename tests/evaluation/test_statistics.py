import numpy as np
import pytest
from rliable import library, metrics
from scipy.stats import bootstrap

from metarl.errors import ConfigError
from metarl.evaluation.statistics import (
    Estimate,
    Resampling,
    estimate,
    interquartile_mean,
    interval,
    mean,
    mean_difference,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)
from metarl.evaluation.variation import strata_of, stretch_factor, units_of_alike


def scores(runs: int, tasks: int, seed: int = 0) -> np.ndarray:
    """Runs and tasks of different level, with ties."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=(runs, 1)) + rng.normal(size=(1, tasks))
    return np.round(level + rng.normal(size=(runs, tasks)), 1)


PAIRS = [
    (mean, metrics.aggregate_mean),
    (interquartile_mean, metrics.aggregate_iqm),
    (optimality_gap, metrics.aggregate_optimality_gap),
]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 10), (10, 26)])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda function: function.__name__)
def test_point_estimates_are_rliables(ours, theirs, shape):
    matrix = scores(*shape)
    assert ours(matrix) == pytest.approx(theirs(matrix), abs=1e-12)
    stack = np.stack([matrix, 2 * matrix])
    assert ours(stack) == pytest.approx([theirs(matrix), theirs(2 * matrix)], abs=1e-12)


@pytest.mark.parametrize(("runs", "others"), [(1, 1), (3, 5), (10, 10)])
def test_probability_of_improvement_is_rliables(runs, others):
    x, y = scores(runs, 12), scores(others, 12, seed=1)
    y[0] = x[0]  # ties
    found = probability_of_improvement(x, y)
    assert found == pytest.approx(metrics.probability_of_improvement(x, y), abs=1e-12)
    assert found + probability_of_improvement(y, x) == pytest.approx(1.0)


def test_the_performance_profile_is_rliables():
    matrix, thresholds = scores(4, 9), np.linspace(-3, 3, 13)
    expected = library.score_distributions(matrix, thresholds)
    assert performance_profile(matrix, thresholds) == pytest.approx(expected)
    _, low, high = interval(
        lambda x: performance_profile(x, thresholds),
        matrix,
        resampling=Resampling.RLIABLE,
        num_resamples=2000,
    )
    np.random.seed(0)  # noqa: NPY002 - rliable draws from NumPy's global generator
    _, theirs = library.create_performance_profile({"a": matrix}, thresholds, reps=2000)
    assert np.stack([low, high]) == pytest.approx(theirs["a"], abs=0.03)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda function: function.__name__)
def test_interval_ends_are_rliables(ours, theirs):
    matrix = scores(8, 12)
    found = estimate(ours, matrix, resampling=Resampling.RLIABLE, num_resamples=20000)
    np.random.seed(0)  # noqa: NPY002
    _, expected = library.get_interval_estimates(
        {"a": matrix}, lambda x: np.array([theirs(x)]), reps=4000
    )
    noise = 0.06 * (found.high - found.low)
    assert [found.low, found.high] == pytest.approx(expected["a"][:, 0], abs=noise)


def test_the_interval_of_the_probability_of_improvement_is_rliables():
    x, y = scores(6, 10), scores(9, 10, seed=1)
    found = estimate(
        probability_of_improvement, x, y, resampling=Resampling.RLIABLE, num_resamples=20000
    )
    np.random.seed(0)  # noqa: NPY002
    _, expected = library.get_interval_estimates(
        {"a": [x, y]},
        lambda a, b: np.array([probability_of_improvement(a, b)]),
        reps=4000,
    )
    noise = 0.06 * (found.high - found.low)
    assert [found.low, found.high] == pytest.approx(expected["a"][:, 0], abs=noise)


def test_one_run_of_one_family_is_scipys_percentile_bootstrap():
    matrix = scores(1, 40)
    expected = bootstrap(
        (matrix[0],), np.mean, n_resamples=20000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    found = estimate(mean, matrix, resampling=Resampling(stretch=False), num_resamples=20000)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_stretching_makes_the_interval_of_a_mean_students():
    """One run of ``n`` tasks: the variance over ``n - 1``, and Student's t on as many degrees."""
    matrix = np.random.default_rng(0).normal(size=(1, 6))
    assert stretch_factor([matrix], strata_of(6, None)) == pytest.approx(
        2.570582 / 1.959964 * (6 / 5) ** 0.5, rel=1e-5
    )
    found = estimate(mean, matrix, num_resamples=50000)
    half = 2.570582 * matrix.std(ddof=1) / 6**0.5
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)


@pytest.mark.parametrize(("runs", "tasks"), [(1, 5), (1, 20), (3, 20), (10, 5)])
def test_stretched_intervals_cover_the_truth(runs, tasks):
    """Also with five tasks or three seeds, where a plain percentile interval doesn't."""
    rng, covered, plain = np.random.default_rng(1), 0, 0
    for seed in range(300):
        level = (runs > 1) * rng.normal(size=(runs, 1)) + rng.normal(size=(1, tasks))
        matrix = level + rng.normal(size=(runs, tasks))
        found = estimate(mean, matrix, num_resamples=1000, seed=seed)
        covered += found.low <= 0 <= found.high
        found = estimate(mean, matrix, num_resamples=1000, seed=seed, resampling=Resampling.RLIABLE)
        plain += found.low <= 0 <= found.high
    assert covered >= 0.93 * 300
    assert plain < 0.8 * 300  # tasks held fixed, and one run shows no variation at all


def test_families_are_given_and_tasks_drawn_from_them():
    """Two families of very different level: between them there is nothing to sample."""
    rng = np.random.default_rng(0)
    matrix = np.concatenate([rng.normal(size=(1, 10)), 100 + rng.normal(size=(1, 10))], axis=1)
    families = ["a"] * 10 + ["b"] * 10
    within = estimate(mean, matrix, families=families)
    pooled = estimate(mean, matrix)
    assert within.mean == pooled.mean
    assert within.high - within.low < 2
    assert pooled.high - pooled.low > 40


def test_a_run_keeps_its_tasks_together():
    """Three runs, each equal on all tasks: what varies is the run, not the task."""
    matrix = np.repeat([[0.0], [1.0], [5.0]], 50, axis=1)
    together = estimate(mean, matrix, resampling=Resampling(stretch=False))
    per_task = estimate(mean, matrix, resampling=Resampling("per_task", stretch=False))
    assert (together.low, together.high) == (0.0, 5.0)
    assert per_task.high - per_task.low < 1.0


def test_paired_tasks_vary_together():
    """Tasks of very different level, and a constant difference: nothing is uncertain about it."""
    y = 100 * np.random.default_rng(0).normal(size=(1, 20))
    found = estimate(mean_difference, y + 1.0, y)
    assert (found.mean, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))


def test_bounded_scores_without_variation_still_get_an_interval():
    """Twenty tasks agree; by the rule of the unseen at most 17 % of all tasks would not."""
    same = np.full((1, 20), 0.5)
    unseen = 1 - 0.025 ** (1 / 20)
    found = estimate(mean_difference, same, same, bounds=(-1.0, 1.0))
    assert found == Estimate(0.0, pytest.approx(-unseen), pytest.approx(unseen))
    assert unseen == pytest.approx(0.168, abs=1e-3)
    assert estimate(mean, same) == Estimate(0.5, 0.5, 0.5)


def test_runs_that_are_given_leave_each_task_as_one():
    same = np.ones((3, 20))
    fixed, drawn = (
        estimate(mean, same, resampling=Resampling(runs=how), bounds=(0.0, 1.0))
        for how in ("fixed", "together")
    )
    assert fixed.low == pytest.approx(0.025 ** (1 / 20))
    assert drawn.low == pytest.approx(0.025 ** (1 / units_of_alike(20, 3)))
    assert drawn.low < fixed.low - 0.2


def test_bounded_differences_that_vary_by_rounding_alone_are_alike():
    y = np.random.default_rng(0).integers(10, size=(1, 20)) / 10
    found = estimate(mean_difference, y + 0.1, y, bounds=(-1.0, 1.0))
    unseen = 1 - 0.025 ** (1 / 20)
    assert found.ends == pytest.approx((0.1 - 1.1 * unseen, 0.1 + 0.9 * unseen))


def test_fixed_runs_leave_tasks_to_vary():
    """Three runs far apart count as their mean does."""
    tasks = np.random.default_rng(0).normal(size=(1, 20))
    matrix = np.array([[-100.0], [0.0], [100.0]]) + tasks
    found = estimate(mean, matrix, resampling=Resampling(runs="fixed"))
    assert found.ends == pytest.approx(estimate(mean, tasks).ends)


def test_fixed_tasks_leave_runs_to_vary():
    """Two tasks of very different level, as alike in every run as a run is to itself."""
    matrix = np.array([[0.0], [1.0], [2.0], [3.0]]) + np.array([[-100.0, 100.0]])
    found = estimate(mean, matrix, resampling=Resampling(tasks="fixed"))
    half = 3.182446 * matrix[:, 0].std(ddof=1) / 2
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


def test_fixed_tasks_without_variation_count_runs():
    """Three runs agree; by the rule of the unseen at most 71 % of all runs would not."""
    same = np.full((3, 20), 0.5)
    found = estimate(
        mean_difference, same, same, resampling=Resampling(tasks="fixed"), bounds=(-1.0, 1.0)
    )
    assert found.high == -found.low == pytest.approx(1 - 0.025 ** (1 / 3))


def test_an_estimate_has_both_ends_or_none():
    assert Estimate(0.25, -0.5, 1.0).ends == (-0.5, 1.0)
    assert Estimate(0.25, -0.5, 1.0).scaled(100.0) == Estimate(25.0, -50.0, 100.0)
    assert Estimate(0.25).ends is None
    assert Estimate(0.25).scaled(100.0) == Estimate(25.0)


def test_intervals_depend_on_the_seed_alone():
    matrix = scores(3, 9)
    assert estimate(mean, matrix, seed=1) == estimate(mean, matrix, seed=1)
    assert estimate(mean, matrix, seed=1) != estimate(mean, matrix, seed=2)


@pytest.mark.parametrize("shapes", [[(3,)], [(0, 3)], [(2, 3), (2, 4)]])
def test_scores_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ConfigError, match=r"scores: got shapes .* must be \[runs, tasks\]"):
        estimate(mean, *[np.zeros(shape) for shape in shapes])


def test_a_family_for_each_task_is_needed():
    with pytest.raises(ConfigError, match="families: got 2 names for 3 tasks"):
        estimate(mean, np.zeros((1, 3)), families=["a", "b"])
