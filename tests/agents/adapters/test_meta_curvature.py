from __future__ import annotations

import pytest
import torch
from torch import nn

from metarl.adaptation import AdaptationState
from metarl.agents.adapters import GradientAdapter, MetaCurvatureAdapter
from metarl.errors import ConfigError
from metarl.policies import GaussianMLPPolicy
from tests.agents.adapters.cases import scattered
from tests.synthetic import POLICIES, experience, flat, small_policy

kinds = pytest.mark.parametrize("kind", POLICIES)


@kinds
def test_at_the_identity_it_is_maml(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), num_tasks=1)
    state = AdaptationState(policy.params())
    one = MetaCurvatureAdapter(policy, 0.3).adapt(state, data)
    other = GradientAdapter(policy, 0.3).adapt(state, data)
    torch.testing.assert_close(flat(one.params), flat(other.params))


@kinds
def test_the_curvature_of_a_layer_is_the_kronecker_product_of_its_matrices(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), num_tasks=1)
    state = AdaptationState(policy.params())
    adapter: MetaCurvatureAdapter = scattered(MetaCurvatureAdapter(policy, 0.3))
    adapted = adapter.adapt(state, data).params
    plain = GradientAdapter(policy, 1.0).adapt(state, data).params
    for name, value in state.params.items():
        gradient, move = value - plain[name], adapted[name] - value
        assert gradient.abs().max() > 1e-4
        if value.ndim == 2:
            out, in_ = adapter.M_out.named()[name], adapter.M_in.named()[name]
            assert out.shape == (value.shape[0],) * 2
            assert in_.shape == (value.shape[1],) * 2
            # Row-major flattening: vec(A G B) = (A kron B^T) vec(G).
            expected = torch.kron(out, in_.T.contiguous()) @ gradient.flatten()
        else:
            expected = adapter.scales.named()[name] * gradient
        torch.testing.assert_close(move.flatten(), -0.3 * expected.flatten())


def test_parameters_of_more_than_two_axes_are_refused() -> None:
    policy = GaussianMLPPolicy(2, 2, (3,))
    policy.filters = nn.Parameter(torch.zeros(4, 3, 2))
    with pytest.raises(ConfigError, match=r"policy: filters has shape \(4, 3, 2\); .* matrices"):
        MetaCurvatureAdapter(policy, 0.1)
