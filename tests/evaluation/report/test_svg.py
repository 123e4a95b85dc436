from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import pytest

from metarl.evaluation.report.charts import LineChart, Point, PointChart, Series, short
from metarl.evaluation.report.png import png
from metarl.evaluation.report.svg import PLOT_HEIGHT, TOP, draw

SVG = "{http://www.w3.org/2000/svg}"
LINES = LineChart(
    "curve",
    "Return & more <b>",
    "steps",
    "return",
    [
        Series("MAML", [0, 1, 2], [-9.0, -4.0, -1.0], [-10.0, -5.0, -2.0], [-8.0, -3.0, 0.0]),
        Series("oracle", [0, 2], [-0.5, -0.5], colour=1, dashed=True, markers=False),
    ],
    whole_x=True,
)
POINTS = PointChart(
    "map",
    "Goals",
    "x (m)",
    "y (m)",
    [Point(0.0, 0.0, "good", "task 0"), Point(0.1, 0.4, "bad", "task <1>")],
    {"good": "success", "bad": "no success"},
    equal=True,
)


def parsed(chart: LineChart | PointChart) -> ElementTree.Element:
    return ElementTree.fromstring(draw(chart, standalone=True))


def marks(root: ElementTree.Element, kind: str) -> list[tuple[float, float]]:
    """Where the shapes of a class are, those of the legend left out."""
    found = []
    for path in root.iter(f"{SVG}path"):
        if kind in (path.get("class") or "").split() and path.find(f"{SVG}title") is not None:
            x, y = path.get("d", "")[1:].split("m")[0].split()
            found.append((float(x), float(y)))
    return found


def test_lines_are_where_the_values_are() -> None:
    root = parsed(LINES)
    found = marks(root, "mark")
    assert len(found) == 3
    (x0, y0), (x1, y1), (x2, y2) = found
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert (y0 - y1) / (y1 - y2) == pytest.approx(5 / 3, rel=0.02)
    assert all(TOP <= y <= TOP + PLOT_HEIGHT for _, y in found)


def test_the_chart_is_told_to_who_cannot_see_it() -> None:
    root = parsed(LINES)
    assert root.get("role") == "img"
    told = {root.find(f"{SVG}{name}").get("id") for name in ("title", "desc")}  # type: ignore[union-attr]
    assert set(root.get("aria-labelledby", "").split()) == told
    assert root.findtext(f"{SVG}title") == LINES.title  # escaped, so it survives
    assert root.findtext(f"{SVG}desc") == (
        "return against steps. MAML: from -9 to -1; oracle: from -0.5 to -0.5."
    )
    hints = [title.text for title in root.iter(f"{SVG}title")]
    assert "MAML: -4 [-5, -3] at 1" in hints
    assert "task <1>" in [title.text for title in parsed(POINTS).iter(f"{SVG}title")]


def test_a_map_has_one_scale() -> None:
    (x0, y0), (x1, y1) = marks(parsed(POINTS), "good") + marks(parsed(POINTS), "bad")
    assert (y0 - y1) / (x1 - x0) == pytest.approx(4.0, rel=0.03)


def test_kinds_differ_in_shape_not_only_in_colour() -> None:
    chart = PointChart(
        "all",
        "All",
        "x",
        "y",
        [Point(index, index, kind, kind) for index, kind in enumerate(KINDS)],
        {kind: kind for kind in KINDS},
    )
    shapes = {
        (path.get("d", "").split("m", 1)[1], path.get("class"))
        for path in parsed(chart).iter(f"{SVG}path")
        if "dot" in (path.get("class") or "")
    }
    assert len(shapes) == len(KINDS)


KINDS = ("good", "bad", "middle", "lost")


def test_a_single_value_and_no_values_can_be_drawn() -> None:
    one = LineChart("one", "One", "x", "y", [Series("a", [1], [5.0])], whole_x=True)
    assert len(marks(parsed(one), "mark")) == 1
    none = PointChart("none", "None", "x", "y", [], {"good": "success"})
    assert marks(parsed(none), "good") == []


@pytest.mark.parametrize("chart", [LINES, POINTS])
def test_png(chart: LineChart | PointChart) -> None:
    assert png(chart).startswith(b"\x89PNG\r\n\x1a\n")


def test_csv_holds_every_value() -> None:
    lines = list(csv.DictReader(io.StringIO(LINES.csv())))
    assert [(line["series"], float(line["return"])) for line in lines] == [
        ("MAML", -9.0),
        ("MAML", -4.0),
        ("MAML", -1.0),
        ("oracle", -0.5),
        ("oracle", -0.5),
    ]
    assert (lines[0]["low"], lines[3]["low"]) == ("-10.0", "")
    points = list(csv.DictReader(io.StringIO(POINTS.csv())))
    assert points[1] == {"what": "task <1>", "x (m)": "0.1", "y (m)": "0.4", "kind": "no success"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.05"), (1234.5, "1234"), (40_000, "40k"), (1_250_000, "1.25M"), (-20_000, "-20k")],
)
def test_short_numbers(value: float, text: str) -> None:
    assert short(value) == text
