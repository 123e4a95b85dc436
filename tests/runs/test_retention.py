import pytest

from metarl.errors import CheckpointError, ConfigError
from metarl.runs import Retention
from metarl.runs.retention import Marks


def test_the_newest_the_best_and_milestones_stay():
    marks = Marks(frozenset({2, 4}), best=5, best_value=1.0)
    assert Retention(last=2).surplus(range(10), marks) == [0, 1, 3, 6, 7]
    assert Retention(last=20).surplus(range(10), marks) == []
    assert Retention(last=1).surplus([9, 3, 7], Marks()) == [3, 7]


@pytest.mark.parametrize("setting", [{"last": 0}, {"milestone_every": 0}])
def test_numbers_below_one_are_refused(setting):
    ((name, value),) = setting.items()
    with pytest.raises(ConfigError, match=f"{name}: got {value}; must be at least 1"):
        Retention(**setting)


def test_milestones_by_rule():
    assert [i for i in range(10) if Retention(milestone_every=4).is_milestone(i)] == [4, 8]
    assert not any(Retention().is_milestone(i) for i in range(10))


def test_the_best_is_the_first_with_the_highest_figure():
    marks = Marks()
    for iteration, value in enumerate([None, -3.0, float("nan"), -1.0, -1.0, -2.0]):
        marks = marks.with_candidate(iteration, value)
    assert (marks.best, marks.best_value) == (3, -1.0)


def test_going_back_forgets_what_comes_again():
    marks = Marks(frozenset({2, 8}), best=7, best_value=1.0)
    assert marks.up_to(8) == marks
    assert marks.up_to(7) == Marks(frozenset({2}), best=7, best_value=1.0)
    assert marks.up_to(6) == Marks(frozenset({2}))


@pytest.mark.parametrize("marks", [Marks(), Marks(frozenset({1, 5}), best=3, best_value=-0.1)])
def test_marks_survive_json(marks):
    assert Marks.from_json(marks.to_json()) == marks


@pytest.mark.parametrize(
    "data",
    [
        *([], 3, None, {}, {"best": None}, {"best": None, "milestones": 3}),
        *({"best": 3, "milestones": []}, {"best": None, "milestones": ["../x"]}),
        {"best": {"iteration": "x", "value": 1}, "milestones": []},
    ],
)
def test_what_are_no_marks_is_refused(data):
    with pytest.raises(CheckpointError, match="isn't a list of kept checkpoints"):
        Marks.from_json(data)
