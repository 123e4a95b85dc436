"""Gymnasium's MuJoCo walkers as task distributions, stepped in batches, bit for bit Gymnasium's."""

from .benchmarks import halfcheetah_dir, halfcheetah_vel
from .distribution import LocomotionTasks
from .environment import LocomotionEnv
from .families import FAMILIES, Family
from .vector_env import LocomotionVectorEnv

__all__ = [
    "FAMILIES",
    "Family",
    "LocomotionEnv",
    "LocomotionTasks",
    "LocomotionVectorEnv",
    "halfcheetah_dir",
    "halfcheetah_vel",
]
