from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

from metarl.agents.maml import MAML
from metarl.envs.navigation import NavigationTasks, navigation, navigation_task
from metarl.errors import CheckpointError, ConfigError, ManifestMismatchError
from metarl.objective import MetaObjective
from metarl.outer import OuterStep
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from metarl.storage import read_checkpoint, write_checkpoint
from metarl.tasks import FiniteTaskDistribution, Task
from metarl.types import Params
from tests.agents.small import CartPoleTasks, as_benchmark

HORIZON = 8
SMALL: dict[str, Any] = {"hidden_sizes": (8,), "meta_batch_size": 3, "episodes_per_task": 4}


def small_agent(**settings: Any) -> MAML:
    return MAML(navigation(max_episode_steps=HORIZON), **{**SMALL, **settings})


def after(iterations: int, agent: MAML) -> Params:
    with agent:
        for _ in range(iterations):
            agent.train_iteration()
    return agent.meta_params


def identical(one: Params, other: Params) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) for name, value in one.items()
    )


class FiniteNavigation(FiniteTaskDistribution):
    """Three goals."""

    observation_space = NavigationTasks().observation_space
    action_space = NavigationTasks().action_space
    max_episode_steps = HORIZON

    def __init__(self, *, replace: bool = False) -> None:
        goals = [(0.1, 0.2), (0.3, -0.1), (-0.4, 0.0)]
        super().__init__([navigation_task(goal) for goal in goals], replace=replace)

    def make_env(self, task: Task, render_mode: str | None = None) -> gymnasium.Env:
        return NavigationTasks(HORIZON).make_env(task, render_mode)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inner_lr": -0.1}, r"inner_lr: got -0\.1; .*greater than or equal to 0"),
        ({"inner_lr": float("nan")}, "inner_lr: got nan; .*finite"),
        ({"max_kl": 0}, "max_kl: got 0; .*greater than 0"),
        ({"gamma": 1.5}, r"gamma: got 1\.5; .*less than or equal to 1"),
        ({"num_inner_steps": 0}, "num_inner_steps: got 0; .*greater than or equal to 1"),
        ({"meta_batch_size": 2.5}, r"meta_batch_size: got 2\.5; .*integer"),
        ({"inner_loss": "mse"}, "inner_loss: got 'mse'; .*'ratio'"),
        ({"iner_lr": 0.1}, "iner_lr: no such setting; did you mean inner_lr"),
        ({"zzz": 1}, "zzz: no such setting; known: hidden_sizes"),
        ({"hidden_sizes": (8, 0)}, r"hidden_sizes\.1: got 0; .*equal to 1"),
        ({"device": "gpu"}, "device: got 'gpu'; can't be used here"),
        (
            {"inner_loss": "dice", "fisher_support_stride": 2},
            "fisher_support_stride: got 2; must be 1 with inner_loss dice",
        ),
        ({"seed": -1}, "seed: got -1; must be at least 0"),
        ({"num_workers": -1}, "num_workers: got -1; must be at least 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small_agent(**settings)


def test_all_faults_of_the_settings_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        small_agent(inner_lr=-1.0, gamma=2.0, episode_per_task=3)
    assert "inner_lr" in str(caught.value)
    assert "gamma" in str(caught.value)
    assert "did you mean episodes_per_task" in str(caught.value)


def test_a_meta_batch_that_the_tasks_can_not_fill_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match=r"meta_batch_size: .*got 5.*at most 3"):
        MAML(as_benchmark(FiniteNavigation()), **{**SMALL, "meta_batch_size": 5})


def test_a_meta_batch_may_repeat_tasks_where_they_are_drawn_with_replacement() -> None:
    agent = MAML(as_benchmark(FiniteNavigation(replace=True)), **{**SMALL, "meta_batch_size": 5})
    assert not identical(agent.meta_params, after(1, agent))


def test_one_seed_gives_the_same_bits_with_and_without_workers() -> None:
    alone = after(3, small_agent(seed=3, num_workers=0))
    assert identical(alone, after(3, small_agent(seed=3, num_workers=2)))
    assert not identical(alone, after(0, small_agent(seed=3)))


def test_other_seeds_give_other_bits() -> None:
    assert not identical(after(1, small_agent(seed=3)), after(1, small_agent(seed=4)))


def test_results_do_not_depend_on_global_random_state() -> None:
    torch.manual_seed(0)
    one = after(2, small_agent())
    torch.manual_seed(1)
    assert identical(one, after(2, small_agent()))


def test_going_on_after_a_round_trip_to_disk_equals_never_having_stopped(tmp_path: Path) -> None:
    uninterrupted = after(5, small_agent(seed=1))
    agent = small_agent(seed=1)
    after(3, agent)
    agent.save(tmp_path / "agent")
    loaded = MAML.load(tmp_path / "agent", navigation(max_episode_steps=HORIZON))
    assert identical(loaded.meta_params, agent.meta_params)
    assert loaded.config == agent.config
    assert (loaded.seed, loaded.iteration) == (1, 3)
    assert loaded.num_timesteps == agent.num_timesteps == 3 * agent.timesteps_per_iteration
    assert identical(after(2, loaded), uninterrupted)


def test_learning_goes_on_from_the_steps_already_taken(tmp_path: Path) -> None:
    with small_agent() as agent:
        agent.learn(2 * agent.timesteps_per_iteration).save(tmp_path / "agent")
        total = 3 * agent.timesteps_per_iteration
        agent.learn(total)
    with MAML.load(tmp_path / "agent", navigation(max_episode_steps=HORIZON)) as loaded:
        loaded.learn(total)
        assert loaded.iteration == agent.iteration == 3
        assert identical(loaded.meta_params, agent.meta_params)
        assert loaded.learn(total).iteration == 3


def test_saving_twice_keeps_the_later_state(tmp_path: Path) -> None:
    agent = small_agent()
    agent.save(tmp_path / "agent")
    after(1, agent)
    agent.save(tmp_path / "agent")
    loaded = MAML.load(tmp_path / "agent", navigation(max_episode_steps=HORIZON))
    assert identical(loaded.meta_params, agent.meta_params)


def test_loading_on_another_benchmark_says_what_differs(tmp_path: Path) -> None:
    small_agent().save(tmp_path / "agent")
    with pytest.raises(ManifestMismatchError) as caught:
        MAML.load(tmp_path / "agent", navigation(seed=7, max_episode_steps=HORIZON + 1))
    message = str(caught.value)
    assert "seed: saved 0, now 7" in message
    assert f"train.max_episode_steps: saved {HORIZON}, now {HORIZON + 1}" in message
    assert "settings" not in message


@pytest.mark.parametrize("name", ["params.safetensors", "state.json", "sha256.json"])
@pytest.mark.parametrize("position", [20, -20])
def test_loading_a_damaged_file_is_refused(tmp_path: Path, name: str, position: int) -> None:
    path = tmp_path / "agent"
    small_agent().save(path)
    content = bytearray((path / name).read_bytes())
    content[position] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="agent"):
        MAML.load(path, navigation(max_episode_steps=HORIZON))


@pytest.mark.parametrize("name", ["params.safetensors", "state.json", "sha256.json"])
def test_loading_an_incomplete_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "agent"
    small_agent().save(path)
    (path / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        MAML.load(path, navigation(max_episode_steps=HORIZON))


def test_loading_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere.*no such folder"):
        MAML.load(tmp_path / "nowhere", navigation(max_episode_steps=HORIZON))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"algorithm": "other"}, "'other'"), ({"config": {"hidden_sizes": [9]}}, "don't fit")],
)
def test_loading_what_another_agent_saved_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "agent"
    small_agent().save(path)
    params, state = read_checkpoint(path)
    write_checkpoint(path, params, {**state, **change})
    with pytest.raises(CheckpointError, match=message):
        MAML.load(path, navigation(max_episode_steps=HORIZON))


def test_brief_training_makes_adaptation_worth_more() -> None:
    benchmark = navigation(max_episode_steps=20)
    agent = MAML(benchmark, inner_lr=0.5, meta_batch_size=10, hidden_sizes=(32,), fisher_stride=5)
    tasks = benchmark.test.sample(12, Stream(1).numpy())

    def mean_return(num_steps: int) -> float:
        policies = [agent.adapt(task, num_steps=num_steps, num_episodes=20) for task in tasks]
        assert {policy.num_steps for policy in policies} == {num_steps}
        with RolloutEngine(benchmark.test, policies[0].policy) as engine:
            episodes = engine.collect(
                tasks,
                [policy.params for policy in policies],
                Stream(2),
                num_episodes=1,
                deterministic=True,
            )
        return episodes.returns.mean().item()

    untrained = mean_return(num_steps=1)
    after(6, agent)
    adapted = mean_return(num_steps=1)
    assert adapted > mean_return(num_steps=0) + 2.0
    assert adapted > untrained + 1.0


class Recorder(OuterStep):
    """Keeps the objective and stays where it is."""

    objective: MetaObjective

    def step(self, meta_params: Params, objective: Any) -> tuple[Params, dict[str, float]]:
        self.objective = objective
        return meta_params, {}


@pytest.mark.parametrize("num_inner_steps", [1, 2])
def test_query_experience_stems_from_the_adapted_policies(num_inner_steps: int) -> None:
    agent = small_agent(inner_lr=2.0, num_inner_steps=num_inner_steps)
    agent._outer = recorder = Recorder()
    after(1, agent)
    _, kl = recorder.objective.evaluate(agent.meta_params)
    assert kl == pytest.approx(0, abs=1e-6)
    agent._learner.adapter.inner_lr = 1.0
    _, kl = recorder.objective.evaluate(agent.meta_params)
    assert kl > 1e-3


def test_iterations_draw_new_tasks_and_new_noise() -> None:
    agent = small_agent()
    agent._outer = Recorder()  # the parameters stay, so only the randomness moves
    with agent:
        first, second = agent.train_iteration(), agent.train_iteration()
    assert first["pre/return"] != second["pre/return"]


def test_support_and_query_noise_differ() -> None:
    agent = small_agent(inner_lr=0.0)
    agent._outer = Recorder()
    with agent:
        figures = agent.train_iteration()
    assert figures["pre/return"] != figures["post/return"]


@pytest.mark.parametrize(
    "setting",
    [
        {"inner_lr": 0.3},
        {"first_order": True},
        {"inner_loss": "log_prob"},
        {"num_inner_steps": 2},
        {"fisher_stride": 1},
        {"fisher_support_stride": 2},
        {"gamma": 0.5},
        {"gae_lambda": 0.5},
        {"init_std": 0.5},
        {"episodes_per_task": 5},
        {"meta_batch_size": 4},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_every_setting_reaches_training(setting: dict[str, Any]) -> None:
    assert not identical(after(1, small_agent()), after(1, small_agent(**setting)))


def test_every_setting_of_the_outer_step_reaches_it() -> None:
    settings = {
        "max_kl": 0.5,
        "cg_iterations": 3,
        "cg_damping": 0.2,
        "backtrack_ratio": 0.6,
        "max_backtracks": 4,
    }
    assert vars(small_agent(**settings)._outer) == settings


@pytest.mark.parametrize("setting", [{"adaptation_lr": 0.9}, {"later_step_scale": 0.1}])
def test_settings_of_adaptation_after_training_do_not_touch_training(
    setting: dict[str, Any],
) -> None:
    plain, other = small_agent(), small_agent(**setting)
    assert identical(after(1, plain), after(1, other))
    task = navigation_task((0.3, 0.3))
    adapted = [agent.adapt(task, num_steps=2, num_episodes=4).params for agent in (plain, other)]
    assert not identical(adapted[0], adapted[1])


def test_adaptation_steps_beyond_those_trained_are_shorter() -> None:
    agent = small_agent(inner_lr=0.1, later_step_scale=0.5)
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
    agent = small_agent(inner_lr=0.0)
    after(1, agent)
    adapted = agent.adapt(navigation_task((0.3, 0.3)), num_steps=2, num_episodes=4)
    assert identical(adapted.params, agent.unadapted().params)


def test_adapting_leaves_the_agent_as_it_was() -> None:
    agent = small_agent(inner_lr=1.0)
    before = {name: value.clone() for name, value in agent.meta_params.items()}
    adapted = agent.adapt(navigation_task((0.3, 0.3)), num_episodes=4)
    assert not identical(adapted.params, agent.unadapted().params)
    assert identical(agent.meta_params, before)


def test_adapting_is_a_function_of_the_seed() -> None:
    agent, task = small_agent(), navigation_task((0.3, 0.3))
    one, same, other = (agent.adapt(task, seed=seed).params for seed in (1, 1, 2))
    assert identical(one, same)
    assert not identical(one, other)


@pytest.mark.parametrize("settings", [{"num_steps": -1}, {"num_episodes": 0}])
def test_adapting_refuses_numbers_out_of_range(settings: dict[str, int]) -> None:
    ((name, value),) = settings.items()
    with pytest.raises(ConfigError, match=f"{name}: got {value}"):
        small_agent().adapt(navigation_task((0.3, 0.3)), **settings)


def test_a_callback_that_returns_false_ends_learning() -> None:
    seen: list[tuple[MAML, int]] = []

    def stop_at_two(agent: MAML, figures: Mapping[str, float]) -> bool | None:
        seen.append((agent, int(figures["iteration"])))
        return False if figures["iteration"] == 2 else None

    with small_agent() as agent:
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

    with small_agent() as agent:
        agent.learn(10**6, [stop, go_on])
    assert calls == ["stop", "go on"]


def test_learning_ends_with_the_iteration_that_reaches_the_total() -> None:
    with small_agent(num_inner_steps=2) as agent:
        assert agent.timesteps_per_iteration == 3 * 4 * HORIZON * 3
        assert agent.learn(agent.timesteps_per_iteration + 1) is agent
        assert agent.iteration == 2
        assert agent.num_timesteps == 2 * agent.timesteps_per_iteration


def test_figures_say_how_the_iteration_went() -> None:
    with small_agent() as agent:
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


def test_predict_shapes() -> None:
    agent = small_agent()
    one, state = agent.predict(np.zeros(2, dtype=np.float32))
    many, _ = agent.predict(np.zeros((5, 2), dtype=np.float32), deterministic=True)
    assert state is None
    assert one.shape == (2,)
    assert many.shape == (5, 2)
    assert spaces.Box(-1, 1, (2,), np.float32).contains(one)


def test_predict_samples_anew_each_time() -> None:
    agent, observation = small_agent(), np.zeros(2, dtype=np.float32)
    assert not np.array_equal(agent.predict(observation)[0], agent.predict(observation)[0])


def test_predict_follows_training() -> None:
    agent, observation = small_agent(), np.ones(2, dtype=np.float32)
    before, _ = agent.predict(observation, deterministic=True)
    after(1, agent)
    now, _ = agent.predict(observation, deterministic=True)
    expected, _ = agent.unadapted().predict(observation, deterministic=True)
    assert not np.array_equal(before, now)
    np.testing.assert_array_equal(now, expected)


@pytest.mark.parametrize("deterministic", [True, False])
def test_stable_baselines_evaluates_adapted_policies_as_they_are(deterministic: bool) -> None:
    task = navigation_task((0.3, 0.3))
    agent = small_agent()
    env = Monitor(agent.benchmark.train.make_env(task))
    adapted = agent.adapt(task, num_episodes=4)
    mean, deviation = evaluate_policy(adapted, env, n_eval_episodes=3, deterministic=deterministic)
    assert -10 < mean < 0
    assert (deviation < 1e-9) == deterministic


def test_closing_twice_is_fine_and_training_can_go_on() -> None:
    agent = small_agent()
    assert not identical(after(1, agent), after(1, agent))
    agent.close()
    agent.close()
