"""SAC's actor as one of our policies (Haarnoja et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.sac.policies import Actor
from torch import Tensor, nn
from torch.distributions import (
    AffineTransform,
    Distribution,
    Independent,
    Normal,
    TanhTransform,
    TransformedDistribution,
)

from metarl.errors import ConfigError
from metarl.policies import Policy
from metarl.types import Params

LOG_STD_RANGE = (-20.0, 2.0)
_INSIDE = 1.0 - 1e-6


class SquashedGaussianMLPPolicy(Policy):
    """Diagonal Gaussian through tanh, scaled to the action space; mean and deviation are networks.

    Distribution parameters are mean and log standard deviation before tanh, ``[..., 2 A]``.

    Args:
        observation_dim: ``O``.
        action_space: Bounded; ``A`` dimensions.
        hidden_sizes: Units of each ReLU layer, at least one layer.
    """

    def __init__(
        self, observation_dim: int, action_space: spaces.Box, hidden_sizes: Sequence[int]
    ) -> None:
        super().__init__()
        self.action_dim = int(action_space.shape[0])
        self.middle = (action_space.high + action_space.low) / 2
        self.half_range = (action_space.high - action_space.low) / 2
        layers: list[nn.Module] = []
        size = observation_dim
        for width in hidden_sizes:
            layers += [nn.Linear(size, width), nn.ReLU()]
            size = width
        self.latent = nn.Sequential(*layers)
        self.mean = nn.Linear(size, self.action_dim)
        self.log_std = nn.Linear(size, self.action_dim)

    def forward(
        self, observations: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Returns mean and log standard deviation before tanh, ``[..., 2 A]``."""
        latent = self.latent(observations)
        log_std = self.log_std(latent).clamp(*LOG_STD_RANGE)
        return torch.cat([self.mean(latent), log_std], dim=-1), state

    def distribution(self, dist_params: Tensor) -> Distribution:
        """Returns the distribution of actions after tanh and scaling."""
        mean, log_std = dist_params.chunk(2, dim=-1)
        normal = Independent(Normal(mean, log_std.exp(), validate_args=False), 1)
        scale = AffineTransform(torch.as_tensor(self.middle), torch.as_tensor(self.half_range), 1)
        return TransformedDistribution(normal, [TanhTransform(), scale], validate_args=False)

    def log_prob(self, dist_params: Tensor, actions: Tensor) -> Tensor:
        """Log-probability ``[...]``; actions on the edge are taken a millionth inside it."""
        middle, half_range = torch.as_tensor(self.middle), torch.as_tensor(self.half_range)
        inside = ((actions - middle) / half_range).clamp(-_INSIDE, _INSIDE)
        return super().log_prob(dist_params, inside * half_range + middle)

    def noise(self, rng: np.random.Generator, shape: Sequence[int]) -> npt.NDArray[np.float32]:
        """Standard normal numbers, ``[*shape, A]``."""
        return rng.standard_normal((*shape, self.action_dim), dtype=np.float32)

    def select(
        self, dist_params: npt.NDArray[np.float32], noise: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[Any]:
        """Squashes the mean, or the mean plus standard deviation times noise."""
        mean, log_std = dist_params[:, : self.action_dim], dist_params[:, self.action_dim :]
        before = mean if noise is None else mean + np.exp(log_std) * noise
        # PyTorch's tanh, as in training: NumPy's differs in the last bit.
        squashed = torch.tanh(torch.tensor(before)).numpy()
        result: npt.NDArray[Any] = self.middle + self.half_range * squashed
        return result

    @property
    def num_dist_params(self) -> int:
        """Twice the action dimension."""
        return 2 * self.action_dim


def import_sac(model: SAC) -> tuple[SquashedGaussianMLPPolicy, Params]:
    """Reads the actor of a SAC model.

    Returns:
        The policy's structure, and its parameters.

    Raises:
        ConfigError: If the actor uses state-dependent exploration, or isn't a ReLU network on
            vectors.
    """
    actor: Actor = model.actor
    kinds = {type(layer) for layer in actor.latent_pi}
    observations, actions = model.observation_space, model.action_space
    if actor.use_sde or kinds - {nn.Linear, nn.ReLU} or not isinstance(observations, spaces.Box):
        raise ConfigError(
            "model: its actor must be SAC's MlpPolicy with ReLU layers on vectors, without "
            "state-dependent exploration."
        )
    assert isinstance(actions, spaces.Box)  # SAC knows no other
    policy = SquashedGaussianMLPPolicy(spaces.flatdim(observations), actions, actor.net_arch)
    theirs = actor.state_dict()
    names = {"latent": "latent_pi", "mean": "mu", "log_std": "log_std"}
    params = {}
    for name in policy.params():
        part, _, rest = name.partition(".")
        params[name] = theirs[f"{names[part]}.{rest}"].detach().cpu().clone()
    return policy, params
