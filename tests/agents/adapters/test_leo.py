from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from metarl.adaptation import AdaptationState
from metarl.agents.adapters import LEOAdapter
from metarl.errors import ConfigError
from metarl.losses import ratio_loss
from metarl.policies import GaussianMLPPolicy, Policy
from metarl.types import Params
from tests.agents.adapters.cases import CASES, Problem
from tests.synthetic import POLICIES, flat, padded

(CASE,) = (case for case in CASES if case.name == "leo")

kinds = pytest.mark.parametrize("kind", POLICIES)


def problem_of(kind: str) -> tuple[Problem, LEOAdapter]:
    problem = Problem(CASE, kind, 2)
    assert isinstance(problem.learner.adapter, LEOAdapter)
    return problem, problem.learner.adapter


def decoded(adapter: LEOAdapter, params: Params, latent: Tensor) -> Params:
    """``head_0 + D z``, number by number."""
    result = {name: value.clone() for name, value in params.items()}
    for name, matrices in adapter.decoder.named().items():
        for index, weight in enumerate(latent):
            result[name] = result[name] + matrices[..., index] * weight
    return result


@kinds
@pytest.mark.parametrize("step", [0, 1])
def test_a_step_encodes_once_then_descends_in_the_latent_then_in_the_parameters(
    kind: str, step: int
) -> None:
    problem, adapter = problem_of(kind)
    support = problem.supports[0].task(0)
    state = AdaptationState(problem.policy.params(), step)
    latent = adapter.encoder(support).detach()
    assert latent.abs().min() > 1e-3
    latent = latent if step == 0 else torch.zeros_like(latent)
    for _ in range(2):
        latent = latent.detach().requires_grad_()
        loss = ratio_loss(problem.policy, decoded(adapter, state.params, latent), support)
        latent = latent - adapter.latent_lr * torch.autograd.grad(loss, latent)[0]
    expected = {
        name: value.detach().requires_grad_()
        for name, value in decoded(adapter, state.params, latent).items()
    }
    loss = ratio_loss(problem.policy, expected, support)
    slopes = dict(zip(expected, torch.autograd.grad(loss, list(expected.values())), strict=True))
    adapted = adapter.adapt(state, support).params
    for name, value in expected.items():
        if name in problem.policy.head_names:
            value = value - adapter.rates.named()[name] * slopes[name]
        else:
            assert torch.equal(value, state.params[name])
        torch.testing.assert_close(adapted[name], value.detach())


@kinds
def test_the_summary_depends_on_neither_order_nor_padding(kind: str) -> None:
    problem, adapter = problem_of(kind)
    support = problem.supports[0].task(0)
    latent = adapter.encoder(support)
    turned = support._map(lambda value: value.flip(1))
    torch.testing.assert_close(adapter.encoder(turned), latent)
    longer = padded(support, 3, fill=1.0 if kind == "gaussian" else 0.0)
    torch.testing.assert_close(adapter.encoder(longer), latent)
    assert support.advantages is not None
    other = replace(support, advantages=-support.advantages)
    assert not torch.allclose(adapter.encoder(other), latent)


def make(policy: Policy, **settings: float) -> LEOAdapter:
    generator = torch.Generator().manual_seed(0)
    return LEOAdapter(policy, observation_dim=2, action_dim=2, generator=generator, **settings)


def test_training_starts_from_latent_descent_alone() -> None:
    problem, _ = problem_of("gaussian")
    adapter = make(problem.policy).double()
    assert not adapter.encoder(problem.supports[0].task(0)).any()
    assert adapter.latent_lr.item() == pytest.approx(0.1)
    rates = flat(adapter.rates.named())
    torch.testing.assert_close(rates, torch.full_like(rates, 0.1))


def test_decoded_steps_are_as_long_as_the_head_s_own_on_average() -> None:
    adapter = make(GaussianMLPPolicy(2, 4, (60,)), latent_size=16)
    rows = torch.cat([D.flatten(0, -2) for D in adapter.decoder.parameters()])
    assert rows.square().sum(-1).mean().item() == pytest.approx(1.0, rel=0.1)


def test_the_decoder_covers_the_head() -> None:
    policy = GaussianMLPPolicy(2, 2, (3,))
    assert make(policy).decoder.named().keys() == policy.head_names


class HeadlessPolicy(GaussianMLPPolicy):
    """Doesn't tell head from body."""

    head_names = Policy.head_names


def test_a_policy_that_does_not_tell_head_from_body_is_refused() -> None:
    with pytest.raises(ConfigError, match="policy: HeadlessPolicy"):
        make(HeadlessPolicy(2, 2))
