"""The scripted expert as an oracle."""

import warnings

import gymnasium
import numpy as np
import pytest
from metaworld.policies import ENV_POLICY_MAP

from metarl.agents import MAML
from metarl.envs.metaworld import ML1, metaworld_task
from metarl.envs.metaworld.environment import MetaWorldEnv
from metarl.envs.metaworld.expert import check_expert, evaluate_expert
from metarl.envs.navigation import navigation
from metarl.errors import ConfigError
from metarl.evaluation import evaluate


def plays(task, horizon: int) -> tuple[float, bool, bool]:
    """Return and success of the expert in Meta-World's own environment, one step at a time."""
    parameters = {**task.parameters, "goal_observable": True}
    env: gymnasium.Env = MetaWorldEnv(metaworld_task(task.family, **parameters), horizon)
    expert = ENV_POLICY_MAP[task.family]()
    observation, _ = env.reset(seed=0)
    rewards, flags = [], []
    for _ in range(horizon):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            action = expert.get_action(observation)
        observation, reward, _, _, info = env.step(np.asarray(action, dtype=np.float32))
        rewards.append(reward)
        flags.append(bool(info["success"]))
    env.close()
    return sum(rewards), any(flags), flags[-1]


def test_the_expert_plays_the_tasks_of_an_evaluation():
    agent = MAML(ML1("reach-v3", seed=10, max_episode_steps=70), meta_batch_size=2)
    own = evaluate(agent, num_tasks=12, num_adaptation_steps=0, evaluation_episodes=2)
    calls = []
    expert = evaluate_expert(own.header, lambda *done: calls.append(done))
    assert expert.tasks == own.tasks
    assert expert.steps == [0]
    assert len(expert.rows) == 12
    assert calls == [(10, 12), (12, 12)]
    assert expert.header.subject == {"algorithm": "scripted expert"}
    for index in (0, 11):
        row = expert.rows[index]
        found = (row.episode_return, row.success_any, row.success_final)
        assert found == pytest.approx(plays(own.tasks[index], 70), rel=1e-6)
        assert row.length == 70
    assert np.mean([row.success_final for row in expert.rows]) > 0.9


def test_there_is_no_expert_of_other_families():
    check_expert([metaworld_task("push-v3", [0.0] * 6)])
    with pytest.raises(ConfigError, match="no scripted one of infinitely many tasks"):
        check_expert(navigation().test.tasks)
