"""The reward functions of Meta-World's fifty tasks, one module per family."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from metarl.envs.metaworld.engine.spec import TaskSpec

from .press import PRESS
from .push import PUSH
from .reach import REACH
from .reach_plus_place import REACH_PLUS_PLACE
from .reach_times_place import REACH_TIMES_PLACE

_FAMILIES: tuple[tuple[TaskSpec, ...], ...] = (
    REACH,
    PRESS,
    REACH_TIMES_PLACE,
    REACH_PLUS_PLACE,
    PUSH,
)

TASKS: Mapping[str, TaskSpec] = MappingProxyType(
    {spec.name: spec for family in _FAMILIES for spec in family}
)
"""Every task by Meta-World's name."""
