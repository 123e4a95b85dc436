"""Trust region policy optimisation."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from metarl.errors import NonFiniteError
from metarl.outer.step import Objective, OuterStep
from metarl.parameter_vectors import joined, separated
from metarl.types import Params


class TRPO(OuterStep):
    """Trust region policy optimisation (Schulman et al. 2015, appendix C).

    Direction ``s = (H + damping I)^-1 g`` by conjugate gradient, length such that the quadratic
    model of the KL divergence equals ``max_kl``, then backtracking until the loss falls and the
    divergence is within ``max_kl``. If no length does, the parameters stay as they are.

    Args:
        max_kl: Radius of the trust region (nats).
        cg_iterations: Conjugate gradient iterations.
        cg_damping: Added to the diagonal of ``H``.
        backtrack_ratio: Factor between successive lengths.
        max_backtracks: How many lengths are tried.
    """

    def __init__(
        self,
        *,
        max_kl: float = 0.01,
        cg_iterations: int = 10,
        cg_damping: float = 1e-5,
        backtrack_ratio: float = 0.8,
        max_backtracks: int = 15,
    ) -> None:
        self.max_kl = max_kl
        self.cg_iterations = cg_iterations
        self.cg_damping = cg_damping
        self.backtrack_ratio = backtrack_ratio
        self.max_backtracks = max_backtracks

    def step(self, meta_params: Params, objective: Objective) -> tuple[Params, dict[str, float]]:
        """Takes one trust-region step."""
        loss_before, gradient = objective.gradient(meta_params)
        product = objective.fisher_product(meta_params)

        def damped_hessian(vector: Tensor) -> Tensor:
            image = joined(product(separated(vector, meta_params)))
            return image + self.cg_damping * vector

        descent = -joined(gradient)
        direction, residual = conjugate_gradient(damped_hessian, descent, self.cg_iterations)
        # s^T A s without another product: the residual is r = b - A s.
        curvature = torch.dot(direction, descent - residual).item()
        if not math.isfinite(curvature):
            raise NonFiniteError("curvature of the trust region: isn't finite")
        figures = {"loss_before": loss_before, "gradient_norm": descent.norm().item()}
        refused = {**figures, "accepted": 0.0, "kl": 0.0, "loss_after": loss_before}
        if not curvature > 0.0:
            # A zero gradient: there is no direction to go.
            return meta_params, {**refused, "backtracks": 0}
        step = direction * (2.0 * self.max_kl / curvature) ** 0.5
        old = joined(meta_params)
        for attempt in range(self.max_backtracks):
            candidate = separated(old + self.backtrack_ratio**attempt * step, meta_params)
            loss, kl = objective.evaluate(candidate)
            if loss < loss_before and kl <= self.max_kl:
                figures |= {"accepted": 1.0, "kl": kl, "loss_after": loss, "backtracks": attempt}
                return candidate, figures
        return meta_params, {**refused, "backtracks": self.max_backtracks}


def conjugate_gradient(
    product: Callable[[Tensor], Tensor],
    target: Tensor,
    iterations: int,
    tolerance: float = 1e-10,
) -> tuple[Tensor, Tensor]:
    """Solves ``A x = target`` for a symmetric positive definite ``A`` given as a product.

    Args:
        product: ``x -> A x``.
        target: ``[n]``.
        iterations: At most this many products.
        tolerance: Ends when the squared residual norm falls below; of a target shorter than 1,
            when the ratio to its own squared norm does, so that no length counts as zero.

    Returns:
        The approximate solution and its residual ``target - A x``, ``[n]`` each.
    """
    solution = torch.zeros_like(target)
    residual = target.clone()
    search = residual.clone()
    squared = torch.dot(residual, residual)
    enough = tolerance * squared.clamp(max=1.0)
    for _ in range(iterations):
        if squared <= enough:
            break
        image = product(search)
        rate = squared / torch.dot(search, image)
        solution += rate * search
        residual -= rate * image
        squared_next = torch.dot(residual, residual)
        search = residual + (squared_next / squared) * search
        squared = squared_next
    return solution, residual
