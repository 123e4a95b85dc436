import pickle

import metaworld
import numpy as np
import pytest

from metarl.envs import make_benchmark
from metarl.envs.metaworld import ML1, ML10, ML25, ML45, MT1, MT10, MT25, MT50, CustomML
from metarl.envs.metaworld.environment import FAMILIES
from metarl.errors import ConfigError, UnknownNameError


def vectors(tasks) -> list[tuple[str, list[float]]]:
    """Family and random vector of each of our tasks, in order."""
    return [(task.family, task.parameters["rand_vec"]) for task in tasks]


def their_vectors(tasks) -> list[tuple[str, list[float]]]:
    """The same of Meta-World's own tasks."""
    return [(task.env_name, pickle.loads(task.data)["rand_vec"].tolist()) for task in tasks]


def goals_per_family(distribution) -> dict[str, int]:
    return {family: len(tasks) for family, tasks in distribution.families.items()}


@pytest.fixture(scope="module")
def reach():
    return ML1("reach-v3", seed=5)


@pytest.fixture(scope="module")
def their_reach():
    return metaworld.ML1("reach-v3", seed=5)


@pytest.fixture(scope="module")
def next_reach():
    return ML1("reach-v3", seed=6)


@pytest.fixture(scope="module")
def ml10():
    return ML10(seed=5)


def test_ml1_holds_meta_worlds_own_tasks_in_their_order_and_to_the_bit(reach, their_reach):
    assert vectors(reach.train.tasks) == their_vectors(their_reach.train_tasks)
    assert vectors(reach.test.tasks) == their_vectors(their_reach.test_tasks)
    assert len(reach.train.tasks) == len(reach.test.tasks) == 50
    assert reach.name == "ml1/reach-v3"


def test_ml1_trains_on_training_tasks_and_tests_on_others(reach, their_reach):
    """The id Meta-World/ML1-train serves the test tasks, to whoever believes it."""
    train = {tuple(vector) for _, vector in vectors(reach.train.tasks)}
    test = {tuple(vector) for _, vector in vectors(reach.test.tasks)}
    assert not train & test
    their_test = {tuple(vector) for _, vector in their_vectors(their_reach.test_tasks)}
    assert not train & their_test
    assert test == their_test


def test_environments_of_ml1_reset_to_the_goals_of_their_own_split(reach, their_reach):
    theirs = their_reach.train_classes["reach-v3"]()
    theirs.set_task(their_reach.train_tasks[4])
    theirs.reset()
    env = reach.train.make_env(reach.train.tasks[4])
    env.reset()
    assert np.array_equal(env.inner._target_pos, theirs._target_pos)
    env.close()
    theirs.close()


def test_ml1_with_a_seed_tests_on_the_training_goals_of_the_next_seed(reach, next_reach):
    """The documented reason for spacing seeds."""
    assert vectors(reach.test.tasks) == vectors(next_reach.train.tasks)
    assert not set(reach.train.tasks) & set(next_reach.train.tasks)


def test_ml1_hides_the_goal(reach):
    assert not any(task.parameters["goal_observable"] for task in reach.train.tasks)
    assert not any(task.parameters["goal_observable"] for task in reach.test.tasks)


def test_mt1_shows_the_goal_and_holds_nothing_out():
    benchmark = MT1("reach-v3", seed=5)
    assert vectors(benchmark.train.tasks) == their_vectors(
        metaworld.MT1("reach-v3", seed=5).train_tasks
    )
    assert benchmark.test is None
    assert all(task.parameters["goal_observable"] for task in benchmark.train.tasks)
    env = benchmark.train.make_env(benchmark.train.tasks[0])
    observation, _ = env.reset()
    assert np.array_equal(observation[-3:], env.inner._target_pos)
    env.close()


def test_ml10_trains_on_ten_families_and_tests_on_five_others(ml10):
    train, test = goals_per_family(ml10.train), goals_per_family(ml10.test)
    assert train == dict.fromkeys(metaworld.env_dict.ML10_V3["train"], 50)
    assert test == dict.fromkeys(metaworld.env_dict.ML10_V3["test"], 50)
    assert (len(train), len(test)) == (10, 5)
    assert not train.keys() & test.keys()
    assert not any(task.parameters["goal_observable"] for task in ml10.train.tasks)


def test_a_meta_batch_of_ml10_is_spread_over_its_families(ml10):
    drawn = ml10.train.sample(20, np.random.default_rng(0))
    families = [task.family for task in drawn]
    assert {families.count(family) for family in ml10.train.families} == {2}
    assert len(set(drawn)) == 20


def test_the_manifest_lists_every_task_and_says_that_the_splits_are_disjoint(reach, next_reach):
    manifest = reach.manifest()
    assert manifest["disjoint"] is True
    assert manifest["settings"] == {"reward_version": "v2"}
    for split in ("train", "test"):
        tasks = getattr(reach, split).tasks
        assert manifest[split]["tasks"] == {"reach-v3": [task.digest for task in tasks]}
    assert manifest["digest"] == ML1("reach-v3", seed=5).manifest()["digest"]
    assert manifest["digest"] != next_reach.manifest()["digest"]


def test_global_randomness_is_neither_used_nor_touched():
    np.random.seed(11)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    benchmark = CustomML(["reach-v3"], ["push-v3"], seed=2)
    after = np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0]
    assert np.array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    np.random.seed(12)  # noqa: NPY002
    assert CustomML(["reach-v3"], ["push-v3"], seed=2).manifest() == benchmark.manifest()


def test_custom_ml_splits_the_families_as_asked_under_the_horizon_asked_for():
    benchmark = CustomML(["reach-v3"], ["push-v3"], seed=1, max_episode_steps=7)
    assert goals_per_family(benchmark.train) == {"reach-v3": 50}
    assert goals_per_family(benchmark.test) == {"push-v3": 50}
    for distribution in (benchmark.train, benchmark.test):
        assert distribution.max_episode_steps == 7
        env = distribution.make_env(distribution.tasks[0])
        env.reset()
        assert [env.step(np.zeros(4))[3] for _ in range(7)] == [False] * 6 + [True]
        env.close()


def test_custom_ml_holds_goals_out_inside_the_training_families():
    benchmark = CustomML(["reach-v3", "push-v3"], [], seed=1, num_held_out_goals=8)
    assert goals_per_family(benchmark.train) == {"reach-v3": 42, "push-v3": 42}
    assert goals_per_family(benchmark.test) == {"reach-v3": 8, "push-v3": 8}
    assert benchmark.manifest()["disjoint"] is True
    both = CustomML(["reach-v3"], ["push-v3"], seed=1, num_held_out_goals=8)
    assert goals_per_family(both.test) == {"push-v3": 50, "reach-v3": 8}
    assert both.train.families["reach-v3"] == benchmark.train.families["reach-v3"]
    assert both.test.families["reach-v3"] == benchmark.test.families["reach-v3"]


@pytest.mark.parametrize("number", [-1, 50])
def test_custom_ml_refuses_to_hold_out_all_goals(number):
    with pytest.raises(ConfigError, match=f"num_held_out_goals: got {number}; allowed: 0 to 49"):
        CustomML(["reach-v3"], ["push-v3"], num_held_out_goals=number)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([], ["reach-v3"], "train_envs: got none; needs at least one family"),
        (["reach-v3"], [], "test_envs: got none; needs at least one family"),
        (
            ["reach-v3", "push-v3"],
            ["push-v3", "door-open-v3"],
            "test_envs: push-v3 also in train_envs; must be disjoint",
        ),
    ],
)
def test_custom_ml_refuses_splits_that_are_none(train, test, message):
    with pytest.raises(ConfigError, match=message):
        CustomML(train, test)


def test_unknown_families_are_refused_with_the_nearest_names():
    with pytest.raises(UnknownNameError, match=r"env_name: .*'reach-v2'; did you mean reach-v3"):
        ML1("reach-v2")
    with pytest.raises(UnknownNameError, match=r"env_name: .*'push'; did you mean push-v3"):
        MT1("push")
    with pytest.raises(UnknownNameError, match=r"train_envs: .*'doer-open-v3'; .*door-open-v3"):
        CustomML(["doer-open-v3"], ["push-v3"])
    with pytest.raises(UnknownNameError, match=r"test_envs: .*'doer-open-v3'; .*door-open-v3"):
        CustomML(["push-v3"], ["doer-open-v3"])


def test_reward_version_1_reaches_the_environment(reach, their_reach):
    benchmark = ML1("reach-v3", seed=5, reward_version="v1")
    assert benchmark.manifest()["settings"] == {"reward_version": "v1"}
    theirs = their_reach.train_classes["reach-v3"](reward_function_version="v1")
    theirs.set_task(their_reach.train_tasks[0])
    first, second = (b.train.make_env(b.train.tasks[0]) for b in (benchmark, reach))
    for env in (theirs, first, second):
        env.reset()
    action = np.array([0.5, 0.5, 0.0, 0.0], dtype=np.float32)
    reward = first.step(action)[1]
    assert reward == float(theirs.step(action)[1])
    assert reward != second.step(action)[1]
    for env in (theirs, first, second):
        env.close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reward_version": "v3"}, "reward_version: got 'v3'; allowed: v1, v2"),
        ({"seed": -1}, "seed: got -1; must be at least 0"),
        ({"seed": 2**32 - 1}, f"seed: got {2**32 - 1}; must be at most {2**32 - 2}"),
        ({"max_episode_steps": 0}, "max_episode_steps: got 0; allowed: 1 to 500"),
        ({"max_episode_steps": 501}, "max_episode_steps: got 501; allowed: 1 to 500"),
        ({"max_episode_step": 100}, "'max_episode_step'; did you mean max_episode_steps"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ML1("reach-v3", **settings)


def test_the_highest_seed_is_numpys():
    with pytest.raises(ConfigError, match=f"seed: got {2**32}; must be at most {2**32 - 1}"):
        MT1("reach-v3", seed=2**32)
    assert len(MT1("reach-v3", seed=2**32 - 1).train.tasks) == 50


def test_the_number_of_goals_is_ours_whatever_others_have_made_of_theirs(reach, monkeypatch):
    monkeypatch.setattr(metaworld, "_N_GOALS", 3)  # as Meta-World's ids do with num_goals=3
    again = ML1("reach-v3", seed=5)
    assert again.manifest() == reach.manifest()
    assert metaworld._N_GOALS == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "their_families", "num_train", "in_both"),
    [(ML25, "ML25_V3", 25, {"basketball-v3"}), (ML45, "ML45_V3", 45, set())],
)
def test_larger_ml_benchmarks_hold_the_families_they_should(
    make, their_families, num_train, in_both
):
    """Meta-World's own ML25 (3.1.1) tests on a family that it trains on, as ours says."""
    benchmark = make(seed=5)
    families = getattr(metaworld.env_dict, their_families)
    train, test = goals_per_family(benchmark.train), goals_per_family(benchmark.test)
    assert train == dict.fromkeys(families["train"], 50)
    assert test == dict.fromkeys(families["test"], 50)
    assert (len(train), len(test)) == (num_train, 5)
    assert train.keys() & test.keys() == in_both
    assert not set(benchmark.train.tasks) & set(benchmark.test.tasks)
    assert all(family in (make.__doc__ or "") for family in in_both)


@pytest.mark.slow
@pytest.mark.parametrize(("make", "count"), [(MT10, 10), (MT25, 25), (MT50, 50)])
def test_mt_benchmarks_show_the_goal_and_hold_nothing_out(make, count):
    benchmark = make(seed=5)
    assert set(goals_per_family(benchmark.train).values()) == {50}
    assert len(goals_per_family(benchmark.train)) == count
    assert set(benchmark.train.families) <= set(FAMILIES)
    assert benchmark.test is None
    assert all(task.parameters["goal_observable"] for task in benchmark.train.tasks)


@pytest.mark.slow
def test_every_family_can_be_reset_to_its_own_tasks():
    benchmark = make_benchmark("mt50", seed=5)
    for family, tasks in benchmark.train.families.items():
        env = benchmark.train.make_env(tasks[0])
        for task in tasks[:3]:
            env.set_task(task)
            observation, _ = env.reset()
            assert observation.shape == (39,), family
        env.close()
