"""Stable-Baselines3 trains on the ids, alone and through the bridge."""

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor

import metarl.envs  # noqa: F401 - registers the ids
from metarl.agents.sb3 import SB3VecEnv
from metarl.envs.metaworld import ML1
from metarl.envs.navigation import NavigationTasks, navigation_task
from metarl.errors import ConfigError
from metarl.tasks import Task, TaskDistribution

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


class Endings(NavigationTasks):
    """Episodes whose length is the task's, so that rows end apart."""

    def make_env(self, task, render_mode=None):
        env = super().make_env(navigation_task(task.parameters["goal"]), render_mode)
        return gymnasium.wrappers.TimeLimit(env, task.parameters["length"])

    make_vec = TaskDistribution.make_vec


def test_rows_of_a_task_distribution_are_reset_where_they_end():
    tasks = [Task("navigation-2d", {"goal": [0.3, 0.0], "length": n}) for n in (2, 3)]
    envs = SB3VecEnv(Endings(max_episode_steps=10).make_vec(tasks, 1))
    actions = np.ones((2, 2), dtype=np.float32)
    np.testing.assert_array_equal(envs.reset(), np.zeros((2, 2)))
    positions, endings = [], []
    for _ in range(6):
        observations, _, dones, infos = envs.step(actions)
        positions.append(np.round(observations[:, 0] * 10).astype(int).tolist())
        endings.append(dones.tolist())
        for row in np.flatnonzero(dones):
            last = infos[row]["terminal_observation"]
            np.testing.assert_allclose(last, [0.1 * tasks[row].parameters["length"]] * 2, rtol=1e-6)
            assert infos[row]["TimeLimit.truncated"]
        assert all("is_success" in info for info in infos)
    assert positions == [[1, 1], [0, 2], [1, 0], [0, 1], [1, 2], [0, 0]]
    assert [row for row, _ in endings] == [False, True] * 3
    assert [row for _, row in endings] == [False, False, True] * 2


def test_meta_world_tasks_through_the_bridge():
    benchmark = ML1("reach-v3", max_episode_steps=10)
    tasks = benchmark.train.sample(2, np.random.default_rng(0))
    envs = VecMonitor(SB3VecEnv(benchmark.train.make_vec(tasks, 2)))
    first = envs.reset()
    for step in range(11):
        observations, rewards, dones, infos = envs.step(np.full((4, 4), 0.5, dtype=np.float32))
        assert dones.all() == (step == 9)
        if step == 9:
            np.testing.assert_array_equal(observations, first)
            assert not np.array_equal(infos[0]["terminal_observation"], first[0])
            assert infos[0]["episode"]["l"] == 10
    assert rewards.dtype == np.float32
