from __future__ import annotations

import numpy as np
import pytest
import torch

from metarl.agents import CAVIA
from metarl.envs.navigation import navigation_task
from metarl.errors import ConfigError
from tests.agents.small import after, identical, small_agent


def test_adaptation_moves_the_context_only() -> None:
    agent = small_agent(CAVIA, context_size=3)
    after(1, agent)
    start = agent.unadapted().params
    adapted = agent.adapt(navigation_task((0.3, 0.3)), num_steps=2, num_episodes=4).params
    assert adapted["context"].shape == (3,)
    assert not start["context"].any()
    assert {n for n, v in adapted.items() if not torch.equal(v, start[n])} == {"context"}


def test_one_seed_gives_the_same_bits_with_and_without_workers() -> None:
    alone = after(2, small_agent(CAVIA, seed=3))
    assert identical(alone, after(2, small_agent(CAVIA, seed=3, num_workers=2)))


def test_settings_reach_training() -> None:
    plain = after(1, small_agent(CAVIA))
    assert plain["policy.network.network.0.weight"].shape == (4, 2 + 5)
    assert not identical(plain, after(1, small_agent(CAVIA, inner_lr=0.1)))
    with pytest.raises(ConfigError, match="context_size: got 0"):
        small_agent(CAVIA, context_size=0)


def test_initial_params_are_those_that_are_learned() -> None:
    agent = small_agent(CAVIA)
    start = agent.unadapted().params
    learned = {name: value + 1 for name, value in start.items() if name != "context"}
    with pytest.raises(ConfigError, match=r"context is \(5,\); the policy's is missing"):
        agent.set_initial_params({**learned, "context": torch.ones(5)})
    agent.set_initial_params(learned)
    assert identical(agent.unadapted().params, {**start, **learned})


def test_the_control_adapts_nothing() -> None:
    agent = small_agent(CAVIA, inner_lr=0.0)
    after(1, agent)
    adapted = agent.adapt(navigation_task((0.3, 0.3)))
    assert identical(adapted.params, agent.unadapted().params)
    assert np.isfinite(adapted.predict(np.zeros(2, dtype=np.float32))[0]).all()
