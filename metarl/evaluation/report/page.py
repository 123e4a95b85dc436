"""The page: sections of text, tables and figures, and the files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from metarl.evaluation.controls import UNKNOWN
from metarl.evaluation.report.charts import Chart, Figure
from metarl.evaluation.report.content import Group, Method, Report, RunFacts
from metarl.evaluation.report.curves import (
    adaptation_figures,
    gain_figures,
    learning_figures,
    trace_figures,
)
from metarl.evaluation.report.goals import goal_figures
from metarl.evaluation.report.names import after, display, kept_apart, slug
from metarl.evaluation.report.png import png
from metarl.evaluation.report.profiles import gap_tables, profile_figures
from metarl.evaluation.report.svg import draw, figure_style
from metarl.evaluation.report.tables import (
    Table,
    Tile,
    summary_table,
    task_table,
    tiles,
    worth_sentences,
    worth_table,
)
from metarl.evaluation.summary import summarise
from metarl.evaluation.tables import count, percent
from metarl.storage import write_file

WITHOUT_META_LEARNING = ("pretrained", "control")
"""Labels of the control that tells what meta-learning was worth."""


@dataclass(frozen=True)
class Part:
    """One part of a section, under its heading."""

    name: str
    heading: str
    text: Sequence[str] = ()
    worth: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    facts: Sequence[tuple[str, str]] = ()
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """All about one group."""

    name: str
    heading: str
    protocol: Sequence[str]
    tiles: Sequence[Tile]
    parts: Sequence[Part] = field(default_factory=tuple)


def write_report(report: Report, path: Path) -> Path:
    """Writes the page, and its figures as SVG, PNG and CSV into a folder beside it.

    The page holds everything that it shows; the folder is for use elsewhere.

    Args:
        report: What to write.
        path: The HTML file; the folder is named after it, ``report-figures`` for ``report.html``.

    Returns:
        ``path``.
    """
    folder = path.with_name(f"{path.stem}-figures")
    sections = [_section(group, index) for index, group in enumerate(report.groups)]
    for chart in _charts(sections):
        write_file(folder / f"{chart.name}.svg", draw(chart, standalone=True).encode())
        write_file(folder / f"{chart.name}.png", png(chart))
        write_file(folder / f"{chart.name}.csv", chart.csv().encode())
    templates = files("metarl.evaluation.report") / "templates"

    def read(name: str) -> str:
        return (templates / name).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    page = environment.from_string(read("page.html.jinja")).render(
        report=report,
        sections=sections,
        files=folder.name,
        style=Markup(read("page.css") + figure_style()),  # noqa: S704 - our own files
        script=Markup(read("sort.js")),  # noqa: S704
        draw=lambda chart: Markup(draw(chart)),  # noqa: S704 - draw escapes
    )
    write_file(path, page.encode())
    return path


def _charts(sections: Sequence[Section]) -> Iterator[Chart]:
    for section in sections:
        for part in section.parts:
            for figure in part.figures:
                yield from figure.charts


def _section(group: Group, index: int) -> Section:
    name = f"s{index + 1}"
    own = [method for method in group.methods if not method.is_control]
    parts = [
        _worth(group, own),
        Part("numbers", "All numbers", tables=[summary_table(group)]),
        Part("adaptation", "Adaptation", figures=adaptation_figures(group, name)),
        Part(
            "profile",
            "Performance profile",
            tables=gap_tables(group),
            figures=profile_figures(group, name),
        ),
        Part(
            "goals",
            "Which goals adapt",
            figures=[
                figure
                for method in own
                for figure in goal_figures(method.evaluations, f"{name}-goals-{slug(method.label)}")
            ]
            + gain_figures(group, name),
        ),
        Part(
            "tasks",
            "Task by task",
            tables=[task_table(method, folded=number > 0) for number, method in enumerate(own)],
        ),
        Part("learning", "Learning curves", figures=learning_figures(group, name)),
        Part(
            "trace",
            "Inside adaptation",
            figures=[figure for method in own for figure in trace_figures(method, name)],
        ),
        _upstream(own),
        _split(own),
        _versions(own),
        Part(
            "repeat",
            "How to repeat it",
            commands=list(
                dict.fromkeys(
                    command for method in own for run in method.runs for command in run.commands
                )
            ),
        ),
    ]
    filled = [
        part
        for part in parts
        if part.text or part.worth or part.tables or part.figures or part.facts or part.commands
    ]
    header = group.first.header
    heading = f"{header.benchmark}, {kept_apart(header)} tasks"
    return Section(name, heading, _protocol(group), tiles(own[0]), filled)


def _protocol(group: Group) -> list[str]:
    """How the numbers were made, in words."""
    header, protocol = group.first.header, group.first.protocol
    acting = "the mean action" if protocol.evaluation_actions == "mean" else "sampled actions"
    families = len(set(group.first.families))
    tasks = count(len(header.tasks), "task")
    runs = ", ".join(
        f"{display(method.label)}: {count(len(method.runs), 'training run')}"
        for method in group.methods
        if not method.is_control
    )
    shared = ["Nothing is held out: the tasks of this benchmark's test are trained on."]
    return [
        f"{header.benchmark}: {tasks} of "
        f"{'1 family' if families == 1 else f'{families} families'}, "
        f"horizon {header.max_episode_steps}. Each adaptation step learns from "
        f"{count(protocol.adaptation_episodes, 'episode')} with sampled actions; results are by "
        f"{acting}, {count(protocol.evaluation_episodes, 'episode')} per task and step, each "
        f"counted once and played to its end. {runs}.",
        *(shared if header.split == "test" and header.shares_tasks else []),
    ]


def _worth(group: Group, own: Sequence[Method]) -> Part:
    control = next((one for one in group.methods if one.label in WITHOUT_META_LEARNING), None)
    heading = "What meta-learning was worth"
    if control is None:
        return Part("worth", heading, worth=[UNKNOWN])
    compared = [
        method
        for method in own
        if method is not control and method.evaluations[0].steps == control.evaluations[0].steps
    ]
    text = (
        f"The control has the same network, trained on the same tasks{_training(control, compared)}"
        ", but without adaptation in training; it is adapted the same way. What it gains is "
        "fine-tuning; only the difference is due to meta-learning."
    )
    said = [sentence for method in compared for sentence in worth_sentences(method, control)]
    return Part(
        "worth", heading, [text], said, [worth_table(method, control) for method in compared]
    )


def _training(control: Method, compared: Sequence[Method]) -> str:
    """For how many environment steps the control was trained, beside the others."""

    def steps(method: Method) -> list[int]:
        found = {one.header.subject.get("num_timesteps") for one in method.evaluations}
        known = [one for one in found if isinstance(one, int)]
        return sorted(known) if len(known) == len(found) else []

    def named(numbers: Sequence[int]) -> str:
        return " and ".join(f"{number:,}" for number in numbers)

    own, others = steps(control), {display(one.label): steps(one) for one in compared}
    if not own or not others or not all(others.values()):
        return ""
    if all(one == own for one in others.values()):
        return " for as many steps"
    listed = "; ".join(f"{label}: {named(one)}" for label, one in others.items())
    return f" for {named(own)} environment steps ({listed})"


def _upstream(own: Sequence[Method]) -> Part:
    facts: list[tuple[str, str]] = []
    text: list[str] = []
    for method in own:
        for run, evaluation in zip(method.runs, method.evaluations, strict=True):
            found = run.upstream
            if found is None:
                continue
            step = int(found["adaptation_steps"])
            ours = None
            if step in evaluation.steps:
                ours = summarise([evaluation])[step].success_any
            facts.append(
                (
                    f"{display(method.label)}, {run.path}, {after(step)}, success at any step",
                    f"{percent(ours)} by these rows; "
                    f"{100 * float(found['success_rate']):.0f} % by metaworld.evaluation",
                )
            )
            text = [str(found["explanation"])]
    return Part("upstream", "Beside Meta-World's own evaluation", text, facts=facts)


def _split(own: Sequence[Method]) -> Part:
    manifest = own[0].runs[0].manifest
    disjoint = {
        True: "checked: no task is in both",
        False: "test tasks are trained on",
        None: "tasks are drawn from a continuum, so that digests can't tell",
    }
    facts = [
        ("benchmark", f"{manifest.get('benchmark')}, seed {manifest.get('seed')}"),
        *((str(name), str(value)) for name, value in dict(manifest.get("settings") or {}).items()),
        ("trained on", _tasks(manifest.get("train"))),
        ("tested on", _tasks(manifest.get("test"))),
        ("overlap", disjoint.get(manifest.get("disjoint"), "not checked")),
        ("manifest", str(manifest.get("digest"))),
    ]
    return Part("split", "Split", facts=facts)


def _tasks(described: Mapping[str, Any] | None) -> str:
    if not described:
        return "nothing"
    tasks = described.get("tasks")
    if not isinstance(tasks, Mapping):
        rest = {name: value for name, value in described.items() if name != "type"}
        return ", ".join([str(described.get("type")), *(f"{k} {v}" for k, v in rest.items())])
    total = sum(len(digests) for digests in tasks.values())
    return f"{total} tasks of {', '.join(map(str, tasks))}"


def _versions(own: Sequence[Method]) -> Part:
    run: RunFacts = own[0].runs[0]
    versions = run.versions
    packages = dict(versions.get("packages") or {})
    facts = [
        ("Python", str(versions.get("python"))),
        *((str(name), str(number)) for name, number in packages.items()),
        ("platform", str(versions.get("platform"))),
        ("cores", str(versions.get("cpu_count"))),
    ]
    seconds = sum(each.header.seconds for method in own for each in method.evaluations)
    facts.append(("time of the evaluations", f"{seconds:.0f} s"))
    return Part("versions", "Versions and machine", facts=facts)
