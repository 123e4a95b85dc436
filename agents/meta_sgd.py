"""Meta-SGD (Li et al. 2017)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.meta_sgd import MetaSGDAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import MetaPolicyGradientConfig


class MetaSGDConfig(MetaPolicyGradientConfig):
    """Settings of Meta-SGD."""

    inner_lr: float = Field(default=0.1, gt=0, description="Mean of the initial rates.")
    inner_lr_spread: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Initial rates are uniform within this fraction of inner_lr.",
    )


class MetaSGD(MetaPolicyGradient[MetaSGDConfig]):
    """Meta-SGD, MAML with a learned rate for every parameter (Li et al. 2017)."""

    algorithm = "meta-sgd"
    config_type = MetaSGDConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Gradient descent at learned rates, in training and after it."""
        del testing  # learned rates are those of training
        return MetaSGDAdapter(
            policy,
            self.config.inner_lr,
            spread=self.config.inner_lr_spread,
            generator=self._adapter_generator(),
            **common,
        )
