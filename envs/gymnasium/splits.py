"""How the parameters of training tasks are kept apart from those of held-out ones."""

from __future__ import annotations

import itertools
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from metarl.errors import ConfigError, SplitError, UnknownNameError

from .ranges import Range

Parameters: TypeAlias = dict[str, Any]
Ranges: TypeAlias = Mapping[str, Range]


class Source(ABC):
    """Where one side of a split draws the parameters of its tasks."""

    @property
    def values(self) -> Sequence[Parameters] | None:
        """All of them, if there are finitely many."""
        return None

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Parameters:
        """Draws one task's parameters."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What identifies this side, beside the ranges, as JSON data."""


@dataclass(frozen=True)
class Listed(Source):
    """Finitely many tasks."""

    listed: tuple[Parameters, ...]

    @property
    def values(self) -> Sequence[Parameters]:
        """The list."""
        return self.listed

    def draw(self, rng: np.random.Generator) -> Parameters:
        """Draws one of the list."""
        return self.listed[int(rng.integers(len(self.listed)))]

    def describe(self) -> dict[str, Any]:
        """Nothing: the digests of all tasks are in the manifest anyway."""
        return {}


@dataclass(frozen=True)
class Everything(Source):
    """All that the ranges hold."""

    ranges: Ranges

    def draw(self, rng: np.random.Generator) -> Parameters:
        """Draws each parameter from its range."""
        return {name: one.draw(rng) for name, one in self.ranges.items()}

    def describe(self) -> dict[str, Any]:
        """Says that nothing is left out."""
        return {"part": "everything"}


@dataclass(frozen=True)
class Outside(Source):
    """All that the ranges hold but one region."""

    ranges: Ranges
    region: Ranges

    def draw(self, rng: np.random.Generator) -> Parameters:
        """Draws until one lies outside: every parameter of the region has its say."""
        while True:
            drawn = {name: one.draw(rng) for name, one in self.ranges.items()}
            if not all(part.contains(drawn[name]) for name, part in self.region.items()):
                return drawn

    def describe(self) -> dict[str, Any]:
        """The region."""
        return {"part": "outside", "region": _json_of(self.region)}


@dataclass(frozen=True)
class Inside(Source):
    """One region of the ranges."""

    ranges: Ranges
    region: Ranges

    def draw(self, rng: np.random.Generator) -> Parameters:
        """Draws each parameter from its part."""
        return {name: self.region.get(name, one).draw(rng) for name, one in self.ranges.items()}

    def describe(self) -> dict[str, Any]:
        """The region."""
        return {"part": "inside", "region": _json_of(self.region)}


class Split(ABC):
    """Divides the tasks of some ranges into train and test."""

    @abstractmethod
    def divide(self, ranges: Ranges, rng: np.random.Generator) -> tuple[Source, Source | None]:
        """Returns where training tasks and where held-out tasks come from.

        Args:
            ranges: The range of each parameter.
            rng: All randomness of the split.

        Raises:
            ConfigError: If the ranges can't be divided so.
        """


@dataclass(frozen=True)
class RandomSplit(Split):
    """Some tasks, drawn by the benchmark's seed, no two equal: the first to train on.

    Attributes:
        num_train: Training tasks.
        num_test: Held-out tasks.
    """

    num_train: int = 50
    num_test: int = 50

    def __post_init__(self) -> None:
        for name in ("num_train", "num_test"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: got {getattr(self, name)}; must be at least 1.")

    def divide(self, ranges: Ranges, rng: np.random.Generator) -> tuple[Source, Source | None]:
        """Draws the tasks of both sides."""
        count = self.num_train + self.num_test
        grid = _grid(ranges)
        if grid is None:
            drawn = _distinct(ranges, count, rng)
        elif len(grid) < count:
            raise ConfigError(
                f"split: {self.num_train} training and {self.num_test} held-out tasks were asked "
                f"for; the ranges hold {len(grid)} in all."
            )
        else:
            drawn = [grid[index] for index in rng.permutation(len(grid))[:count].tolist()]
        return Listed(tuple(drawn[: self.num_train])), Listed(tuple(drawn[self.num_train :]))


@dataclass(frozen=True)
class HeldOutRegion(Split):
    """Holds out a region, for a test out of distribution.

    A task is held out if *each* of the region's parameters lies in its part, so of two parameters
    the training tasks keep either extreme, but not both at once.

    Attributes:
        region: For some parameters, the part held out: ``(low, high)``, both included, or some of
            the values of a finite set.
    """

    region: Mapping[str, Sequence[Any]]

    def divide(self, ranges: Ranges, rng: np.random.Generator) -> tuple[Source, Source | None]:
        """Everything but the region, and the region; finite sets are listed."""
        del rng
        for name in self.region:
            if name not in ranges:
                raise UnknownNameError("region", name, ranges)
        parts = {name: ranges[name].narrowed(part) for name, part in self.region.items()}
        share = math.prod(ranges[name].share_of(part) for name, part in parts.items())
        if not self.region or share >= 1:
            raise ConfigError(f"region: got {dict(self.region)!r}; must leave tasks to train on.")
        grid = _grid(ranges)
        if grid is None:
            return Outside(ranges, parts), Inside(ranges, parts)
        inside = [all(p.contains(task[name]) for name, p in parts.items()) for task in grid]
        test = [task for task, held_out in zip(grid, inside, strict=True) if held_out]
        train = [task for task, held_out in zip(grid, inside, strict=True) if not held_out]
        return Listed(tuple(train)), Listed(tuple(test))


@dataclass(frozen=True)
class ExplicitSplit(Split):
    """Tasks named one by one.

    Attributes:
        train: Parameters of each training task.
        test: Parameters of each held-out task; none by default.
    """

    train: Sequence[Mapping[str, Any]]
    test: Sequence[Mapping[str, Any]] = ()

    def divide(self, ranges: Ranges, rng: np.random.Generator) -> tuple[Source, Source | None]:
        """The lists, checked."""
        del rng
        sides = [
            Listed(tuple(_checked(side, index, task, ranges) for index, task in enumerate(tasks)))
            for side, tasks in (("train", self.train), ("test", self.test))
        ]
        if not self.train:
            raise ConfigError("split: got no training task; must be at least 1.")
        return sides[0], sides[1] if self.test else None


@dataclass(frozen=True)
class NoSplit(Split):
    """Everything is there to train on, and nothing is held out."""

    def divide(self, ranges: Ranges, rng: np.random.Generator) -> tuple[Source, Source | None]:
        """All tasks, and none."""
        del rng
        grid = _grid(ranges)
        return (Everything(ranges) if grid is None else Listed(tuple(grid))), None


MAX_GRID = 1_000_000
"""Finite sets with more combinations than this are drawn from as continua are."""


def _grid(ranges: Ranges) -> list[Parameters] | None:
    """Every combination, if there are finitely (and not too) many."""
    sets = [one.values for one in ranges.values()]
    if any(values is None for values in sets):
        return None
    known = [values for values in sets if values is not None]
    if math.prod(map(len, known)) > MAX_GRID:
        return None
    return [dict(zip(ranges, values, strict=True)) for values in itertools.product(*known)]


def _distinct(ranges: Ranges, count: int, rng: np.random.Generator) -> list[Parameters]:
    found: dict[str, Parameters] = {}
    source = Everything(ranges)
    for _ in range(100 * count):
        drawn = source.draw(rng)
        found.setdefault(json.dumps(drawn, sort_keys=True), drawn)
        if len(found) == count:
            return list(found.values())
    raise SplitError(f"split: the ranges hardly hold {count} different tasks; found {len(found)}.")


def _checked(side: str, index: int, task: Mapping[str, Any], ranges: Ranges) -> Parameters:
    where = f"{side}[{index}]"
    if task.keys() != ranges.keys():
        odd = ", ".join(sorted(task.keys() ^ ranges.keys()))
        raise ConfigError(f"{where}: must name each parameter once; differs in {odd}.")
    for name, value in task.items():
        if not ranges[name].contains(value):
            raise ConfigError(f"{where}: {name} is {value!r}, outside {ranges[name]!r}.")
    return dict(task)


def _json_of(region: Ranges) -> dict[str, Any]:
    return {name: part.to_json() for name, part in region.items()}
