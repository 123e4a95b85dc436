"""FOMAML, first-order MAML (Finn et al. 2017, section 5.2; Nichol et al. 2018)."""

from __future__ import annotations

from typing import Any

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.gradient import GradientAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import GradientInnerConfig


class FOMAMLConfig(GradientInnerConfig):
    """Settings of FOMAML."""


class FOMAML(MetaPolicyGradient[FOMAMLConfig]):
    """FOMAML, MAML without second derivatives (Finn et al. 2017, section 5.2).

    The inner gradient counts as a constant. In reinforcement learning that also drops what the
    initial policy's exploration does for adaptation (Rothfuss et al. 2019, section 4); the trust
    region of the outer step is measured the same way.
    """

    algorithm = "fomaml"
    config_type = FOMAMLConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Gradient descent whose Jacobian is taken for the identity."""
        return GradientAdapter(
            policy, self.config.rate(testing=testing), first_order=True, **common
        )
