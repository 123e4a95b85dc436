"""Policies go to Stable-Baselines3 and come back with the same numbers."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, PPO, SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from metarl import Benchmark, Task, TaskDistribution, evaluate
from metarl.agents import MAML
from metarl.agents.sb3 import SB3VecEnv, export_ppo, import_params
from metarl.envs.metaworld import ML1
from metarl.envs.navigation import NavigationEnv, navigation
from metarl.errors import ConfigError
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from tests.agents.small import CartPoleTasks

HORIZON = 12
SMALL: dict[str, Any] = {"hidden_sizes": (16, 8), "meta_batch_size": 2, "episodes_per_task": 4}
SHORT: dict[str, Any] = {"n_steps": 16, "batch_size": 16, "n_epochs": 1, "seed": 0, "device": "cpu"}


def benchmark_of(kind: str) -> Benchmark:
    if kind == "navigation":
        return navigation(max_episode_steps=HORIZON)
    if kind == "reach":
        return ML1("reach-v3", max_episode_steps=HORIZON)
    return Benchmark("cartpoles", CartPoleTasks(), CartPoleTasks(), seed=0, settings={})


def adapted(kind: str) -> tuple[Any, Task, TaskDistribution]:
    """An adapted policy, its task, and where the task's environment comes from."""
    benchmark = benchmark_of(kind)
    agent = MAML(benchmark, **SMALL)
    test = benchmark.test
    assert test is not None
    task = test.sample(1, np.random.default_rng(7))[0]
    return agent.adapt(task, num_steps=2, num_episodes=4, distribution=test), task, test


def observations_of(space: spaces.Space[Any], rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    assert space.shape is not None
    return rng.normal(size=(rows, *space.shape)).astype(space.dtype)


@pytest.mark.parametrize("kind", ["navigation", "cartpole", "reach"])
def test_exported_ppo_acts_as_the_adapted_policy_to_the_bit(kind: str) -> None:
    policy, task, distribution = adapted(kind)
    model = export_ppo(policy, distribution.make_env(task), **SHORT)
    for rows in (1, 2, 7, 64):
        batch = observations_of(policy.observation_space, rows)
        ours, _ = policy.predict(batch, deterministic=True)
        theirs, _ = model.predict(batch, deterministic=True)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    single = observations_of(policy.observation_space, 1)[0]
    np.testing.assert_array_equal(
        policy.predict(single, deterministic=True)[0], model.predict(single, deterministic=True)[0]
    )


def test_exported_ppo_goes_on_learning_from_the_adapted_policy() -> None:
    policy, task, distribution = adapted("navigation")
    model = export_ppo(policy, distribution.make_env(task), **SHORT)
    before = import_params(model)
    for name, value in policy.params.items():
        torch.testing.assert_close(before[name], value, rtol=0, atol=0)
    model.learn(32)
    assert model.num_timesteps == 32
    assert any(not torch.equal(value, before[name]) for name, value in import_params(model).items())


def test_exported_ppo_keeps_the_choices_that_remain() -> None:
    policy, task, distribution = adapted("navigation")
    model = export_ppo(
        policy,
        distribution.make_env(task),
        policy_kwargs={"net_arch": {"vf": [5]}, "optimizer_kwargs": {"eps": 1e-3}},
        **SHORT,
    )
    assert [layer.out_features for layer in model.policy.mlp_extractor.value_net[::2]] == [5]
    assert model.policy.optimizer.defaults["eps"] == 1e-3


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_a_policy_of_stable_baselines_is_where_maml_starts(algorithm: Any) -> None:
    benchmark = navigation(max_episode_steps=HORIZON)
    env = make_vec_env(lambda: NavigationEnv(max_episode_steps=HORIZON), n_envs=2)
    model = algorithm("MlpPolicy", env, n_steps=32, seed=0, device="cpu")
    model.learn(64)
    agent = MAML(benchmark, **{**SMALL, "hidden_sizes": (64, 64)})
    batch = observations_of(env.observation_space, 7)
    other = agent.predict(batch, deterministic=True)[0]
    agent.set_initial_params(import_params(model))
    expected = model.predict(batch, deterministic=True)[0]
    assert not np.array_equal(other, expected)
    np.testing.assert_array_equal(agent.predict(batch, deterministic=True)[0], expected)
    assert torch.equal(agent.unadapted().params["log_std"], model.policy.log_std)
    with agent:
        agent.train_iteration()  # the parameters are leaves that can be trained
    assert not np.array_equal(agent.predict(batch, deterministic=True)[0], expected)


@pytest.mark.parametrize("kind", ["navigation", "reach"])
def test_evaluate_policy_finds_our_own_returns(kind: str) -> None:
    """One adapted policy on the same episodes: Stable-Baselines3's returns, and ours."""
    benchmark = benchmark_of(kind)
    agent = MAML(benchmark, **SMALL)
    evaluation = evaluate(
        agent, num_tasks=2, num_adaptation_steps=0, evaluation_episodes=3, adaptation_episodes=1
    )
    test = benchmark.test
    assert test is not None
    for row in evaluation.rows:
        task = evaluation.tasks[row.task_index]
        env = make_vec_env(lambda task=task: test.make_env(task))
        returns, lengths = evaluate_policy(
            agent.unadapted(), env, n_eval_episodes=1, return_episode_rewards=True
        )
        assert lengths == [row.length]
        # Monitor rounds to six decimals.
        assert returns == [pytest.approx(row.episode_return, abs=2e-6, rel=2e-7)]


def test_evaluate_policy_equals_our_evaluation_after_adaptation() -> None:
    policy, task, distribution = adapted("navigation")
    with RolloutEngine(distribution, policy.policy) as engine:
        ours = engine.collect(
            [task], policy.params, Stream(0), num_episodes=5, deterministic=True
        ).returns
    envs = SB3VecEnv(distribution.make_vec([task], 5))
    theirs, _ = evaluate_policy(policy, envs, 5, return_episode_rewards=True, warn=False)
    assert ours[0].tolist() == theirs


def test_ppo_takes_our_environments() -> None:
    benchmark = navigation(max_episode_steps=HORIZON)
    tasks = benchmark.train.sample(3, np.random.default_rng(0))
    one = PPO("MlpPolicy", benchmark.train.make_env(tasks[0]), **SHORT).learn(16)
    many = PPO("MlpPolicy", SB3VecEnv(benchmark.train.make_vec(tasks, 2)), **SHORT).learn(96)
    assert (one.num_timesteps, many.num_timesteps) == (16, 96)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"policy_kwargs": {"activation_fn": torch.nn.ReLU}}, ["ReLU", "Tanh"]),
        ({"use_sde": True}, ["StateDependentNoiseDistribution"]),
    ],
)
def test_other_kinds_of_policy_are_refused(settings: dict[str, Any], words: list[str]) -> None:
    model = PPO("MlpPolicy", NavigationEnv(), device="cpu", **settings)
    with pytest.raises(ConfigError) as caught:
        import_params(model)
    assert all(word in str(caught.value) for word in ["model:", *words])


def test_sac_is_no_initialisation() -> None:
    with pytest.raises(ConfigError, match=r"SAC.*PPO or A2C"):
        import_params(SAC("MlpPolicy", NavigationEnv(), device="cpu"))  # type: ignore[arg-type]


def test_parameters_of_another_shape_are_refused_and_change_nothing() -> None:
    agent = MAML(navigation(max_episode_steps=HORIZON), **SMALL)
    before = agent.unadapted().params
    model = PPO("MlpPolicy", NavigationEnv(), device="cpu")
    with pytest.raises(ConfigError, match=r"network.0.weight is \(64, 2\); the policy's is \(16"):
        agent.set_initial_params(import_params(model))
    extra = {**before, "network.9.weight": torch.zeros(1)}
    with pytest.raises(ConfigError, match=r"network.9.weight is \(1,\); the policy's is missing"):
        agent.set_initial_params(extra)
    del extra["network.9.weight"], extra["log_std"]
    with pytest.raises(ConfigError, match="log_std is missing"):
        agent.set_initial_params(extra)
    assert all(torch.equal(value, before[name]) for name, value in agent.unadapted().params.items())


@pytest.mark.parametrize(
    "policy_kwargs",
    [{"activation_fn": torch.nn.ReLU}, {"net_arch": [3, 3]}, {"net_arch": {"pi": [3]}}],
)
def test_the_network_of_an_export_is_the_policy_s(policy_kwargs: dict[str, Any]) -> None:
    policy, task, distribution = adapted("navigation")
    with pytest.raises(ConfigError, match=r"policy_kwargs: got (activation_fn|net_arch=)"):
        export_ppo(policy, distribution.make_env(task), policy_kwargs=policy_kwargs)


def test_an_environment_with_other_spaces_is_refused() -> None:
    policy, _, _ = adapted("navigation")
    with pytest.raises(ConfigError, match="env: observation_space"):
        export_ppo(policy, gymnasium.make("CartPole-v1"))
