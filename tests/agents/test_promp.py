from __future__ import annotations

from typing import Any

import pytest

from metarl.agents import MAML, ProMP
from metarl.errors import ConfigError
from metarl.outer import GradientDescent
from tests.agents.small import after, identical, small_agent


def test_promp_is_maml_with_these_settings() -> None:
    settings = {"outer": "ppo", "inner_kl_coef": 5e-4, "num_epochs": 5, "clip_range": 0.3}
    assert identical(after(2, small_agent(ProMP)), after(2, small_agent(MAML, **settings)))


@pytest.mark.parametrize(
    "setting",
    [
        {"num_epochs": 2},
        {"clip_range": 0.001},
        {"outer_lr": 0.02},
        {"optimizer": "SGD"},
        {"inner_kl_coef": 5.0},
        {"max_grad_norm": 1e-3},
        {"outer": "gradient"},
        {"outer": "trpo"},
    ],
    ids=lambda setting: f"{next(iter(setting))}-{next(iter(setting.values()))}",
)
def test_every_setting_of_the_outer_step_reaches_training(setting: dict[str, Any]) -> None:
    # A larger rate, so that the epochs after the first are clipped and penalised.
    plain = {"outer_lr": 0.01}
    assert not identical(
        after(2, small_agent(ProMP, **plain)), after(2, small_agent(ProMP, **{**plain, **setting}))
    )


def test_a_plain_gradient_takes_one_step_an_iteration() -> None:
    outer = small_agent(ProMP, outer="gradient", num_epochs=7).make_outer()
    assert isinstance(outer, GradientDescent)
    assert outer.num_epochs == 1


def test_an_unknown_optimiser_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="optimizer: got 'Adan'"):
        small_agent(ProMP, optimizer="Adan")
