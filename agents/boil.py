"""BOIL, body only update in the inner loop (Oh et al. 2021)."""

from __future__ import annotations

from typing import Any

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.boil import BOILAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import GradientInnerConfig


class BOILConfig(GradientInnerConfig):
    """Settings of BOIL. The paper has no reinforcement learning; these are MAML's."""


class BOIL(MetaPolicyGradient[BOILConfig]):
    """BOIL, MAML that adapts only the body (Oh et al. 2021)."""

    algorithm = "boil"
    config_type = BOILConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Gradient descent in all but the last layer."""
        return BOILAdapter(policy, self.config.rate(testing=testing), **common)
