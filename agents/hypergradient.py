"""Inner rates tuned through a long inner loop (Maclaurin et al. 2015).

Its form here: :mod:`.adapters.hypergradient`. Each gradient of the outer step runs the loops once
forward and once backward, each product of the Fisher matrix once more either way. So the outer
step's default is PPO's, which needs gradients only.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy

from .adapters.hypergradient import HypergradientAdapter
from .meta_policy_gradient import MetaPolicyGradient
from .settings import MetaPolicyGradientConfig


class HypergradientConfig(MetaPolicyGradientConfig):
    """Settings of the agent with learned rates of a long inner loop."""

    outer: Literal["trpo", "ppo", "gradient"] = Field(
        default="ppo", description=MetaPolicyGradientConfig.model_fields["outer"].description
    )
    inner_lr: float = Field(default=0.04, gt=0, description="Initial rate; learned by layer.")
    momentum: float = Field(
        default=0.5, gt=0, lt=1, description="Initial decay of velocities; learned by layer."
    )
    num_gradient_steps: int = Field(
        default=5, ge=1, description="Gradient steps on each support set."
    )
    mode: Literal["reverse", "forward"] = Field(
        default="reverse",
        description="How the loop is differentiated; forward is first-order in the initial policy.",
    )


class Hypergradient(MetaPolicyGradient[HypergradientConfig]):
    """Hypergradients, learned rates of a long reversible inner loop (Maclaurin et al. 2015)."""

    algorithm = "hypergradient"
    config_type = HypergradientConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """The loop at its learned rates, in training and after it."""
        del testing
        return HypergradientAdapter(
            policy,
            self.config.inner_lr,
            num_gradient_steps=self.config.num_gradient_steps,
            momentum=self.config.momentum,
            mode=self.config.mode,
            **common,
        )
