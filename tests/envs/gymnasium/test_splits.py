import numpy as np
import pytest

from metarl.envs.gymnasium import (
    ExplicitSplit,
    HeldOutRegion,
    Integers,
    LogUniform,
    NoSplit,
    OneOf,
    RandomSplit,
    TaskFamily,
    Uniform,
)
from metarl.errors import ConfigError, SplitError, UnknownNameError

MIXED = {"mass": Uniform(0.0, 1.0), "legs": Integers(2, 4)}
FINITE = {"legs": Integers(2, 4), "colour": OneOf(["red", "blue"])}


def divide(split, ranges, seed=0):
    return split.divide(ranges, np.random.default_rng(seed))


def test_a_random_split_lists_distinct_tasks_by_its_seed():
    train, test = divide(RandomSplit(7, 5), MIXED)
    listed = [*train.values, *test.values]
    assert (len(train.values), len(test.values)) == (7, 5)
    assert len({tuple(task.items()) for task in listed}) == 12
    assert all(MIXED[name].contains(value) for task in listed for name, value in task.items())
    again, other = (divide(RandomSplit(7, 5), MIXED, seed)[0].values for seed in (0, 1))
    assert again == train.values
    assert other != train.values


def test_a_random_split_of_a_finite_set_takes_each_combination_once():
    train, test = divide(RandomSplit(4, 2), FINITE)
    combinations = {(task["legs"], task["colour"]) for task in [*train.values, *test.values]}
    assert combinations == {(legs, colour) for legs in (2, 3, 4) for colour in ("red", "blue")}
    with pytest.raises(ConfigError, match=r"4 training and 3 held-out .* hold 6 in all"):
        divide(RandomSplit(4, 3), FINITE)


def test_ranges_that_hardly_hold_enough_different_tasks_are_refused():
    narrow = {"mass": Uniform(0.0, 5e-324), "legs": OneOf([2])}
    with pytest.raises(SplitError, match="hardly hold 10 different tasks; found"):
        divide(RandomSplit(5, 5), narrow)


def test_a_held_out_region_is_inside_of_test_and_outside_of_train():
    ranges = {"mass": LogUniform(0.1, 10.0), "length": Uniform(0.0, 1.0)}
    split = HeldOutRegion({"mass": (5.0, 10.0), "length": (0.8, 1.0)})
    train, test = divide(split, ranges)
    assert train.values is None
    assert test.values is None
    rng = np.random.default_rng(0)
    for _ in range(200):
        task = test.draw(rng)
        assert task["mass"] >= 5
        assert task["length"] >= 0.8
    drawn = [train.draw(rng) for _ in range(500)]
    assert not any(task["mass"] >= 5 and task["length"] >= 0.8 for task in drawn)
    assert any(task["mass"] >= 5 for task in drawn), "one extreme at a time is trained on"
    assert train.describe() == {
        "part": "outside",
        "region": {"mass": {"log_uniform": [5.0, 10.0]}, "length": {"uniform": [0.8, 1.0]}},
    }
    assert test.describe()["part"] == "inside"


def test_a_held_out_region_of_a_finite_set_is_listed():
    train, test = divide(HeldOutRegion({"legs": (3, 4), "colour": ["blue"]}), FINITE)
    assert test.values == ({"legs": 3, "colour": "blue"}, {"legs": 4, "colour": "blue"})
    assert len(train.values) == 4


@pytest.mark.parametrize("region", [{}, {"legs": (2, 4)}, {"legs": (2, 4), "mass": (0.0, 1.0)}])
def test_a_region_must_leave_something_to_train_on(region):
    with pytest.raises(ConfigError, match="must leave tasks to train on"):
        divide(HeldOutRegion(region), MIXED)


def test_a_region_of_an_unknown_parameter_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="region: unknown name 'mas'; did you mean mass"):
        divide(HeldOutRegion({"mas": (0.0, 0.5)}), MIXED)


def test_explicit_tasks_are_taken_as_they_are():
    first, second = {"mass": 0.5, "legs": 2}, {"legs": 3, "mass": 0.1}
    train, test = divide(ExplicitSplit([first], [second]), MIXED)
    assert (train.values, test.values) == ((first,), (second,))
    assert divide(ExplicitSplit([first]), MIXED)[1] is None


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (ExplicitSplit([{"mass": 0.5}]), r"train\[0\]: must name each parameter once; .* legs"),
        (
            ExplicitSplit([{"mass": 0.5, "legs": 2}], [{"mass": 2.0, "legs": 2}]),
            r"test\[0\]: mass is 2.0, outside Uniform",
        ),
        (ExplicitSplit([]), "got no training task"),
    ],
)
def test_explicit_tasks_outside_the_ranges_are_refused(split, message):
    with pytest.raises(ConfigError, match=message):
        divide(split, MIXED)


def test_an_explicit_task_held_out_is_none_trained_on_however_it_is_written():
    split = ExplicitSplit([{"m": 1}], [{"m": 1.0}])
    family = TaskFamily("Pendulum-v1", attributes={"m": Uniform(0.5, 2.0)}, split=split)
    with pytest.raises(SplitError, match="1 tasks are in both train and test"):
        family.benchmark()


def test_without_a_split_everything_is_trained_on():
    train, test = divide(NoSplit(), MIXED)
    assert (train.values, test) == (None, None)
    assert set(train.draw(np.random.default_rng(0))) == set(MIXED)
    assert len(divide(NoSplit(), FINITE)[0].values) == 6


@pytest.mark.parametrize("counts", [(0, 5), (5, 0)])
def test_counts_below_one_are_refused(counts):
    with pytest.raises(ConfigError, match=r"num_t\w+: got 0; must be at least 1"):
        RandomSplit(*counts)
