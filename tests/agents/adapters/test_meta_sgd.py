from __future__ import annotations

import pytest
import torch

from metarl.adaptation import AdaptationState
from metarl.agents.adapters import GradientAdapter, MetaSGDAdapter
from metarl.policies import GaussianMLPPolicy
from tests.synthetic import POLICIES, experience, flat, small_policy


@pytest.mark.parametrize("kind", POLICIES)
def test_with_equal_rates_it_is_maml(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), num_tasks=1)
    state = AdaptationState(policy.params())
    one = MetaSGDAdapter(policy, 0.3, spread=0.0).double().adapt(state, data)
    other = GradientAdapter(policy, 0.3).adapt(state, data)
    torch.testing.assert_close(flat(one.params), flat(other.params))


def test_each_number_moves_at_its_own_rate() -> None:
    policy = small_policy("gaussian")
    data = experience(policy, policy.params(), num_tasks=1)
    state = AdaptationState(policy.params())
    adapter = MetaSGDAdapter(policy, 0.3, generator=torch.Generator().manual_seed(0)).double()
    adapter.rates.named()["network.0.weight"].data[1, 0] = -2.0
    slope = flat(state.params) - flat(GradientAdapter(policy, 1.0).adapt(state, data).params)
    move = flat(adapter.adapt(state, data).params) - flat(state.params)
    torch.testing.assert_close(move, -flat(adapter.rates.named()) * slope)


def test_rates_start_uniform_around_the_inner_rate() -> None:
    policy = GaussianMLPPolicy(20, 4, (50,))

    def rates(seed: int, spread: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        adapter = MetaSGDAdapter(policy, 0.2, spread=spread, generator=generator)
        return flat(adapter.rates.named()).detach()

    values = rates(0, 0.5)
    assert len(values) == sum(value.numel() for value in policy.parameters())
    assert 0.1 <= values.min() < 0.11
    assert 0.29 < values.max() <= 0.3
    assert values.mean().item() == pytest.approx(0.2, abs=0.01)
    assert torch.equal(values, rates(0, 0.5))
    assert not torch.equal(values, rates(1, 0.5))
    torch.testing.assert_close(rates(0, 0.0), torch.full_like(values, 0.2))
