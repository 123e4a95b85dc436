"""Watches what environments share with each other and with the rest of the process."""

from __future__ import annotations

import copy
import os
import pickle
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import gymnasium
import mujoco
import numpy as np
import torch

from metarl.tasks import Task

GENERATORS: dict[str, Callable[[], Any]] = {
    "np.random": np.random.get_state,
    "random": random.getstate,
    "torch": lambda: torch.get_rng_state().numpy().tobytes(),
}
SETTINGS: dict[str, Callable[[], Any]] = {
    "np.seterr": np.geterr,
    "the working folder": os.getcwd,
    "os.environ": lambda: dict(os.environ),
    "torch's default dtype": lambda: str(torch.get_default_dtype()),
    "torch's number of threads": torch.get_num_threads,
}


class ProcessState:
    """Global random generators and settings of the process, as they were."""

    def __init__(self) -> None:
        self._generators = {name: pickle.dumps(read()) for name, read in GENERATORS.items()}
        self._settings = {name: pickle.dumps(read()) for name, read in SETTINGS.items()}

    def changed_generators(self) -> list[str]:
        """Global generators that have been drawn from or seeded since."""
        return [n for n, read in GENERATORS.items() if pickle.dumps(read()) != self._generators[n]]

    def changed_settings(self) -> list[str]:
        """Settings that have been changed since."""
        return [n for n, read in SETTINGS.items() if pickle.dumps(read()) != self._settings[n]]


class _Variable(NamedTuple):
    owner: Any
    name: str
    value: Any
    content: Any


class SharedVariables:
    """Data in the modules and classes of some objects, and on one object itself, as it was.

    Args:
        whole: Its own attributes count too (the distribution).
        kinds: Only their classes and modules count (environments).
    """

    def __init__(self, whole: Any, kinds: Sequence[Any]) -> None:
        self._variables = {}
        for label, owner in _owners(whole, kinds):
            for name, value in list(vars(owner).items()):
                content = _content(value)
                if not name.startswith("__") and content is not _NO_DATA:
                    kept = _Variable(owner, name, copy.deepcopy(value), content)
                    self._variables[f"{label}.{name}"] = kept

    def changed(self) -> list[str]:
        """Names of those that hold something else now."""
        return [
            label
            for label, one in self._variables.items()
            if _content(vars(one.owner).get(one.name)) != one.content
        ]

    def restore(self) -> None:
        """Puts the old values back."""
        for label in self.changed():
            one = self._variables[label]
            setattr(one.owner, one.name, copy.deepcopy(one.value))


def _owners(whole: Any, kinds: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    if hasattr(whole, "__dict__"):
        yield type(whole).__name__, whole
    seen: list[Any] = []
    for thing in (whole, *kinds):
        for kind in type(thing).__mro__:
            package = kind.__module__.partition(".")[0]
            if package in ("builtins", "abc", "typing", "gymnasium", "metarl") or kind in seen:
                continue
            seen.append(kind)
            yield kind.__name__, kind
            module = sys.modules.get(kind.__module__)
            if module is not None and module not in seen:
                seen.append(module)
                yield kind.__module__, module


_NO_DATA = object()
_MAX_ITEMS, _MAX_DEPTH = 1000, 4


def _content(value: Any, depth: int = 0) -> Any:
    """Plain data, a simulator's model or an object made of such, in a form to be compared.

    Returns:
        Something that is equal for equal content, or ``_NO_DATA`` for anything else (functions,
        modules, environments, what is very large).
    """
    if value is None or isinstance(value, bool | int | str | bytes):
        return value
    if isinstance(value, float | np.generic):
        return repr(value)  # equal for not-a-number too
    if isinstance(value, np.ndarray):
        return (
            _NO_DATA if value.dtype == object else (value.dtype.str, value.shape, value.tobytes())
        )
    if isinstance(value, mujoco.MjModel):
        return pickle.dumps(value)
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, list | tuple | set | frozenset):
        return _contents(enumerate(value), type(value).__name__, depth)
    if isinstance(value, dict):
        return _contents(value.items(), "dict", depth)
    plain = hasattr(value, "__dict__") and not callable(value)
    foreign = isinstance(value, ModuleType | type | gymnasium.Env | gymnasium.Space | Task)
    if plain and not foreign:
        return _contents(vars(value).items(), type(value).__qualname__, depth)
    return _NO_DATA


def _contents(items: Iterable[tuple[Any, Any]], kind: str, depth: int) -> Any:
    if depth == _MAX_DEPTH:
        return _NO_DATA
    found: list[tuple[str, Any]] = []
    for key, value in items:
        content = _content(value, depth + 1)
        if content is _NO_DATA or len(found) == _MAX_ITEMS:
            return _NO_DATA
        found.append((repr(key), content))
    return kind, tuple(found)
