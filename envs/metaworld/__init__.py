"""Meta-World (v3) as task distributions: ML1, ML10, ML25, ML45, custom splits, and MT."""

from .benchmarks import ML1, ML10, ML25, ML45, MT1, MT10, MT25, MT50, CustomML
from .distribution import MetaWorldTasks
from .environment import FAMILIES, MetaWorldEnv, metaworld_task

__all__ = [
    "FAMILIES",
    "ML1",
    "ML10",
    "ML25",
    "ML45",
    "MT1",
    "MT10",
    "MT25",
    "MT50",
    "CustomML",
    "MetaWorldEnv",
    "MetaWorldTasks",
    "metaworld_task",
]
