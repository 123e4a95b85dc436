"""MuJoCo physics as the task: masses, friction, damping, gravity, strength, sizes.

Twenty lines make a benchmark of any Gymnasium MuJoCo environment::

    from metarl.envs.physics import Vary, physics_benchmark

    def reacher_damping(seed=0, max_episode_steps=50):
        return physics_benchmark(
            "Reacher-v5",
            [
                Vary(
                    "dof_damping",
                    "joint*",
                    scale=(0.2, 5.0),
                    distribution="log-uniform",
                    held_out=((5.0, 20.0),),
                )
            ],
            seed=seed,
            max_episode_steps=max_episode_steps,
        )
"""

from .benchmarks import reacher_damping
from .distribution import PhysicsTasks, physics_benchmark, sample_physics
from .environment import PhysicsEnv, changes_of
from .models import ModelEditor, assign_model, models_equal
from .quantities import QUANTITIES, element_names
from .variation import Vary

__all__ = [
    "QUANTITIES",
    "ModelEditor",
    "PhysicsEnv",
    "PhysicsTasks",
    "Vary",
    "assign_model",
    "changes_of",
    "element_names",
    "models_equal",
    "physics_benchmark",
    "reacher_damping",
    "sample_physics",
]
