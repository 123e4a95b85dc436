"""MAML for reinforcement learning (Finn, Abbeel and Levine 2017, algorithm 3), with TRPO outside.

The inner loss is by default the ratio form, whose curvature is right where that of
``log pi * A``, the original's, is not (Rothfuss et al. 2019, section 5).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.gradient import GradientAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import GradientInnerConfig


class MAMLConfig(GradientInnerConfig):
    """Settings of MAML. Lengths are in environment steps, rates are step sizes."""

    first_order: bool = Field(default=False, description="Drop second derivatives (FOMAML).")


class MAML(MetaPolicyGradient[MAMLConfig]):
    """MAML-TRPO, model-agnostic meta-learning (Finn et al. 2017).

    The arguments are those of :class:`~metarl.agents.gradient_agent.GradientAgent`, the settings
    those of :class:`MAMLConfig`.
    """

    algorithm = "maml"
    config_type = MAMLConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Plain gradient descent on every parameter."""
        return GradientAdapter(
            policy,
            self.config.rate(testing=testing),
            first_order=self.config.first_order,
            **common,
        )
