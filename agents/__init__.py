"""Meta-RL agents: one algorithm per file."""

from typing import Any

from .anil import ANIL, ANILConfig
from .boil import BOIL, BOILConfig
from .cavia import CAVIA, CAVIAConfig
from .emaml import EMAML, EMAMLConfig
from .fomaml import FOMAML, FOMAMLConfig
from .leo import LEO, LEOConfig
from .maml import MAML, MAMLConfig
from .meta_curvature import MetaCurvature, MetaCurvatureConfig
from .meta_policy_gradient import MetaPolicyGradient
from .meta_sgd import MetaSGD, MetaSGDConfig
from .promp import ProMP, ProMPConfig
from .reptile import Reptile, ReptileConfig

ALGORITHMS: dict[str, type[MetaPolicyGradient[Any]]] = {
    agent.algorithm: agent
    for agent in (
        MAML,
        FOMAML,
        Reptile,
        ProMP,
        EMAML,
        ANIL,
        BOIL,
        MetaSGD,
        MetaCurvature,
        CAVIA,
        LEO,
    )
}
"""Every agent by its name on the command line and in checkpoints."""

__all__ = [
    "ALGORITHMS",
    "ANIL",
    "BOIL",
    "CAVIA",
    "EMAML",
    "FOMAML",
    "LEO",
    "MAML",
    "ANILConfig",
    "BOILConfig",
    "CAVIAConfig",
    "EMAMLConfig",
    "FOMAMLConfig",
    "LEOConfig",
    "MAMLConfig",
    "MetaCurvature",
    "MetaCurvatureConfig",
    "MetaPolicyGradient",
    "MetaSGD",
    "MetaSGDConfig",
    "ProMP",
    "ProMPConfig",
    "Reptile",
    "ReptileConfig",
]
