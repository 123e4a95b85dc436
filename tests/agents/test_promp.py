from __future__ import annotations

from typing import Any

import pytest
import torch

from metarl.agents import MAML, ProMP
from metarl.envs.navigation import navigation
from metarl.errors import ConfigError
from metarl.outer import GradientDescent

SMALL: dict[str, Any] = {"hidden_sizes": (8,), "meta_batch_size": 3, "episodes_per_task": 4}


def agent_of(kind: type[MAML] = ProMP, **settings: Any) -> MAML:
    return kind(navigation(max_episode_steps=8), **{**SMALL, **settings})


def trained(agent: MAML, iterations: int = 2) -> dict[str, torch.Tensor]:
    with agent:
        for _ in range(iterations):
            agent.train_iteration()
    return agent.meta_params


def identical(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_promp_is_maml_with_these_settings() -> None:
    settings = {"outer": "ppo", "inner_kl_coef": 5e-4, "num_epochs": 5, "clip_range": 0.3}
    assert identical(trained(agent_of()), trained(agent_of(MAML, **settings)))


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
    assert not identical(trained(agent_of(**plain)), trained(agent_of(**{**plain, **setting})))


def test_a_plain_gradient_takes_one_step_an_iteration() -> None:
    outer = agent_of(outer="gradient", num_epochs=7).make_outer()
    assert isinstance(outer, GradientDescent)
    assert outer.num_epochs == 1


def test_an_unknown_optimiser_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="optimizer: got 'Adan'"):
        agent_of(optimizer="Adan")
