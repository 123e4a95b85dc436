"""Meta-RL agents: one algorithm per file."""

from .maml import MAML, MAMLConfig

__all__ = ["MAML", "MAMLConfig"]
