from __future__ import annotations

import pytest
import torch

from metarl.adaptation import AdaptationState
from metarl.agents.adapters.gradient import GradientAdapter
from metarl.losses import Loss, log_prob_loss, ratio_loss
from metarl.types import Params, Trajectories
from tests.synthetic import POLICIES, experience, flat, perturbed, small_policy

kinds = pytest.mark.parametrize("kind", POLICIES)


def inner_gradient(kind: str, params: Params, data: Trajectories, loss: Loss) -> Params:
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    gradients = torch.autograd.grad(loss(small_policy(kind), leaves, data), list(leaves.values()))
    return dict(zip(leaves, gradients, strict=True))


@kinds
@pytest.mark.parametrize("loss", [ratio_loss, log_prob_loss])
def test_takes_a_gradient_step_on_every_parameter(kind: str, loss: Loss) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), num_tasks=1)
    params = perturbed(policy.params(), 0.2)
    adapted = GradientAdapter(policy, 0.3, loss=loss).adapt(AdaptationState(params), data).params
    gradient = inner_gradient(kind, params, data, loss)
    assert adapted.keys() == params.keys()
    for name, value in params.items():
        assert gradient[name].abs().sum() > 0
        torch.testing.assert_close(adapted[name], value - 0.3 * gradient[name])


def test_lowers_the_loss() -> None:
    policy = small_policy("gaussian")
    data = experience(policy, policy.params(), num_tasks=1)
    adapted = GradientAdapter(policy, 0.05).adapt(AdaptationState(policy.params()), data).params
    assert ratio_loss(policy, adapted, data) < ratio_loss(policy, policy.params(), data)


@kinds
def test_is_pure(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), num_tasks=1)
    params, before = policy.params(), policy.params()
    adapter = GradientAdapter(policy, 0.3)
    one, same = (
        adapter.adapt(AdaptationState(params), data).params,
        adapter.adapt(AdaptationState(params), data).params,
    )
    for name, value in params.items():
        assert torch.equal(value, before[name])
        assert not value.requires_grad
        assert torch.equal(one[name], same[name])
        assert not one[name].requires_grad
    assert all(parameter.grad is None for parameter in policy.parameters())


@kinds
def test_with_a_rate_of_zero_parameters_stay_to_the_bit(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), num_tasks=1)
    adapted = GradientAdapter(policy, 0.0).adapt(AdaptationState(policy.params()), data).params
    assert all(torch.equal(value, adapted[name]) for name, value in policy.params().items())


@kinds
@pytest.mark.parametrize("first_order", [False, True])
def test_orders_agree_on_the_step_itself(kind: str, first_order: bool) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), num_tasks=1)
    plain = GradientAdapter(policy, 0.3).adapt(AdaptationState(policy.params()), data).params
    leaves = {name: value.requires_grad_() for name, value in policy.params().items()}
    adapter = GradientAdapter(policy, 0.3, first_order=first_order)
    adapted = adapter.adapt(AdaptationState(leaves), data, create_graph=True).params
    assert all(torch.equal(value, adapted[name]) for name, value in plain.items())


@kinds
def test_first_order_has_the_identity_as_jacobian(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), num_tasks=1)

    def pulled_back(first_order: bool) -> torch.Tensor:
        leaves = {name: value.requires_grad_() for name, value in policy.params().items()}
        adapter = GradientAdapter(policy, 0.3, first_order=first_order)
        adapted = flat(adapter.adapt(AdaptationState(leaves), data, create_graph=True).params)
        weights = torch.linspace(-1, 1, len(adapted), dtype=adapted.dtype)
        slopes = torch.autograd.grad(adapted @ weights, list(leaves.values()))
        return flat(dict(enumerate(slopes))) - weights

    assert not pulled_back(first_order=True).any()
    assert pulled_back(first_order=False).abs().max() > 1e-3


def test_steps_beyond_those_trained_are_scaled() -> None:
    policy = small_policy("gaussian")
    data = experience(policy, policy.params(), num_tasks=1)
    start = flat(policy.params())
    adapter = GradientAdapter(policy, 0.3, trained_steps=2, later_scale=0.5)
    moves = [
        flat(adapter.adapt(AdaptationState(policy.params(), step), data).params) - start
        for step in range(4)
    ]
    torch.testing.assert_close(moves[1], moves[0])
    torch.testing.assert_close(moves[2], 0.5 * moves[0])
    torch.testing.assert_close(moves[3], 0.5 * moves[0])


def test_has_no_parameters_of_its_own() -> None:
    assert not list(GradientAdapter(small_policy("gaussian"), 0.3).parameters())
