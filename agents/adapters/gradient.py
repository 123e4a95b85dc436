"""Plain gradient descent on the inner loss: the adapter of MAML (Finn et al. 2017)."""

from __future__ import annotations

from typing import Any

from metarl.adaptation import AdaptationState, Adapter, gradient_step
from metarl.policies import Policy
from metarl.types import Trajectories


class GradientAdapter(Adapter):
    """``params - inner_lr * gradient``, for every parameter of the policy.

    Args:
        policy: Structure of the policy.
        inner_lr: Step size of the inner loop.
        first_order: Whether to treat the inner gradient as a constant (FOMAML): the outer gradient
            then lacks the term with the inner loss's Hessian.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.
    """

    def __init__(
        self, policy: Policy, inner_lr: float, *, first_order: bool = False, **common: Any
    ) -> None:
        super().__init__(policy, **common)
        self.inner_lr = inner_lr
        self.first_order = first_order

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one gradient step."""
        rates = dict.fromkeys(state.params, self.inner_lr * self.scale(state.step))
        loss = self.loss(self.policy, state.params, support)
        second_order = create_graph and not self.first_order
        return state.after(gradient_step(state.params, loss, rates, create_graph=second_order))
