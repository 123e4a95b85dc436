"""The reward functions of Meta-World's fifty tasks, one module per family."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from metarl.envs.metaworld.engine.spec import TaskSpec

from .own_caging import OWN_CAGING
from .place import PLACE
from .press import PRESS
from .push import PUSH
from .reach import REACH
from .reach_plus_place import REACH_PLUS_PLACE
from .reach_times_place import REACH_TIMES_PLACE
from .staged import STAGED
from .tools import TOOLS

_FAMILIES: tuple[tuple[TaskSpec, ...], ...] = (
    REACH,
    PRESS,
    REACH_TIMES_PLACE,
    REACH_PLUS_PLACE,
    PUSH,
    PLACE,
    TOOLS,
    OWN_CAGING,
    STAGED,
)

TASKS: Mapping[str, TaskSpec] = MappingProxyType(
    {spec.name: spec for family in _FAMILIES for spec in family}
)
"""Every task by Meta-World's name."""
