"""What a task parameter may be: a range or a finite set, and how to draw from it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.errors import ConfigError
from metarl.tasks import by_value


class Range(ABC):
    """Where the value of one task parameter comes from. Values are JSON data."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Any:
        """Draws one value."""

    @property
    def values(self) -> tuple[Any, ...] | None:
        """All values, if there are finitely many."""
        return None

    @abstractmethod
    def narrowed(self, part: Sequence[Any]) -> Range:
        """The part of this range that ``part`` names.

        Args:
            part: Lowest and highest value, or some of the values of a finite set.

        Raises:
            ConfigError: If ``part`` isn't a part of this range.
        """

    @abstractmethod
    def contains(self, value: Any) -> bool:
        """Whether ``value`` can be drawn."""

    @abstractmethod
    def share_of(self, part: Range) -> float:
        """Probability that a draw lies in ``part``, which :meth:`narrowed` returned."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What identifies this range."""


@dataclass(frozen=True)
class Uniform(Range):
    """Uniform between ``low`` and ``high``; of several numbers at once where these are sequences.

    Attributes:
        low: Lowest value.
        high: Highest value, above ``low``.

    Raises:
        ConfigError: If the bounds aren't finite numbers in this order.
    """

    low: float | Sequence[float]
    high: float | Sequence[float]

    def __post_init__(self) -> None:
        _check_bounds(type(self).__name__, self.low, self.high)

    def draw(self, rng: np.random.Generator) -> Any:
        """Draws a number, or a list of numbers."""
        return rng.uniform(self.low, self.high).tolist() if self._size else self._number(rng)

    def narrowed(self, part: Sequence[Any]) -> Uniform:
        """The interval from ``part[0]`` to ``part[1]``."""
        low, high = _interval(self, part)
        return Uniform(low, high)

    def contains(self, value: Any) -> bool:
        """Whether ``value`` lies between the bounds, these included."""
        return _lies_between(self.low, value, self.high)

    def share_of(self, part: Range) -> float:
        """Ratio of the lengths."""
        assert isinstance(part, Uniform)
        lengths = [np.subtract(interval.high, interval.low) for interval in (part, self)]
        return float(lengths[0] / lengths[1])

    def to_json(self) -> dict[str, Any]:
        """The bounds."""
        bounds = np.asarray([self.low, self.high], dtype=float).tolist()
        return {"uniform": bounds}

    @property
    def _size(self) -> int:
        return int(np.size(self.low)) if np.ndim(self.low) else 0

    def _number(self, rng: np.random.Generator) -> float:
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform(Range):
    """Uniform in the logarithm, so that halving is as likely as doubling.

    Attributes:
        low: Lowest value, above 0.
        high: Highest value, above ``low``.

    Raises:
        ConfigError: If the bounds aren't finite, above 0 and in this order.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds("LogUniform", self.low, self.high)
        if np.ndim(self.low) or self.low <= 0:
            raise ConfigError(f"LogUniform: got low {self.low!r}; must be one number above 0.")

    def draw(self, rng: np.random.Generator) -> float:
        """Draws a number."""
        value = np.exp(rng.uniform(np.log(self.low), np.log(self.high)))
        return float(np.clip(value, self.low, self.high))

    def narrowed(self, part: Sequence[Any]) -> LogUniform:
        """The interval from ``part[0]`` to ``part[1]``."""
        return LogUniform(*_interval(self, part))

    def contains(self, value: Any) -> bool:
        """Whether ``value`` lies between the bounds, these included."""
        return _lies_between(self.low, value, self.high)

    def share_of(self, part: Range) -> float:
        """Ratio of the lengths, in logarithms."""
        assert isinstance(part, LogUniform)
        return float(np.log(part.high / part.low) / np.log(self.high / self.low))

    def to_json(self) -> dict[str, Any]:
        """The bounds."""
        return {"log_uniform": [float(self.low), float(self.high)]}


@dataclass(frozen=True)
class OneOf(Range):
    """One of some values, each as likely.

    Attributes:
        choices: The values, JSON data; at least one, no two equal.

    Raises:
        ConfigError: If there are none, one comes twice, or one isn't JSON data.
    """

    choices: Sequence[Any]

    def __post_init__(self) -> None:
        try:
            json.dumps(list(self.choices), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"OneOf: choices must be JSON data: {error}.") from None
        if not len(self.choices) or len(set(map(by_value, self.choices))) < len(self.choices):
            raise ConfigError(f"OneOf: got {self.choices!r}; must hold values, each once.")
        object.__setattr__(self, "choices", tuple(self.choices))

    @property
    def values(self) -> tuple[Any, ...]:
        """The choices."""
        return tuple(self.choices)

    def draw(self, rng: np.random.Generator) -> Any:
        """Draws one of them."""
        return self.choices[int(rng.integers(len(self.choices)))]

    def narrowed(self, part: Sequence[Any]) -> OneOf:
        """Those named in ``part``."""
        odd = [value for value in part if not self.contains(value)]
        if odd or not len(part):
            raise ConfigError(f"region: got {part!r}; must be some of {list(self.choices)!r}.")
        return OneOf(part)

    def contains(self, value: Any) -> bool:
        """Whether ``value`` is one of them."""
        return value in self.choices

    def share_of(self, part: Range) -> float:
        """Ratio of the numbers of values."""
        assert part.values is not None
        return len(part.values) / len(self.values)

    def to_json(self) -> dict[str, Any]:
        """The choices."""
        return {"one_of": list(self.choices)}


@dataclass(frozen=True)
class Integers(Range):
    """Whole numbers from ``low`` to ``high``, both included, each as likely.

    Attributes:
        low: Lowest value.
        high: Highest value, not below ``low``.

    Raises:
        ConfigError: If the bounds aren't whole numbers in this order.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        whole = all(type(bound) is int for bound in (self.low, self.high))
        if not whole or self.low > self.high:
            raise ConfigError(
                f"Integers: got {self.low!r} to {self.high!r}; must be whole numbers, low <= high."
            )

    @property
    def values(self) -> tuple[int, ...]:
        """All of them."""
        return tuple(range(self.low, self.high + 1))

    def draw(self, rng: np.random.Generator) -> int:
        """Draws one."""
        return int(rng.integers(self.low, self.high + 1))

    def narrowed(self, part: Sequence[Any]) -> Integers:
        """Those from ``part[0]`` to ``part[1]``, both included."""
        low, high = _interval(self, part, one_value=True)
        return Integers(low, high)

    def contains(self, value: Any) -> bool:
        """Whether ``value`` is a whole number between the bounds."""
        return type(value) is int and self.low <= value <= self.high

    def share_of(self, part: Range) -> float:
        """Ratio of the numbers of values."""
        assert part.values is not None
        return len(part.values) / len(self.values)

    def to_json(self) -> dict[str, Any]:
        """The bounds."""
        return {"integers": [self.low, self.high]}


def _check_bounds(kind: str, low: Any, high: Any) -> None:
    try:
        lows, highs = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    except (TypeError, ValueError):
        raise ConfigError(f"{kind}: got {low!r} to {high!r}; must be numbers.") from None
    finite = np.isfinite(lows).all() and np.isfinite(highs).all()
    if lows.shape != highs.shape or lows.ndim > 1 or not finite or not (lows < highs).all():
        raise ConfigError(
            f"{kind}: got {low!r} to {high!r}; must be finite, low < high, of one shape."
        )


def _interval(
    whole: Uniform | LogUniform | Integers, part: Sequence[Any], *, one_value: bool = False
) -> tuple[Any, Any]:
    """The bounds of a part of an interval, checked."""
    if np.ndim(whole.low):
        raise ConfigError("region: a parameter of several numbers can't be held out in part.")
    proper = len(part) == 2 and whole.contains(part[0]) and whole.contains(part[1])
    if not proper or not (part[0] < part[1] or (one_value and part[0] == part[1])):
        raise ConfigError(
            f"region: got {part!r}; must be (low, high) within {whole.low!r} to {whole.high!r}."
        )
    return part[0], part[1]


def _lies_between(low: Any, value: Any, high: Any) -> bool:
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return False
    if isinstance(value, bool | str) or numbers.shape != np.shape(low):
        return False
    return bool((np.asarray(low) <= numbers).all() and (numbers <= np.asarray(high)).all())
