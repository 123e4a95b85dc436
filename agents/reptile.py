"""Reptile (Nichol, Achiam and Schulman 2018, algorithm 2: batched).

The paper is about classification. Here every inner step has experience of its own, sampled by the
parameters it starts from, and the query set is the support set of a last one: so
``num_inner_steps + 1`` steps are taken, and at least two, as Reptile needs (with one it is joint
training on all tasks, section 3).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from metarl.adaptation import Adapter
from metarl.outer import OuterStep
from metarl.outer import Reptile as ReptileStep
from metarl.policies import Policy

from .adapters.gradient import GradientAdapter
from .maml import MAML
from .meta_policy_gradient import MetaPolicyGradient
from .settings import GradientInnerConfig


class ReptileConfig(GradientInnerConfig):
    """Settings of Reptile. Those of the inner loop were chosen on 2-D navigation."""

    inner_lr: float = Field(
        default=0.3, gt=0, description="Inner step size; Reptile learns nothing at 0."
    )
    num_inner_steps: int = Field(
        default=2,
        ge=1,
        description="Adaptation steps before the query set, on which one more is taken.",
    )

    outer: Literal["trpo", "ppo", "gradient"] = Field(
        default="gradient", description="Outer step: one along the displacement."
    )
    optimizer: str = Field(
        default="SGD", description="A class of torch.optim; SGD interpolates, as in the paper."
    )
    outer_lr: float = Field(
        default=1.0, gt=0, description="Learning rate; with SGD, the fraction of the way."
    )

    @field_validator("outer")
    @classmethod
    def _has_no_objective(cls, outer: str) -> str:
        if outer != "gradient":
            raise ValueError("Reptile has no gradient for another step than 'gradient'")
        return outer

    @field_validator("inner_kl_coef", "sampling_coef")
    @classmethod
    def _has_no_terms(cls, coefficient: float) -> float:
        if coefficient:
            raise ValueError("must be 0: Reptile has no objective that a term could be added to")
        return coefficient


_OUTER_SETTINGS = {"outer", "outer_lr", "optimizer", "max_grad_norm"}


class Reptile(MetaPolicyGradient[ReptileConfig]):
    """Reptile, toward the mean of the adapted parameters (Nichol et al. 2018)."""

    algorithm = "reptile"
    config_type = ReptileConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Plain gradient descent on every parameter."""
        return GradientAdapter(policy, self.config.rate(testing=testing), **common)

    def control_settings(self) -> tuple[str, dict[str, Any]]:
        """MAML's at inner rate 0, where Reptile's own displacement would be 0.

        The outer step is MAML's too: a rate for displacements says nothing of one for gradients.
        """
        kept = self.config.model_dump(mode="json", exclude=_OUTER_SETTINGS)
        rates = {"inner_lr": 0.0, "adaptation_lr": self.config.rate(testing=True)}
        return MAML.algorithm, {**kept, **rates}

    def make_outer(self) -> OuterStep:
        """A step along the displacement."""
        return ReptileStep(
            self.config.optimizer,
            outer_lr=self.config.outer_lr,
            max_grad_norm=self.config.max_grad_norm,
        )
