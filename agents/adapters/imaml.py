"""Implicit MAML: adapt to an optimum, differentiate its condition (Rajeswaran et al. 2019).

The paper's experiments are supervised. In reinforcement learning the inner loss is a surrogate that
holds near the policy that collected the support set; the proximal term is what keeps it there.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from metarl.adaptation import AdaptationState, Adapter
from metarl.outer.trpo import conjugate_gradient
from metarl.parameter_vectors import joined, separated
from metarl.policies import Policy
from metarl.types import Trajectories

from .as_vector import VectorLoss
from .own_derivative import Jacobian, with_jacobian

MOST_HALVINGS = 10
"""Of the rate, in one step; a step that still rises isn't taken."""


class IMAMLAdapter(Adapter):
    """``params' = argmin_phi loss(phi) + strength / 2 |phi - params|^2`` (equation 3).

    The inner problem is solved by gradient descent with a backtracking rate. It starts at
    ``1 / strength``, so that the first step is MAML's at that rate. What the outer loop needs of
    the solution is ``(I + H / strength)^-1`` times a vector, by implicit differentiation; it comes
    from conjugate gradient on products with the inner loss's Hessian ``H`` at the solution: no step
    of the solver is differentiated, and their number doesn't count for memory.

    The gradient is that of the exact solution: as right as solver and conjugate gradient are close
    to it.

    Args:
        policy: Structure of the policy.
        strength: Of the proximal term (the paper's lambda).
        num_gradient_steps: Steps of the solver.
        cg_iterations: Conjugate gradient iterations; the paper takes 5.
        learn_strength: Whether the outer loop learns its logarithm, from
            ``d phi / d strength = -(H + strength I)^-1 (phi - params)``.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`. A step that
            is ``s`` times as long has a proximal term that is ``1 / s`` times as strong.
    """

    def __init__(
        self,
        policy: Policy,
        strength: float,
        *,
        num_gradient_steps: int = 5,
        cg_iterations: int = 5,
        learn_strength: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(policy, **common)
        self.num_gradient_steps = num_gradient_steps
        self.cg_iterations = cg_iterations
        initial = torch.tensor(math.log(strength))
        self.log_strength = nn.Parameter(initial, requires_grad=learn_strength)

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Solves the inner problem."""
        strength = self.log_strength.exp() / self.scale(state.step)
        centre = joined(state.params)
        loss = VectorLoss(self.loss, self.policy, state.params, support)
        solution = solved_nearby(loss, centre.detach(), strength.item(), self.num_gradient_steps)
        if create_graph:
            jacobian = ImplicitJacobian(
                loss, solution, centre.detach(), strength.detach(), self.cg_iterations
            )
            solution = with_jacobian(solution, (centre, strength), jacobian)
        return state.after(separated(solution, state.params))


def solved_nearby(loss: VectorLoss, centre: Tensor, strength: float, num_steps: int) -> Tensor:
    """Descends on ``loss(phi) + strength / 2 |phi - centre|^2`` from the centre, ``[n]``.

    The rate starts at ``1 / strength`` and is halved wherever a step would raise the objective.
    """

    def objective(phi: Tensor) -> float:
        return (loss.value(phi) + 0.5 * strength * (phi - centre).square().sum()).item()

    rate, phi, height = 1.0 / strength, centre, objective(centre)
    rounding = 10.0 * torch.finfo(centre.dtype).eps
    for _ in range(num_steps):
        slope = loss.gradient(phi) + strength * (phi - centre)
        for _ in range(MOST_HALVINGS):
            below = phi - rate * slope
            reached = objective(below)
            if reached <= height + rounding * max(1.0, abs(height)):
                phi, height = below, reached
                break
            rate *= 0.5
    return phi


class ImplicitJacobian(Jacobian):
    """Derivative of the solution in centre and strength, from the optimality condition.

    ``gradient(phi) + strength (phi - centre) = 0`` gives, with ``A = H + strength I``,
    ``d phi / d centre = strength A^-1`` and ``d phi / d strength = -A^-1 (phi - centre)``.
    """

    def __init__(
        self,
        loss: VectorLoss,
        solution: Tensor,
        centre: Tensor,
        strength: Tensor,
        cg_iterations: int,
    ) -> None:
        _, self._hessian = loss.curvature(solution)
        self._way = solution - centre
        self._strength = strength
        self._cg_iterations = cg_iterations

    def pullback(self, u: Tensor) -> tuple[Tensor, ...]:
        """Derivatives in centre and strength along ``u``."""
        solved = self._solve(u)
        return self._strength * solved, -torch.dot(self._way, solved)

    def pushforward(self, *v: Tensor) -> Tensor:
        """Derivative of the solution along a direction in centre and one in strength."""
        along_centre, along_strength = v
        return self._solve(self._strength * along_centre - along_strength * self._way)

    def _solve(self, target: Tensor) -> Tensor:
        """``A^-1 target``; the target is scaled to length one, which tolerances are made for."""
        length: Tensor = target.norm().clamp(min=torch.finfo(target.dtype).tiny)
        direction, _ = conjugate_gradient(
            lambda x: self._hessian(x) + self._strength * x,
            target / length,
            self._cg_iterations,
            tolerance=torch.finfo(target.dtype).eps ** 2,
        )
        return direction * length
