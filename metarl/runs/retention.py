"""Which checkpoints of a run are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeAlias

from metarl.errors import CheckpointError, ConfigError

BestBy: TypeAlias = Literal["post/return", "post/success_any", "post/success_final"]
"""Figures that can mark the best checkpoint."""


@dataclass(frozen=True)
class Retention:
    """What is kept when a new checkpoint is written.

    Attributes:
        last: So many of the newest.
        best_by: The figure whose highest value marks the best checkpoint. Figures of an iteration
            are those of the policies that it sampled with, and its checkpoint holds the parameters
            after its step.
        milestone_every: Checkpoints of iterations that this divides are kept for good; ``None``
            for none.

    Raises:
        ConfigError: If a number is below 1.
    """

    last: int = 3
    best_by: BestBy = "post/return"
    milestone_every: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("last", self.last), ("milestone_every", self.milestone_every)):
            if value is not None and value < 1:
                raise ConfigError(f"{name}: got {value}; must be at least 1.")

    def is_milestone(self, iteration: int) -> bool:
        """Whether an iteration's checkpoint is kept for good by rule."""
        every = self.milestone_every
        return every is not None and iteration > 0 and iteration % every == 0

    def surplus(self, iterations: Iterable[int], marks: Marks) -> list[int]:
        """Iterations whose checkpoints are to go."""
        ordered = sorted(iterations)
        kept = {*ordered[-self.last :], *marks.milestones, marks.best}
        return [iteration for iteration in ordered if iteration not in kept]


@dataclass(frozen=True)
class Marks:
    """Checkpoints that stand out, by iteration.

    Attributes:
        milestones: Kept for good.
        best: That with the highest figure so far, or ``None``.
        best_value: The figure.
    """

    milestones: frozenset[int] = frozenset()
    best: int | None = None
    best_value: float = -math.inf

    def with_milestone(self, iteration: int) -> Self:
        """Adds a milestone."""
        return replace(self, milestones=self.milestones | {iteration})

    def with_candidate(self, iteration: int, value: float | None) -> Self:
        """Takes over the best place if ``value`` is higher than every one before."""
        if value is None or not value > self.best_value:
            return self
        return replace(self, best=iteration, best_value=value)

    def up_to(self, iteration: int) -> Self:
        """Without what lies after ``iteration``: a resumed run takes those iterations again."""
        kept = frozenset(mark for mark in self.milestones if mark <= iteration)
        best_is_left = self.best is not None and self.best <= iteration
        return replace(
            self,
            milestones=kept,
            best=self.best if best_is_left else None,
            best_value=self.best_value if best_is_left else -math.inf,
        )

    def to_json(self) -> dict[str, Any]:
        """The marks as JSON data."""
        best = None if self.best is None else {"iteration": self.best, "value": self.best_value}
        return {"best": best, "milestones": sorted(self.milestones)}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Reads what :meth:`to_json` gave.

        Raises:
            CheckpointError: If it is something else.
        """
        try:
            best: Mapping[str, Any] | None = data["best"]
            milestones = data["milestones"]
            if not all(type(iteration) is int for iteration in milestones):
                raise TypeError("milestones aren't whole numbers")
            if best is None:
                return cls(frozenset(milestones))
            return cls(frozenset(milestones), int(best["iteration"]), float(best["value"]))
        except (TypeError, KeyError, ValueError) as error:
            raise CheckpointError(f"isn't a list of kept checkpoints: {error!r}") from None
