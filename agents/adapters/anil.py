"""Almost no inner loop: only the head adapts (Raghu et al. 2020, section 4)."""

from __future__ import annotations

from typing import Any

from metarl.adaptation import AdaptationState, Adapter, gradient_step
from metarl.policies import Policy
from metarl.types import Trajectories


class ANILAdapter(Adapter):
    """``head - inner_lr * gradient``; the body stays as it was meta-learned.

    The head is the last layer and, for a Gaussian, the standard deviation: it is a part of the
    action distribution and depends on no feature, so that "only the head" includes it here. A
    policy without hidden layers is all head: then this is MAML.

    Args:
        policy: Structure of the policy, one with ``head_names``.
        inner_lr: Step size of the inner loop.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.

    Raises:
        ConfigError: If the policy doesn't tell head from body.
    """

    def __init__(self, policy: Policy, inner_lr: float, **common: Any) -> None:
        super().__init__(policy, **common)
        self.inner_lr = inner_lr
        self.names = policy.head_names

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one gradient step in the head."""
        rates = dict.fromkeys(self.names, self.inner_lr * self.scale(state.step))
        loss = self.loss(self.policy, state.params, support)
        return state.after(gradient_step(state.params, loss, rates, create_graph=create_graph))
