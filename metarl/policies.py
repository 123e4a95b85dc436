"""Policies whose parameters are an argument.

A policy is an ordinary :class:`torch.nn.Module`; :meth:`Policy.with_params` runs it under any set
of parameters (``torch.func.functional_call``), so that adapted parameters, which are functions of
the initial ones, can be differentiated through. Its parameters at rest are the initialisation.

An action distribution is passed on as one flat tensor of its parameters (``P`` numbers per step),
which is what trajectories store and what a Fisher product is taken in.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, Normal

from metarl.errors import ConfigError
from metarl.types import Params

Actor: TypeAlias = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor | None]]
"""Maps observations ``[N, O]`` and state to distribution parameters ``[N, P]`` and next state."""


class Policy(nn.Module, ABC):
    """A stochastic policy; write ``forward`` as for any module.

    A policy may carry state from step to step, and across the episodes of one trial:
    :meth:`initial_state` gives the state of a trial's start (``None`` for a policy without).
    """

    @abstractmethod
    def forward(
        self, observations: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Maps observations ``[..., O]`` to distribution parameters ``[..., P]`` and next state."""

    @abstractmethod
    def distribution(self, dist_params: Tensor) -> Distribution:
        """Returns the action distribution that ``dist_params`` ``[..., P]`` stand for."""

    @abstractmethod
    def noise(self, rng: np.random.Generator, shape: Sequence[int]) -> npt.NDArray[np.float32]:
        """Draws the randomness of ``shape`` actions, to be given to :meth:`select`."""

    @abstractmethod
    def select(
        self, dist_params: npt.NDArray[np.float32], noise: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[Any]:
        """Turns distribution parameters ``[N, P]`` into actions: sampled, or the mode if no noise.

        Actions are not clipped: the score is that of the sample itself, and clipping to the
        action space happens at the environment.
        """

    @property
    @abstractmethod
    def num_dist_params(self) -> int:
        """``P``."""

    def initial_state(self, num_rows: int) -> Tensor | None:
        """State at the start of a trial, ``[num_rows, H]``, or ``None`` for no state."""
        del num_rows
        return None

    @property
    def head_names(self) -> frozenset[str]:
        """Names of the parameters that turn features into an action distribution.

        The rest is the body. Rules that adapt the one or the other (ANIL, BOIL, LEO) need it.

        Raises:
            ConfigError: If the policy doesn't tell them apart.
        """
        raise ConfigError(
            f"policy: {type(self).__name__} doesn't say which of its parameters are its head; "
            "allowed: a policy with head_names, such as GaussianMLPPolicy and CategoricalMLPPolicy."
        )

    def params(self) -> Params:
        """The initial parameters, detached and cloned."""
        return {name: value.detach().clone() for name, value in self.named_parameters()}

    def with_params(
        self, params: Params, observations: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Runs :meth:`forward` with ``params`` in place of the policy's own."""
        result: tuple[Tensor, Tensor | None] = torch.func.functional_call(
            self, params, (observations, state)
        )
        return result

    def actor(self, num_rows: int) -> Actor:
        """Returns :meth:`forward` for acting: without gradients, for batches of ``num_rows``.

        A policy may override this with something faster that gives the same bits. Parameters are
        those of the time of this call, and a result may be overwritten by the next one.
        """
        del num_rows
        return self

    def log_prob(self, dist_params: Tensor, actions: Tensor) -> Tensor:
        """Log-probability of ``actions``, summed over action dimensions: ``[...]``."""
        value: Tensor = self.distribution(dist_params).log_prob(actions)
        return value


class GaussianMLPPolicy(Policy):
    """Diagonal Gaussian with a tanh network as mean and a standard deviation per dimension.

    The log standard deviation is a parameter like any other: inner steps adapt it too, as in Finn
    et al. (2017). Weights start by Glorot's uniform rule, biases at zero.

    Args:
        observation_dim: ``O``.
        action_dim: ``A``.
        hidden_sizes: Units of each hidden layer.
        init_std: Initial standard deviation.
        min_std: Lower bound of the standard deviation.
        generator: Source of the initial weights.
    """

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        hidden_sizes: Sequence[int] = (64, 64),
        *,
        init_std: float = 1.0,
        min_std: float = 1e-6,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.action_dim = action_dim
        self.network = _tanh_network(observation_dim, hidden_sizes, action_dim, generator)
        self.log_std = nn.Parameter(torch.full((action_dim,), math.log(init_std)))
        self.min_log_std = math.log(min_std)

    def forward(
        self, observations: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Returns mean and log standard deviation, ``[..., 2 A]``."""
        mean = self.network(observations)
        log_std = self.log_std.clamp(min=self.min_log_std).expand_as(mean)
        return torch.cat([mean, log_std], dim=-1), state

    def actor(self, num_rows: int) -> Actor:
        """The same as :meth:`forward`, in memory of its own."""
        if type(self).forward is not GaussianMLPPolicy.forward:
            return super().actor(num_rows)
        mean_of = _network_for_acting(self.network, num_rows)
        dist_params = self.log_std.new_empty(num_rows, self.num_dist_params)
        mean, log_std = dist_params.chunk(2, dim=-1)
        log_std.copy_(self.log_std.detach().clamp(min=self.min_log_std))

        def act(observations: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor | None]:
            mean.copy_(mean_of(observations))
            return dist_params, state

        return act

    def distribution(self, dist_params: Tensor) -> Distribution:
        """Returns a Gaussian with independent dimensions."""
        mean, log_std = dist_params.chunk(2, dim=-1)
        normal = Normal(mean, log_std.exp(), validate_args=False)
        return Independent(normal, 1, validate_args=False)

    def noise(self, rng: np.random.Generator, shape: Sequence[int]) -> npt.NDArray[np.float32]:
        """Standard normal numbers, ``[*shape, A]``."""
        return rng.standard_normal((*shape, self.action_dim), dtype=np.float32)

    def select(
        self, dist_params: npt.NDArray[np.float32], noise: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[Any]:
        """Mean, plus standard deviation times noise."""
        mean, log_std = dist_params[:, : self.action_dim], dist_params[:, self.action_dim :]
        return mean.copy() if noise is None else mean + np.exp(log_std) * noise

    @property
    def num_dist_params(self) -> int:
        """Twice the action dimension."""
        return 2 * self.action_dim

    @property
    def head_names(self) -> frozenset[str]:
        """The last layer, and the standard deviation, which depends on no feature."""
        return _last_layer(self.network) | {"log_std"}


class CategoricalMLPPolicy(Policy):
    """Categorical distribution whose logits come from a tanh network.

    Args:
        observation_dim: ``O``.
        num_actions: Number of actions, also ``P``.
        hidden_sizes: Units of each hidden layer.
        generator: Source of the initial weights.
    """

    def __init__(
        self,
        observation_dim: int,
        num_actions: int,
        hidden_sizes: Sequence[int] = (64, 64),
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.num_actions = num_actions
        self.network = _tanh_network(observation_dim, hidden_sizes, num_actions, generator)

    def forward(
        self, observations: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Returns logits ``[..., P]``."""
        return self.network(observations), state

    def actor(self, num_rows: int) -> Actor:
        """The same as :meth:`forward`, in memory of its own."""
        if type(self).forward is not CategoricalMLPPolicy.forward:
            return super().actor(num_rows)
        logits_of = _network_for_acting(self.network, num_rows)
        return lambda observations, state: (logits_of(observations), state)

    def distribution(self, dist_params: Tensor) -> Distribution:
        """Returns the categorical distribution of these logits."""
        return Categorical(logits=dist_params, validate_args=False)

    def noise(self, rng: np.random.Generator, shape: Sequence[int]) -> npt.NDArray[np.float32]:
        """Standard Gumbel numbers, ``[*shape, P]``."""
        return rng.gumbel(size=(*shape, self.num_actions)).astype(np.float32)

    def select(
        self, dist_params: npt.NDArray[np.float32], noise: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[Any]:
        """Argmax of the logits, with Gumbel noise added to sample."""
        actions: npt.NDArray[np.int64]
        actions = np.argmax(dist_params if noise is None else dist_params + noise, axis=-1)
        return actions

    @property
    def num_dist_params(self) -> int:
        """The number of actions."""
        return self.num_actions

    @property
    def head_names(self) -> frozenset[str]:
        """The last layer."""
        return _last_layer(self.network)


def make_mlp_policy(
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    hidden_sizes: Sequence[int] = (64, 64),
    *,
    init_std: float = 1.0,
    generator: torch.Generator | None = None,
) -> Policy:
    """Builds the MLP policy that fits a pair of spaces.

    Raises:
        ConfigError: If the action space is neither a flat ``Box`` nor ``Discrete``, or a layer has
            no units.
    """
    if any(size < 1 for size in hidden_sizes):
        raise ConfigError(f"hidden_sizes: got {tuple(hidden_sizes)}; each must be at least 1.")
    observation_dim = spaces.flatdim(observation_space)
    if isinstance(action_space, spaces.Discrete):
        return CategoricalMLPPolicy(
            observation_dim, int(action_space.n), hidden_sizes, generator=generator
        )
    if isinstance(action_space, spaces.Box) and len(action_space.shape) == 1:
        return GaussianMLPPolicy(
            observation_dim,
            action_space.shape[0],
            hidden_sizes,
            init_std=init_std,
            generator=generator,
        )
    raise ConfigError(f"action_space: got {action_space}; allowed: a flat Box, or Discrete.")


def _tanh_network(
    num_inputs: int,
    hidden_sizes: Sequence[int],
    num_outputs: int,
    generator: torch.Generator | None,
) -> nn.Sequential:
    sizes = [num_inputs, *hidden_sizes, num_outputs]
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.xavier_uniform_(linear.weight, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def _network_for_acting(network: nn.Sequential, num_rows: int) -> Callable[[Tensor], Tensor]:
    """A tanh network on ``num_rows`` rows, without the modules' calls and allocations.

    On a few rows those cost more than the arithmetic, which is the same: ``nn.Linear`` is addmm.
    """
    linears = [layer for layer in network if isinstance(layer, nn.Linear)]
    layers = [
        (weight.t(), bias, weight.new_empty(num_rows, len(bias)))
        for weight, bias in ((layer.weight.detach(), layer.bias.detach()) for layer in linears)
    ]

    def run(rows: Tensor) -> Tensor:
        for weight, bias, out in layers[:-1]:
            rows = torch.addmm(bias, rows, weight, out=out).tanh_()
        weight, bias, out = layers[-1]
        return torch.addmm(bias, rows, weight, out=out)

    return run


def _last_layer(network: nn.Sequential) -> frozenset[str]:
    return frozenset(f"network.{len(network) - 1}.{kind}" for kind in ("weight", "bias"))
