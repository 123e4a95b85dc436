"""Gymnasium's MuJoCo walkers as task distributions, stepped in batches, bit for bit Gymnasium's."""

from .benchmarks import (
    ant_dir,
    ant_dir_2d,
    ant_goal,
    ant_vel,
    halfcheetah_dir,
    halfcheetah_vel,
    hopper_params,
    humanoid_dir,
    humanoid_dir_2d,
    walker2d_dir,
    walker2d_params,
    walker2d_vel,
)
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
    "ant_dir",
    "ant_dir_2d",
    "ant_goal",
    "ant_vel",
    "halfcheetah_dir",
    "halfcheetah_vel",
    "hopper_params",
    "humanoid_dir",
    "humanoid_dir_2d",
    "walker2d_dir",
    "walker2d_params",
    "walker2d_vel",
]
