from __future__ import annotations

from typing import Any

import pytest
import torch

from metarl.agents import MetaSGD
from tests.agents.small import after, identical, small_agent


@pytest.mark.parametrize(
    "setting",
    [{"inner_lr": 0.3}, {"inner_lr_spread": 0.1}],
    ids=lambda setting: next(iter(setting)),
)
def test_every_setting_reaches_training(setting: dict[str, Any]) -> None:
    assert not identical(after(1, small_agent(MetaSGD)), after(1, small_agent(MetaSGD, **setting)))


def test_every_parameter_has_rates_of_its_own_from_the_seed() -> None:
    one, same, other = (small_agent(MetaSGD, seed=seed).meta_params for seed in (1, 1, 2))
    rates = {name: value for name, value in one.items() if name.startswith("adapter.")}
    assert len(rates) == len(one) / 2
    for name, value in rates.items():
        parameter = name.replace("adapter.rates.", "policy.").replace("/", ".")
        assert value.shape == one[parameter].shape
        assert torch.equal(value, same[name])
        assert not torch.equal(value, other[name])
        assert (value - 0.1).abs().max() <= 0.05
