"""Pure surrogate losses: parameters and experience in, one number out.

Each loss takes any number of tasks, averages over valid steps, and is to be minimised. What sets
them apart is not the first gradient, which is the policy gradient for all at the sampling
parameters, but the second: see :func:`ratio_loss` and :func:`log_prob_loss`.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from metarl.errors import ConfigError
from metarl.policies import Policy
from metarl.types import Params, Trajectories


class Loss(Protocol):
    """A surrogate loss of a policy on experience."""

    def __call__(self, policy: Policy, params: Params, trajectories: Trajectories) -> Tensor:
        """Returns the loss, a scalar that is differentiable in ``params``."""
        ...


def ratio_loss(policy: Policy, params: Params, trajectories: Trajectories) -> Tensor:
    """Importance-weighted surrogate, also called low-variance curvature (LVC).

    ``-mean_t [ pi_params(a_t | s_t) / pi_behaviour(a_t | s_t) * A_t ]``

    (Rothfuss et al. 2019, equation 9, as a minimisation.) In the terms of their section 5, the
    expected Hessian at the sampling parameters is ``H1 + H2``: exact for one step; with more
    steps it lacks the cross terms ``H12 + H12^T``, its known and small bias.
    """
    _, log_probs = evaluate_actions(policy, params, trajectories)
    ratios = (log_probs - trajectories.log_probs).exp()
    return -masked_mean(ratios * advantages_of(trajectories), trajectories.mask)


def log_prob_loss(policy: Policy, params: Params, trajectories: Trajectories) -> Tensor:
    """Score-function surrogate ``-mean_t [ log pi_params(a_t | s_t) * A_t ]``.

    Kept for comparison with published code. Its Hessian lacks the term ``H1`` (the outer product
    of scores) altogether, so a meta-gradient taken through it is not that of the expected return
    (Rothfuss et al. 2019, section 5).
    """
    _, log_probs = evaluate_actions(policy, params, trajectories)
    return -masked_mean(log_probs * advantages_of(trajectories), trajectories.mask)


INNER_LOSSES: dict[str, Loss] = {"ratio": ratio_loss, "log_prob": log_prob_loss}
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


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the valid entries, a scalar."""
    return (values * mask).sum() / mask.sum()


def advantages_of(trajectories: Trajectories) -> Tensor:
    """Returns the advantages.

    Raises:
        ConfigError: If none have been estimated.
    """
    if trajectories.advantages is None:
        raise ConfigError("trajectories: carry no advantages; estimate them before the loss.")
    return trajectories.advantages
