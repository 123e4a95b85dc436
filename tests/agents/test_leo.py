from __future__ import annotations

from typing import Any

import pytest
import torch

from metarl.agents import LEO
from metarl.envs.navigation import navigation_task
from tests.agents.small import after, identical, small_agent


@pytest.mark.parametrize(
    "setting",
    [
        {"latent_size": 4},
        {"latent_lr": 0.5},
        {"latent_steps": 2},
        {"finetuning_lr": 0.5},
        {"encoder_size": 8},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_every_setting_reaches_training(setting: dict[str, Any]) -> None:
    assert not identical(after(2, small_agent(LEO)), after(2, small_agent(LEO, **setting)))


def test_adaptation_moves_the_head_only() -> None:
    agent = small_agent(LEO)
    after(1, agent)
    start = agent.unadapted().params
    adapted = agent.adapt(navigation_task((0.3, 0.3)), num_steps=2, num_episodes=4).params
    moved = {name for name, value in adapted.items() if not torch.equal(value, start[name])}
    assert moved == {"network.2.weight", "network.2.bias", "log_std"}


def test_training_takes_up_the_encoder() -> None:
    agent = small_agent(LEO)
    assert not agent.meta_params["adapter.encoder.latent.weight"].any()
    assert after(1, agent)["adapter.encoder.latent.weight"].any()
