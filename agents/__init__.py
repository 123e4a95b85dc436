"""Meta-RL agents: one algorithm per file."""

from typing import Any

from .emaml import EMAML, EMAMLConfig
from .maml import MAML, MAMLConfig
from .meta_policy_gradient import MetaPolicyGradient
from .promp import ProMP, ProMPConfig

ALGORITHMS: dict[str, type[MetaPolicyGradient[Any]]] = {
    agent.algorithm: agent for agent in (MAML, ProMP, EMAML)
}
"""Every agent by its name on the command line and in checkpoints."""

__all__ = [
    "ALGORITHMS",
    "EMAML",
    "MAML",
    "EMAMLConfig",
    "MAMLConfig",
    "MetaPolicyGradient",
    "ProMP",
    "ProMPConfig",
]
