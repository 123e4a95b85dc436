from __future__ import annotations

from metarl.agents.maml import MAML
from metarl.envs.navigation import navigation
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from tests.agents.small import after


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
