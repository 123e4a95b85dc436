"""The reward functions of Meta-World's fifty tasks, one module per family."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from metarl.envs.metaworld.engine.spec import TaskSpec

from .press import PRESS
from .push import PUSH
from .reach import REACH

TASKS: Mapping[str, TaskSpec] = MappingProxyType(
    {spec.name: spec for family in (REACH, PRESS, PUSH) for spec in family}
)
"""Every task by Meta-World's name."""
