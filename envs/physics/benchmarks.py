"""Ready benchmarks of varying physics."""

from __future__ import annotations

from metarl.tasks import Benchmark

from .distribution import physics_benchmark
from .variation import Vary


def reacher_damping(seed: int = 0, *, max_episode_steps: int = 50) -> Benchmark:
    """Reacher-v5 with the damping of both joints varying, and more of it held out.

    Train: factors 0.2 to 5 on each joint's damping, log-uniform. Test: 5 to 20.

    Args:
        seed: Seed of the tasks.
        max_episode_steps: Horizon; 50 is Gymnasium's.
    """
    damping = Vary(
        "dof_damping",
        "joint*",
        scale=(0.2, 5.0),
        distribution="log-uniform",
        held_out=((5.0, 20.0),),
    )
    return physics_benchmark(
        "Reacher-v5",
        [damping],
        name="reacher-damping",
        seed=seed,
        max_episode_steps=max_episode_steps,
    )
