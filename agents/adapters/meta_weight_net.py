"""Meta-Weight-Net: a small network weights the terms of the inner loss (Shu et al. 2019).

The paper weights the training samples of a classifier by their loss, so that noisy labels count
little. Here the samples are the steps of the support set, and a step's loss is its term of the
inner loss: under the ratio form at the sampling parameters that is minus the step's advantage. The
weights and the policy's initialisation are learned together, from the query objective; the paper
learns the weights from a clean set along the training of one network.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from metarl.adaptation import AdaptationState, Adapter
from metarl.policies import Policy
from metarl.types import Trajectories

from .coordinate_wise import linear


class MetaWeightNetAdapter(Adapter):
    """``params - inner_lr * mean_t [ V(l_t) * d l_t / d params ]`` (equation 5).

    ``V`` is a network with one hidden layer of rectified linear units and a sigmoid (section 2.2).
    As in the paper the weights are constants to the inner gradient; the outer gradient goes
    through them.

    Args:
        policy: Structure of the policy.
        inner_lr: Step size of the inner loop. Weights lie in (0, 1) and start near 0.5.
        hidden_size: Units of the weight net.
        generator: Source of the weight net's initial weights.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.
    """

    def __init__(
        self,
        policy: Policy,
        inner_lr: float,
        *,
        hidden_size: int = 100,
        generator: torch.Generator | None = None,
        **common: Any,
    ) -> None:
        super().__init__(policy, **common)
        self.inner_lr = inner_lr
        self.weight_net = nn.Sequential(
            linear(1, hidden_size, generator), nn.ReLU(), linear(hidden_size, 1, generator)
        )

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one gradient step on the weighted loss."""
        terms = self.loss.terms(self.policy, state.params, support)
        with torch.set_grad_enabled(create_graph):
            taken = terms.masked_fill(~support.mask, 0.0)
            weights = self.weights(taken) * support.mask / support.mask.sum()
        gradients = torch.autograd.grad(
            terms,
            list(state.params.values()),
            grad_outputs=weights,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
        rate = self.inner_lr * self.scale(state.step)
        moved = zip(state.params.items(), gradients, strict=True)
        return state.after({name: value - rate * gradient for (name, value), gradient in moved})

    def weights(self, terms: Tensor) -> Tensor:
        """The weight of each step, in the shape of ``terms``."""
        return torch.sigmoid(self.weight_net(terms.unsqueeze(-1))).squeeze(-1)
