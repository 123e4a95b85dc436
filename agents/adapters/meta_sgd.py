"""Meta-SGD: a learned rate for every single parameter (Li et al. 2017)."""

from __future__ import annotations

from typing import Any

import torch

from metarl.adaptation import AdaptationState, Adapter, gradient_step
from metarl.policies import Policy
from metarl.types import Params, Trajectories

from .by_parameter import ByParameter


class MetaSGDAdapter(Adapter):
    """``params - alpha * gradient``, elementwise (Li et al. 2017, section 3).

    ``alpha`` has the shape of the policy's parameters and is learned with them; nothing keeps it
    positive, so that it sets direction as well as length. It starts at random, as in the paper,
    here uniform around ``inner_lr``. All inner steps share it.

    Args:
        policy: Structure of the policy.
        inner_lr: Mean of the initial rates.
        spread: Initial rates lie in ``inner_lr * [1 - spread, 1 + spread]``.
        generator: Source of the initial rates.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.
    """

    def __init__(
        self,
        policy: Policy,
        inner_lr: float,
        *,
        spread: float = 0.5,
        generator: torch.Generator | None = None,
        **common: Any,
    ) -> None:
        super().__init__(policy, **common)
        self.rates = ByParameter(_uniform(policy.params(), inner_lr, spread, generator))

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one gradient step."""
        scale = self.scale(state.step)
        rates = {name: scale * rate for name, rate in self.rates.named().items()}
        loss = self.loss(self.policy, state.params, support)
        return state.after(gradient_step(state.params, loss, rates, create_graph=create_graph))


def _uniform(
    like: Params, centre: float, spread: float, generator: torch.Generator | None
) -> Params:
    return {
        name: centre
        * (1.0 + spread * (2.0 * torch.rand(value.shape, generator=generator).to(value) - 1.0))
        for name, value in like.items()
    }
