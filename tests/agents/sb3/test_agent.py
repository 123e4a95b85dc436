"""Stable-Baselines3's algorithms as agents: trained on our tasks, evaluated by our protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback

from metarl import evaluate
from metarl.agent import Agent
from metarl.agents import MAML
from metarl.agents.sb3 import SB3Agent
from metarl.envs.goal_observable import goal_observable
from metarl.envs.metaworld import ML1
from metarl.envs.navigation import navigation
from metarl.errors import CheckpointError, ConfigError, ManifestMismatchError
from metarl.tasks import Benchmark

SMALL: dict[str, Any] = {"hidden_sizes": (8, 8), "num_tasks": 4, "rollout_steps": 16}


def benchmark() -> Benchmark:
    return goal_observable(navigation(max_episode_steps=8))


def rows(width: int = 4) -> Any:
    return np.random.default_rng(0).normal(size=(9, width)).astype(np.float32)


def test_ppo_learns_and_acts_as_its_model_does() -> None:
    figures: list[Mapping[str, float]] = []
    with SB3Agent(benchmark(), **SMALL) as agent:
        before = agent.predict(rows(), deterministic=True)[0]
        agent.learn(128, callback=lambda _, found: figures.append(found))
        assert (agent.num_timesteps, agent.iteration) == (128, 2)
        after, _ = agent.predict(rows(), deterministic=True)
        assert not np.array_equal(before, after)
        np.testing.assert_array_equal(after, agent.model.predict(rows(), deterministic=True)[0])
        agent.learn(256)
        assert agent.num_timesteps == 256
        agent.learn(256)  # as many as there are
        assert agent.num_timesteps == 256
    assert [found["timesteps"] for found in figures] == [64, 128]
    assert figures[-1]["pre/return"] == figures[-1]["post/return"] < 0
    assert 0 <= figures[-1]["pre/success_final"] <= 1


def test_sac_learns_and_acts_as_its_model_does() -> None:
    with SB3Agent(benchmark(), algorithm="sac", **SMALL) as agent:
        agent.learn(120)
        ours, _ = agent.predict(rows(), deterministic=True)
        theirs, _ = agent.model.predict(rows(), deterministic=True)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_callbacks_stop_learning_ours_and_theirs() -> None:
    class Theirs(BaseCallback):
        def _on_step(self) -> bool:
            return self.num_timesteps < 8

    def ours(agent: Agent, figures: Mapping[str, float]) -> bool:
        return agent.num_timesteps < 64

    with SB3Agent(benchmark(), **SMALL) as agent:
        agent.learn(10_000, callback=Theirs())
        assert agent.num_timesteps == 8
    with SB3Agent(benchmark(), **SMALL) as agent:
        agent.learn(10_000, callback=[ours])
        assert agent.num_timesteps < 200


def test_it_does_not_adapt() -> None:
    with SB3Agent(benchmark(), **SMALL) as agent:
        found = evaluate(agent, num_tasks=3, num_adaptation_steps=1, adaptation_episodes=1)
    assert found.protocol.num_adaptation_steps == 1
    before, after = (found.per_task("episode_return", step) for step in (0, 1))
    np.testing.assert_array_equal(before, after)


def test_its_tasks_are_those_of_the_hidden_benchmark() -> None:
    """So that its rows can stand beside a meta-learned agent's, task by task."""
    hidden = navigation(max_episode_steps=8)
    with SB3Agent(goal_observable(hidden), **SMALL) as oracle:
        seen = evaluate(oracle, num_tasks=3, num_adaptation_steps=0)
    with MAML(hidden, hidden_sizes=(4,), meta_batch_size=2, episodes_per_task=2) as agent:
        assert evaluate(agent, num_tasks=3, num_adaptation_steps=0).tasks == seen.tasks


def test_it_trains_on_meta_world() -> None:
    reach = goal_observable(ML1("reach-v3", max_episode_steps=16))
    with SB3Agent(reach, **SMALL) as agent:
        agent.learn(64)
        assert agent.iteration == 1


def test_saved_policies_act_but_do_not_learn(tmp_path: Path) -> None:
    with SB3Agent(benchmark(), seed=3, **SMALL) as agent:
        agent.learn(64)
        agent.save(tmp_path / "agent")
    loaded = SB3Agent.load(tmp_path / "agent", benchmark())
    expected = agent.predict(rows(), deterministic=True)[0]
    np.testing.assert_array_equal(loaded.predict(rows(), deterministic=True)[0], expected)
    assert (loaded.seed, loaded.num_timesteps, loaded.iteration) == (3, 64, 1)
    with pytest.raises(ConfigError, match="can't go on learning"):
        loaded.learn(1000)
    loaded.save(tmp_path / "again")
    again = SB3Agent.load(tmp_path / "again", benchmark())
    for name, value in loaded.unadapted().params.items():
        assert torch.equal(value, again.unadapted().params[name])
    with pytest.raises(ManifestMismatchError):
        SB3Agent.load(tmp_path / "agent", navigation(max_episode_steps=8))


def test_another_agent_s_checkpoint_is_refused(tmp_path: Path) -> None:
    hidden = navigation(max_episode_steps=8)
    MAML(hidden, meta_batch_size=2).save(tmp_path / "maml")
    with pytest.raises(CheckpointError, match="'maml', not 'sb3'"):
        SB3Agent.load(tmp_path / "maml", hidden)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"algorithm": "dqn"}, ["algorithm", "'dqn'", "'ppo' or 'sac'"]),
        ({"seed": -1}, ["seed", "-1", "at least 0"]),
        ({"hidden_sizes": ()}, ["hidden_sizes"]),
        ({"rollout_steps": 20}, ["rollout_steps", "20", "16"]),
        ({"horizon": 3}, ["horizon", "no such setting"]),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        SB3Agent(benchmark(), **settings)
    assert all(word in str(caught.value) for word in words)
