"""E-MAML (Stadie et al. 2018): MAML whose initial policy is credited for what it explores.

MAML's objective takes the support set for given; E-MAML adds the gradient of its sampling, so that
the policy before adaptation learns to collect what adaptation can use.
"""

from __future__ import annotations

from pydantic import Field

from .maml import MAML, MAMLConfig


class EMAMLConfig(MAMLConfig):
    """Settings of E-MAML."""

    sampling_coef: float = Field(
        default=1.0, ge=0, description=MAMLConfig.model_fields["sampling_coef"].description
    )


class EMAML(MAML):
    """E-MAML, with credit for exploration (Stadie et al. 2018)."""

    algorithm = "emaml"
    config_type = EMAMLConfig
