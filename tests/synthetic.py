"""Small policies and made-up experience, in float64 so that derivatives can be checked closely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from metarl.policies import CategoricalMLPPolicy, GaussianMLPPolicy, Policy
from metarl.types import Params, Trajectories

POLICIES = ("gaussian", "categorical")


def small_policy(kind: str, *, hidden_sizes: Sequence[int] = (3,), seed: int = 0) -> Policy:
    """A policy over two observations, every parameter of it away from zero."""
    policy: Policy = (
        GaussianMLPPolicy(2, 2, hidden_sizes)
        if kind == "gaussian"
        else CategoricalMLPPolicy(2, 3, hidden_sizes)
    )
    policy.double()
    generator = torch.Generator().manual_seed(seed)
    for value in policy.parameters():
        value.data = 0.5 * torch.randn(value.shape, generator=generator, dtype=torch.float64)
    return policy


def experience(
    policy: Policy,
    params: Params | Sequence[Params],
    *,
    num_tasks: int = 2,
    num_episodes: int = 3,
    horizon: int = 4,
    lengths: Tensor | None = None,
    seed: int = 0,
) -> Trajectories:
    """Random observations and advantages, with actions of the policy that ``params`` stand for.

    Args:
        lengths: Steps of each episode, ``[M, E]``; by default all last until the horizon.
    """
    per_task = [params] * num_tasks if isinstance(params, dict) else params
    generator = torch.Generator().manual_seed(seed)
    shape = (num_tasks, num_episodes, horizon)
    observations = torch.randn(*shape, 2, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        dist_params = torch.stack(
            [
                policy.with_params(own, rows)[0]
                for own, rows in zip(per_task, observations, strict=True)
            ]
        )
        # torch.distributions samples from the global generator only.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            actions = policy.distribution(dist_params).sample()
        log_probs = policy.log_prob(dist_params, actions)
    if lengths is None:
        lengths = torch.full(shape[:2], horizon)
    mask = torch.arange(horizon).expand(shape) < lengths.unsqueeze(-1)
    rewards = torch.randn(shape, generator=generator, dtype=torch.float64)
    advantages = torch.randn(shape, generator=generator, dtype=torch.float64)
    return Trajectories(
        observations=observations * mask[..., None],
        actions=actions * (mask[..., None] if actions.ndim > mask.ndim else mask),
        rewards=rewards * mask,
        log_probs=log_probs * mask,
        dist_params=dist_params * mask[..., None],
        mask=mask,
        terminated=torch.zeros(shape[:2], dtype=torch.bool),
        truncated=torch.ones(shape[:2], dtype=torch.bool),
        last_observations=torch.randn(*shape[:2], 2, generator=generator, dtype=torch.float64),
        success=None,
        unstable=torch.zeros(shape[:2], dtype=torch.bool),
        advantages=advantages * mask,
    )


def padded(trajectories: Trajectories, extra: int, *, fill: float = 0.0) -> Trajectories:
    """The same experience under a longer horizon, ``fill`` in the steps that didn't take place."""

    def longer(values: Tensor | None, value: float = fill) -> Tensor | None:
        if values is None:
            return None
        shape = (*values.shape[:2], extra, *values.shape[3:])
        return torch.cat([values, torch.full(shape, value).to(values.dtype)], dim=2)

    per_step = ("observations", "actions", "rewards", "log_probs", "dist_params", "advantages")
    return replace(
        trajectories,
        mask=longer(trajectories.mask, 0),
        **{name: longer(getattr(trajectories, name)) for name in per_step},
    )


def perturbed(params: Params, scale: float, *, seed: int = 0) -> Params:
    """Parameters nearby."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + scale * torch.randn(value.shape, generator=generator, dtype=value.dtype)
        for name, value in params.items()
    }


def flat(params: Params) -> Tensor:
    """All parameters as one vector."""
    return torch.cat([value.reshape(-1) for value in params.values()])


def unflat(vector: Tensor, like: Params) -> Params:
    """The vector's parts under the names and in the shapes of ``like``."""
    parts = torch.split(vector, [value.numel() for value in like.values()])
    return {
        name: part.view_as(value) for (name, value), part in zip(like.items(), parts, strict=True)
    }
