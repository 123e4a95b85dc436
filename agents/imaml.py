"""Implicit MAML (Rajeswaran et al. 2019): see :mod:`.adapters.imaml`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.imaml import IMAMLAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import MetaPolicyGradientConfig


class IMAMLConfig(MetaPolicyGradientConfig):
    """Settings of implicit MAML."""

    strength: float = Field(
        default=10.0, gt=0, description="Strength of the proximal term (the paper's lambda)."
    )
    learn_strength: bool = Field(default=False, description="Whether the outer loop learns it.")
    num_gradient_steps: int = Field(
        default=5, ge=1, description="Steps towards the proximal problem's solution."
    )
    inner_cg_iterations: int = Field(
        default=5, ge=1, description="Conjugate gradient iterations of the meta-gradient."
    )


class IMAML(MetaPolicyGradient[IMAMLConfig]):
    """iMAML, MAML with implicit gradients (Rajeswaran et al. 2019)."""

    algorithm = "imaml"
    config_type = IMAMLConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """The proximal problem, in training and after it."""
        del testing
        return IMAMLAdapter(
            policy,
            self.config.strength,
            num_gradient_steps=self.config.num_gradient_steps,
            cg_iterations=self.config.inner_cg_iterations,
            learn_strength=self.config.learn_strength,
            **common,
        )
