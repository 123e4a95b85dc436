"""Charts as SVG. Colours are left to the style sheet, so that light and dark both work."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from markupsafe import escape

from metarl.evaluation.report.charts import Chart, LineChart, Point, PointChart, Series, short
from metarl.evaluation.report.scales import Scale, spread, ticks

WIDTH, PLOT_HEIGHT = 360, 200
TOP, RIGHT, LETTER, LINE = 34, 14, 6.6, 17
"""Room above and beside the plot, and what a letter and a line of text take (pixels)."""

NUM_COLOURS = 6


def draw(chart: Chart, *, standalone: bool = False) -> str:
    """Draws a chart as an ``<svg>`` element.

    Args:
        chart: What to draw.
        standalone: Whether it is a file of its own, which needs its own style.
    """
    plot = _Plot.of(chart)
    body = _lines(chart, plot) if isinstance(chart, LineChart) else _points(chart, plot)
    legend, height = _legend(chart, plot.bottom + 46)
    space = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    style = f"<style>{figure_style()}</style>" if standalone else ""
    title, description = f"t-{chart.name}", f"d-{chart.name}"
    return (
        f'<svg{space} class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{escape(title)} {escape(description)}">'
        f'<title id="{escape(title)}">{escape(chart.title)}</title>'
        f'<desc id="{escape(description)}">{escape(chart.description)}</desc>{style}'
        f'<text class="heading" x="4" y="16">{escape(chart.title)}</text>'
        f"{plot.axes(chart)}{body}{legend}</svg>"
    )


def figure_style() -> str:
    """The style sheet of figures."""
    folder = files("metarl.evaluation.report") / "templates"
    return (folder / "figures.css").read_text(encoding="utf-8")


class _Plot:
    """The plane that a chart is drawn in."""

    def __init__(self, x: Scale, y: Scale, *, whole_x: bool) -> None:
        self.x, self.y = x, y
        self.bottom = y.start
        self.x_ticks = ticks(x.low, x.high, whole=whole_x)
        self.y_ticks = ticks(y.low, y.high)

    @classmethod
    def of(cls, chart: Chart) -> _Plot:
        if isinstance(chart, LineChart):
            xs = [x for one in chart.series for x in one.x]
            ys = [y for one in chart.series for y in (*one.y, *one.low, *one.high)]
            x_range = spread(xs, 0.04)
            y_range = chart.y_range or spread(ys)
        else:
            x_range = spread(point.x for point in chart.points)
            heights = [point.y for point in chart.points]
            y_range = spread([*heights, 0.0] if chart.zero else heights)
        widest = max(len(short(tick)) for tick in ticks(*y_range))
        left = 26 + LETTER * widest
        right = WIDTH - RIGHT
        height = PLOT_HEIGHT
        if isinstance(chart, PointChart) and chart.equal:
            x_range, y_range = _one_scale(x_range, y_range, (right - left) / height)
        x = Scale(*x_range, left, right)
        y = Scale(*y_range, TOP + height, TOP)
        return cls(x, y, whole_x=isinstance(chart, LineChart) and chart.whole_x)

    def axes(self, chart: Chart) -> str:
        left, right, top, bottom = self.x.start, self.x.end, self.y.end, self.y.start
        parts = []
        for tick in self.y_ticks:
            y = self.y(tick)
            parts.append(f'<path class="grid" d="M{left:.1f} {y:.1f}H{right:.1f}"/>')
            parts.append(
                f'<text class="tick end" x="{left - 5:.1f}" y="{y + 4:.1f}">{short(tick)}</text>'
            )
        for tick in self.x_ticks:
            x = self.x(tick)
            parts.append(f'<path class="grid" d="M{x:.1f} {top:.1f}V{bottom:.1f}"/>')
            parts.append(
                f'<text class="tick middle" x="{x:.1f}" y="{bottom + 15:.1f}">{short(tick)}</text>'
            )
        if isinstance(chart, PointChart) and chart.zero:
            parts.append(f'<path class="axis" d="M{left:.1f} {self.y(0):.1f}H{right:.1f}"/>')
        parts.append(f'<path class="axis" d="M{left:.1f} {bottom:.1f}H{right:.1f}"/>')
        middle = (left + right) / 2
        parts.append(
            f'<text class="label middle" x="{middle:.1f}" y="{bottom + 32:.1f}">'
            f"{escape(chart.x_label)}</text>"
        )
        height = (top + bottom) / 2
        parts.append(
            f'<text class="label middle" transform="translate(12 {height:.1f}) rotate(-90)">'
            f"{escape(chart.y_label)}</text>"
        )
        return "".join(parts)


def _one_scale(
    x: tuple[float, float], y: tuple[float, float], aspect: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Widens one of two ranges so that a unit is as long on either axis."""
    per_pixel = max((x[1] - x[0]) / aspect, y[1] - y[0])

    def widened(low: float, high: float, length: float) -> tuple[float, float]:
        middle = (low + high) / 2
        return middle - length / 2, middle + length / 2

    return widened(*x, per_pixel * aspect), widened(*y, per_pixel)


def _lines(chart: LineChart, plot: _Plot) -> str:
    return "".join(_band(one, plot) for one in chart.series) + "".join(
        _line(one, plot) for one in chart.series
    )


def _band(one: Series, plot: _Plot) -> str:
    if not one.low or len(one.x) < 2:
        return ""
    upper = [f"{plot.x(x):.1f} {plot.y(y):.1f}" for x, y in zip(one.x, one.high, strict=True)]
    lower = [f"{plot.x(x):.1f} {plot.y(y):.1f}" for x, y in zip(one.x, one.low, strict=True)]
    outline = "L".join([*upper, *reversed(lower)])
    return f'<path class="band c{one.colour % NUM_COLOURS}" d="M{outline}Z"/>'


def _line(one: Series, plot: _Plot) -> str:
    places = [f"{plot.x(x):.1f} {plot.y(y):.1f}" for x, y in zip(one.x, one.y, strict=True)]
    colour = f"c{one.colour % NUM_COLOURS}"
    dashed = " dashed" if one.dashed else ""
    parts = [f'<path class="line {colour}{dashed}" d="M{"L".join(places)}"/>']
    if one.markers:
        for index, (x, y) in enumerate(zip(one.x, one.y, strict=True)):
            around = f" [{short(one.low[index])}, {short(one.high[index])}]" if one.low else ""
            hint = f"{one.label}: {short(y)}{around} at {short(x)}"
            parts.append(_mark(plot.x(x), plot.y(y), one.colour, hint))
    return "".join(parts)


_SHAPES = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
    "m-3.6 -3.6h7.2v7.2h-7.2z",
    "m0 -4.8l4.6 8.2h-9.2z",
    "m0 -5l5 5l-5 5l-5 -5z",
    "m0 4.8l4.6 -8.2h-9.2z",
    "m-1.6 -4.4h3.2v2.8h2.8v3.2h-2.8v2.8h-3.2v-2.8h-2.8v-3.2h2.8z",
)
"""A shape for each colour: colour alone doesn't tell everyone."""


def _mark(x: float, y: float, colour: int, hint: str = "") -> str:
    number = colour % NUM_COLOURS
    title = f"<title>{escape(hint)}</title>" if hint else ""
    return f'<path class="mark c{number}" d="M{x:.1f} {y:.1f}{_SHAPES[number]}">{title}</path>'


def _points(chart: PointChart, plot: _Plot) -> str:
    # What went wrong is drawn last, so that it isn't hidden.
    order = list(chart.kinds)
    points: Sequence[Point] = sorted(chart.points, key=lambda point: order.index(point.kind))
    return "".join(
        _dot(plot.x(point.x), plot.y(point.y), point.kind, point.label) for point in points
    )


def _dot(x: float, y: float, kind: str, hint: str = "") -> str:
    title = f"<title>{escape(hint)}</title>" if hint else ""
    shapes = {
        "good": "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0",
        "bad": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
        "middle": "m0 -5l5 5l-5 5l-5 -5z",
        "lost": "m-4 -4l8 8m0 -8l-8 8",
    }
    return f'<path class="dot {kind}" d="M{x:.1f} {y:.1f}{shapes[kind]}">{title}</path>'


def _legend(chart: Chart, top: float) -> tuple[str, float]:
    """The legend in as many lines as it takes, and where the drawing ends."""
    entries: list[tuple[str, Series | str]]
    if isinstance(chart, LineChart):
        entries = list({one.label: one for one in chart.series}.items())
    else:
        entries = [(meaning, kind) for kind, meaning in chart.kinds.items()]
    if len(entries) < 2 and isinstance(chart, LineChart):
        return "", top - 6
    parts, x, y = [], 8.0, top
    for label, what in entries:
        width = 34 + LETTER * len(label)
        if x > 8.0 and x + width > WIDTH:
            x, y = 8.0, y + LINE
        if isinstance(what, Series):
            dashed = " dashed" if what.dashed else ""
            colour = f"c{what.colour % NUM_COLOURS}"
            parts.append(f'<path class="line {colour}{dashed}" d="M{x:.1f} {y:.1f}h18"/>')
            if what.markers:
                parts.append(_mark(x + 9, y, what.colour))
        else:
            parts.append(_dot(x + 9, y, what))
        parts.append(f'<text class="tick" x="{x + 23:.1f}" y="{y + 4:.1f}">{escape(label)}</text>')
        x += width
    return "".join(parts), y + 12
