"""ProMP, proximal meta-policy search (Rothfuss et al. 2019, algorithm 1).

MAML whose outer step is PPO's: several epochs of Adam on the clipped query surrogate, with a
penalty on how far the policy before adaptation moves from the one that collected the support set.
The inner loss is the ratio form, which is where it was proposed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .maml import MAML, MAMLConfig


class ProMPConfig(MAMLConfig):
    """Settings of ProMP: those of its authors' script for MuJoCo (``pro-mp_run_mujoco.py``).

    But for the experience of an iteration: ``meta_batch_size`` is 20 where they have 40 tasks,
    ``episodes_per_task`` 10 where they have 20 episodes.
    """

    outer: Literal["trpo", "ppo", "gradient"] = Field(
        default="ppo", description=MAMLConfig.model_fields["outer"].description
    )
    inner_kl_coef: float = Field(
        default=5e-4, ge=0, description=MAMLConfig.model_fields["inner_kl_coef"].description
    )


class ProMP(MAML):
    """ProMP, proximal meta-policy search (Rothfuss et al. 2019)."""

    algorithm = "promp"
    config_type = ProMPConfig
