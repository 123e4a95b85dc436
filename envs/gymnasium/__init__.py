"""Any Gymnasium environment as a task distribution.

Say which environment, what varies and how train and test are kept apart::

    from metarl.envs.gymnasium import HeldOutRegion, TaskFamily, Uniform

    pendulums = TaskFamily(
        "Pendulum-v1",
        attributes={"unwrapped.m": Uniform(0.5, 2.0), "unwrapped.l": Uniform(0.5, 1.5)},
        split=HeldOutRegion({"unwrapped.m": (1.5, 2.0)}),
    )
    benchmark = pendulums.benchmark(seed=0)
"""

from .family import FamilyTasks, FiniteFamilyTasks, TaskFamily
from .ranges import Integers, LogUniform, OneOf, Range, Uniform
from .splits import ExplicitSplit, HeldOutRegion, NoSplit, RandomSplit, Split

__all__ = [
    "ExplicitSplit",
    "FamilyTasks",
    "FiniteFamilyTasks",
    "HeldOutRegion",
    "Integers",
    "LogUniform",
    "NoSplit",
    "OneOf",
    "RandomSplit",
    "Range",
    "Split",
    "TaskFamily",
    "Uniform",
]
