"""ANIL, almost no inner loop (Raghu et al. 2020)."""

from __future__ import annotations

from typing import Any

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.anil import ANILAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import GradientInnerConfig


class ANILConfig(GradientInnerConfig):
    """Settings of ANIL."""


class ANIL(MetaPolicyGradient[ANILConfig]):
    """ANIL, MAML that adapts only the head (Raghu et al. 2020)."""

    algorithm = "anil"
    config_type = ANILConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Gradient descent in the last layer."""
        return ANILAdapter(policy, self.config.rate(testing=testing), **common)
