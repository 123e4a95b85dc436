from __future__ import annotations

import numpy as np
import pytest
import torch

from metarl.adaptation import AdaptationState, MetaLearner
from metarl.agents.adapters import CAVIAAdapter, ContextPolicy
from metarl.errors import ConfigError
from metarl.losses import ratio_loss
from metarl.policies import GaussianMLPPolicy
from tests.agents.adapters.cases import CASES, Case, Problem
from tests.synthetic import POLICIES, perturbed, small_policy

(CASE,) = (case for case in CASES if case.name == "cavia")

kinds = pytest.mark.parametrize("kind", POLICIES)


@kinds
def test_only_the_context_adapts_by_a_gradient_step(kind: str) -> None:
    problem = Problem(CASE, kind)
    support = problem.supports[0].task(0)
    start = problem.learner.start(problem.meta_params)
    adapted = problem.learner.adapt(problem.meta_params, [support]).params
    context = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    loss = ratio_loss(problem.policy, {**start.params, "context": context}, support)
    (slope,) = torch.autograd.grad(loss, context)
    torch.testing.assert_close(adapted.pop("context"), -0.4 * slope)
    assert all(torch.equal(value, start.params[name]) for name, value in adapted.items())


@kinds
def test_the_context_is_seen_beside_each_observation(kind: str) -> None:
    policy = Problem(CASE, kind).policy
    context = torch.tensor([0.3, -0.7], dtype=torch.float64)
    observations = torch.randn(3, 5, 2, dtype=torch.float64)
    seen, _ = policy.with_params({**policy.params(), "context": context}, observations)
    beside = torch.cat([observations, context.expand(3, 5, 2)], dim=-1)
    torch.testing.assert_close(seen, policy.network(beside)[0])


@kinds
def test_acts_with_the_same_bits(kind: str) -> None:
    policy = Problem(CASE, kind).policy.float()
    policy.context.data = torch.tensor([0.3, -0.7])
    observations = torch.randn(5, 2)
    with torch.inference_mode():
        acted, _ = policy.actor(5)(observations, None)
        assert torch.equal(acted, policy(observations)[0])


@kinds
def test_the_context_is_not_learned_and_starts_each_adaptation_at_zero(kind: str) -> None:
    problem = Problem(CASE, kind)
    assert "policy.context" not in problem.meta_params
    moved = perturbed(problem.meta_params, 0.5)
    assert not problem.learner.start(moved).params["context"].any()


@kinds
def test_steps_go_on_from_the_context_that_the_last_one_left(kind: str) -> None:
    problem = Problem(CASE, kind, 2)
    supports = [support.task(0) for support in problem.supports]
    both = problem.learner.adapt(problem.meta_params, supports)
    first = problem.learner.adapt(problem.meta_params, supports[:1])
    second = problem.learner.adapt_step(problem.meta_params, first, supports[1])
    assert torch.equal(both.params["context"], second.params["context"])
    assert not torch.equal(both.params["context"], first.params["context"])


def test_the_rest_is_the_network_s() -> None:
    network = GaussianMLPPolicy(5, 2, (3,))
    policy = ContextPolicy(network, 3)
    assert policy.num_dist_params == 4
    assert policy.head_names == {
        "network.network.2.weight",
        "network.network.2.bias",
        "network.log_std",
    }
    noise = policy.noise(np.random.default_rng(0), (4,))
    np.testing.assert_array_equal(noise, network.noise(np.random.default_rng(0), (4,)))
    rows = np.ones((4, 4), dtype=np.float32)
    np.testing.assert_array_equal(policy.select(rows, noise), network.select(rows, noise))
    assert policy.initial_state(4) is None


def test_another_policy_is_refused() -> None:
    with pytest.raises(ConfigError, match="policy: got a GaussianMLPPolicy; CAVIA takes a Context"):
        CAVIAAdapter(small_policy("gaussian"), 0.1)


def test_a_context_adapts_under_maml_too() -> None:
    """What isn't learned but adapted, is adapted by any rule, with and without a graph."""
    from metarl.agents.adapters import GradientAdapter

    policy = Problem(CASE, "gaussian").policy
    case = Case("maml", lambda kind, **common: GradientAdapter(policy, 0.4, **common))
    problem = Problem(case, "gaussian")
    support = problem.supports[0].task(0)
    learner: MetaLearner = problem.learner
    plain = learner.adapt(problem.meta_params, [support])
    leaves = {name: value.requires_grad_() for name, value in problem.meta_params.items()}
    with_graph: AdaptationState = learner.adapt(leaves, [support], create_graph=True)
    assert plain.params["context"].any()
    for name, value in plain.params.items():
        torch.testing.assert_close(with_graph.params[name], value)
