import json

import numpy as np
import pytest
from scipy import stats

from metarl.envs.gymnasium import Integers, LogUniform, OneOf, Uniform
from metarl.errors import ConfigError

RANGES = [
    Uniform(-2.0, 3.0),
    Uniform((0.0, -1.0), (1.0, 5.0)),
    LogUniform(0.1, 10.0),
    Integers(-1, 4),
    OneOf(["left", "right"]),
]


@pytest.mark.parametrize("one", RANGES, ids=repr)
def test_draws_are_json_within_the_range_and_follow_the_generator(one):
    drawn = [one.draw(np.random.default_rng(seed)) for seed in range(50)]
    assert all(one.contains(value) for value in drawn)
    assert json.loads(json.dumps(drawn)) == drawn
    assert [one.draw(np.random.default_rng(seed)) for seed in range(50)] == drawn
    assert len({json.dumps(value) for value in drawn}) > 1


def test_draws_have_the_distribution_named():
    rng = np.random.default_rng(0)
    uniform = [Uniform(2.0, 4.0).draw(rng) for _ in range(2000)]
    assert stats.kstest(uniform, stats.uniform(2, 2).cdf).pvalue > 0.01
    logs = [LogUniform(0.1, 10.0).draw(rng) for _ in range(2000)]
    assert stats.kstest(logs, stats.loguniform(0.1, 10).cdf).pvalue > 0.01
    for finite in (Integers(3, 5), OneOf("abc")):
        drawn = [finite.draw(rng) for _ in range(3000)]
        counts = [drawn.count(value) for value in finite.values]
        assert sum(counts) == 3000
        assert stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize(
    ("one", "inside", "outside"),
    [
        (Uniform(0.0, 1.0), [0, 0.5, 1.0], [-0.1, 1.1, True, "x", None, [0.5], float("nan")]),
        (Uniform((0.0, 0.0), (1.0, 2.0)), [[0.5, 2.0]], [0.5, [0.5], [0.5, 2.1], ["a", "b"]]),
        (LogUniform(0.1, 1.0), [0.1, 1], [0.0, 2.0]),
        (Integers(1, 3), [1, 3], [0, 4, 2.0, True]),
        (OneOf([1, "a"]), [1, "a"], [2, "b"]),
    ],
)
def test_what_a_range_contains(one, inside, outside):
    assert all(one.contains(value) for value in inside)
    assert not any(one.contains(value) for value in outside)


@pytest.mark.parametrize(
    ("one", "part", "share"),
    [
        (Uniform(0.0, 4.0), (1.0, 2.0), 0.25),
        (LogUniform(0.1, 10.0), (1.0, 10.0), 0.5),
        (Integers(1, 10), (9, 10), 0.2),
        (Integers(1, 10), (9, 9), 0.1),
        (OneOf("abcd"), ["d"], 0.25),
    ],
)
def test_a_part_holds_its_share_of_the_draws(one, part, share):
    narrowed = one.narrowed(part)
    assert one.share_of(narrowed) == pytest.approx(share)
    rng = np.random.default_rng(0)
    hits = sum(narrowed.contains(one.draw(rng)) for _ in range(2000))
    assert stats.binomtest(hits, 2000, share).pvalue > 0.01
    assert all(one.contains(narrowed.draw(rng)) for _ in range(20))


@pytest.mark.parametrize(
    ("one", "part"),
    [
        (Uniform(0.0, 1.0), (0.5, 1.5)),
        (Uniform(0.0, 1.0), (0.5, 0.5)),
        (Uniform(0.0, 1.0), (0.9, 0.1)),
        (Uniform(0.0, 1.0), (0.5,)),
        (Uniform((0.0, 0.0), (1.0, 1.0)), (0.2, 0.3)),
        (Integers(1, 4), (4, 5)),
        (OneOf("ab"), ["c"]),
        (OneOf("ab"), []),
    ],
)
def test_what_is_no_part_is_refused(one, part):
    with pytest.raises(ConfigError, match="region: "):
        one.narrowed(part)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(1.0, 1.0),
        lambda: Uniform(2.0, 1.0),
        lambda: Uniform(0.0, float("inf")),
        lambda: Uniform("a", "b"),
        lambda: Uniform((0.0, 1.0), 2.0),
        lambda: LogUniform(0.0, 1.0),
        lambda: LogUniform(-1.0, 1.0),
        lambda: Integers(3, 2),
        lambda: Integers(0.0, 2.0),
        lambda: OneOf([]),
        lambda: OneOf([1, 1]),
        lambda: OneOf([1, 1.0]),
        lambda: OneOf([[0.0], [-0.0]]),
        lambda: OneOf([{1, 2}]),
        lambda: OneOf([float("nan")]),
    ],
)
def test_bounds_out_of_order_and_values_that_json_does_not_hold_are_refused(make):
    with pytest.raises(ConfigError, match=r"(Uniform|Integers|OneOf): "):
        make()
