from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarl.evaluation.report.scales import Scale, spread, ticks


def test_a_scale_is_a_straight_line() -> None:
    scale = Scale(-1.0, 3.0, 100.0, 20.0)
    assert [scale(value) for value in (-1, 1, 3)] == [100.0, 60.0, 20.0]


def test_spread_leaves_room_and_ignores_what_is_not_finite() -> None:
    assert spread([2.0, math.nan, 4.0, math.inf], margin=0.5) == (1.0, 5.0)
    assert spread([]) == (0.0, 1.0)
    low, high = spread([7.0, 7.0])
    assert low < 7.0 < high


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-3, 103, [0, 20, 40, 60, 80, 100]),
        (-22.0, 0.0, [-20, -15, -10, -5, 0]),
        (0.0, 0.011, [0, 0.002, 0.004, 0.006, 0.008, 0.01]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_whole_ticks() -> None:
    assert ticks(-0.08, 2.08, whole=True) == [0.0, 1.0, 2.0]
    assert ticks(0.6, 1.4, whole=True) == [1.0]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 8))
def test_ticks_lie_inside_and_are_few(low: float, length: float, most: int) -> None:
    found = ticks(low, low + length, most)
    assert len(found) <= most + 1
    tolerance = 1e-6 * length
    assert all(low - tolerance <= tick <= low + length + tolerance for tick in found)
