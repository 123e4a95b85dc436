"""Pure surrogate losses: parameters and experience in, one number out.

Each loss takes any number of tasks, averages its terms over valid steps, and is to be minimised.
What sets those of the policy gradient apart is not the first gradient, which is the same for all at
the sampling parameters, but the second: see :func:`ratio_loss`, :func:`dice_loss` and
:func:`log_prob_loss`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from metarl.errors import ConfigError
from metarl.policies import Policy
from metarl.types import Params, Trajectories

Terms: TypeAlias = Callable[[Policy, Params, Trajectories], Tensor]
"""A loss's term at each step, ``[M, E, S]``, differentiable in the parameters."""


class Loss:
    """A surrogate loss of a policy on experience: the mean of its terms over valid steps.

    Args:
        terms: The loss at each step, for losses that are to be weighted or counted by step.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.__name__ = getattr(terms, "__name__", type(terms).__name__)
        self.__doc__ = terms.__doc__

    def __call__(self, policy: Policy, params: Params, trajectories: Trajectories) -> Tensor:
        """Returns the loss, a scalar that is differentiable in ``params``."""
        return masked_mean(self.terms(policy, params, trajectories), trajectories.mask)


@Loss
def ratio_loss(policy: Policy, params: Params, trajectories: Trajectories) -> Tensor:
    """Importance-weighted surrogate, also called low-variance curvature (LVC).

    ``-mean_t [ pi_params(a_t | s_t) / pi_behaviour(a_t | s_t) * A_t ]``

    (Rothfuss et al. 2019, equation 9, as a minimisation.) In the terms of their section 5, the
    expected Hessian at the sampling parameters is ``H1 + H2``: exact for one step; with more
    steps it lacks the cross terms ``H12 + H12^T``, its known and small bias. That holds with
    ``gamma = 1``: below, see :func:`dice_loss`.
    """
    _, log_probs = evaluate_actions(policy, params, trajectories)
    return -importance_ratios(log_probs, trajectories) * advantages_of(trajectories)


@Loss
def log_prob_loss(policy: Policy, params: Params, trajectories: Trajectories) -> Tensor:
    """Score-function surrogate ``-mean_t [ log pi_params(a_t | s_t) * A_t ]``.

    Kept for comparison with published code. Its Hessian lacks the term ``H1`` (the outer product
    of scores) altogether, so a meta-gradient taken through it is not that of the expected return
    (Rothfuss et al. 2019, section 5).
    """
    _, log_probs = evaluate_actions(policy, params, trajectories)
    return -log_probs * advantages_of(trajectories)


@Loss
def dice_loss(policy: Policy, params: Params, trajectories: Trajectories) -> Tensor:
    """DiCE with advantages (Foerster et al. 2018; Farquhar et al. 2019, equation 9).

    ``-mean_t [ (B(w_t) - B(w_{t-1})) * A_t ]`` with ``w_t = sum_{t' <= t} log pi(a_t' | s_t')``
    and the magic box ``B(w) = exp(w - stop(w))``, here ``exp(w_t - w_t of the behaviour)``: the
    same at the sampling parameters, and an importance weight of the whole past elsewhere.

    With ``gamma = 1`` the expected Hessian at the sampling parameters is the true one,
    ``H1 + H2 + H12 + H12^T`` in the terms of Rothfuss et al. (2019, section 5), if ``A_t``
    estimates the advantage of step ``t``; unbiased to any order where ``A_t`` is a return to go,
    with or without a baseline. Below, the usual weight ``gamma^t`` of step ``t`` (they have it in
    the reward) is left out, here as in every policy gradient, so that none of these losses has
    exactly the derivatives of the discounted return. The variance is higher than that of
    :func:`ratio_loss` (their section 7.2).
    """
    _, log_probs = evaluate_actions(policy, params, trajectories)
    steps = (log_probs - trajectories.log_probs) * trajectories.mask
    upto = steps.cumsum(dim=-1)
    return -(upto.exp() - (upto - steps).exp()) * advantages_of(trajectories)


def clipped_loss(clip_range: float = 0.2) -> Loss:
    """PPO's clipped surrogate (Schulman et al. 2017, equation 7).

    ``-mean_t min( r_t A_t, clip(r_t, 1 - clip_range, 1 + clip_range) A_t )``, ``r_t`` the ratio of
    probabilities now and at sampling: :func:`ratio_loss` that stops pulling once a step has moved.

    Raises:
        ConfigError: If ``clip_range`` isn't above 0.
    """
    if not clip_range > 0:
        raise ConfigError(f"clip_range: got {clip_range}; must be greater than 0.")

    def clipped(policy: Policy, params: Params, trajectories: Trajectories) -> Tensor:
        _, log_probs = evaluate_actions(policy, params, trajectories)
        return clipped_surrogate(
            importance_ratios(log_probs, trajectories), trajectories, clip_range
        )

    return Loss(clipped)


@Loss
def behaviour_cloning_loss(policy: Policy, params: Params, trajectories: Trajectories) -> Tensor:
    """Negative log-likelihood of demonstrated actions, ``-mean_t log pi_params(a_t | s_t)``.

    The support set holds demonstrations instead of the policy's own experience, and needs no
    advantages (Finn et al. 2017b, one-shot visual imitation learning).
    """
    _, log_probs = evaluate_actions(policy, params, trajectories)
    return -log_probs


INNER_LOSSES: dict[str, Loss] = {
    "ratio": ratio_loss,
    "dice": dice_loss,
    "log_prob": log_prob_loss,
    "clip": clipped_loss(),
    "behaviour_cloning": behaviour_cloning_loss,
}
"""The losses an inner loop can use, by the name that settings give them."""


def evaluate_actions(
    policy: Policy, params: Params, trajectories: Trajectories
) -> tuple[Tensor, Tensor]:
    """Runs the policy over stored experience.

    Returns:
        Distribution parameters ``[M, E, S, P]`` and log-probabilities of the stored actions
        ``[M, E, S]``.
    """
    dist_params, _ = policy.with_params(
        params, trajectories.observations, trajectories.initial_state
    )
    return dist_params, policy.log_prob(dist_params, trajectories.actions)


def importance_ratios(log_probs: Tensor, trajectories: Trajectories) -> Tensor:
    """Probability of each action now, over that when it was taken; 1 outside the mask.

    Padding holds no sample, so that its density can overflow, and infinity times zero is no number.
    """
    return ((log_probs - trajectories.log_probs) * trajectories.mask).exp()


def clipped_surrogate(ratios: Tensor, trajectories: Trajectories, clip_range: float) -> Tensor:
    """Terms of PPO's clipped surrogate, as a minimisation: ``[M, E, S]``."""
    advantages = advantages_of(trajectories)
    clipped = ratios.clamp(1.0 - clip_range, 1.0 + clip_range)
    return -torch.minimum(ratios * advantages, clipped * advantages)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the valid entries, a scalar; 0 if there are none."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def advantages_of(trajectories: Trajectories) -> Tensor:
    """Returns the advantages.

    Raises:
        ConfigError: If none have been estimated.
    """
    if trajectories.advantages is None:
        raise ConfigError("trajectories: carry no advantages; estimate them before the loss.")
    return trajectories.advantages
