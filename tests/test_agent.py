import numpy as np
import pytest
import torch

from metarl.agents.maml import MAML
from metarl.envs.navigation import navigation
from metarl.errors import ConfigError
from metarl.seeding import Stream
from tests.evaluation.stubs import EchoTasks, StubAgent

TASKS = EchoTasks([{"offset": 0.5}, {"offset": -2.0}])


def mean_action(policy) -> float:
    action, state = policy.predict(np.zeros(1, dtype=np.float32), deterministic=True)
    assert state is None
    return float(action[0])


def noise(support) -> torch.Tensor:
    return support.actions - support.dist_params[..., :1]


@pytest.mark.parametrize("num_steps", [0, 1, 3])
def test_adapt_takes_as_many_steps_as_asked_on_the_task_given(num_steps):
    agent = StubAgent(None, TASKS)
    for task, offset in zip(TASKS.tasks, (0.5, -2.0), strict=True):
        policy = agent.adapt(task, num_steps=num_steps)
        assert policy.num_steps == num_steps
        assert mean_action(policy) == pytest.approx(num_steps * offset, rel=1e-5)
    assert len(agent.supports) == 2 * num_steps


def test_no_steps_give_the_unadapted_policy():
    agent = StubAgent(None, TASKS)
    policy = agent.adapt(TASKS.tasks[0], num_steps=0)
    assert all(torch.equal(policy.params[n], v) for n, v in agent.unadapted().params.items())


def test_each_step_has_its_own_sampled_experience_under_the_policy_of_that_step():
    agent = StubAgent(None, TASKS)
    agent.adapt(TASKS.tasks[1], num_steps=2, num_episodes=7)
    first, second = agent.supports
    assert first.actions.shape == second.actions.shape == (1, 7, 4, 1)
    assert (first.dist_params[..., 0] == 0).all()
    assert torch.allclose(second.dist_params[..., 0], torch.tensor(-2.0))
    assert noise(first).unique().numel() == 28
    assert not torch.allclose(noise(first), noise(second))


def test_adapting_twice_under_one_seed_gives_the_same_experience():
    agent = StubAgent(None, TASKS)
    for seed in (None, 0, 5, 5):
        agent.adapt(TASKS.tasks[0], seed=seed)
    by_default, own, five, again = (support.actions for support in agent.supports)
    assert torch.equal(by_default, own), "the agent's own seed is the default"
    assert torch.equal(five, again)
    assert not torch.equal(own, five)


@pytest.mark.parametrize("num_steps", [0, 1])
def test_what_an_adapted_policy_samples_depends_on_seed_task_and_steps(num_steps):
    agent, observation = StubAgent(None, TASKS), np.zeros(1, dtype=np.float32)

    def samples(task=TASKS.tasks[0], num_steps=num_steps, **settings):
        policy = agent.adapt(task, num_steps=num_steps, **settings)
        mean = mean_action(policy)
        return [float(policy.predict(observation)[0][0]) - mean for _ in range(3)]

    own = samples(seed=0)
    assert samples(seed=0) == samples() == own, "the agent's own seed is the default"
    others = [samples(seed=1), samples(TASKS.tasks[1]), samples(num_steps=num_steps + 1)]
    for other in others:
        assert not np.allclose(other, own, atol=1e-3)


def test_a_new_source_of_noise_leaves_the_policy_as_it_was():
    policy, twin = (StubAgent(None, TASKS).unadapted() for _ in range(2))
    observation = np.zeros(1, dtype=np.float32)
    other, own = (p.predict(observation)[0] for p in (policy.acting_by(Stream(9)), policy))
    assert other != own
    assert twin.predict(observation)[0] == own


def test_adapting_leaves_the_agent_as_it_was():
    agent = StubAgent(None, TASKS)
    agent.adapt(TASKS.tasks[0], num_steps=2)
    assert mean_action(agent.unadapted()) == 0.0
    assert (agent.num_timesteps, agent.iteration) == (0, 0)


def test_environments_can_come_from_another_distribution():
    agent = StubAgent(None, EchoTasks([{"offset": 1.0}], max_episode_steps=9))
    agent.adapt(TASKS.tasks[0], distribution=TASKS)
    assert agent.supports[0].actions.shape[2] == 4


@pytest.mark.parametrize(
    ("name", "value", "least"), [("num_steps", -1, 0), ("num_episodes", 0, 1), ("seed", -1, 0)]
)
def test_numbers_out_of_range_are_refused(name, value, least):
    agent = StubAgent(None, TASKS)
    with pytest.raises(ConfigError, match=rf"{name}: got {value}; must be at least {least}"):
        agent.adapt(TASKS.tasks[0], **{name: value})


def test_leaving_the_context_closes_the_agent(monkeypatch):
    closed = []
    monkeypatch.setattr(StubAgent, "close", lambda agent: closed.append(agent))
    with StubAgent(None, TASKS) as agent:
        assert closed == []
    assert closed == [agent]


def test_a_real_agent_adapts_bit_by_bit_the_same_for_the_same_seed():
    benchmark = navigation(max_episode_steps=5)
    agent = MAML(benchmark, meta_batch_size=2, episodes_per_task=2, hidden_sizes=(4,))
    task = benchmark.test.sample(1, np.random.default_rng(0))[0]
    policies = [agent.adapt(task, num_episodes=3, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (torch.cat([v.flatten() for v in p.params.values()]) for p in policies)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    initial = torch.cat([v.flatten() for v in agent.unadapted().params.values()])
    assert not torch.equal(first, initial)
