"""What intervals are over, above all where the tasks are all there are."""

import numpy as np
import pytest

from metarl.evaluation.sampling import (
    RunScores,
    Sampling,
    fixed_tasks_note,
    intervals_named,
    intervals_over,
    single_runs_note,
)
from metarl.evaluation.statistics import (
    Estimate,
    interquartile_mean,
    mean,
    mean_difference,
    probability_of_improvement,
)
from tests.evaluation.stubs import made_up

LEVEL = np.array([-50.0, 200.0])[None, :, None]
"""Of two tasks that are all there are: far apart, as forward and backward are."""


def scores(episodes) -> RunScores:
    return RunScores(episodes, episodes.mean(axis=-1))


def two_tasks(over) -> Sampling:
    return Sampling(over, ["direction", "direction"])


def runs(count: int, episodes: int = 1, *, exhaustive: bool = True):
    returns = np.zeros((2, 1, episodes))
    return [made_up(returns, exhaustive=exhaustive, seed=seed) for seed in range(count)]


@pytest.mark.parametrize(
    ("methods", "over"),
    [
        ([runs(1, exhaustive=False)], "tasks"),
        ([runs(3, exhaustive=False)], "runs and tasks"),
        ([runs(3, exhaustive=False), runs(2, exhaustive=False)], "runs and tasks"),
        ([runs(1, exhaustive=False), runs(2, exhaustive=False)], "tasks"),
        ([runs(3, exhaustive=False), runs(1, exhaustive=False)], "tasks"),
        ([runs(3)], "runs"),
        ([runs(3, 20), runs(2, 20)], "runs"),
        ([runs(1, 20)], "episodes"),
        ([runs(1, 20), runs(3, 20)], "episodes"),
        ([runs(1)], "nothing"),
        ([runs(3), runs(1)], "nothing"),
    ],
)
def test_intervals_are_over_what_varies(methods, over):
    assert intervals_over(*methods) == over


@pytest.mark.parametrize("num_runs", [3, 5, 10])
def test_over_runs_the_interval_covers_the_mean_of_all_seeds(num_runs):
    """Seeds differ as a whole and task by task, and episodes; the tasks' levels do not count."""
    rng, sampling, hits, widths = np.random.default_rng(0), two_tasks("runs"), 0, []

    def draw():
        own = 5 * rng.normal(size=(num_runs, 1, 1)) + 5 * rng.normal(size=(num_runs, 2, 1))
        return scores(LEVEL + own + rng.normal(size=(num_runs, 2, 3)))

    for _ in range(200):
        found = sampling.estimate(mean, draw())
        hits += found.low <= LEVEL.mean() <= found.high
        widths.append(found.high - found.low)
    assert hits >= 0.92 * 200
    assert num_runs < 5 or np.median(widths) < 20  # over tasks: some 1,000


@pytest.mark.parametrize("num_episodes", [2, 5, 20])
def test_over_episodes_the_interval_covers_the_mean_of_this_network(num_episodes):
    """Each task has its own noise; over tasks as a sample the interval would be 3,000 wide."""
    rng, sampling, hits, widths = np.random.default_rng(0), two_tasks("episodes"), 0, []
    noise = np.array([5.0, 30.0])[None, :, None]
    for _ in range(200):
        own = scores(LEVEL + noise * rng.normal(size=(1, 2, num_episodes)))
        found = sampling.estimate(mean, own)
        hits += found.low <= LEVEL.mean() <= found.high
        widths.append(found.high - found.low)
    assert hits >= 0.92 * 200
    assert num_episodes < 20 or np.median(widths) < 16


@pytest.mark.parametrize("over", ["runs", "episodes"])
def test_the_interval_of_a_difference_covers_none(over):
    rng, sampling, hits = np.random.default_rng(0), two_tasks(over), 0
    shape = (3, 2, 4) if over == "runs" else (1, 2, 4)

    def draw():
        seeds = rng.normal(size=(shape[0], 2, 1)) if over == "runs" else 0.0
        return scores(LEVEL + seeds + rng.normal(size=shape))

    for _ in range(200):
        found = sampling.estimate(mean_difference, draw(), draw())
        hits += found.low <= 0.0 <= found.high
    assert hits >= 0.92 * 200


@pytest.mark.parametrize("num_runs", [1, 3, 10])
def test_beside_a_single_run_the_interval_covers_the_difference_of_these_networks(num_runs):
    """Seeds differ by far more than a mean over tasks tells; the interval doesn't speak of them."""
    rng, hits, widths = np.random.default_rng(0), 0, []
    for _ in range(200):
        levels = [10 * rng.normal(size=(count, 1)) for count in (num_runs, 1)]
        task = rng.normal(size=(1, 20))
        drawn = [level + task + rng.normal(size=(len(level), 20)) for level in levels]
        _, low, high = Sampling("tasks", ["a"] * 20).interval(
            mean_difference, *(scores(own[..., None]) for own in drawn), num_resamples=1000
        )
        hits += low <= levels[0].mean() - levels[1].mean() <= high
        widths.append(high - low)
    assert hits >= 0.92 * 200
    assert np.median(widths) < 1.5  # of several seeds that differ so: some 10


def test_runs_that_are_fixed_stay_what_a_statistic_counts():
    """Two of three runs are better than the single one: their mean, which is worse, isn't asked."""
    three = scores(np.array([1.0, 1.0, -9.0])[:, None, None] * np.ones((3, 8, 1)))
    found = Sampling("tasks", ["a"] * 8).estimate(
        probability_of_improvement, three, scores(np.zeros((1, 8, 1))), of_runs=True
    )
    assert (found.mean, *found.ends) == pytest.approx((2 / 3, 2 / 3, 2 / 3))


@pytest.mark.parametrize("num_runs", [1, 3])
def test_of_a_single_task_there_is_no_interval_beyond_what_bounds_tell(num_runs):
    own, other = scores(np.full((num_runs, 1, 20), 5.0)), scores(np.zeros((1, 1, 20)))
    sampling = Sampling("tasks", ["a"])
    assert sampling.estimate(mean, other) == Estimate(0.0)
    assert sampling.estimate(mean_difference, own, other) == Estimate(5.0)
    low, high = sampling.estimate(mean, other, bounds=(0.0, 1.0)).ends
    assert (low, high) == pytest.approx((0.0, 0.975))


@pytest.mark.parametrize("probabilities", [(0.1, 0.1), (0.5, 0.5), (0.05, 0.95)])
@pytest.mark.parametrize("over", ["runs", "episodes"])
def test_the_interval_of_a_rate_covers_the_truth(over, probabilities):
    """Over runs, a seed moves both rates by up to 0.05."""
    rng, sampling, hits = np.random.default_rng(0), two_tasks(over), 0
    num_runs = 5 if over == "runs" else 1
    for _ in range(200):
        moved = rng.uniform(-0.05, 0.05, (num_runs, 1, 1)) * (over == "runs")
        chance = np.array(probabilities)[None, :, None] + moved
        found = sampling.rate(scores((rng.random((num_runs, 2, 10)) < chance).astype(float)))
        hits += found.low <= np.mean(probabilities) <= found.high
    assert hits >= 0.93 * 200


def test_with_one_seed_and_one_episode_there_is_no_interval():
    own, sampling = scores(LEVEL), two_tasks("nothing")
    for found in (
        sampling.estimate(mean, own),
        sampling.estimate(interquartile_mean, own),
        sampling.estimate(mean_difference, own, own),
        sampling.rate(scores(np.array([[[0.0], [1.0]]]))),
        sampling.share(own.means < 0),
    ):
        assert (found.low, found.high) == (None, None)
    assert sampling.estimate(mean, own).mean == 75.0
    assert sampling.rate(scores(np.array([[[0.0], [1.0]]]))).mean == 0.5
    assert sampling.share(own.means < 0).mean == 0.5


def test_what_counts_runs_or_tasks_has_no_interval_over_episodes():
    rng, sampling = np.random.default_rng(0), two_tasks("episodes")
    own = scores(LEVEL + rng.normal(size=(1, 2, 20)))
    better = scores(own.episodes + 10.0)
    found = sampling.estimate(probability_of_improvement, better, own, of_runs=True)
    assert (found.mean, found.ends) == (1.0, None)
    assert sampling.share(own.means < 0).ends is None
    several = two_tasks("runs")
    both = [scores(np.repeat(one.episodes, 3, axis=0)) for one in (better, own)]
    found = several.estimate(probability_of_improvement, *both, bounds=(0.0, 1.0), of_runs=True)
    assert found.ends == (pytest.approx(0.025 ** (1 / 3)), 1.0)


def test_task_means_stay_what_a_statistic_is_of():
    """Over episodes too: the interquartile mean is of tasks, of which it leaves out the outer."""
    rng = np.random.default_rng(0)
    level = np.array([0.0, 10.0, 20.0, 1000.0])[None, :, None]
    own = scores(level + rng.normal(size=(1, 4, 20)))
    found = Sampling("episodes", ["a"] * 4).estimate(interquartile_mean, own)
    assert found.mean == pytest.approx(interquartile_mean(own.means))
    assert 14 < found.low < found.mean < found.high < 16


def test_a_single_run_beside_several_is_compared_over_episodes():
    rng = np.random.default_rng(0)
    one, three = (scores(LEVEL + rng.normal(size=(count, 2, 20))) for count in (1, 3))
    found = two_tasks("episodes").estimate(mean_difference, one, three)
    assert found.mean == pytest.approx(float(mean_difference(one.means, three.means)))
    assert 0.1 < found.high - found.low < 2.0


def test_some_tasks_are_estimated_alone():
    own = scores(LEVEL + np.random.default_rng(0).normal(size=(3, 2, 1)))
    columns = np.array([1])
    found = two_tasks("runs").of_tasks(columns).estimate(mean, own.of_tasks(columns))
    assert found.mean == pytest.approx(own.means[:, 1].mean())


def test_words_say_what_is_there_and_why():
    assert intervals_named("runs and tasks") == "95 % intervals over runs and tasks"
    assert intervals_named("nothing") == "no intervals"
    assert fixed_tasks_note(["tasks", "runs and tasks"]) == ""
    kinds = {"MAML": "runs and tasks", "control": "tasks", "expert": "tasks"}
    assert single_runs_note(kinds).startswith("Intervals of a single run (control, expert) are ov")
    assert single_runs_note({"MAML": "tasks", "control": "tasks"}) == ""
    assert single_runs_note({"MAML": "runs", "control": "nothing"}) == ""
    note = fixed_tasks_note(["nothing", "runs", "nothing"])
    assert note == (
        "These tasks are all there are, so they are no sample: intervals are over training seeds; "
        "with one seed and one episode per task there is nothing to take an interval from."
    )
