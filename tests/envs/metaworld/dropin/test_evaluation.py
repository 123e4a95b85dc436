"""Meta-World's own evaluation runs on our environments, with the same result."""

import gymnasium
import metaworld.evaluation
import numpy as np

from .rollouts import quietly


class LinearAgent:
    """A deterministic agent whose adaptation depends on the rewards that it got."""

    def init(self):
        self.weights = np.random.default_rng(0).normal(size=(39, 4))
        self.total = 0.0

    def adapt_action(self, observations):
        return self.eval_action(observations), {}

    def eval_action(self, observations):
        return np.tanh(observations @ self.weights).astype(np.float32)

    def step(self, timestep):
        self.total += float(timestep.reward.sum())

    def adapt(self):
        self.weights *= 1.0 + 1e-3 * self.total

    def reset(self, env_mask):
        pass


def evaluate(env_id):
    envs = quietly(
        gymnasium.make_vec,
        env_id,
        seed=1,
        meta_batch_size=5,
        total_tasks_per_cls=4,
        max_episode_steps=12,
    )
    result = metaworld.evaluation.metalearning_evaluation(
        LinearAgent(),
        envs,
        num_evals=2,
        adaptation_steps=2,
        adaptation_episodes=1,
        evaluation_episodes=2,
    )
    envs.close()
    return result


def test_metalearning_evaluation():
    expected = evaluate("Meta-World/ML10-test")
    assert evaluate("metarl/ML10-test-v0") == expected
    assert expected[1] > 0
