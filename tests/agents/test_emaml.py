from __future__ import annotations

from typing import Any

import torch

from metarl.agents import EMAML, MAML
from metarl.envs.navigation import navigation

SMALL: dict[str, Any] = {"hidden_sizes": (8,), "meta_batch_size": 3, "episodes_per_task": 4}


def trained(kind: type[MAML], **settings: Any) -> dict[str, torch.Tensor]:
    with kind(navigation(max_episode_steps=8), **SMALL, **settings) as agent:
        agent.train_iteration()
        return agent.meta_params


def test_emaml_is_maml_with_credit_for_sampling() -> None:
    emaml, maml = trained(EMAML), trained(MAML)
    with_credit = trained(MAML, sampling_coef=1.0)
    assert all(torch.equal(value, with_credit[name]) for name, value in emaml.items())
    assert any(not torch.equal(value, maml[name]) for name, value in emaml.items())
    without = trained(EMAML, sampling_coef=0.0)
    assert all(torch.equal(value, without[name]) for name, value in maml.items())
