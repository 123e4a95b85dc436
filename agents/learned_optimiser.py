"""Learned optimiser (Andrychowicz et al. 2016): see :mod:`.adapters.learned_optimiser`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.learned_optimiser import LearnedOptimiserAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import MetaPolicyGradientConfig


class LearnedOptimiserConfig(MetaPolicyGradientConfig):
    """Settings of the learned optimiser."""

    gradient_lr: float = Field(
        default=0.1,
        ge=0,
        description="Rate of the gradient added to the LSTM's output; 0 is the paper's rule.",
    )
    output_scale: float = Field(default=0.01, gt=0, description="Factor on the LSTM's output.")
    hidden_size: int = Field(default=20, ge=1, description="Units of each LSTM cell.")
    num_layers: int = Field(default=2, ge=1, description="LSTM cells in the stack.")
    first_order: bool = Field(
        default=False, description="Drop second derivatives, as the paper does."
    )


class LearnedOptimiser(MetaPolicyGradient[LearnedOptimiserConfig]):
    """Learned optimiser, a coordinate-wise LSTM (Andrychowicz et al. 2016)."""

    algorithm = "learned-optimiser"
    config_type = LearnedOptimiserConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """The same learned rule in training and after it."""
        del testing
        return LearnedOptimiserAdapter(
            policy,
            hidden_size=self.config.hidden_size,
            num_layers=self.config.num_layers,
            output_scale=self.config.output_scale,
            gradient_lr=self.config.gradient_lr,
            first_order=self.config.first_order,
            generator=self._adapter_generator(),
            **common,
        )
