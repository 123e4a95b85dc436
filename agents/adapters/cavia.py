"""CAVIA: only a small context vector adapts (Zintgraf et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from metarl.adaptation import AdaptationState, Adapter, gradient_step
from metarl.errors import ConfigError
from metarl.policies import Actor, Policy
from metarl.types import Trajectories


class ContextPolicy(Policy):
    """A policy that sees a context vector beside each observation.

    ``pi(a | s, phi) = network([s, phi])`` (Zintgraf et al. 2019, section 3: context parameters are
    concatenated to the input). The context isn't learned: every adaptation starts from zero.

    Args:
        network: The policy proper, over ``O + context_size`` observations.
        context_size: Number of context parameters.
    """

    def __init__(self, network: Policy, context_size: int) -> None:
        super().__init__()
        self.network = network
        self.context = nn.Parameter(torch.zeros(context_size), requires_grad=False)

    def forward(
        self, observations: Tensor, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Runs the network on observations ``[..., O]`` and context."""
        context = self.context.expand(*observations.shape[:-1], -1)
        result: tuple[Tensor, Tensor | None] = self.network(
            torch.cat([observations, context], dim=-1), state
        )
        return result

    def actor(self, num_rows: int) -> Actor:
        """The network's, with the context beside the observations."""
        act = self.network.actor(num_rows)
        context = self.context.detach().expand(num_rows, -1)
        return lambda observations, state: act(torch.cat([observations, context], dim=-1), state)

    def distribution(self, dist_params: Tensor) -> Distribution:
        """The network's."""
        return self.network.distribution(dist_params)

    def noise(self, rng: np.random.Generator, shape: Sequence[int]) -> npt.NDArray[np.float32]:
        """The network's."""
        return self.network.noise(rng, shape)

    def select(
        self, dist_params: npt.NDArray[np.float32], noise: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[Any]:
        """The network's."""
        return self.network.select(dist_params, noise)

    @property
    def num_dist_params(self) -> int:
        """The network's."""
        return self.network.num_dist_params

    @property
    def head_names(self) -> frozenset[str]:
        """The network's."""
        return frozenset(f"network.{name}" for name in self.network.head_names)

    def initial_state(self, num_rows: int) -> Tensor | None:
        """The network's."""
        return self.network.initial_state(num_rows)


class CAVIAAdapter(Adapter):
    """``phi - inner_lr * gradient``, for the context alone (Zintgraf et al. 2019, section 3).

    All else is shared by the tasks and moved by the outer loop only.

    Args:
        policy: Structure of the policy, a :class:`ContextPolicy`.
        inner_lr: Step size of the inner loop.
        **common: ``loss``, ``trained_steps`` and ``later_scale`` of :class:`Adapter`.

    Raises:
        ConfigError: If the policy is another.
    """

    def __init__(self, policy: Policy, inner_lr: float, **common: Any) -> None:
        if not isinstance(policy, ContextPolicy):
            raise ConfigError(
                f"policy: got a {type(policy).__name__}; CAVIA takes a ContextPolicy."
            )
        super().__init__(policy, **common)
        self.inner_lr = inner_lr

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        """Takes one gradient step in the context."""
        rates = {"context": self.inner_lr * self.scale(state.step)}
        loss = self.loss(self.policy, state.params, support)
        return state.after(gradient_step(state.params, loss, rates, create_graph=create_graph))
