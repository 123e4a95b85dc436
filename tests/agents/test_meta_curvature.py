from __future__ import annotations

import torch

from metarl.agents import MAML, MetaCurvature
from metarl.envs.navigation import navigation_task
from tests.agents.small import after, identical, small_agent


def test_before_training_it_adapts_as_maml_does() -> None:
    task = navigation_task((0.3, 0.3))
    one, other = (small_agent(kind).adapt(task).params for kind in (MAML, MetaCurvature))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value)


def test_the_rates_of_training_and_of_adaptation_reach_each_their_own() -> None:
    plain, faster = small_agent(MetaCurvature), small_agent(MetaCurvature, adaptation_lr=0.7)
    assert identical(after(1, plain), after(1, faster))
    adapted = [agent.adapt(navigation_task((0.3, 0.3))).params for agent in (plain, faster)]
    assert not identical(*adapted)
    trained = after(1, small_agent(MetaCurvature, inner_lr=0.7))
    assert not identical(trained, after(1, small_agent(MetaCurvature)))
