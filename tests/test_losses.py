from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian

from metarl.errors import ConfigError
from metarl.losses import (
    INNER_LOSSES,
    Loss,
    advantages_of,
    behaviour_cloning_loss,
    clipped_loss,
    dice_loss,
    evaluate_actions,
    log_prob_loss,
    masked_mean,
    ratio_loss,
)
from metarl.policies import GaussianMLPPolicy
from metarl.types import Params, Trajectories
from tests.synthetic import POLICIES, experience, flat, padded, perturbed, small_policy, unflat
from tests.tabular import TabularMDP

LENGTHS = torch.tensor([[4, 1, 3], [2, 4, 4]])

losses = pytest.mark.parametrize("loss", INNER_LOSSES.values(), ids=INNER_LOSSES.keys())
policy_gradients = pytest.mark.parametrize(
    "loss",
    [loss for loss in INNER_LOSSES.values() if loss is not behaviour_cloning_loss],
    ids=[name for name in INNER_LOSSES if name != "behaviour_cloning"],
)


def gradient(function: Callable[[Params], Tensor], params: Params) -> Tensor:
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    return flat(dict(enumerate(torch.autograd.grad(function(leaves), list(leaves.values())))))


def step_by_step(
    policy: torch.nn.Module, params: Params, data: Trajectories, lengths: Tensor
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Log-probability now and then, and advantage, of each step that took place."""
    steps = []
    for task in range(lengths.shape[0]):
        for episode in range(lengths.shape[1]):
            for step in range(lengths[task, episode]):
                at = (task, episode, step)
                dist_params, _ = policy.with_params(params, data.observations[at])
                now = policy.distribution(dist_params).log_prob(data.actions[at])
                steps.append((now, data.log_probs[at], data.advantages[at]))
    return steps


@pytest.mark.parametrize("kind", POLICIES)
def test_losses_equal_their_formulas_step_by_step(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), lengths=LENGTHS)
    params = perturbed(policy.params(), 0.3)
    steps = step_by_step(policy, params, data, LENGTHS)
    assert len(steps) == LENGTHS.sum()
    ratio = -sum((now - then).exp() * advantage for now, then, advantage in steps) / len(steps)
    log_prob = -sum(now * advantage for now, _, advantage in steps) / len(steps)
    torch.testing.assert_close(ratio_loss(policy, params, data), ratio)
    torch.testing.assert_close(log_prob_loss(policy, params, data), log_prob)


@pytest.mark.parametrize("kind", POLICIES)
def test_clipped_and_dice_equal_their_formulas_step_by_step(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), lengths=LENGTHS)
    params = perturbed(policy.params(), 0.3)
    clipped = dice = torch.zeros(())
    steps = iter(step_by_step(policy, params, data, LENGTHS))
    outside = 0
    for length in LENGTHS.flatten().tolist():
        past = torch.tensor(1.0)
        for _ in range(length):
            now, then, advantage = next(steps)
            ratio = (now - then).exp()
            clipped = clipped - min(ratio * advantage, ratio.clamp(0.7, 1.3) * advantage)
            outside += abs(ratio.item() - 1) > 0.3
            dice = dice - (past * ratio - past) * advantage
            past = past * ratio
    assert outside > 2
    total = LENGTHS.sum()
    torch.testing.assert_close(clipped_loss(0.3)(policy, params, data), clipped / total)
    torch.testing.assert_close(dice_loss(policy, params, data), dice / total)


def test_clipping_stops_the_pull_of_steps_that_have_moved_far_enough() -> None:
    policy = small_policy("gaussian")
    data = experience(policy, policy.params(), num_tasks=1, num_episodes=1, horizon=1)
    data = replace(data, advantages=torch.ones_like(data.rewards))
    up = gradient(lambda p: -log_prob_loss(policy, p, data), policy.params())
    moved = unflat(flat(policy.params()) + 0.5 * up / up.norm(), policy.params())
    assert gradient(lambda p: ratio_loss(policy, p, data), moved).norm() > 0.1
    assert gradient(lambda p: clipped_loss(0.1)(policy, p, data), moved).norm() == 0
    worse = replace(data, advantages=-data.advantages)
    assert gradient(lambda p: clipped_loss(0.1)(policy, p, worse), moved).norm() > 0.1


@pytest.mark.parametrize("clip_range", [0.0, -0.1, float("nan")])
def test_a_clip_range_that_clips_everything_is_refused(clip_range: float) -> None:
    with pytest.raises(ConfigError, match="clip_range"):
        clipped_loss(clip_range)


@pytest.mark.parametrize("kind", POLICIES)
def test_behaviour_cloning_is_the_likelihood_of_the_demonstrations(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), lengths=LENGTHS)
    params = perturbed(policy.params(), 0.3)
    steps = step_by_step(policy, params, data, LENGTHS)
    expected = -sum(now for now, _, _ in steps) / len(steps)
    without_advantages = replace(data, advantages=None)
    torch.testing.assert_close(behaviour_cloning_loss(policy, params, without_advantages), expected)


@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("other", [log_prob_loss, dice_loss], ids=["log_prob", "dice"])
def test_first_gradients_agree_at_the_sampling_parameters_and_only_there(
    kind: str, other: Loss
) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), lengths=LENGTHS)

    def both(params: Params) -> tuple[Tensor, Tensor]:
        return (
            gradient(lambda p: ratio_loss(policy, p, data), params),
            gradient(lambda p: other(policy, p, data), params),
        )

    ratio, log_prob = both(policy.params())
    torch.testing.assert_close(ratio, log_prob)
    assert ratio.norm() > 1e-3
    ratio, log_prob = both(perturbed(policy.params(), 0.3))
    assert (ratio - log_prob).norm() > 1e-3


@losses
@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("fill", [0.0, 2.0])
def test_padding_changes_neither_loss_nor_gradient(loss: Loss, kind: str, fill: float) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), lengths=LENGTHS)
    longer = padded(data, 3, fill=fill)
    params = perturbed(policy.params(), 0.3)
    torch.testing.assert_close(loss(policy, params, longer), loss(policy, params, data))
    torch.testing.assert_close(
        gradient(lambda p: loss(policy, p, longer), params),
        gradient(lambda p: loss(policy, p, data), params),
    )


@losses
def test_padding_can_not_overflow(loss: Loss) -> None:
    """A zero action in padding can be far denser under a narrow policy than float32 can hold."""
    policy = GaussianMLPPolicy(2, 40, (), init_std=0.01).double()
    data = experience(policy, policy.params(), lengths=LENGTHS).to(dtype=torch.float32)
    policy.float()
    at_padding, _ = policy.with_params(policy.params(), torch.zeros(2))
    assert policy.log_prob(at_padding, torch.zeros(40)).exp().isinf()
    assert torch.isfinite(loss(policy, policy.params(), data))
    assert torch.isfinite(gradient(lambda p: loss(policy, p, data), policy.params())).all()


@policy_gradients
def test_losses_refuse_experience_without_advantages(loss: Loss) -> None:
    policy = small_policy("gaussian")
    data = replace(experience(policy, policy.params()), advantages=None)
    with pytest.raises(ConfigError, match="advantages"):
        loss(policy, policy.params(), data)


def test_advantages_are_those_attached() -> None:
    policy = small_policy("gaussian")
    data = experience(policy, policy.params())
    assert advantages_of(data) is data.advantages


@pytest.mark.parametrize("kind", POLICIES)
def test_evaluated_actions_equal_what_was_stored_at_the_sampling_parameters(kind: str) -> None:
    policy = small_policy(kind)
    data = experience(policy, policy.params(), lengths=LENGTHS)
    dist_params, log_probs = evaluate_actions(policy, policy.params(), data)
    torch.testing.assert_close(dist_params[data.mask], data.dist_params[data.mask])
    torch.testing.assert_close(log_probs[data.mask], data.log_probs[data.mask])


def test_masked_mean_by_hand() -> None:
    mask = torch.tensor([[True, False], [True, True]])
    assert masked_mean(torch.tensor([[1.0, 100.0], [3.0, 8.0]]), mask).item() == 4.0


def expected_hessian(mdp: TabularMDP, loss: Loss, advantages: Tensor) -> Tensor:
    """Expectation, over every trajectory, of the Hessian that one trajectory's loss has.

    Of the sum over steps, as a maximisation: the losses average over steps and are minimised.
    """
    weights = mdp.probabilities(mdp.theta).tolist()
    trajectories = [mdp.trajectory(i, row) for i, row in enumerate(advantages)]

    def expectation(theta: Tensor) -> Tensor:
        params = unflat(theta, mdp.names)
        return sum(
            weight * loss(mdp.policy, params, trajectory)
            for weight, trajectory in zip(weights, trajectories, strict=True)
        )

    return -mdp.horizon * hessian(expectation, mdp.theta)


seeds = pytest.mark.parametrize("seed", range(3))


@seeds
@pytest.mark.parametrize("with_baseline", [False, True])
def test_with_one_step_the_ratio_form_has_the_true_hessian(seed: int, with_baseline: bool) -> None:
    mdp = TabularMDP(horizon=1, seed=seed)
    advantages = mdp.rewards_to_go()
    if with_baseline:
        values = (mdp.log_policy(mdp.theta).exp() * mdp.rewards).sum(-1)
        advantages = advantages - values[mdp.states]
    truth = hessian(mdp.expected_return, mdp.theta)
    assert truth.norm() > 0.05
    torch.testing.assert_close(expected_hessian(mdp, ratio_loss, advantages), truth)
    biased = expected_hessian(mdp, log_prob_loss, advantages)
    assert (biased - truth).norm() > 0.05


@seeds
@pytest.mark.parametrize("horizon", [1, 2, 3])
@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_true_hessian_is_the_sum_of_its_terms(seed: int, horizon: int, gamma: float) -> None:
    mdp = TabularMDP(horizon, seed, gamma)
    h1, h2, h12 = mdp.hessian_terms()
    torch.testing.assert_close(hessian(mdp.expected_return, mdp.theta), h1 + h2 + h12 + h12.T)


@seeds
@pytest.mark.parametrize("horizon", [1, 2, 3])
@pytest.mark.parametrize("with_baseline", [False, True])
def test_dice_has_the_true_hessian_with_any_number_of_steps(
    seed: int, horizon: int, with_baseline: bool
) -> None:
    mdp = TabularMDP(horizon, seed)
    advantages = mdp.rewards_to_go()
    if with_baseline:
        values = (mdp.log_policy(mdp.theta).exp() * mdp.action_values(mdp.theta)).sum(-1)
        advantages = advantages - values[torch.arange(horizon), mdp.states]
    truth = hessian(mdp.expected_return, mdp.theta)
    torch.testing.assert_close(expected_hessian(mdp, dice_loss, advantages), truth)


@seeds
@pytest.mark.parametrize("horizon", [2, 3])
def test_ratio_form_keeps_two_terms_of_the_hessian_and_log_prob_one(
    seed: int, horizon: int
) -> None:
    mdp = TabularMDP(horizon, seed)
    h1, h2, h12 = mdp.hessian_terms()
    assert min(h1.norm(), h2.norm(), h12.norm()) > 0.01  # so that a lost term shows
    advantages = mdp.rewards_to_go()
    torch.testing.assert_close(expected_hessian(mdp, ratio_loss, advantages), h1 + h2)
    torch.testing.assert_close(expected_hessian(mdp, log_prob_loss, advantages), h2)


@seeds
def test_below_one_the_discount_s_weight_is_what_the_hessians_lack(seed: int) -> None:
    """``gamma^t``, which every policy gradient leaves out; with it on ``A_t``, all is as above."""
    mdp = TabularMDP(3, seed, gamma=0.9)
    h1, h2, h12 = mdp.hessian_terms()
    for loss, truth in ((dice_loss, h1 + h2 + h12 + h12.T), (ratio_loss, h1 + h2)):
        plain = expected_hessian(mdp, loss, mdp.returns_to_go())
        assert (plain - truth).norm() > 0.02 * truth.norm()
        weighted = expected_hessian(mdp, loss, mdp.discounts * mdp.returns_to_go())
        torch.testing.assert_close(weighted, truth)


@policy_gradients
@pytest.mark.parametrize("horizon", [1, 3])
def test_expected_gradient_is_the_true_one(loss: Loss, horizon: int) -> None:
    mdp = TabularMDP(horizon)
    weights = mdp.probabilities(mdp.theta)
    total = sum(
        weight
        * gradient(
            lambda p, i=i, row=row: loss(mdp.policy, p, mdp.trajectory(i, row)),
            unflat(mdp.theta, mdp.names),
        )
        for i, (weight, row) in enumerate(zip(weights, mdp.rewards_to_go(), strict=True))
    )
    torch.testing.assert_close(-horizon * total, jacobian(mdp.expected_return, mdp.theta))


def test_all_trajectories_together_are_certain() -> None:
    mdp = TabularMDP(horizon=3)
    assert mdp.probabilities(mdp.theta).sum().item() == pytest.approx(1)
    assert len(mdp.states) == 64


def test_the_mean_of_nothing_is_zero() -> None:
    values = torch.ones(2, 3, requires_grad=True)
    mean = masked_mean(values, torch.zeros(2, 3, dtype=torch.bool))
    assert mean.item() == 0.0
    (gradient,) = torch.autograd.grad(mean, values)
    assert not gradient.any()
