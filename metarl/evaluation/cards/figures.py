"""Pictures of a card, drawn from its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.lines import Line2D

from metarl.evaluation.cards.fields import FIELDS, fields_of
from metarl.evaluation.cards.members import gain_of, is_family, ordered
from metarl.evaluation.figures import COLOURS, panels, picture
from metarl.evaluation.sampling import intervals_named
from metarl.evaluation.statistics import Estimate
from metarl.evaluation.tables import count

STEP_COLOURS = ("#9aa5b1", "#7db4e0", "#1f6fb4", "#0b3a66")
PHASES = {"before": "before adaptation", "after": "after adaptation"}
MEMBERS_PER_ROW = 6


def members_figure(data: Mapping[str, Any], kind: str = "png") -> bytes:
    """Draws a card of many methods: one row each, a dot with its 95 % interval for each step.

    Args:
        data: Of :func:`~metarl.evaluation.cards.card_json`.
        kind: ``"png"`` or ``"svg"``.

    Returns:
        The picture as a file's content.
    """
    labels = ordered(data)[::-1]  # the first row is the highest
    names = [name for name in ("episode_return", "success_final") if name in fields_of(data)]
    steps = data["protocol"]["num_adaptation_steps"]
    figure, axes = panels(len(names) + 1, size=(4.0, 1.0 + 0.3 * len(labels)), sharey="row")
    for axis, name in zip(axes, names, strict=False):
        for row, label in enumerate(labels):
            values = data["variants"][label][name]
            for step, value in enumerate(values["all"] if values else ()):
                height = row + 0.24 * (steps / 2 - step)
                _draw_dot(axis, value, height, FIELDS[name].scale, STEP_COLOURS[step % 4])
        axis.set_xlabel(FIELDS[name].label)
        axis.locator_params(axis="x", nbins=6)
    for row, label in enumerate(labels):
        gain = gain_of(data["variants"][label])
        if gain is not None:
            _draw_dot(axes[-1], gain, row, 1.0, COLOURS[1])
    axes[-1].axvline(0.0, color="#888888", linewidth=1)
    axes[-1].set_xlabel(f"gain in return, {count(steps, 'step')} over none")
    axes[0].set_yticks(range(len(labels)), labels)
    axes[0].set_ylim(-0.7, len(labels) - 0.3)
    figure.legend(
        handles=[
            _handle(STEP_COLOURS[step % 4], f"after {count(step, 'step')}" if step else "before")
            for step in range(steps + 1)
        ],
        loc="outside upper right",
        ncols=steps + 1,
        frameon=False,
    )
    over = {intervals_named(one["intervals_over"]) for one in data["variants"].values()}
    figure.suptitle(
        f"{data['benchmark']}: {count(data['protocol']['num_tasks'], 'task')}, "
        f"{', '.join(sorted(over))}",
        fontsize=10,
        x=0.01,
        ha="left",
    )
    return picture(figure, kind)


def training_figure(data: Mapping[str, Any], kind: str = "png") -> bytes | None:
    """Draws learning curves, before and after adaptation against environment steps.

    A thin line is a seed's, a thick one the mean over seeds. Of many methods each has a panel of
    its own.

    Args:
        data: Of :func:`~metarl.evaluation.cards.card_json`.
        kind: ``"png"`` or ``"svg"``.

    Returns:
        The picture as a file's content; None if no method has a curve.
    """
    trained = {
        label: data["variants"][label]["training"]
        for label in ordered(data)
        if data["variants"][label]["training"]
    }
    if not trained:
        return None
    draw = _small_multiples if is_family(data) else _curves
    figure = draw(trained)
    several = any(len(curves) > 1 for curves in trained.values())
    lines = "; thin: seeds, thick: their mean" if several else ""
    figure.suptitle(f"{data['benchmark']}: training tasks, sampled actions{lines}", fontsize=10)
    return picture(figure, kind)


def _curves(trained: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """Rows are quantities, columns before and after, colours methods."""
    names = [
        name
        for name in ("episode_return", "success_final")
        if any(
            name in curve[phase] for own in trained.values() for curve in own for phase in PHASES
        )
    ]
    figure, axes = panels(2, len(names), size=(4.4, 2.9), sharex="all", sharey="row")
    for place, axis in enumerate(axes):
        name, phase = names[place // 2], list(PHASES)[place % 2]
        for (label, curves), colour in zip(trained.items(), cycle(COLOURS), strict=False):
            _draw_seeds(axis, curves, phase, name, colour, label)
        if place < 2:
            axis.set_title(PHASES[phase], fontsize=10)
        if place % 2 == 0:
            axis.set_ylabel(FIELDS[name].label)
        if place >= len(axes) - 2:
            axis.set_xlabel("million environment steps")
    axes[0].legend(frameon=False)
    return figure


def _small_multiples(trained: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """A panel for each method: return before and after."""
    columns = min(MEMBERS_PER_ROW, len(trained))
    rows = -(-len(trained) // columns)
    figure, axes = panels(columns, rows, size=(2.0, 1.8), sharex="all", sharey="all")
    for axis, (label, curves) in zip(axes, trained.items(), strict=False):
        _draw_seeds(axis, curves, "before", "episode_return", STEP_COLOURS[0], "before")
        _draw_seeds(axis, curves, "after", "episode_return", COLOURS[0], "after")
        axis.set_title(label, fontsize=9)
    for axis in axes[len(trained) :]:
        axis.set_visible(False)
    figure.supylabel("return", fontsize=10)
    figure.supxlabel("million environment steps", fontsize=10)
    figure.legend(
        handles=[_handle(STEP_COLOURS[0], "before"), _handle(COLOURS[0], "after adaptation")],
        loc="outside upper right",
        ncols=2,
        frameon=False,
    )
    return figure


def _draw_seeds(
    axis: Any,
    curves: Sequence[Mapping[str, Any]],
    phase: str,
    name: str,
    colour: str,
    label: str,
) -> None:
    lines = [
        (_array(curve["environment_steps"]) / 1e6, FIELDS[name].scale * _array(curve[phase][name]))
        for curve in curves
        if name in curve[phase]
    ]
    if not lines:
        return
    if len(lines) > 1:
        for places, values in lines:
            axis.plot(places, values, color=colour, linewidth=0.7, alpha=0.45)
    axis.plot(*_mean(lines), color=colour, linewidth=2.0, label=label)


def _mean(
    lines: Sequence[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean of curves as far as all of them go, at the first one's places."""
    first = lines[0][0]
    places = first[first <= min(own[-1] for own, _ in lines)]
    return places, np.mean([np.interp(places, own, values) for own, values in lines], axis=0)


def _draw_dot(
    axis: Any, value: Mapping[str, Any], height: float, scale: float, colour: str
) -> None:
    found = Estimate(**value).scaled(scale)
    if found.ends:
        axis.plot(found.ends, [height, height], color=colour, linewidth=1.6, solid_capstyle="butt")
    axis.plot(found.mean, height, "o", color=colour, markersize=4.5)


def _handle(colour: str, label: str) -> Line2D:
    return Line2D([], [], color=colour, marker="o", markersize=4.5, label=label)


def _array(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)  # None becomes NaN
