"""Adapting and acting after training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

from metarl.agents import CAVIA, MAML, LearnedOptimiser, MetaPolicyGradient, MetaSGD
from metarl.envs.navigation import navigation_task
from metarl.errors import ConfigError
from metarl.evaluation import evaluate
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from tests.agents.small import after, identical, small_agent


def test_adaptation_steps_beyond_those_trained_are_shorter() -> None:
    agent = small_agent(MAML, inner_lr=0.1, later_step_scale=0.5)
    start = agent.unadapted()
    with RolloutEngine(agent.benchmark.train, start.policy) as engine:
        support = engine.collect(
            [navigation_task((0.3, 0.3))], start.params, Stream(0), num_episodes=4
        )
    first = agent.adapt_step(start, support)
    start.adaptation = replace(start.adaptation, step=1)
    second = agent.adapt_step(start, support)
    assert (first.num_steps, second.num_steps) == (1, 2)
    for name, value in start.params.items():
        torch.testing.assert_close(
            second.params[name] - value, 0.5 * (first.params[name] - value), rtol=1e-3, atol=1e-6
        )


def test_with_an_inner_rate_of_zero_adaptation_changes_no_bit() -> None:
    agent = small_agent(MAML, inner_lr=0.0)
    after(1, agent)
    adapted = agent.adapt(navigation_task((0.3, 0.3)), num_steps=2, num_episodes=4)
    assert identical(adapted.params, agent.unadapted().params)


def test_adapting_leaves_the_agent_as_it_was() -> None:
    agent = small_agent(MAML, inner_lr=1.0)
    before = {name: value.clone() for name, value in agent.meta_params.items()}
    adapted = agent.adapt(navigation_task((0.3, 0.3)), num_episodes=4)
    assert not identical(adapted.params, agent.unadapted().params)
    assert identical(agent.meta_params, before)


def test_adapting_is_a_function_of_the_seed() -> None:
    agent, task = small_agent(MAML), navigation_task((0.3, 0.3))
    one, same, other = (agent.adapt(task, seed=seed).params for seed in (1, 1, 2))
    assert identical(one, same)
    assert not identical(one, other)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("kind", [MAML, MetaSGD, CAVIA, LearnedOptimiser])
def test_adapting_is_the_same_where_gradients_are_off(
    kind: type[MetaPolicyGradient[Any]], mode: Callable[[], AbstractContextManager[None]]
) -> None:
    agent, task = small_agent(kind), navigation_task((0.3, 0.3))

    def results() -> tuple[Any, ...]:
        policy = agent.adapt(task, num_steps=2, num_episodes=3, trace=True)
        assert not any(value.requires_grad for value in policy.params.values())
        rows = evaluate(agent, num_tasks=1, adaptation_episodes=2).rows
        return policy.params, policy.trace, rows

    params, *rest = results()
    with mode():
        found, *others = results()
    assert identical(found, params)
    assert others == rest


def test_an_agent_made_in_inference_mode_adapts() -> None:
    with torch.inference_mode():
        agent = small_agent(MetaSGD)
        found = agent.adapt(navigation_task((0.3, 0.3)), num_steps=2, num_episodes=3)
    expected = small_agent(MetaSGD).adapt(navigation_task((0.3, 0.3)), num_steps=2, num_episodes=3)
    assert identical(found.params, expected.params)


@pytest.mark.parametrize("settings", [{"num_steps": -1}, {"num_episodes": 0}])
def test_adapting_refuses_numbers_out_of_range(settings: dict[str, int]) -> None:
    ((name, value),) = settings.items()
    with pytest.raises(ConfigError, match=f"{name}: got {value}"):
        small_agent(MAML).adapt(navigation_task((0.3, 0.3)), **settings)


def test_predict_shapes() -> None:
    agent = small_agent(MAML)
    one, state = agent.predict(np.zeros(2, dtype=np.float32))
    many, _ = agent.predict(np.zeros((5, 2), dtype=np.float32), deterministic=True)
    assert state is None
    assert one.shape == (2,)
    assert many.shape == (5, 2)
    assert spaces.Box(-1, 1, (2,), np.float32).contains(one)


def test_predict_samples_anew_each_time() -> None:
    agent, observation = small_agent(MAML), np.zeros(2, dtype=np.float32)
    assert not np.array_equal(agent.predict(observation)[0], agent.predict(observation)[0])


def test_predict_follows_training() -> None:
    agent, observation = small_agent(MAML), np.ones(2, dtype=np.float32)
    before, _ = agent.predict(observation, deterministic=True)
    after(1, agent)
    now, _ = agent.predict(observation, deterministic=True)
    expected, _ = agent.unadapted().predict(observation, deterministic=True)
    assert not np.array_equal(before, now)
    np.testing.assert_array_equal(now, expected)


@pytest.mark.parametrize("deterministic", [True, False])
def test_stable_baselines_evaluates_adapted_policies_as_they_are(deterministic: bool) -> None:
    task = navigation_task((0.3, 0.3))
    agent = small_agent(MAML)
    env = Monitor(agent.benchmark.train.make_env(task))
    adapted = agent.adapt(task, num_episodes=4)
    mean, deviation = evaluate_policy(adapted, env, n_eval_episodes=3, deterministic=deterministic)
    assert -10 < mean < 0
    assert (deviation < 1e-9) == deterministic
