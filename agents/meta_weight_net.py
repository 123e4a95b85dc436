"""Meta-Weight-Net (Shu et al. 2019): see :mod:`.adapters.meta_weight_net`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.meta_weight_net import MetaWeightNetAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import GradientInnerConfig


class MetaWeightNetConfig(GradientInnerConfig):
    """Settings of Meta-Weight-Net."""

    inner_lr: float = Field(
        default=0.2, ge=0, description="Inner step size; weights halve it at the start."
    )
    weight_net_size: int = Field(default=100, ge=1, description="Units of the weight net.")


class MetaWeightNet(MetaPolicyGradient[MetaWeightNetConfig]):
    """Meta-Weight-Net, MAML on a learned weighting of the support steps (Shu et al. 2019)."""

    algorithm = "meta-weight-net"
    config_type = MetaWeightNetConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Gradient descent on the weighted loss."""
        return MetaWeightNetAdapter(
            policy,
            self.config.rate(testing=testing),
            hidden_size=self.config.weight_net_size,
            generator=self._adapter_generator(),
            **common,
        )
