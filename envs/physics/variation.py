"""What varies, over which range, and which ranges are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from math import inf, isfinite
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from metarl.errors import ConfigError

from .models import base_values
from .quantities import match_elements, quantity_of

Range: TypeAlias = tuple[float, float]
Distribution: TypeAlias = Literal["uniform", "log-uniform"]
Draw: TypeAlias = Literal["each", "together", "components"]


@dataclass(frozen=True)
class Vary:
    """One line of the description of a task distribution.

    Attributes:
        quantity: One of :data:`.QUANTITIES`.
        names: Name or glob pattern of what has it (``"*foot*"``), or several; all by default.
        scale: Range of the factor on the model's own value; or
        absolute: range of the value itself, in MuJoCo's units.
        distribution: ``"uniform"`` or ``"log-uniform"``.
        draw: One number for ``"each"`` element, for all ``"together"``, or for each of an element's
            ``"components"``. (Components of inertia drawn apart may belong to no real body: MuJoCo
            simulates them, though its compiler would refuse them.)
        held_out: Further ranges, apart from the one above, that only test tasks are drawn from.

    Raises:
        ConfigError: If a range is empty or out of bounds, a held-out one overlaps, or the quantity
            can't be set or drawn so.
        UnknownNameError: If there is no such quantity.
    """

    quantity: str
    names: str | tuple[str, ...] = "*"
    scale: Range | None = None
    absolute: Range | None = None
    distribution: Distribution = "uniform"
    draw: Draw = "each"
    held_out: tuple[Range, ...] = field(default=())

    def __post_init__(self) -> None:
        quantity = quantity_of(self.quantity)
        if (self.scale is None) == (self.absolute is None):
            raise ConfigError(f"{self.quantity}: give either scale or absolute.")
        if self.absolute is not None and not quantity.absolute:
            raise ConfigError(f"{self.quantity}: absolute isn't defined for it; give scale.")
        for name, value, choices in (
            ("distribution", self.distribution, Distribution),
            ("draw", self.draw, Draw),
        ):
            if value not in get_args(choices):
                allowed = ", ".join(get_args(choices))
                raise ConfigError(f"{name}: got {value!r}; allowed: {allowed}.")
        if self.quantity == "actuator_strength" and self.draw == "components":
            raise ConfigError(
                "draw: got 'components' for actuator_strength; allowed: each, together, as gain, "
                "bias and limits of the force are scaled as one."
            )
        least = 0.0 if quantity.positive or self.distribution == "log-uniform" else -inf
        for low, high in (self.range, *self.held_out):
            if not (isfinite(low) and isfinite(high) and low < high):
                raise ConfigError(
                    f"{self.quantity}: got range ({low}, {high}), which is empty or infinite."
                )
            if low < 0 or low <= least:
                raise ConfigError(
                    f"{self.quantity}: got range ({low}, {high}); "
                    f"must be {'above' if least == 0 else 'at least'} 0."
                )
        spans = sorted((self.range, *self.held_out))
        for before, after in pairwise(spans):
            if after[0] < before[1]:
                raise ConfigError(
                    f"held_out: ranges {before} and {after} of {self.quantity} overlap; "
                    "tasks from one could be drawn from the other."
                )

    @property
    def range(self) -> Range:
        """The range to train on."""
        return self.scale or self.absolute or (0.0, 0.0)

    @property
    def kind(self) -> Literal["scale", "absolute"]:
        """Whether numbers are factors or values."""
        return "absolute" if self.scale is None else "scale"

    def elements(self, model: Any) -> list[str]:
        """Names of what varies in a model.

        Raises:
            ConfigError: If factors would change nothing, as all that is there is 0, or a model
                without gravity is to get some.
            UnknownNameError: If a pattern matches nothing; lists the nearest names.
        """
        patterns = (self.names,) if isinstance(self.names, str) else self.names
        matched = match_elements(model, self.quantity, patterns)
        changing = [
            name for name in matched if np.any(base_values(model, self.quantity, name) != 0)
        ]
        if self.kind == "absolute":
            if self.quantity == "gravity" and not changing:
                raise ConfigError("gravity: the model has none, so it has no direction to set.")
            return matched
        if not changing:
            raise ConfigError(
                f"{self.quantity}: scale changes nothing, as it is 0 for {', '.join(matched)}; "
                "give absolute or other names."
            )
        return changing

    def sample(
        self, model: Any, rng: np.random.Generator, *, held_out: bool = False
    ) -> dict[str, Any]:
        """Draws one task's values.

        Args:
            model: The ``MjModel``.
            rng: Where every random number comes from.
            held_out: Draw from the held-out ranges instead, if there are any.

        Returns:
            JSON data for :meth:`.ModelEditor.edited`.
        """
        spans = self.held_out if held_out and self.held_out else (self.range,)
        elements = self.elements(model)
        values: dict[str, Any] = {}
        if self.draw == "together":
            (number,) = self._draw(spans, 1, rng)
            values = dict.fromkeys(elements, number)
        elif self.draw == "each":
            values = dict(zip(elements, self._draw(spans, len(elements), rng), strict=True))
        else:
            for name in elements:
                count = base_values(model, self.quantity, name).size
                values[name] = self._draw(spans, count, rng)
        return {"quantity": self.quantity, "kind": self.kind, "values": values}

    def describe(self) -> dict[str, Any]:
        """Plain JSON data, for the manifest."""
        return asdict(self)

    def _draw(self, spans: Sequence[Range], count: int, rng: np.random.Generator) -> list[float]:
        """Numbers from one of the ranges, each as likely as it is wide."""
        ends = np.array(spans)
        if self.distribution == "log-uniform":
            ends = np.log(ends)
        edges = np.concatenate([[0.0], np.cumsum(ends[:, 1] - ends[:, 0])])
        places = rng.uniform(0.0, edges[-1], size=count)
        chosen = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, len(ends) - 1)
        numbers = ends[chosen, 0] + (places - edges[chosen])
        if self.distribution == "log-uniform":
            numbers = np.exp(numbers)
        drawn: list[float] = numbers.tolist()
        return drawn
