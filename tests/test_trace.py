from __future__ import annotations

import json

import pytest
import torch
from torch.distributions import kl_divergence

from metarl.adaptation import AdaptationState
from metarl.agents import MAML
from metarl.agents.adapters import GradientAdapter
from metarl.envs.navigation import navigation, navigation_task
from metarl.errors import ConfigError
from metarl.losses import ratio_loss
from metarl.trace import TraceStep, trace_step
from tests.evaluation.stubs import EchoTasks, StubAgent
from tests.synthetic import POLICIES, experience, flat, perturbed, small_policy

LENGTHS = torch.tensor([[4, 1, 3]])


@pytest.mark.parametrize("kind", POLICIES)
def test_a_step_is_described_by_its_formulas(kind: str) -> None:
    policy = small_policy(kind)
    start = policy.params()
    before = perturbed(start, 0.1)
    data = experience(policy, before, num_tasks=1, lengths=LENGTHS)
    after = GradientAdapter(policy, 0.3).adapt(AdaptationState(before), data).params
    step = trace_step(policy, ratio_loss, data, step=2, start=start, before=before, after=after)
    assert step.step == 2
    assert step.loss == pytest.approx(ratio_loss(policy, before, data).item())
    assert step.loss_after == pytest.approx(ratio_loss(policy, after, data).item())
    assert step.loss_after < step.loss
    # A gradient step of 0.3 moves 0.3 times as far as the gradient is long.
    moved = (flat(after) - flat(before)).norm().item()
    assert step.gradient_norm == pytest.approx(moved / 0.3, rel=1e-10)
    old, new = (
        policy.distribution(policy.with_params(params, data.observations)[0])
        for params in (start, after)
    )
    assert step.kl == pytest.approx(kl_divergence(old, new)[data.mask].mean().item())
    assert step.kl > 1e-3
    names = ["network.0.weight", "network.0.bias"]
    change = torch.cat([(after[name] - start[name]).flatten() for name in names]).norm()
    length = torch.cat([start[name].flatten() for name in names]).norm()
    assert step.relative_change["network.0"] == pytest.approx((change / length).item())
    others = {"network.2", "log_std"} if kind == "gaussian" else {"network.2"}
    assert step.relative_change.keys() == {"network.0", *others}


def test_the_change_of_a_layer_of_zeros_is_absolute() -> None:
    policy = small_policy("gaussian")
    start = {**policy.params(), "log_std": torch.zeros(2, dtype=torch.float64)}
    after = {**start, "log_std": torch.tensor([0.3, 0.4], dtype=torch.float64)}
    data = experience(policy, start, num_tasks=1)
    step = trace_step(policy, ratio_loss, data, step=1, start=start, before=start, after=after)
    assert step.relative_change["log_std"] == pytest.approx(0.5)


def test_nothing_given_is_changed() -> None:
    policy = small_policy("gaussian")
    params = policy.params()
    data = experience(policy, params, num_tasks=1)
    trace_step(policy, ratio_loss, data, step=1, start=params, before=params, after=params)
    assert not any(value.requires_grad for value in params.values())
    assert all(parameter.grad is None for parameter in policy.parameters())


def test_adapting_can_be_traced() -> None:
    agent = MAML(
        navigation(max_episode_steps=8), hidden_sizes=(8,), meta_batch_size=2, episodes_per_task=2
    )
    task = navigation_task((0.3, 0.3))
    traced = agent.adapt(task, num_steps=2, num_episodes=4, trace=True)
    plain = agent.adapt(task, num_steps=2, num_episodes=4)
    assert all(torch.equal(value, plain.params[name]) for name, value in traced.params.items())
    assert plain.trace == ()
    assert [step.step for step in traced.trace] == [1, 2]
    assert all(step.loss_after < step.loss for step in traced.trace)
    assert traced.trace[1].kl > traced.trace[0].kl > 0
    assert TraceStep(**json.loads(json.dumps(traced.trace[0].to_dict()))) == traced.trace[0]


def test_an_agent_without_an_inner_loss_says_so() -> None:
    tasks = EchoTasks([{"offset": 1.0}])
    with pytest.raises(ConfigError, match="trace: StubAgent"):
        StubAgent(tasks).adapt(tasks.tasks[0], trace=True)


def test_training_reports_what_its_inner_steps_do() -> None:
    agent = MAML(
        navigation(max_episode_steps=8), hidden_sizes=(8,), meta_batch_size=2, episodes_per_task=2
    )
    with agent:
        figures = agent.train_iteration()
    assert figures["inner/loss_change"] < 0
    assert min(figures[f"inner/{name}"] for name in ("gradient_norm", "kl", "relative_change")) > 0
