"""Discounted returns and generalised advantage estimation."""

from __future__ import annotations

import torch
from torch import Tensor


def discounted_returns(rewards: Tensor, mask: Tensor, gamma: float) -> Tensor:
    """Sums what follows each step, discounted.

    ``G_t = r_t + gamma * G_{t+1}``, with nothing after the last valid step.

    Args:
        rewards: ``[..., S]``.
        mask: ``[..., S]`` bool, valid steps; they come first.
        gamma: Discount factor in [0, 1].

    Returns:
        ``[..., S]``, zero outside the mask.
    """
    rewards = rewards * mask
    returns = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[..., 0])
    for step in reversed(range(rewards.shape[-1])):
        following = rewards[..., step] + gamma * following
        returns[..., step] = following
    return returns


def generalised_advantages(
    rewards: Tensor,
    values: Tensor,
    last_values: Tensor,
    terminated: Tensor,
    mask: Tensor,
    *,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """Generalised advantage estimation (Schulman et al. 2016, equation 16).

    ``delta_t = r_t + gamma * V(s_{t+1}) - V(s_t)`` and
    ``A_t = delta_t + gamma * lambda * A_{t+1}``. A terminal state has value zero; an episode that
    was only cut off (truncated) is worth ``last_values`` from there on.

    Args:
        rewards: ``[..., S]``.
        values: ``[..., S]``, value of the state before each step.
        last_values: ``[...]``, value of the state after the last valid step.
        terminated: ``[...]`` bool, whether that state is terminal.
        mask: ``[..., S]`` bool, valid steps; they come first.
        gamma: Discount factor in [0, 1].
        gae_lambda: Trace decay in [0, 1]; 1 gives returns less values.

    Returns:
        ``[..., S]``, zero outside the mask.
    """
    bootstrap = torch.where(terminated, torch.zeros_like(last_values), last_values)
    advantages = torch.zeros_like(rewards)
    following_advantage = torch.zeros_like(last_values)
    following_value = bootstrap
    for step in reversed(range(rewards.shape[-1])):
        valid = mask[..., step]
        delta = rewards[..., step] + gamma * following_value - values[..., step]
        advantage = delta + gamma * gae_lambda * following_advantage
        advantages[..., step] = torch.where(valid, advantage, torch.zeros_like(advantage))
        # Padding comes after the episode: pass the bootstrap value through it unchanged.
        following_advantage = advantages[..., step]
        following_value = torch.where(valid, values[..., step], following_value)
    return advantages


def standardise(values: Tensor, mask: Tensor, eps: float = 1e-8) -> Tensor:
    """Shifts and scales each task's valid entries to mean 0 and standard deviation 1.

    Args:
        values: ``[M, E, S]``; statistics are taken over episodes and steps of each task.
        mask: ``[M, E, S]`` bool.
        eps: Added to the standard deviation.

    Returns:
        ``[M, E, S]``, zero outside the mask.
    """
    count = mask.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
    mean = (values * mask).sum(dim=(-2, -1), keepdim=True) / count
    centred = (values - mean) * mask
    variance = centred.square().sum(dim=(-2, -1), keepdim=True) / count
    return centred / (variance.sqrt() + eps)
