import numpy as np
import pytest
from scipy.stats import binomtest

from metarl.evaluation.rates import clopper_pearson, difference, rate
from metarl.evaluation.statistics import Estimate
from metarl.evaluation.variation import runs_agree, units_of_alike

LAYOUTS = [(5, 1), (5, 4), (1, 10), (1, 20)]


def covered(draw, probability: float, num_episodes: int, families=None) -> float:
    """Share of 200 repetitions whose interval holds the truth."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        found = rate(draw(rng), num_episodes, families)
        hits += found.low <= probability <= found.high
    return hits / 200


@pytest.mark.parametrize("num_episodes", [1, 3])
@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5])
@pytest.mark.parametrize(("names", "per_name"), LAYOUTS)
def test_the_interval_covers_the_truth_where_episodes_are_alike(
    names, per_name, probability, num_episodes
):
    families = [f"family {i}" for i in range(names) for _ in range(per_name)]

    def draw(rng):
        return rng.binomial(num_episodes, probability, (1, names * per_name)) / num_episodes

    assert covered(draw, probability, num_episodes, families) >= 0.93


@pytest.mark.parametrize("num_episodes", [1, 3, 10])
@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("num_tasks", [5, 10, 20, 50])
def test_the_interval_covers_the_truth_where_a_tasks_episodes_are_equal(
    num_tasks, probability, num_episodes
):
    """As in a deterministic environment under the mean action: more episodes tell nothing new."""

    def draw(rng):
        return rng.binomial(1, probability, (1, num_tasks)).astype(float)

    assert covered(draw, probability, num_episodes) >= 0.93


@pytest.mark.parametrize("num_episodes", [1, 3, 100])
def test_the_interval_covers_the_truth_where_families_mostly_agree(num_episodes):
    """Two tasks of each: the chance is 0.29 that one family does and the other doesn't at all."""
    probabilities = np.array([[0.9, 0.9, 0.4, 0.4]])

    def draw(rng):
        return (rng.random((1, 4)) < probabilities).astype(float)

    assert covered(draw, 0.65, num_episodes, list("aabb")) >= 0.93


@pytest.mark.parametrize("num_runs", [3, 5, 10])
def test_the_interval_covers_the_truth_where_runs_differ(num_runs):
    """Rates of 0.1 to 0.9, drawn anew for every run; their mean is 0.5."""

    def draw(rng):
        own = rng.uniform(0.1, 0.9, (num_runs, 1))
        return rng.binomial(1, np.broadcast_to(own, (num_runs, 50))).astype(float)

    assert covered(draw, 0.5, 1) >= 0.93


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (3, 10), (10, 10), (17, 250)])
def test_clopper_pearson_is_scipys(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(method="exact")
    found = clopper_pearson(successes / trials, trials)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_independent_episodes_count_for_no_more_than_they_are():
    """No task differs from another: as narrow as 60 binomial trials of 20 tasks, not narrower."""
    found = rate(np.full((1, 20), 1 / 3), 3)
    low, high = clopper_pearson(1 / 3, 60)
    assert found.mean == pytest.approx(1 / 3)
    assert low - 0.02 < found.low < low
    assert high < found.high < high + 0.02


@pytest.mark.parametrize(
    ("scores", "families"),
    [
        (np.repeat([0.0, 1.0], [15, 5])[None], None),
        (np.array([[1.0, 1.0, 0.0, 0.0]]), list("aabb")),
        (np.repeat([1.0, 0.0, 0.0, 0.0, 0.0], 50)[None], [i // 50 for i in range(250)]),
        (np.random.default_rng(0).integers(2, size=(3, 12)).astype(float), None),
    ],
    ids=["one family", "two families", "as in ML10", "three runs"],
)
def test_equal_episodes_of_a_task_count_as_one(scores, families):
    once = rate(scores, 1, families)
    assert rate(scores, 3, families) == rate(scores, 100, families) == once


@pytest.mark.parametrize("num_families", [2, 4, 5])
def test_runs_that_agree_on_families_that_do_or_do_not_count_for_their_few(num_families):
    """Whether their rate is exact in binary or not."""
    total = 40 * num_families
    flags = np.repeat(np.arange(num_families) == 0, 40).astype(float)
    families = [i // 40 for i in range(total)]
    alone, three = rate(flags[None], 1, families), rate(np.stack([flags] * 3), 1, families)
    few = clopper_pearson(1 / num_families, units_of_alike(total, 3))
    assert three.ends == pytest.approx(few, abs=1e-9)
    assert few[0] < alone.low < alone.high < few[1]


@pytest.mark.parametrize(
    ("tasks", "runs", "units"),
    [
        # 50 (t(49) / t(2))^2 with Student's quantiles from a table: 2.0096 and 4.3027.
        (50, 3, 50 * (2.0096 / 4.3027) ** 2),
        (50, 1, 50.0),
        (1, 5, 1.0),
        (50, 2, 2.0),
        (4, 9, 4.0),
    ],
    ids=["three runs", "a run is given", "a task", "no run is less than one", "no more than tasks"],
)
def test_runs_that_agree_count_for_what_so_few_can_tell(tasks, runs, units):
    assert units_of_alike(tasks, runs) == pytest.approx(units, rel=1e-4)
    for never, scores in ((True, np.zeros((runs, tasks))), (False, np.ones((runs, tasks)))):
        found = rate(scores, 1)
        room = found.high if never else 1.0 - found.low
        assert room == pytest.approx(1 - 0.025 ** (1 / units), rel=1e-4)


def test_runs_that_agree_at_another_rate_than_none_or_all_count_for_their_few_too():
    """The same half of the tasks solved by every run; families all solved but for one task."""
    half = np.repeat([1.0, 0.0], 25)
    assert rate(np.stack([half] * 3), 1).ends == pytest.approx(
        clopper_pearson(0.5, units_of_alike(50, 3)), abs=1e-9
    )
    one, three = (rate(np.stack([half] * runs), 1) for runs in (1, 3))
    assert three.low < one.low - 0.05
    assert three.high > one.high + 0.05
    assert runs_agree(np.stack([half] * 3))
    assert runs_agree(np.stack([half, half[::-1]]))
    assert not runs_agree(half[None])
    assert not runs_agree(np.stack([half, np.ones(50)]))


def test_a_difference_is_no_surer_than_the_rates_that_it_is_of():
    """Newcombe (1998), table II: 56/70 and 48/80, by Wilson's intervals; his method 10."""
    a, b = Estimate(56 / 70, 0.6919, 0.8769), Estimate(48 / 80, 0.4905, 0.7004)
    narrow = Estimate(0.2, 0.19, 0.21)
    assert difference(narrow, a, b).ends == pytest.approx((0.0524, 0.3339), abs=1e-3)
    wide = Estimate(0.2, -0.9, 0.9)
    assert difference(wide, a, b) == wide
    assert difference(Estimate(0.2), a, b) == Estimate(0.2)
    assert difference(narrow, Estimate(0.8), b) == narrow


def test_few_runs_cover_a_problem_that_most_miss():
    """50 tasks, solved in 60 % where one seed in three finds it: as often as not none of three.

    More tasks or another share solved aren't covered as well, as the docstring says.
    """
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        found = rng.random((3, 1)) < 1 / 3
        estimate = rate((rng.random((3, 50)) < 0.6 * found).astype(float), 1)
        covered.append(estimate.low <= 0.2 <= estimate.high)
    assert np.mean(covered) > 0.94


def test_a_single_task_counts_as_one_however_many_its_episodes():
    assert rate(np.array([[0.5]]), 100).ends == clopper_pearson(0.5, 1.0)


def test_no_success_at_all_leaves_room_for_some():
    assert rate(np.zeros((1, 5)), 1).high == pytest.approx(0.52, abs=0.01)
    assert rate(np.zeros((1, 5)), 100).high == pytest.approx(0.52, abs=0.01)
    assert rate(np.ones((1, 50)), 1).low == pytest.approx(0.93, abs=0.01)


def test_fixed_tasks_without_variation_between_runs_count_each_run_as_one():
    """One task always, the other never: known of three runs, not of six tasks."""
    found = rate(np.array([[1.0, 0.0]] * 3), 20, tasks="fixed")
    assert (found.low, found.high) == clopper_pearson(0.5, 3.0)
    assert rate(np.zeros((3, 2)), 20, tasks="fixed").high == clopper_pearson(0.0, 3.0)[1]
    inexact = rate(np.array([[0.1, 0.0]] * 3), 20, tasks="fixed")
    assert inexact.ends == clopper_pearson(inexact.mean, 3.0)


def test_fixed_tasks_add_no_variation_of_their_own():
    """Rates of 0.1 and 0.9, in ten runs that hardly differ."""
    scores = np.array([[0.1, 0.9], [0.15, 0.9]] * 5)
    fixed, sampled = rate(scores, 20, tasks="fixed"), rate(scores, 20)
    assert fixed.high - fixed.low < 0.12
    assert sampled.high - sampled.low > 0.9


@pytest.mark.parametrize("runs", [1, 3])
def test_some_successes_leave_no_less_room_than_none_or_all(runs):
    rng = np.random.default_rng(0)
    none, every = rate(np.zeros((runs, 50)), 1), rate(np.ones((runs, 50)), 1)
    for number in (1, 2, 3, 5):
        scores = np.zeros(runs * 50)
        scores[rng.choice(len(scores), number, replace=False)] = 1.0
        few, most = (rate(own.reshape(runs, 50), 1) for own in (scores, 1.0 - scores))
        assert few.high >= none.high
        assert most.low <= every.low
        assert few.low == pytest.approx(1 - most.high)
