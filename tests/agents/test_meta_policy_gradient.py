"""The training loop that gradient-based agents share; by MAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from metarl.agents.maml import MAML
from metarl.objective import MetaObjective
from metarl.outer import OuterStep
from metarl.types import Params
from tests.agents.small import (
    HORIZON,
    SMALL,
    CartPoleTasks,
    after,
    as_benchmark,
    identical,
    small_agent,
)


def test_one_seed_gives_the_same_bits_with_and_without_workers() -> None:
    alone = after(3, small_agent(MAML, seed=3, num_workers=0))
    assert identical(alone, after(3, small_agent(MAML, seed=3, num_workers=2)))
    assert not identical(alone, after(0, small_agent(MAML, seed=3)))


def test_other_seeds_give_other_bits() -> None:
    assert not identical(after(1, small_agent(MAML, seed=3)), after(1, small_agent(MAML, seed=4)))


def test_results_do_not_depend_on_global_random_state() -> None:
    torch.manual_seed(0)
    one = after(2, small_agent(MAML))
    torch.manual_seed(1)
    assert identical(one, after(2, small_agent(MAML)))


class Recorder(OuterStep):
    """Keeps the objective and stays where it is."""

    objective: MetaObjective

    def step(self, meta_params: Params, objective: Any) -> tuple[Params, dict[str, float]]:
        self.objective = objective
        return meta_params, {}


@pytest.mark.parametrize("num_inner_steps", [1, 2])
def test_query_experience_stems_from_the_adapted_policies(num_inner_steps: int) -> None:
    agent = small_agent(MAML, inner_lr=2.0, num_inner_steps=num_inner_steps)
    agent._outer = recorder = Recorder()
    after(1, agent)
    _, kl = recorder.objective.evaluate(agent.meta_params)
    assert kl == pytest.approx(0, abs=1e-6)
    agent._learner.adapter.inner_lr = 1.0
    _, kl = recorder.objective.evaluate(agent.meta_params)
    assert kl > 1e-3


def test_iterations_draw_new_tasks_and_new_noise() -> None:
    agent = small_agent(MAML)
    agent._outer = Recorder()  # the parameters stay, so only the randomness moves
    with agent:
        first, second = agent.train_iteration(), agent.train_iteration()
    assert first["pre/return"] != second["pre/return"]


def test_support_and_query_noise_differ() -> None:
    agent = small_agent(MAML, inner_lr=0.0)
    agent._outer = Recorder()
    with agent:
        figures = agent.train_iteration()
    assert figures["pre/return"] != figures["post/return"]


def test_a_callback_that_returns_false_ends_learning() -> None:
    seen: list[tuple[MAML, int]] = []

    def stop_at_two(agent: MAML, figures: Mapping[str, float]) -> bool | None:
        seen.append((agent, int(figures["iteration"])))
        return False if figures["iteration"] == 2 else None

    with small_agent(MAML) as agent:
        agent.learn(10**6, stop_at_two)
    assert agent.iteration == 2
    assert seen == [(agent, 1), (agent, 2)]


def test_every_callback_is_called_even_when_an_earlier_one_stops() -> None:
    calls: list[str] = []

    def stop(agent: MAML, figures: Mapping[str, float]) -> bool:
        calls.append("stop")
        return False

    def go_on(agent: MAML, figures: Mapping[str, float]) -> None:
        calls.append("go on")

    with small_agent(MAML) as agent:
        agent.learn(10**6, [stop, go_on])
    assert calls == ["stop", "go on"]


def test_learning_ends_with_the_iteration_that_reaches_the_total() -> None:
    with small_agent(MAML, num_inner_steps=2) as agent:
        assert agent.timesteps_per_iteration == 3 * 2 * HORIZON * 3
        assert agent.learn(agent.timesteps_per_iteration + 1) is agent
        assert agent.iteration == 2
        assert agent.num_timesteps == 2 * agent.timesteps_per_iteration


def test_figures_say_how_the_iteration_went() -> None:
    with small_agent(MAML) as agent:
        figures = agent.train_iteration()
    assert figures["iteration"] == 1
    assert figures["timesteps"] == agent.num_timesteps
    assert figures["pre/return"] < 0
    assert 0 <= figures["post/success_final"] <= figures["post/success_any"] <= 1
    assert figures["outer/accepted"] == 1.0
    assert 0 < figures["outer/kl"] <= agent.config.max_kl
    assert figures["outer/loss_after"] < figures["outer/loss_before"]
    assert all(np.isfinite(value) for value in figures.values())


def test_trains_on_discrete_actions_and_episodes_that_end_early() -> None:
    agent = MAML(as_benchmark(CartPoleTasks()), **SMALL)
    before = agent.meta_params
    with agent:
        figures = agent.train_iteration()
    assert agent.num_timesteps < agent.timesteps_per_iteration
    assert "pre/success_any" not in figures
    assert figures["outer/accepted"] == 1.0
    assert not identical(before, agent.meta_params)
    action, _ = agent.predict(np.zeros(4, dtype=np.float32))
    assert agent.benchmark.train.action_space.contains(action)
