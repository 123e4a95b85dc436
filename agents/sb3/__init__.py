"""Stable-Baselines3 both ways: its algorithms on our tasks, policies from it and to it."""

from .agent import SB3Agent, SB3Config
from .callbacks import SB3Callback
from .policies import export_ppo, import_params
from .squashed import SquashedGaussianMLPPolicy, import_sac
from .vec_env import SB3VecEnv

__all__ = [
    "SB3Agent",
    "SB3Callback",
    "SB3Config",
    "SB3VecEnv",
    "SquashedGaussianMLPPolicy",
    "export_ppo",
    "import_params",
    "import_sac",
]
