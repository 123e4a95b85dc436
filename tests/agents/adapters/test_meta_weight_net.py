from __future__ import annotations

from typing import Any

import torch

from metarl.adaptation import AdaptationState
from metarl.agents.adapters import GradientAdapter, MetaWeightNetAdapter
from metarl.losses import ratio_loss
from tests.agents.adapters.cases import scattered
from tests.synthetic import experience, flat, small_policy


def a_weight_net(**settings: Any) -> MetaWeightNetAdapter:
    adapter: MetaWeightNetAdapter = scattered(
        MetaWeightNetAdapter(
            small_policy("gaussian"),
            0.4,
            hidden_size=5,
            generator=torch.Generator().manual_seed(0),
            **settings,
        )
    )
    return adapter


def test_equal_weights_scale_the_rate() -> None:
    adapter = a_weight_net()
    for value in adapter.weight_net[2].parameters():
        value.data.zero_()
    state = AdaptationState(adapter.policy.params())
    support = experience(adapter.policy, state.params, num_tasks=1)
    plain = GradientAdapter(adapter.policy, 0.2).adapt(state, support).params
    torch.testing.assert_close(flat(adapter.adapt(state, support).params), flat(plain))


def test_each_step_s_gradient_is_weighted_by_its_loss() -> None:
    adapter = a_weight_net()
    lengths = torch.tensor([[4, 1, 3]])
    start = adapter.policy.params()
    support = experience(adapter.policy, start, num_tasks=1, lengths=lengths)
    leaves = {name: value.clone().requires_grad_() for name, value in start.items()}
    terms = ratio_loss.terms(adapter.policy, leaves, support)[support.mask]
    expected = flat(start)
    for term in terms:
        slopes = torch.autograd.grad(term, list(leaves.values()), retain_graph=True)
        weight = torch.sigmoid(adapter.weight_net(term.detach().reshape(1)))
        assert 0 < weight < 1
        expected = expected - 0.4 / 8 * weight * flat(dict(enumerate(slopes)))
    moved = adapter.adapt(AdaptationState(start), support).params
    torch.testing.assert_close(flat(moved), expected.detach())
