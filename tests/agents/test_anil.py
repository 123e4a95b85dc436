from __future__ import annotations

import pytest
import torch

from metarl.agents import ANIL, BOIL, MetaPolicyGradient
from metarl.envs.navigation import navigation_task
from metarl.errors import ConfigError
from tests.agents.small import after, small_agent

HEAD = {"network.2.weight", "network.2.bias", "log_std"}
BODY = {"network.0.weight", "network.0.bias"}


@pytest.mark.parametrize(("kind", "part"), [(ANIL, HEAD), (BOIL, BODY)])
def test_adaptation_moves_one_part_and_training_both(
    kind: type[MetaPolicyGradient], part: set[str]
) -> None:
    agent = small_agent(kind)
    initial = agent.meta_params
    trained = after(1, agent)
    assert {name.removeprefix("policy.") for name in trained} == HEAD | BODY
    assert not any(torch.equal(value, initial[name]) for name, value in trained.items())
    start = agent.unadapted().params
    adapted = agent.adapt(navigation_task((0.3, 0.3)), num_steps=2, num_episodes=4).params
    assert {name for name, v in adapted.items() if not torch.equal(v, start[name])} == part


def test_boil_without_hidden_layers_is_refused() -> None:
    with pytest.raises(ConfigError, match="policy: has no body"):
        small_agent(BOIL, hidden_sizes=())
