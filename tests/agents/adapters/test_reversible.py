from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metarl.agents.adapters.reversible import (
    LARGEST,
    Descent,
    DigitStore,
    ReversiblePath,
    decay,
    first_preimage,
    off_grid,
    on_grid,
)


@pytest.mark.parametrize("largest", [100, 2**40, LARGEST // 2])
def test_first_preimage_is_where_an_image_begins(largest: int) -> None:
    generator = torch.Generator().manual_seed(0)
    v = torch.randint(-largest, largest, (100_000,), generator=generator)
    gamma = 0.01 + 0.99 * torch.rand(len(v), generator=generator, dtype=torch.float64)
    image = decay(v, gamma)
    first = first_preimage(image, gamma)
    assert torch.equal(decay(first, gamma), image)
    assert (decay(first - 1, gamma) < image).all()
    assert (first <= v).all()
    assert (v < first_preimage(image + 1, gamma)).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 2**20)), max_size=200))
def test_digits_come_off_in_the_reverse_of_the_order_they_went_on(
    bases: list[tuple[int, int]],
) -> None:
    store = DigitStore.empty(torch.zeros(2, dtype=torch.int64))
    digits = [torch.tensor([one - 1, other // 2]) for one, other in bases]
    for digit, base in zip(digits, bases, strict=True):
        store.push(digit, torch.tensor(base))
    for digit, base in zip(reversed(digits), reversed(bases), strict=True):
        assert torch.equal(store.pop(torch.tensor(base)), digit)
    assert not store.word.any()
    assert not store.full


def quartic(w: Tensor) -> Tensor:
    """Gradient of a function with curvature that changes."""
    return w**3 + torch.linspace(0.5, 2.0, len(w), dtype=w.dtype) * w - 0.3


def a_descent(gamma: float, num_coordinates: int = 40, rate: float = 0.1) -> Descent:
    ones = torch.ones(num_coordinates, dtype=torch.float64)
    return Descent(quartic, rate * ones, gamma * ones)


def walked(descent: Descent, num_steps: int) -> tuple[Tensor, ReversiblePath]:
    start = torch.randn(len(descent.rates), generator=torch.Generator().manual_seed(0)).double()
    path = ReversiblePath.start(start)
    for _ in range(num_steps):
        assert path.forward(descent)
    return start, path


@pytest.mark.parametrize("gamma", [0.05, 0.5, 0.9, 0.99])
def test_a_thousand_steps_are_taken_back_to_the_bit(gamma: float) -> None:
    descent = a_descent(gamma)
    start, path = walked(descent, 1000)
    assert (off_grid(path.w) - start).abs().max() > 0.1
    back = path.copy()
    end = path.w
    for _ in range(1000):
        back.back(descent)
    assert torch.equal(back.w, on_grid(start))
    assert not back.v.any()
    assert not back.digits.word.any()
    assert not back.digits.full
    assert torch.equal(path.w, end)


def test_floating_point_alone_does_not_find_the_way_back() -> None:
    start, _ = walked(a_descent(0.5), 0)
    w, v = start, torch.zeros_like(start)
    for _ in range(300):
        v = 0.5 * v - 0.5 * quartic(w)
        w = w + 0.1 * v
    for _ in range(300):
        w = w - 0.1 * v
        v = (v + 0.5 * quartic(w)) / 0.5
    assert not torch.allclose(w, start, atol=0.1)


@pytest.mark.parametrize(("gamma", "num_steps"), [(0.5, 60), (0.9, 150), (0.99, 1000)])
def test_one_word_a_coordinate_holds_what_so_many_steps_lose(gamma: float, num_steps: int) -> None:
    _, path = walked(a_descent(gamma), num_steps)
    assert path.digits.num_bytes == 8 * 40


def test_digits_take_little_more_than_the_bits_that_are_lost() -> None:
    _, path = walked(a_descent(0.9), 150)
    bits = (path.digits.word.double() + 1).log2().mean().item()
    assert bits < 1.5 * 150 * -math.log2(0.9)


def test_agrees_with_the_same_descent_in_floating_point() -> None:
    descent = a_descent(0.7)
    start, path = walked(descent, 50)
    w, v = start, torch.zeros_like(start)
    for _ in range(50):
        v = 0.7 * v - 0.3 * quartic(w)
        w = w + 0.1 * v
    torch.testing.assert_close(off_grid(path.w), w, rtol=0, atol=1e-11)


@pytest.mark.parametrize("slope", [1e4, float("nan"), float("inf")])
def test_leaving_the_grid_is_noticed(slope: float) -> None:
    ones = torch.ones(3, dtype=torch.float64)
    descent = Descent(lambda w: torch.full_like(w, slope), ones, 0.5 * ones)
    path = ReversiblePath.start(ones)
    assert not path.forward(descent)
    assert torch.equal(path.w, on_grid(ones))
