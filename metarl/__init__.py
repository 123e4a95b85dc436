"""metarl: robot policies that adapt.

A task distribution over Gymnasium or Meta-World environments feeds MAML-RL; an evaluation on tasks
never trained on says how much the adaptation was worth.

    from metarl import evaluate
    from metarl.agents import MAML
    from metarl.envs.metaworld import ML1
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metarl.agent import Agent
    from metarl.evaluation import evaluate
    from metarl.recipes import load_pretrained, load_run
    from metarl.tasks import Benchmark, FiniteTaskDistribution, Task, TaskDistribution

__all__ = [
    "Agent",
    "Benchmark",
    "FiniteTaskDistribution",
    "Task",
    "TaskDistribution",
    "evaluate",
    "load_pretrained",
    "load_run",
]
__version__ = version("metarl")

_HOMES = {
    "Agent": "metarl.agent",
    "Benchmark": "metarl.tasks",
    "FiniteTaskDistribution": "metarl.tasks",
    "Task": "metarl.tasks",
    "TaskDistribution": "metarl.tasks",
    "evaluate": "metarl.evaluation",
    "load_pretrained": "metarl.recipes",
    "load_run": "metarl.recipes",
}


def __getattr__(name: str) -> Any:
    """Imports public names on first use: worker processes and ``--version`` need few of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'metarl' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
