from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from metarl.adaptation import AdaptationState
from metarl.agents.adapters import HypergradientAdapter
from metarl.errors import ConfigError
from metarl.losses import ratio_loss
from metarl.types import Params, Trajectories
from tests.agents.adapters.cases import scattered
from tests.synthetic import POLICIES, experience, flat, small_policy

kinds = pytest.mark.parametrize("kind", POLICIES)


def an_adapter(kind: str, num_steps: int, **settings: Any) -> HypergradientAdapter:
    adapter = HypergradientAdapter(
        small_policy(kind), 0.05, num_gradient_steps=num_steps, momentum=0.6, **settings
    )
    scattered(adapter)
    return adapter


def support_of(adapter: HypergradientAdapter) -> Trajectories:
    return experience(adapter.policy, adapter.policy.params(), num_tasks=1)


def unrolled(adapter: HypergradientAdapter, start: Params, support: Trajectories) -> Params:
    """The loop as autograd sees it."""
    rates = {name: value.exp() for name, value in adapter.log_rates.named().items()}
    decays = {name: value.sigmoid() for name, value in adapter.decays.named().items()}
    params, velocity = start, {name: torch.zeros_like(value) for name, value in start.items()}
    for _ in range(adapter.num_gradient_steps):
        loss = ratio_loss(adapter.policy, params, support)
        slopes = torch.autograd.grad(loss, list(params.values()), create_graph=True)
        for name, slope in zip(params, slopes, strict=True):
            velocity[name] = decays[name] * velocity[name] - (1 - decays[name]) * slope
        params = {name: value + rates[name] * velocity[name] for name, value in params.items()}
    return params


def slopes_of(end: Params, inputs: list[Tensor]) -> list[Tensor]:
    vector = flat(end)
    weights = torch.linspace(-1, 2, len(vector), dtype=vector.dtype)
    return list(torch.autograd.grad(vector @ weights.sin(), inputs, retain_graph=True))


@kinds
@pytest.mark.parametrize("num_steps", [1, 2, 12])
@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_equals_plain_unrolled_autograd(kind: str, num_steps: int, mode: str) -> None:
    adapter = an_adapter(kind, num_steps, mode=mode)
    support = support_of(adapter)
    start = {name: value.requires_grad_() for name, value in adapter.policy.params().items()}
    own = list(adapter.parameters())
    expected = unrolled(adapter, start, support)
    end = adapter.adapt(AdaptationState(start), support, create_graph=True).params
    assert (flat(expected) - flat(start)).norm() > 1e-2
    torch.testing.assert_close(flat(end), flat(expected), rtol=0, atol=1e-11)
    assert all(value.abs() > 1e-6 for value in slopes_of(expected, own))
    for ours, theirs in zip(slopes_of(end, own), slopes_of(expected, own), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)
    by_start = slopes_of(end, list(start.values()))
    if mode == "reverse":
        exact = slopes_of(expected, list(start.values()))
        for ours, theirs in zip(by_start, exact, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)
    else:  # first-order: the loop's Jacobian in the start is the identity
        for ours, theirs in zip(by_start, slopes_of(start, list(start.values())), strict=True):
            torch.testing.assert_close(ours, theirs)


def graph_bytes(adapter: HypergradientAdapter, *, plain: bool) -> int:
    """Bytes that autograd keeps for the derivative of one adaptation."""
    support = support_of(adapter)
    start = {name: value.requires_grad_() for name, value in adapter.policy.params().items()}
    kept = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        if plain:
            unrolled(adapter, start, support)
        else:
            state = AdaptationState(start)
            adapted = adapter.adapt(state, support, create_graph=True)
            kept = 0  # of the loop itself, each step's graph is gone by now
            slopes_of(adapted.params, list(adapter.parameters()))
    return kept


def live_bytes(adapter: HypergradientAdapter) -> int:
    """Bytes of the tensors that a loop leaves behind for its derivative."""
    start = adapter.policy.params()
    leaves = {name: value.requires_grad_() for name, value in start.items()}
    end = adapter.adapt(AdaptationState(leaves), support_of(adapter), create_graph=True).params
    node: Any = flat(end).grad_fn
    while not hasattr(node, "jacobian"):
        node = next(parent for parent, _ in node.next_functions if parent is not None)
    path = node.jacobian.path
    return int(path.digits.num_bytes + 8 * (path.w.numel() + path.v.numel()))


def test_what_is_kept_does_not_grow_with_the_loop() -> None:
    assert live_bytes(an_adapter("gaussian", 2)) == live_bytes(an_adapter("gaussian", 20))
    short, long = (graph_bytes(an_adapter("gaussian", n), plain=True) for n in (2, 20))
    assert long > 8 * short


def test_single_precision_finds_its_way_back_through_a_long_loop() -> None:
    adapter = an_adapter("gaussian", 200)
    adapter.float()
    adapter.policy.float()
    support = experience(small_policy("gaussian"), small_policy("gaussian").params(), num_tasks=1)
    support = support.to(dtype=torch.float32)
    start = {name: value.requires_grad_() for name, value in adapter.policy.params().items()}
    end = adapter.adapt(AdaptationState(start), support, create_graph=True).params
    slopes = slopes_of(end, [*start.values(), *adapter.parameters()])
    assert {slope.dtype for slope in slopes} == {torch.float32}
    assert all(torch.isfinite(slope).all() for slope in slopes)


def test_a_loop_that_diverges_gives_no_numbers() -> None:
    adapter = HypergradientAdapter(small_policy("gaussian"), 1e6, num_gradient_steps=30)
    adapter.double()
    start = {name: value.requires_grad_() for name, value in adapter.policy.params().items()}
    end = adapter.adapt(AdaptationState(start), support_of(adapter), create_graph=True).params
    assert flat(end).isnan().all()
    assert all(value.isnan().all() for value in slopes_of(end, list(start.values())))


def test_gradients_that_are_not_the_same_bits_each_time_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter = an_adapter("gaussian", 5)
    start = {name: value.requires_grad_() for name, value in adapter.policy.params().items()}
    support = support_of(adapter)
    end = adapter.adapt(AdaptationState(start), support, create_graph=True).params
    node: Any = flat(end).grad_fn
    while not hasattr(node, "jacobian"):
        node = next(parent for parent, _ in node.next_functions if parent is not None)
    loss = node.jacobian.loss
    monkeypatch.setattr(
        loss, "support", replace(support, advantages=1.0001 * torch.ones_like(support.rewards))
    )
    with pytest.raises(ConfigError, match="mode: got 'reverse'"):
        slopes_of(end, list(start.values()))


@pytest.mark.parametrize("momentum", [0.0, 1.0, -0.5])
def test_momentum_is_refused_where_there_is_no_way_back(momentum: float) -> None:
    with pytest.raises(ConfigError, match=rf"momentum: got {momentum}"):
        HypergradientAdapter(small_policy("gaussian"), 0.1, momentum=momentum)
