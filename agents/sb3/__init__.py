"""Stable-Baselines3 both ways: its algorithms on our tasks, policies from it and to it."""

from .callbacks import SB3Callback
from .policies import export_ppo, import_params
from .vec_env import SB3VecEnv

__all__ = ["SB3Callback", "SB3VecEnv", "export_ppo", "import_params"]
