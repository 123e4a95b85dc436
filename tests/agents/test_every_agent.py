"""What must hold for every agent on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from metarl.agents import ALGORITHMS
from metarl.cli import load_run, main
from metarl.envs.navigation import navigation, navigation_task
from metarl.errors import ConfigError
from metarl.evaluation import evaluate
from tests.agents.small import (
    HORIZON,
    SMALL,
    CartPoleTasks,
    after,
    as_benchmark,
    identical,
    small_agent,
)

FLAGS = [
    *("--benchmark", "navigation", "--max-episode-steps", str(HORIZON)),
    *("--hidden-sizes", "4", "--meta-batch-size", "3", "--episodes-per-task", "2"),
    *("--num-workers", "0"),
]

WITHOUT_A_RATE_THAT_COULD_BE_0 = (
    *("meta-sgd", "leo", "lstm-meta-learner"),
    *("learned-optimiser", "hypergradient", "imaml"),
)

every_agent = pytest.mark.parametrize("name", ALGORITHMS)


@every_agent
def test_trains_is_saved_loaded_and_evaluated_from_the_command_line(
    name: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    total = 2 * small_agent(ALGORITHMS[name]).timesteps_per_iteration
    assert main(["train", name, *FLAGS, "--total-timesteps", str(total), "--run", str(run)]) == 0
    agent = load_run(run)
    assert type(agent) is ALGORITHMS[name]
    assert agent.iteration == 2
    assert identical(agent.meta_params, after(2, small_agent(ALGORITHMS[name])))
    evaluation = evaluate(
        agent, num_tasks=2, num_adaptation_steps=2, adaptation_episodes=3, num_workers=0
    )
    assert len(evaluation.rows) == 2 * 3
    assert all(np.isfinite(row.episode_return) for row in evaluation.rows)


@every_agent
def test_going_on_after_a_round_trip_to_disk_equals_never_having_stopped(
    name: str, tmp_path: Path
) -> None:
    agent = small_agent(ALGORITHMS[name], seed=1)
    after(1, agent)
    agent.save(tmp_path / "agent")
    loaded = ALGORITHMS[name].load(tmp_path / "agent", navigation(max_episode_steps=HORIZON))
    assert loaded.config == agent.config
    assert identical(loaded.meta_params, agent.meta_params)
    task = navigation_task((0.3, -0.2))
    adapted = [
        one.adapt(task, num_steps=2, num_episodes=3, seed=5).params for one in (agent, loaded)
    ]
    assert identical(*adapted)
    before = agent.meta_params
    assert identical(after(1, loaded), after(1, agent))
    assert not identical(before, agent.meta_params)


@every_agent
def test_training_moves_all_that_is_learned(name: str) -> None:
    agent = small_agent(ALGORITHMS[name], num_inner_steps=2)
    start = agent.meta_params
    after(2, agent)
    stuck = [key for key, value in agent.meta_params.items() if torch.equal(value, start[key])]
    assert not stuck


@every_agent
def test_adaptation_changes_how_the_agent_acts(name: str) -> None:
    agent = small_agent(ALGORITHMS[name])
    adapted = agent.adapt(navigation_task((0.4, 0.4)), num_episodes=4, trace=True)
    observation = np.full(2, 0.3, dtype=np.float32)
    before, _ = agent.unadapted().predict(observation, deterministic=True)
    now, _ = adapted.predict(observation, deterministic=True)
    assert adapted.num_steps == 1
    (trace,) = adapted.trace
    assert trace.kl > 0
    assert np.isfinite(now).all()
    assert not np.array_equal(before, now)


@every_agent
def test_trains_on_discrete_actions_and_episodes_that_end_early(name: str) -> None:
    agent = ALGORITHMS[name](as_benchmark(CartPoleTasks()), **SMALL)
    before = agent.meta_params
    trained = after(1, agent)
    assert agent.num_timesteps < agent.timesteps_per_iteration
    assert all(torch.isfinite(value).all() for value in trained.values())
    assert not identical(before, trained)


@every_agent
def test_its_control_trains_the_whole_policy_at_inner_rate_0(name: str) -> None:
    agent = small_agent(ALGORITHMS[name])
    found = agent.control_settings()
    assert (found is None) == (name in WITHOUT_A_RATE_THAT_COULD_BE_0)
    if found is None:
        return
    algorithm, settings = found
    control = small_agent(ALGORITHMS[algorithm], **settings)
    assert agent.config.model_dump()["inner_lr"] == settings["adaptation_lr"]
    assert settings["inner_lr"] == 0
    assert control.timesteps_per_iteration == agent.timesteps_per_iteration
    before = control.unadapted().params
    after(1, control)
    trained = control.unadapted().params
    # CAVIA's context is adapted, never learned.
    assert all(not torch.equal(trained[key], before[key]) for key in trained if key != "context")


@every_agent
def test_it_can_be_adapted_at_another_rate_if_its_settings_have_one(name: str) -> None:
    agent = small_agent(ALGORITHMS[name])
    after(1, agent)
    if "adaptation_lr" not in agent.config_type.model_fields:
        with pytest.raises(ConfigError, match=r"adaptation_lr: got 0\.7; the adaptation of"):
            agent.with_adaptation_lr(0.7)
        return
    other = agent.with_adaptation_lr(0.7)
    assert other.config == agent.config.model_copy(update={"adaptation_lr": 0.7})
    assert (other.iteration, other.num_timesteps) == (agent.iteration, agent.num_timesteps)
    assert identical(other.meta_params, agent.meta_params)
    alone = agent.with_adaptation_lr(0.0)
    own, same, far, still = (
        one.adapt(navigation_task((0.3, 0.3)), num_steps=2, num_episodes=4).params
        for one in (agent, agent.with_adaptation_lr(agent.config.rate(testing=True)), other, alone)
    )
    assert identical(own, same)
    assert identical(still, alone.unadapted().params)
    assert not identical(own, far)
    with pytest.raises(ConfigError, match="adaptation_lr"):
        agent.with_adaptation_lr(-0.1)
    # Training doesn't know of the rate, and neither agent of the other's going on.
    assert identical(after(1, other), after(1, agent))
    assert identical(after(1, other), after(1, agent))


@every_agent
def test_every_setting_is_described(name: str) -> None:
    fields = ALGORITHMS[name].config_type.model_fields
    assert all(field.description for field in fields.values())
    assert ALGORITHMS[name].__doc__


@every_agent
def test_settings_are_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match="meta_batch_siz: no such setting; did you mean"):
        small_agent(ALGORITHMS[name], meta_batch_siz=3)


@pytest.mark.slow
@every_agent
def test_one_seed_gives_the_same_bits_with_and_without_workers(name: str) -> None:
    alone = after(2, small_agent(ALGORITHMS[name], seed=3))
    assert identical(alone, after(2, small_agent(ALGORITHMS[name], seed=3, num_workers=2)))
