from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from metarl.adaptation import (
    AdaptationState,
    Adapter,
    MetaLearner,
    gradient_step,
    inner_gradient,
)
from metarl.agents.adapters.gradient import GradientAdapter
from metarl.policies import Policy
from metarl.types import Trajectories
from tests.synthetic import experience, small_policy


def test_gradient_step_by_hand() -> None:
    params = {
        "a": torch.tensor([1.0, -2.0], requires_grad=True),
        "b": torch.tensor(3.0, requires_grad=True),
    }
    loss = params["a"].square().sum() + 5 * params["b"]
    stepped = gradient_step(params, loss, {"a": 0.1, "b": torch.tensor(2.0)}, create_graph=False)
    torch.testing.assert_close(stepped["a"], torch.tensor([0.8, -1.6]))
    torch.testing.assert_close(stepped["b"], torch.tensor(-7.0))


def test_gradient_step_can_be_differentiated() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    rate = torch.tensor(0.1, requires_grad=True)
    stepped = gradient_step({"x": x}, x**3, {"x": rate}, create_graph=True)["x"]
    slopes = torch.autograd.grad(stepped, [x, rate])
    assert slopes[0].item() == pytest.approx(1 - 0.1 * 6 * 3)  # d/dx (x - rate 3 x^2)
    assert slopes[1].item() == pytest.approx(-27)


def test_gradient_step_without_graph_takes_the_gradient_for_a_constant() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    stepped = gradient_step({"x": x}, x**3, {"x": 0.1}, create_graph=False)["x"]
    assert torch.autograd.grad(stepped, x)[0].item() == 1.0


def test_gradient_step_leaves_out_what_has_no_rate_or_no_influence() -> None:
    params = {name: torch.tensor(1.0, requires_grad=True) for name in ("a", "frozen", "unused")}
    loss = params["a"] * params["frozen"]
    stepped = gradient_step(params, loss, {"a": 0.5, "unused": 0.5}, create_graph=True)
    assert list(stepped) == ["a", "frozen", "unused"]
    assert stepped["a"].item() == 0.5
    assert stepped["frozen"] is params["frozen"]
    assert stepped["unused"] is params["unused"]


def test_inner_gradient_is_that_of_the_names_asked_for() -> None:
    params = {name: torch.tensor(2.0, requires_grad=True) for name in ("a", "b", "unused")}
    loss = params["a"] ** 3 * params["b"]
    slopes = inner_gradient(params, loss, ["unused", "a"], create_graph=True)
    assert list(slopes) == ["a"]
    assert slopes["a"].item() == 24
    assert torch.autograd.grad(slopes["a"], params["a"])[0].item() == 24
    assert inner_gradient(params, loss, [], create_graph=False) == {}


class ShiftAdapter(Adapter):
    """Adds a learned number; records the steps it was asked for."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.shift = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
        self.calls: list[tuple[int, bool]] = []

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        self.calls.append((state.step, create_graph))
        return state.after({name: value + self.shift for name, value in state.params.items()})


def shift_learner() -> tuple[MetaLearner, Trajectories]:
    policy = small_policy("gaussian")
    return MetaLearner(policy, ShiftAdapter(policy)), experience(policy, policy.params())


def test_meta_params_name_the_policy_s_and_the_adapter_s() -> None:
    learner, _ = shift_learner()
    meta_params = learner.meta_params()
    policy_names = [f"policy.{name}" for name in learner.policy.params()]
    assert list(meta_params) == [*policy_names, "adapter.shift"]
    initial = learner.start(meta_params).params
    assert initial.keys() == learner.policy.params().keys()
    for name, value in initial.items():
        assert torch.equal(value, learner.policy.params()[name])


def test_meta_params_are_detached_copies() -> None:
    learner, _ = shift_learner()
    meta_params = learner.meta_params()
    for name, value in learner.named_parameters():
        assert not meta_params[name].requires_grad
        meta_params[name] += 1
        assert not torch.equal(meta_params[name], value)


def test_adapter_runs_under_the_meta_params_given() -> None:
    learner, data = shift_learner()
    meta_params = learner.meta_params()
    meta_params["adapter.shift"] = torch.tensor(2.0, dtype=torch.float64)
    adapted = learner.adapt(meta_params, [data, data, data]).params
    for name, value in learner.policy.params().items():
        torch.testing.assert_close(adapted[name], value + 6)
    assert learner.adapter.shift.item() == 0.5


def test_adaptation_takes_one_step_per_support_set() -> None:
    learner, data = shift_learner()
    learner.adapt(learner.meta_params(), [data, data, data], create_graph=True)
    assert learner.adapter.calls == [(0, True), (1, True), (2, True)]
    assert learner.adapt(learner.meta_params(), []).params.keys() == learner.policy.params().keys()


def test_adaptation_can_be_differentiated_in_the_adapter_s_parameters() -> None:
    learner, data = shift_learner()
    meta_params = {name: value.requires_grad_() for name, value in learner.meta_params().items()}
    adapted = learner.adapt(meta_params, [data, data], create_graph=True).params
    (slope,) = torch.autograd.grad(adapted["log_std"].sum(), [meta_params["adapter.shift"]])
    assert slope.item() == 4.0  # two entries, two steps


def test_a_policy_inside_a_gradient_adapter_is_not_learned_twice() -> None:
    policy = small_policy("gaussian")
    learner = MetaLearner(policy, GradientAdapter(policy, 0.1))
    assert all(name.startswith("policy.") for name in learner.meta_params())


def test_adaptation_does_not_depend_on_the_tasks_beside_it() -> None:
    policy = small_policy("gaussian")
    learner = MetaLearner(policy, GradientAdapter(policy, 0.3))
    data = experience(policy, policy.params())
    scale = torch.tensor([1.0, 9.0])[:, None, None]
    other = replace(data, advantages=data.advantages * scale)
    one, same = (learner.adapt(learner.meta_params(), [d.task(0)]).params for d in (data, other))
    assert all(torch.equal(value, same[name]) for name, value in one.items())
