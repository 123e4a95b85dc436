"""The engine tells which rewards Meta-World returns as ``np.float32``: sums depend on it."""

import metaworld
import numpy as np
import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.policies import ENV_POLICY_MAP

from metarl.envs.metaworld.engine import Worlds, WorldTask

from .rollouts import quietly


def check(env_name, monkeypatch):
    """Compares types along noisy expert play; returns how many rewards were float32."""
    monkeypatch.setattr(metaworld, "_N_GOALS", 2)
    env, worlds, expert = ALL_V3_ENVIRONMENTS[env_name](), Worlds(1), ENV_POLICY_MAP[env_name]()
    rng = np.random.default_rng(0)
    num_single = 0
    for task in metaworld.MT1(env_name, seed=1).train_tasks:
        env.set_task(task)
        obs, _ = env.reset()
        worlds.set_tasks([0], [WorldTask.from_metaworld(task)])
        worlds.reset()
        for t in range(150):
            noise = rng.normal(0.0, 0.05, 4)
            action = np.clip(quietly(expert.get_action, obs) + noise, -1, 1).astype(np.float32)
            obs, reward, *_ = env.step(action)
            single = worlds.step(action[None]).single[0]
            assert single == isinstance(reward, np.float32), (env_name, t, type(reward))
            num_single += single
    env.close()
    return num_single


@pytest.mark.parametrize("env_name", ["dial-turn-v3", "push-v3"])
def test_float32_rewards(env_name, monkeypatch):
    assert check(env_name, monkeypatch) > 0


@pytest.mark.parametrize("env_name", ALL_V3_ENVIRONMENTS)
@pytest.mark.slow
def test_float32_rewards_of_every_class(env_name, monkeypatch):
    check(env_name, monkeypatch)
