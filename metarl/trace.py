"""What one adaptation step did: the inner loop made visible."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from metarl.losses import Loss, masked_mean
from metarl.policies import Policy
from metarl.types import Params, Trajectories


@dataclass(frozen=True)
class TraceStep:
    """One adaptation step of one task.

    Attributes:
        step: Which step of the adaptation, from 1.
        loss: Inner loss on the support set before the step.
        loss_after: The same after it; lower, if the step did what it is for.
        gradient_norm: Length of the inner loss's gradient in all policy parameters, before.
        kl: Mean divergence over the support set of the policy after the step from the one that
            adaptation started from (nats), ``KL(pi_start || pi_after)``.
        relative_change: By layer, ``|after - start| / |start|`` of its parameters.
    """

    step: int
    loss: float
    loss_after: float
    gradient_norm: float
    kl: float
    relative_change: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def trace_step(
    policy: Policy,
    loss: Loss,
    support: Trajectories,
    *,
    step: int,
    start: Params,
    before: Params,
    after: Params,
) -> TraceStep:
    """Describes a step, whatever rule took it, by the parameters on both sides of it.

    Args:
        policy: Structure of the policy.
        loss: Inner loss.
        support: What the step was taken on, of one task.
        step: Which step of the adaptation, from 1.
        start: Parameters where the adaptation started.
        before: Parameters before the step.
        after: Parameters after the step.
    """
    leaves = {name: value.detach().requires_grad_() for name, value in before.items()}
    with torch.enable_grad():
        value = loss(policy, leaves, support)
        gradients = torch.autograd.grad(
            value, list(leaves.values()), allow_unused=True, materialize_grads=True
        )
    with torch.no_grad():
        old, new = (
            policy.with_params(params, support.observations, support.initial_state)[0]
            for params in (start, after)
        )
        divergence = kl_divergence(policy.distribution(old), policy.distribution(new))
        return TraceStep(
            step=step,
            loss=value.item(),
            loss_after=loss(policy, after, support).item(),
            gradient_norm=_norm(gradients),
            kl=masked_mean(divergence, support.mask).item(),
            relative_change=_relative_change(start, after),
        )


def _relative_change(start: Params, after: Params) -> dict[str, float]:
    layers: dict[str, list[str]] = {}
    for name in start:
        # "network.0.weight" and "network.0.bias" are one layer, "log_std" is one by itself.
        layers.setdefault(name.rpartition(".")[0] or name, []).append(name)
    changes = {}
    for layer, names in layers.items():
        moved = _norm([after[name] - start[name] for name in names])
        length = _norm([start[name] for name in names])
        # A layer of zeros (a log standard deviation of 0, a context) has no length to compare with.
        changes[layer] = moved / length if length > 0 else moved
    return changes


def _norm(tensors: list[Tensor] | tuple[Tensor, ...]) -> float:
    return float(sum(tensor.double().square().sum().item() for tensor in tensors) ** 0.5)
