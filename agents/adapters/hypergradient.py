"""Learned inner rates through a long inner loop, at memory that doesn't grow with its length.

An adaptation step is a whole loop of gradient descent with momentum on one support set. Its
derivative in rates, decays and initial parameters is taken without a graph of the loop:

* In reverse ("reverse gradient descent", Maclaurin et al. 2015, algorithm 2), by running the loop
  backwards: see :mod:`.reversible`.
* Forward (Franceschi et al. 2017, section 3.2), by carrying the derivative of the state in each
  rate and decay along. Of use for few hyperparameters: the initial parameters are too many, and
  their gradient is taken first-order, as if the loop moved them by a constant.

Maclaurin et al. learn a rate and a decay for each layer and each step, on validation data of
supervised learning, from many whole trainings; here they are shared by the steps, learned with the
initialisation, and validation data is the query set.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from metarl.adaptation import AdaptationState, Adapter
from metarl.errors import ConfigError
from metarl.parameter_vectors import joined, separated
from metarl.policies import Policy
from metarl.types import Params, Trajectories

from .as_vector import VectorLoss
from .by_parameter import ByParameter
from .own_derivative import Jacobian, with_jacobian
from .reversible import Descent, ReversiblePath, off_grid

Mode = Literal["reverse", "forward"]


class HypergradientAdapter(Adapter):
    """Many steps of gradient descent with momentum on one support set.

    ``v' = gamma v - (1 - gamma) gradient`` and ``w' = w + alpha v'`` from ``v = 0``, with
    ``alpha = exp(log_rates)`` and ``gamma = sigmoid(decays)`` for each of the policy's tensors,
    both learned. States are float64 on a grid of 2^-44, gradients of the policy's own precision.

    A loop that leaves the grid, at a rate that makes it diverge, gives parameters that are not a
    number.

    Args:
        policy: Structure of the policy.
        inner_lr: Initial rate ``alpha``, above 0.
        num_gradient_steps: Steps of the loop.
        momentum: Initial decay ``gamma``, in (0, 1).
        mode: How the loop is differentiated; see the module.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.
    """

    def __init__(
        self,
        policy: Policy,
        inner_lr: float,
        *,
        num_gradient_steps: int = 10,
        momentum: float = 0.5,
        mode: Mode = "reverse",
        **common: Any,
    ) -> None:
        super().__init__(policy, **common)
        if not 0 < momentum < 1:
            raise ConfigError(f"momentum: got {momentum}; must be above 0 and below 1.")
        self.num_gradient_steps = num_gradient_steps
        self.mode = mode
        like = {name: value.new_zeros(()) for name, value in policy.named_parameters()}
        rate, decay = torch.tensor(inner_lr).log(), torch.tensor(momentum).logit()
        self.log_rates = ByParameter({name: zero + rate for name, zero in like.items()})
        self.decays = ByParameter({name: zero + decay for name, zero in like.items()})

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Runs the loop."""
        start = joined(state.params)
        rates = self.scale(state.step) * _by_coordinate(self.log_rates, state.params).exp()
        decays = _by_coordinate(self.decays, state.params).sigmoid()
        loss = VectorLoss(self.loss, self.policy, state.params, support)
        loop = Loop(loss, start.detach(), rates.detach(), decays.detach())
        loop.run(self.num_gradient_steps)
        end = loop.end.to(start.dtype)
        if create_graph and self.mode == "reverse":
            end = with_jacobian(end, (start, rates, decays), loop)
        elif create_graph:
            end = self._with_forward_derivative(end, start, loop, state.params)
        return state.after(separated(end, state.params))

    def _with_forward_derivative(
        self, end: Tensor, start: Tensor, loop: Loop, like: Params
    ) -> Tensor:
        """``end`` as a function whose derivative in rates and decays has been carried along."""
        learned = torch.stack([*self.log_rates.named().values(), *self.decays.named().values()])
        rows = len(learned) // 2
        owner = torch.repeat_interleave(
            torch.arange(rows, device=end.device),
            torch.tensor([value.numel() for value in like.values()], device=end.device),
        )
        unit = torch.eye(rows, dtype=torch.float64, device=end.device)[:, owner]
        none = torch.zeros_like(unit)
        tangents = loop.pushforward(
            torch.zeros_like(unit).repeat(2, 1),
            torch.cat([unit * loop.rates, none]),
            torch.cat([none, unit * loop.decays * (1.0 - loop.decays)]),
        ).to(end.dtype)
        return end + (start - start.detach()) + (learned - learned.detach()) @ tangents


class Loop(Jacobian):
    """One run of the loop, and its derivative in start, rates and decays, ``[n]`` each."""

    def __init__(self, loss: VectorLoss, start: Tensor, rates: Tensor, decays: Tensor) -> None:
        self.loss = loss
        self.start = start
        self.rates, self.decays = rates.double(), decays.double()
        self.descent = Descent(lambda w: loss.gradient(w.to(start.dtype)), self.rates, self.decays)
        self.path = ReversiblePath.start(start)
        self.num_steps = 0
        self.diverged = False

    def run(self, num_steps: int) -> None:
        """Takes steps from the start."""
        while self.num_steps < num_steps and not self.diverged:
            self.diverged = not self.path.forward(self.descent)
            self.num_steps += 1

    @property
    def end(self) -> Tensor:
        """Where it has led, ``[n]`` float64."""
        end = off_grid(self.path.w)
        return torch.full_like(end, torch.nan) if self.diverged else end

    def pullback(self, u: Tensor) -> tuple[Tensor, ...]:
        """Derivatives in start, rates and decays along ``u``, running backwards (algorithm 2)."""
        if self.diverged:
            return (torch.full_like(u, torch.nan),) * 3
        by_w = u.double()
        by_v, by_rates, by_decays = (torch.zeros_like(by_w) for _ in range(3))
        path = self.path.copy()
        for _ in range(self.num_steps):
            by_rates += by_w * off_grid(path.v)
            by_v = by_v + self.rates * by_w
            path.back(self.descent)
            slope, hessian = self.loss.curvature(off_grid(path.w).to(u.dtype))
            by_decays += by_v * (off_grid(path.v) + slope)
            by_w = by_w - hessian(((1.0 - self.decays) * by_v).to(u.dtype))
            by_v = self.decays * by_v
        self._check_returned(path)
        return tuple(value.to(u.dtype) for value in (by_w, by_rates, by_decays))

    def pushforward(self, *v: Tensor) -> Tensor:
        """Derivative of the end along directions, ``[n]`` or ``[k, n]`` each, running forward."""
        along_w, along_rates, along_decays = (direction.double() for direction in v)
        dtype = v[0].dtype
        if self.diverged:
            return torch.full_like(v[0], torch.nan)
        along_v = torch.zeros_like(along_w)
        path = ReversiblePath.start(self.start)
        for _ in range(self.num_steps):
            slope, hessian = self.loss.curvature(off_grid(path.w).to(dtype))
            along_v = (
                self.decays * along_v
                + along_decays * (off_grid(path.v) + slope)
                - (1.0 - self.decays) * hessian(along_w.to(dtype))
            )
            path.forward(self.descent)
            along_w = along_w + self.rates * along_v + along_rates * off_grid(path.v)
        return along_w.to(dtype)

    def _check_returned(self, path: ReversiblePath) -> None:
        origin = ReversiblePath.start(self.start)
        if not (torch.equal(path.w, origin.w) and not path.v.any()):
            raise ConfigError(
                "mode: got 'reverse'; it needs gradients that are the same bits each time, which "
                "this device doesn't give. Allowed here: 'forward'."
            )


def _by_coordinate(values: ByParameter, like: Params) -> Tensor:
    """Each tensor's number for every one of its coordinates, ``[n]``."""
    named = values.named()
    return torch.cat([named[name].expand(value.numel()) for name, value in like.items()])
