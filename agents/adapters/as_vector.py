"""The inner loss and its gradient as functions of the parameters as one vector."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from metarl.adaptation import inner_gradient
from metarl.losses import Loss
from metarl.parameter_vectors import joined, separated
from metarl.policies import Policy
from metarl.types import Params, Trajectories


def joined_gradient(params: Params, loss: Tensor, *, create_graph: bool) -> Tensor:
    """The loss's gradient as one vector ``[n]``, zero where the loss doesn't depend on it."""
    by_name = inner_gradient(params, loss, params, create_graph=create_graph)
    return joined({n: by_name.get(n, torch.zeros_like(v)) for n, v in params.items()})


class VectorLoss:
    """An inner loss on one support set, as a function of the parameters as a vector.

    Args:
        loss: The loss.
        policy: Structure of the policy.
        like: Parameters in the shapes and the precision of the policy.
        support: The support set.
    """

    def __init__(self, loss: Loss, policy: Policy, like: Params, support: Trajectories) -> None:
        self.loss, self.support = loss, support
        # A module runs under one set of parameters at a time, and what keeps this loss for later
        # may call it from any thread.
        self.policy = copy.deepcopy(policy)
        self.like = {name: value.detach() for name, value in like.items()}

    def value(self, point: Tensor) -> Tensor:
        """The loss at ``point`` ``[n]``, without history."""
        with torch.no_grad():
            return self.loss(self.policy, separated(point, self.like), self.support)

    def gradient(self, point: Tensor) -> Tensor:
        """The gradient at ``point`` ``[n]``, without history."""
        return self._gradient(point.detach().requires_grad_(), create_graph=False)

    def curvature(self, point: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The gradient at ``point``, and the map from ``z`` to the Hessian there times ``z``.

        The map takes one vector ``[n]`` or several ``[k, n]``, and keeps the graph of one gradient.
        """
        leaf = point.detach().requires_grad_()
        slope = self._gradient(leaf, create_graph=True)

        def product(z: Tensor) -> Tensor:
            (image,) = torch.autograd.grad(
                slope, leaf, z, retain_graph=True, is_grads_batched=z.ndim == 2
            )
            return image

        return slope.detach(), product

    def _gradient(self, leaf: Tensor, *, create_graph: bool) -> Tensor:
        with torch.enable_grad():
            loss = self.loss(self.policy, separated(leaf, self.like), self.support)
            (gradient,) = torch.autograd.grad(loss, leaf, create_graph=create_graph)
        return gradient
