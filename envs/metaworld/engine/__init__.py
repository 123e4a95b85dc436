"""Meta-World's fifty tasks, batched: many worlds in one process, bit for bit Meta-World's.

:class:`.worlds.Worlds` steps them, :class:`.reset_cache.WorldTask` names what each of them plays,
:func:`.parity.check_parity` compares the result with Meta-World's own environments.
"""

from __future__ import annotations

from .parity import ParityReport, check_parity
from .reset_cache import ResetCache, WorldTask
from .rewards import TASKS
from .worlds import Advance, Rewards, Worlds, WorldsStep

__all__ = [
    "TASKS",
    "Advance",
    "ParityReport",
    "ResetCache",
    "Rewards",
    "WorldTask",
    "Worlds",
    "WorldsStep",
    "check_parity",
]
