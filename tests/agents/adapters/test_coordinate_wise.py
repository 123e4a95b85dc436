from __future__ import annotations

import math

import pytest
import torch

from metarl.agents.adapters.coordinate_wise import linear, lstm_cell, preprocessed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, (0.0, 1.0)),
        (-math.e, (0.1, -1.0)),
        (math.exp(-5), (-0.5, 1.0)),
        (-math.exp(-10), (-1.0, -1.0)),
        (0.5 * math.exp(-10), (-1.0, 0.5)),
        (0.0, (-1.0, 0.0)),
    ],
)
def test_preprocessing_is_the_paper_s(value: float, expected: tuple[float, float]) -> None:
    result = preprocessed(torch.tensor([value], dtype=torch.float64), 10.0)
    torch.testing.assert_close(result, torch.tensor([expected], dtype=torch.float64))


def test_preprocessing_has_a_finite_slope_everywhere() -> None:
    values = torch.tensor([0.0, 1e-30, -1e-6, 0.3], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(preprocessed(values, 10.0).sum(), values)
    assert torch.isfinite(slope).all()


def test_initial_weights_come_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    for make in (lstm_cell, linear):
        one, same = (make(3, 4, torch.Generator().manual_seed(5)) for _ in range(2))
        other = make(3, 4, torch.Generator().manual_seed(6))
        for name, value in one.named_parameters():
            assert torch.equal(value, same.get_parameter(name))
            assert not torch.equal(value, other.get_parameter(name))
    assert torch.equal(torch.random.get_rng_state(), before)
