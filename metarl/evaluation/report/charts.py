"""Charts as data: one description serves the page's SVG, the PNG and the CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Series:
    """A line with an interval around it.

    Attributes:
        label: Its name in the legend.
        x: Places, ascending.
        y: Values there.
        low: Lower ends of the intervals; empty for none.
        high: Upper ends.
        colour: Number of its colour.
        dashed: Whether the line is broken.
        markers: Whether each value gets a mark.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    colour: int = 0
    dashed: bool = False
    markers: bool = True


@dataclass(frozen=True)
class LineChart:
    """Lines over one axis.

    Attributes:
        name: Of its files, without ending.
        title: Heading.
        x_label: What is along.
        y_label: What is up.
        series: The lines.
        y_range: Least and greatest value shown; by default what holds all.
        whole_x: Whether only whole numbers make sense along.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    y_range: tuple[float, float] | None = None
    whole_x: bool = False

    @property
    def description(self) -> str:
        """The chart in words, for who can't see it."""
        parts = [
            f"{one.label}: from {short(one.y[0])} to {short(one.y[-1])}"
            if len(one.y) > 1
            else f"{one.label}: {short(one.y[0])}"
            for one in self.series
            if len(one.y)
        ]
        return f"{self.y_label} against {self.x_label}. {'; '.join(parts)}."

    def csv(self) -> str:
        """All lines as a table."""
        lines = [
            (
                one.label,
                x,
                y,
                one.low[index] if one.low else "",
                one.high[index] if one.high else "",
            )
            for one in self.series
            for index, (x, y) in enumerate(zip(one.x, one.y, strict=True))
        ]
        return _table(("series", self.x_label, self.y_label, "low", "high"), lines)


@dataclass(frozen=True)
class Point:
    """One mark.

    Attributes:
        x: Place along.
        y: Place up.
        kind: Which of the chart's kinds it is.
        label: What it stands for, in a few words.
    """

    x: float
    y: float
    kind: str
    label: str


@dataclass(frozen=True)
class PointChart:
    """Marks in a plane.

    Attributes:
        name: Of its files, without ending.
        title: Heading.
        x_label: What is along.
        y_label: What is up.
        points: The marks.
        kinds: What each kind means, in the order of the legend; each is drawn its own way (``good``
            a filled circle, ``bad`` a ring, ``middle`` a half-filled square, ``lost`` a cross).
        equal: Whether both axes have one scale, as on a map.
        zero: Whether a line is drawn at height zero.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    points: Sequence[Point]
    kinds: Mapping[str, str]
    equal: bool = False
    zero: bool = False

    @property
    def description(self) -> str:
        """The chart in words, for who can't see it."""
        counts = [
            f"{sum(point.kind == kind for point in self.points)} {meaning}"
            for kind, meaning in self.kinds.items()
        ]
        return f"{self.y_label} against {self.x_label} of {len(self.points)}: {', '.join(counts)}."

    def csv(self) -> str:
        """All marks as a table."""
        lines = [(p.label, p.x, p.y, self.kinds[p.kind]) for p in self.points]
        return _table(("what", self.x_label, self.y_label, "kind"), lines)


Chart: TypeAlias = LineChart | PointChart


@dataclass(frozen=True)
class Figure:
    """Charts that belong together, under one caption."""

    caption: str
    charts: Sequence[Chart] = field(default_factory=tuple)


def short(value: float) -> str:
    """A number as the axes show it: 1.2M, 40k, 0.05."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= size * (1 if unit == "M" else 10):
            return f"{value / size:.3g}{unit}"
    return f"{value:.4g}"


def _table(header: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()
