"""The report's tables and tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from metarl.evaluation.comparison import PairedLine, compare
from metarl.evaluation.report.content import Group, Method
from metarl.evaluation.report.curves import gains_of
from metarl.evaluation.report.goals import place_of
from metarl.evaluation.report.names import FIELDS, after, display
from metarl.evaluation.sampling import (
    Over,
    fixed_tasks_note,
    intervals_named,
    intervals_over,
    single_runs_note,
)
from metarl.evaluation.statistics import Estimate
from metarl.evaluation.summary import StepSummary, score_matrix, summarise
from metarl.evaluation.tables import FIELD_NAMES, number, percent


@dataclass(frozen=True)
class Cell:
    """One cell: its text, what it is sorted by, and its class."""

    text: str
    value: float | str | None = None
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """One line of a table; ``own`` marks what the report is about."""

    cells: Sequence[Cell]
    own: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        caption: What it holds.
        columns: Headings.
        rows: Its lines.
        sortable: Whether a click on a heading sorts it.
        folded: Whether it opens on a click.
        text_columns: Headings of columns that hold text.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    sortable: bool = False
    folded: bool = False
    text_columns: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Tile:
    """A headline number."""

    what: str
    number: str
    range: str


def summary_table(group: Group) -> Table:
    """Every method after every number of steps."""
    rows = []
    for method in group.methods:
        for line in summarise(method.evaluations):
            cells = [
                Cell(display(method.label)),
                Cell(str(line.adaptation_step), line.adaptation_step),
                _percent(line.success_final),
                _percent(line.success_any),
                Cell(number(line.episode_return), line.episode_return.mean),
                Cell(number(line.interquartile_return), line.interquartile_return.mean),
                Cell("") if line.gain is None else _signed(line.gain),
                Cell("") if line.share_worse is None else _percent(line.share_worse),
            ]
            rows.append(Row(cells, own=not method.is_control))
    columns = (
        "method",
        "steps",
        "success, last step",
        "success, any step",
        "return",
        "return, interquartile mean",
        "gain in return",
        "tasks made worse",
    )
    return Table(_means_over(group), columns, rows)


def _means_over(group: Group) -> str:
    """What means are over, and their intervals."""
    runs = max(len(method.evaluations) for method in group.methods)
    means = "tasks" if runs == 1 else "runs and tasks"
    kinds: dict[str, Over] = {
        display(method.label): intervals_over(method.evaluations) for method in group.methods
    }
    if note := fixed_tasks_note(kinds.values()):
        return f"Means over {means}. {note}"
    return " ".join([f"Means over {means} with 95 % intervals.", single_runs_note(kinds)]).strip()


def tiles(method: Method) -> list[Tile]:
    """The headline numbers of one method."""
    lines = summarise(method.evaluations)
    shown = lines if len(lines) <= 3 else [lines[0], lines[1], lines[-1]]
    when = ", ".join(after(line.adaptation_step) for line in shown)
    found = []
    for name, (label, scale) in FIELDS.items():
        values: list[Estimate] = [
            value for line in shown if (value := getattr(line, name)) is not None
        ]
        if len(values) == len(shown):
            unit = "\N{NO-BREAK SPACE}%" if scale != 1.0 else ""
            digits = 0 if scale != 1.0 or abs(values[-1].mean) >= 100 else 1
            means = " → ".join(f"{scale * value.mean:.{digits}f}" for value in values)
            found.append(Tile(label.capitalize(), f"{means}{unit}", when))
    last = lines[-1]
    if last.gain is not None and last.share_worse is not None:
        found += _gain_tiles(last, last.gain, last.share_worse)
    return found


def _gain_tiles(line: StepSummary, gain: Estimate, share_worse: Estimate) -> list[Tile]:
    digits = 0 if abs(gain.mean) >= 100 else 1
    when = after(line.adaptation_step)
    return [
        Tile(
            "Gain in return",
            f"{gain.mean:+.{digits}f}",
            f"{when}{_range(gain, f'+.{digits}f')}",
        ),
        Tile(
            "Tasks made worse",
            f"{100 * share_worse.mean:.0f} %",
            f"{when}{_range(share_worse.scaled(100), '.0f', ' %')}",
        ),
    ]


def _range(value: Estimate, style: str, unit: str = "") -> str:
    """An interval in words, if there is one."""
    if (ends := value.ends) is None:
        return ""
    return f"; 95 %: {ends[0]:{style}} to {ends[1]:{style}}{unit}"


def worth_table(method: Method, control: Method) -> Table:
    """A method against the control that wasn't meta-trained, step by step."""
    ours, theirs = display(method.label), display(control.label)
    comparison = compare(method.evaluations, control.evaluations, (ours, theirs))
    rows = [
        Row(
            [
                Cell(FIELD_NAMES[line.field]),
                Cell(str(line.adaptation_step), line.adaptation_step),
                _shown(line, line.a),
                _shown(line, line.b),
                _difference(line),
                Cell(number(line.probability, digits=2), line.probability.mean),
                Cell(_verdict(line), kind="text"),
            ]
        )
        for name in FIELDS
        for line in comparison.lines
        if line.field == name
    ]
    columns = ("quantity", "steps", ours, theirs, "difference", f"P({ours} better)", "verdict")
    named = intervals_named(comparison.over)
    intervals = named if comparison.over == "nothing" else f"with {named}"
    caption = f"{ours} against {theirs}, task by task, {intervals}."
    return Table(caption, columns, rows, text_columns=("verdict",))


def worth_sentences(method: Method, control: Method) -> list[str]:
    """The same in words, a sentence per adaptation step; and what adapting gave the control."""
    comparison = compare(method.evaluations, control.evaluations)
    said = []
    for step in method.evaluations[0].steps[1:]:
        found = [comparison.line(name, step) for name in ("success_final", "episode_return")]
        parts = [
            f"{FIELDS[line.field][0]} {_plain(line, line.a)} against {_plain(line, line.b)}, "
            f"{_difference(line).text}: {_verdict(line)}"
            for line in found
            if line is not None
        ]
        when = after(step)
        said.append(f"{when[:1].upper()}{when[1:]}, {'; '.join(parts)}.")
    last = method.evaluations[0].steps[-1]
    own, theirs = (float(gains_of(one.evaluations, last).mean()) for one in (method, control))
    if own > 0:
        said.append(
            f"Adapting gains the control {100 * theirs / own:.0f} % of the return that it gains "
            f"{display(method.label)}."
        )
    return said


def task_table(method: Method, *, folded: bool) -> Table:
    """Every task before and after adaptation."""
    evaluations = method.evaluations
    first = evaluations[0]
    last = first.steps[-1]
    gains = gains_of(evaluations, last)
    columns = ["task", "family", "where", "return before", f"return {after(last)}", "gain"]
    success = [score_matrix(evaluations, "success_final", step) for step in (0, last)]
    if success[0] is not None:
        columns += ["success before", f"success {after(last)}"]
    returns = [score_matrix(evaluations, "episode_return", step) for step in (0, last)]
    means = [scores.mean(axis=0) for scores in returns if scores is not None]
    rows = []
    for index, task in enumerate(first.tasks):
        place = place_of(task)
        gain = float(gains[index])
        cells = [
            Cell(str(index), index),
            Cell(task.family, kind="text"),
            Cell("" if place is None else str(place), kind="text"),
            *(Cell(f"{own[index]:.1f}", float(own[index])) for own in means),
            Cell(f"{gain:+.1f}", gain, "up" if gain > 0 else "down" if gain < 0 else ""),
        ]
        cells += [
            _share(float(scores.mean(axis=0)[index])) for scores in success if scores is not None
        ]
        rows.append(Row(cells))
    runs = "" if len(evaluations) == 1 else f", means over {len(evaluations)} runs"
    caption = f"Tasks of {display(method.label)}{runs}; a click on a heading sorts."
    return Table(caption, columns, rows, True, folded, ("family", "where"))


def _share(rate: float) -> Cell:
    text = {0.0: "no", 1.0: "yes"}.get(rate, f"{100 * rate:.0f} %")
    return Cell(text, rate, "up" if rate >= 0.5 else "")


def _verdict(line: PairedLine) -> str:
    if line.difference.ends is None:
        return "undecided: no interval"
    if not line.decided:
        return "no difference shown"
    if line.adaptation_step == 0:
        return "better before adaptation" if line.difference.mean > 0 else "worse before adaptation"
    return "meta-learning helped" if line.difference.mean > 0 else "meta-learning did harm"


def _plain(line: PairedLine, value: Estimate) -> str:
    """A mean without its interval, which the table has."""
    if line.field != "episode_return":
        return f"{100 * value.mean:.0f} %"
    return f"{value.mean:.{0 if abs(value.mean) >= 100 else 1}f}"


def _difference(line: PairedLine) -> Cell:
    scale = FIELDS[line.field][1]
    kind = "" if not line.decided else "up" if line.difference.mean > 0 else "down"
    value = line.difference.scaled(scale)
    digits = 0 if scale != 1.0 else None
    unit = " points" if scale != 1.0 else ""
    return Cell(number(value, digits=digits, sign=True) + unit, line.difference.mean, kind)


def _shown(line: PairedLine, value: Estimate) -> Cell:
    return _percent(value) if line.field != "episode_return" else Cell(number(value), value.mean)


def _percent(value: Estimate | None) -> Cell:
    return Cell(percent(value), None if value is None else value.mean)


def _signed(value: Estimate) -> Cell:
    return Cell(number(value, sign=True), value.mean)
