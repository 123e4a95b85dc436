"""Stable-Baselines3 trains on the ids, alone and through the bridge."""

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy

import metarl.envs  # noqa: F401 - registers the ids
from metarl.agents.sb3 import SB3VecEnv
from metarl.errors import ConfigError

MT1 = {"env_name": "reach-v3", "seed": 0, "num_goals": 4}


def make(**arguments):
    arguments = {"autoreset_mode": "SameStep", "num_envs": 3, "max_episode_steps": 20, **arguments}
    return SB3VecEnv(gymnasium.make_vec("metarl/MT1-v0", **MT1, **arguments))


def test_ppo_trains_on_a_single_environment():
    env = gymnasium.make("metarl/MT1-v0", **MT1)
    agent = PPO("MlpPolicy", env, n_steps=64, batch_size=32, n_epochs=1, seed=0, device="cpu")
    agent.learn(200)
    assert agent.num_timesteps == 256


def test_ppo_trains_through_the_bridge():
    envs = make(terminate_on_success=True)
    agent = PPO("MlpPolicy", envs, n_steps=32, batch_size=48, n_epochs=1, seed=0, device="cpu")
    agent.learn(200)
    assert len(agent.ep_info_buffer) >= 9
    assert len(agent.ep_success_buffer) >= 9
    returns, lengths = evaluate_policy(agent, envs, 3, return_episode_rewards=True, warn=False)
    assert lengths == [20, 20, 20]
    assert np.all(np.array(returns) > 0)


def test_infos_are_those_of_stable_baselines():
    envs, same = (
        make(),
        gymnasium.make_vec(
            "metarl/MT1-v0", autoreset_mode="SameStep", num_envs=3, max_episode_steps=20, **MT1
        ),
    )
    np.testing.assert_array_equal(envs.reset(), same.reset()[0])
    actions = np.zeros((3, 4), dtype=np.float32)
    for _ in range(20):
        _, _, dones, infos = envs.step(actions)
        expected = same.step(actions)
    assert dones.all()
    for row, info in enumerate(infos):
        np.testing.assert_array_equal(info["terminal_observation"], expected[4]["final_obs"][row])
        assert info["TimeLimit.truncated"]
        assert info["is_success"] == bool(expected[4]["final_info"]["success"][row])
        assert info["episode"]["l"] == 20
        assert info["episode"]["r"] == expected[4]["final_info"]["episode"]["r"][row]
    _, _, dones, infos = envs.step(actions)
    assert not dones.any()
    assert set(infos[0]) >= {"success", "is_success"}
    assert "terminal_observation" not in infos[0]


def test_attributes():
    envs = make()
    assert envs.get_attr("task_name", [1]) == ["SawyerReachEnvV3"]
    envs.env_method("toggle_terminate_on_success", True)
    assert envs.get_attr("terminate_on_success") == [True] * 3
    envs.set_attr("terminate_on_success", False)
    assert envs.get_attr("terminate_on_success") == [False] * 3
    with pytest.raises(ConfigError, match="all rows"):
        envs.env_method("sample_tasks", indices=[0])
    envs.close()


def test_other_autoreset_modes_are_refused():
    with pytest.raises(ConfigError, match="SAME_STEP"):
        make(autoreset_mode="NextStep")
