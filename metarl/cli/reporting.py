"""`metarl report`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from metarl.cli.cards import ALIKE
from metarl.cli.loading import (
    UPSTREAM,
    Split,
    belongs_to_rows,
    check_each_once,
    config_of,
    evaluation_folder,
    load_evaluation,
    versions_of,
)
from metarl.cli.metrics import read_metrics
from metarl.cli.output import say
from metarl.cli.repeating import command_of, evaluation_command, oracle_commands
from metarl.errors import (
    CheckpointError,
    ConfigError,
    EvaluationError,
    ManifestMismatchError,
)
from metarl.evaluation.controls import stands_beside
from metarl.evaluation.report import (
    Group,
    Method,
    Report,
    RunFacts,
    TraceLine,
    read_trace,
    write_report,
)
from metarl.evaluation.report.content import TRACE
from metarl.storage import read_json

CONTROLS = ("pretrained", "untrained", *ALIKE)


def report_runs(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    output: Path | None = None,
    title: str | None = None,
    split: Split = "test",
) -> int:
    """Write evaluated runs and their controls up as one HTML page that needs no network.

    Runs that differ in nothing but their seed are put together; runs on other tasks get a section
    of their own. Figures are written beside the page as SVG, PNG and CSV.
    Example: metarl report runs/reach --output reach.html

    Args:
        runs: Run folders, evaluated with `metarl evaluate`.
        output: The page, ending in .html; by default report.html in the first run's folder.
        title: Heading; by default the benchmarks.
        split: Held-out tasks, those trained on, or new goals of the families trained on.
    """
    if not runs:
        raise EvaluationError("runs: got none; needs at least one run folder.")
    check_each_once(runs)
    path = runs[0] / "report.html" if output is None else output
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"output: got {path.name!r}; must end in .html.")
    notes: list[str] = []
    groups = [group_of(members, split, notes) for members in _by_tasks(runs, split)]
    benchmarks = list(dict.fromkeys(group.first.header.benchmark for group in groups))
    report = Report(
        title=title or f"Adaptation on {', '.join(benchmarks)}",
        groups=groups,
        command=_command(runs, output, title, split),
        notes=notes,
    )
    for note in notes:
        say(note)
    say(f"report: {write_report(report, path)}")
    return 0


def _command(runs: Sequence[Path], output: Path | None, title: str | None, split: str) -> str:
    """What was run to write the report."""
    words = ["metarl", "report", *(str(run) for run in runs)]
    words += ["--output", str(output)] if output is not None else []
    words += ["--title", title] if title is not None else []
    words += ["--split", split] if split != "test" else []
    return shlex.join(words)


def group_of(runs: Sequence[Path], split: str, notes: list[str]) -> Group:
    """Runs on the same tasks, by method, and the controls that stand beside them.

    A method is an algorithm with its settings; several seeds of it are its runs. What is of an
    earlier evaluation is left out: controls on other tasks or under another protocol, the trace,
    what Meta-World's procedure said.

    Args:
        runs: Run folders.
        split: Which of their evaluations.
        notes: Gets a sentence for each thing left out.

    Raises:
        CheckpointError: If a folder isn't a run's.
        EvaluationError: If a run isn't evaluated, or protocols differ.
        ManifestMismatchError: If a run's tasks aren't those that it was evaluated on.
    """
    by_settings: dict[str, list[Path]] = {}
    for run in runs:
        config = config_of(run)
        key = json.dumps([config["algorithm"], config["agent"]], sort_keys=True)
        by_settings.setdefault(key, []).append(run)
    methods: dict[str, Method] = {}
    for members in by_settings.values():
        label = _label(config_of(members[0]), methods)
        methods[label] = Method(
            label,
            [load_evaluation(run, split) for run in members],
            [facts_of(run, split, notes) for run in members],
            [line for run in members for line in _trace_of(run, split, notes)],
        )
    beside = next(iter(methods.values())).evaluations[0]
    for name in CONTROLS:
        found = []
        for run in runs:
            folder = evaluation_folder(run, split, name)
            if not folder.is_dir():
                continue
            control = load_evaluation(run, split, name)
            if stands_beside(control, beside):
                found.append(control)
            else:
                notes.append(f"left out: {folder}, which is of other tasks or another protocol.")
        if found:
            methods[name] = Method(name, found[:1] if name in ALIKE else found)
    return Group(list(methods.values()))


def facts_of(run: Path, split: str, notes: list[str]) -> RunFacts:
    """What a run folder says of its run.

    Args:
        run: The run folder.
        split: Which of its evaluations.
        notes: Gets a sentence if what Meta-World's procedure said is left out.

    Raises:
        CheckpointError: If the folder isn't a run's, or a file of it is damaged.
        ManifestMismatchError: If its tasks aren't those that it was evaluated on.
    """
    config = config_of(run)
    manifest, versions = read_json(run / "manifest.json"), versions_of(run)
    if not isinstance(manifest, dict):
        raise CheckpointError(f"{run / 'manifest.json'}: holds no JSON object")
    evaluated = load_evaluation(run, split).header.manifest
    if manifest.get("digest") != evaluated:
        raise ManifestMismatchError(
            f"{run}: trained on the tasks of manifest {manifest.get('digest')}, evaluated on "
            f"those of {evaluated}; evaluate it again."
        )
    upstream = evaluation_folder(run, split) / UPSTREAM
    return RunFacts(
        path=str(run),
        config=config,
        manifest=manifest,
        versions=versions,
        metrics=read_metrics(run),
        commands=commands_of(run, config, split),
        upstream=read_json(upstream) if _is_current(upstream, notes) else None,
    )


def commands_of(run: Path, config: Mapping[str, Any], split: str) -> list[str]:
    """What to run to get a run's training, evaluation, oracle and trace again."""
    commands = [
        command_of(run, config),
        evaluation_command(run, split),
        *oracle_commands(run, split),
    ]
    where = ["--split", split] if split != "test" else []
    if belongs_to_rows(evaluation_folder(run, split) / TRACE):
        commands.append(shlex.join(["metarl", "trace", str(run), *where]))
    return commands


def _trace_of(run: Path, split: str, notes: list[str]) -> Sequence[TraceLine]:
    """The trace of a run's evaluation; nothing if there is none of these rows."""
    folder = evaluation_folder(run, split)
    return read_trace(folder) if _is_current(folder / TRACE, notes) else ()


def _is_current(path: Path, notes: list[str]) -> bool:
    """Whether a file beside the rows is there and of these rows; notes if it is of others."""
    current = belongs_to_rows(path)
    if path.exists() and not current:
        notes.append(f"left out: {path}, which is of an earlier evaluation.")
    return current


def _by_tasks(runs: Sequence[Path], split: str) -> list[list[Path]]:
    """Runs that were evaluated on the same tasks under the same protocol, seeds apart."""
    groups: dict[tuple[str, str], list[Path]] = {}
    for run in runs:
        config_of(run)  # refuses what isn't a run before asking for its evaluation
        evaluation = load_evaluation(run, split)
        key = (evaluation.header.manifest, evaluation.protocol.model_dump_json(exclude={"seed"}))
        groups.setdefault(key, []).append(run)
    return list(groups.values())


def _label(config: Mapping[str, Any], taken: Mapping[str, Any]) -> str:
    """The algorithm's name, numbered where several settings of it are there."""
    name = "control" if config["agent"].get("inner_lr") == 0 else config["algorithm"].upper()
    numbers = range(2, len(taken) + 2)
    return next(one for one in (name, *(f"{name} {i}" for i in numbers)) if one not in taken)
