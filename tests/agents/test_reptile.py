from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from metarl.agents import MAML, Reptile
from metarl.envs.navigation import navigation
from metarl.errors import ConfigError
from metarl.rollouts import RolloutEngine
from metarl.seeding import Purpose
from tests.agents.small import HORIZON, after, identical, small_agent


def test_an_iteration_goes_to_the_mean_of_the_adapted_parameters() -> None:
    agent = small_agent(Reptile, outer_lr=0.5, num_inner_steps=1)
    start = agent.unadapted()
    tasks = agent.sample_tasks()
    policies = [start] * len(tasks)
    with RolloutEngine(agent.benchmark.train, start.policy) as engine:
        for stream in (
            agent._stream.child(Purpose.SUPPORT, 0).child(0),
            agent._stream.child(Purpose.QUERY, 0),
        ):
            data = engine.collect(tasks, [p.params for p in policies], stream, num_episodes=2)
            # Of two steps, none is a later one.
            agent._test_learner.adapter.trained_steps = 2
            policies = [agent.adapt_step(p, data.task(i)) for i, p in enumerate(policies)]
    moved = after(1, agent)
    for name, value in start.params.items():
        goal = torch.stack([policy.params[name] for policy in policies]).mean(0)
        assert not torch.equal(goal, value)
        expected = value + 0.5 * (goal - value)
        torch.testing.assert_close(moved[f"policy.{name}"], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "setting",
    [
        {"outer_lr": 0.5},
        {"optimizer": "Adam"},
        {"max_grad_norm": 1e-3},
        {"inner_lr": 0.01},
        {"num_inner_steps": 3},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_every_setting_reaches_training(setting: dict[str, Any]) -> None:
    assert not identical(after(1, small_agent(Reptile)), after(1, small_agent(Reptile, **setting)))


def test_the_moments_of_an_optimiser_survive_a_round_trip(tmp_path: Path) -> None:
    settings = {"optimizer": "Adam", "outer_lr": 0.01}
    agent = small_agent(Reptile, **settings)
    after(1, agent)
    agent.save(tmp_path / "agent")
    loaded = Reptile.load(tmp_path / "agent", navigation(max_episode_steps=HORIZON))
    assert identical(after(1, loaded), after(2, small_agent(Reptile, **settings)))


@pytest.mark.parametrize("outer", ["trpo", "ppo"])
def test_an_outer_step_that_needs_a_gradient_is_refused(outer: str) -> None:
    with pytest.raises(ConfigError, match=f"outer: got '{outer}'; .*Reptile"):
        small_agent(Reptile, outer=outer)


@pytest.mark.parametrize("name", ["inner_kl_coef", "sampling_coef"])
def test_a_term_of_an_objective_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name}: got 0\.5; must be 0.*Reptile"):
        small_agent(Reptile, **{name: 0.5})


def test_an_inner_rate_at_which_nothing_is_learned_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"inner_lr: got 0; .*greater than 0"):
        small_agent(Reptile, inner_lr=0)


def test_its_control_is_maml_on_the_same_network_and_experience() -> None:
    settings = {"inner_lr": 0.2, "num_inner_steps": 3, "gamma": 0.9}
    found = small_agent(Reptile, optimizer="Adam", outer_lr=0.5, **settings).control_settings()
    assert found is not None
    assert found[0] == "maml"
    rates = {"inner_lr": 0.0, "adaptation_lr": 0.2}
    expected = small_agent(MAML, **{**settings, **rates}).config
    assert MAML.config_type(**found[1]) == expected
