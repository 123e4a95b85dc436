"""Meta-Curvature (Park and Oliva 2019)."""

from __future__ import annotations

from typing import Any

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.meta_curvature import MetaCurvatureAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import GradientInnerConfig


class MetaCurvatureConfig(GradientInnerConfig):
    """Settings of Meta-Curvature."""


class MetaCurvature(MetaPolicyGradient[MetaCurvatureConfig]):
    """Meta-Curvature, MAML along a learned transform of the gradient (Park and Oliva 2019)."""

    algorithm = "meta-curvature"
    config_type = MetaCurvatureConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Descent along the transformed gradient."""
        return MetaCurvatureAdapter(policy, self.config.rate(testing=testing), **common)
