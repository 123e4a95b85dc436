"""The quantities on a card: what they are called and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from metarl.evaluation.statistics import Estimate


class Field(NamedTuple):
    """How a quantity is shown.

    Attributes:
        label: Its name, with its unit.
        scale: What it is multiplied with.
        digits: After the point.
    """

    label: str
    scale: float
    digits: int

    @property
    def heading(self) -> str:
        """The label as a heading."""
        return self.label[0].upper() + self.label[1:]

    def show(self, value: float) -> str:
        """A number of this quantity."""
        # Adding zero makes -0 a 0.
        return f"{round(self.scale * value, self.digits) + 0.0:.{self.digits}f}"

    def cell(self, value: Mapping[str, Any] | None) -> str:
        """An estimate with its interval, if it has one; a dash where there is no estimate."""
        if value is None:
            return "-"
        found = Estimate(**value)
        ends = f" [{', '.join(map(self.show, found.ends))}]" if found.ends else ""
        return f"{self.show(found.mean)}{ends}"


FIELDS = {
    "success_final": Field("success at the last step, %", 100.0, 0),
    "success_any": Field("success at any step, %", 100.0, 0),
    "episode_return": Field("return", 1.0, 1),
}
PROBABILITY = Field("probability", 1.0, 2)


def fields_of(results: Mapping[str, Any]) -> list[str]:
    """Names of the quantities that some method of a card, or of an extra evaluation, reports."""
    return [
        name
        for name in FIELDS
        if any(variant[name] is not None for variant in results["variants"].values())
    ]
