"""Meta-RL agents: one algorithm per file."""

from typing import Any

from .maml import MAML, MAMLConfig
from .meta_policy_gradient import MetaPolicyGradient

ALGORITHMS: dict[str, type[MetaPolicyGradient[Any]]] = {agent.algorithm: agent for agent in (MAML,)}
"""Every agent by its name on the command line and in checkpoints."""

__all__ = ["ALGORITHMS", "MAML", "MAMLConfig", "MetaPolicyGradient"]
