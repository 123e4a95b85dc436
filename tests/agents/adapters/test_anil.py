from __future__ import annotations

import pytest
import torch

from metarl.adaptation import AdaptationState
from metarl.agents.adapters import ANILAdapter, BOILAdapter, GradientAdapter
from metarl.errors import ConfigError
from metarl.policies import GaussianMLPPolicy, Policy
from metarl.types import Params
from tests.synthetic import POLICIES, experience, small_policy

kinds = pytest.mark.parametrize("kind", POLICIES)


def adapted(rule: type, policy: Policy) -> Params:
    data = experience(policy, policy.params(), num_tasks=1)
    return rule(policy, 0.3).adapt(AdaptationState(policy.params()), data).params


def changed(policy: Policy, params: Params) -> set[str]:
    return {name for name, v in policy.params().items() if not torch.equal(params[name], v)}


@kinds
def test_anil_moves_the_head_as_maml_does_and_nothing_else(kind: str) -> None:
    policy = small_policy(kind, hidden_sizes=(3, 3))
    params, by_maml = adapted(ANILAdapter, policy), adapted(GradientAdapter, policy)
    assert changed(policy, params) == policy.head_names
    for name in policy.head_names:
        torch.testing.assert_close(params[name], by_maml[name])


@kinds
def test_boil_moves_the_body_as_maml_does_and_nothing_else(kind: str) -> None:
    policy = small_policy(kind, hidden_sizes=(3, 3))
    params, by_maml = adapted(BOILAdapter, policy), adapted(GradientAdapter, policy)
    body = policy.params().keys() - policy.head_names
    assert changed(policy, params) == body
    for name in body:
        torch.testing.assert_close(params[name], by_maml[name])


def test_a_policy_without_hidden_layers_is_all_head() -> None:
    policy = small_policy("gaussian", hidden_sizes=())
    assert changed(policy, adapted(ANILAdapter, policy)) == policy.params().keys()
    with pytest.raises(ConfigError, match="policy: has no body that BOIL could adapt"):
        BOILAdapter(policy, 0.3)


class HeadlessPolicy(GaussianMLPPolicy):
    """Doesn't tell head from body."""

    head_names = Policy.head_names


@pytest.mark.parametrize("rule", [ANILAdapter, BOILAdapter])
def test_a_policy_that_does_not_tell_head_from_body_is_refused(rule: type) -> None:
    with pytest.raises(ConfigError, match=r"policy: HeadlessPolicy .* head; allowed: .*Gaussian"):
        rule(HeadlessPolicy(2, 2), 0.3)
