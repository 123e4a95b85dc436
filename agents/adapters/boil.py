"""Body only update in the inner loop: only the features adapt (Oh et al. 2021)."""

from __future__ import annotations

from typing import Any

from metarl.adaptation import AdaptationState, Adapter, gradient_step
from metarl.errors import ConfigError
from metarl.policies import Policy
from metarl.types import Trajectories


class BOILAdapter(Adapter):
    """``body - inner_lr * gradient``; the head stays as it was meta-learned.

    The mirror image of :class:`~metarl.agents.adapters.ANILAdapter`, with the same head: the
    standard deviation of a Gaussian doesn't adapt here.

    Args:
        policy: Structure of the policy, one with ``head_names`` and at least one hidden layer.
        inner_lr: Step size of the inner loop.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.

    Raises:
        ConfigError: If the policy doesn't tell head from body, or has no body.
    """

    def __init__(self, policy: Policy, inner_lr: float, **common: Any) -> None:
        super().__init__(policy, **common)
        self.inner_lr = inner_lr
        self.names = frozenset(policy.params()) - policy.head_names
        if not self.names:
            raise ConfigError(
                "policy: has no body that BOIL could adapt; allowed: at least one hidden layer."
            )

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one gradient step in the body."""
        rates = dict.fromkeys(self.names, self.inner_lr * self.scale(state.step))
        loss = self.loss(self.policy, state.params, support)
        return state.after(gradient_step(state.params, loss, rates, create_graph=create_graph))
