"""`metarl card`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from metarl.cli.loading import (
    Split,
    check_each_once,
    config_of,
    evaluation_folder,
    load_evaluation,
    versions_of,
)
from metarl.cli.metrics import read_metrics
from metarl.cli.oracle import NAME as ORACLE
from metarl.cli.output import say
from metarl.cli.repeating import command_of, evaluation_command, oracle_commands
from metarl.errors import EvaluationError
from metarl.evaluation.cards import (
    Card,
    CardEntry,
    UpstreamRow,
    card_bytes,
    card_json,
    card_markdown,
    thinned,
)
from metarl.evaluation.cards.figures import members_figure, training_figure
from metarl.evaluation.cards.members import is_family
from metarl.evaluation.controls import stands_beside
from metarl.evaluation.figures import adaptation_figure
from metarl.storage import write_file

ALIKE = ("expert", ORACLE)
"""Controls that don't depend on the run that they stand beside: one is enough."""


def card_runs(
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional],
    output: Path = Path("card"),
    title: str | None = None,
    split: Split = "test",
) -> int:
    """Write a result card of evaluated runs: Markdown, JSON and pictures.

    Runs that differ in nothing but their seed are put together; controls that were evaluated with
    them are listed beside them.

    Args:
        runs: Run folders, evaluated with `metarl evaluate`.
        output: Path of the files, without ending.
        title: Heading; by default benchmark and algorithm.
        split: Held-out tasks, those trained on, or new goals of the families trained on.
    """
    if not runs:
        raise EvaluationError("runs: got none; needs at least one run folder.")
    say(f"card: {write_card(runs, output, title=title, split=split)}")
    return 0


def write_card(
    runs: Sequence[Path], output: Path, *, title: str | None = None, split: str = "test"
) -> Path:
    """Writes page, data and pictures of evaluated runs, as :func:`save_card` does.

    Raises:
        EvaluationError: If a run isn't evaluated, or is named twice.
        CheckpointError: If a folder isn't a run's, or a file of it is damaged.
        ManifestMismatchError: If runs were evaluated on different tasks.
    """
    check_each_once(runs)
    configs = [config_of(run) for run in runs]
    commands = [command_of(run, config) for run, config in zip(runs, configs, strict=True)]
    for run in runs:
        commands += [evaluation_command(run, split), *oracle_commands(run, split)]
    heading = title or f"{configs[0]['benchmark']}: {configs[0]['algorithm']}"
    return save_card(make_card(heading, commands, entries_of(runs, split), runs[0]), output)


def make_card(
    title: str,
    commands: Sequence[str],
    entries: Mapping[str, CardEntry],
    run: Path,
    notes: Sequence[str] = (),
    *,
    extra: Mapping[str, Mapping[str, CardEntry]] | None = None,
    upstream: Mapping[str, Sequence[UpstreamRow]] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Card:
    """A card with versions and hardware as one run recorded them.

    Args:
        title: Heading.
        commands: What to run to get the same again.
        entries: Methods by label, the one that the card is about first.
        run: Folder of the run whose versions and hardware the card names.
        notes: Further sentences.
        extra: Further evaluations by title, each with its methods by label.
        upstream: Rates by Meta-World's own procedure, by title.
        reasons: Why methods failed to adapt, by label.
    """
    versions = versions_of(run)
    hardware = {"platform": versions["platform"], "cores": versions["cpu_count"]}
    return Card(
        title,
        commands,
        entries,
        versions["packages"],
        hardware,
        notes,
        extra or {},
        upstream or {},
        reasons or {},
    )


def save_card(card: Card, output: Path) -> Path:
    """Writes a card's page, data and pictures; returns the page.

    The pictures are ``output.png`` (adaptation) and, if learning curves are known,
    ``output-training.png``.
    """
    data = card_json(card)
    adaptation, training = (
        output.with_name(f"{output.name}{ending}.png") for ending in ("", "-training")
    )
    if is_family(data):
        write_file(adaptation, members_figure(data))
    else:
        curves = {label: entry.evaluations for label, entry in card.entries.items()}
        write_file(adaptation, adaptation_figure(curves))
    learning = training_figure(data)
    if learning is None:
        training.unlink(missing_ok=True)  # an earlier card's
    else:
        write_file(training, learning)
    write_file(output.with_name(f"{output.name}.json"), card_bytes(data))
    page = output.with_name(f"{output.name}.md")
    shown = card_markdown(data, adaptation.name, training.name if learning else None)
    write_file(page, shown.encode())
    return page


def entries_of(runs: Sequence[Path], split: str = "test") -> dict[str, CardEntry]:
    """Evaluated runs by method, and their controls.

    A method is an algorithm with its settings; its label is the algorithm's name, with what sets it
    apart where there are several.
    """
    groups: dict[str, list[Path]] = {}
    for run in runs:
        config = config_of(run)
        key = json.dumps([config["algorithm"], config["agent"]], sort_keys=True)
        groups.setdefault(key, []).append(run)
    entries: dict[str, CardEntry] = {}
    for group in groups.values():
        entries[_label(group[0], entries)] = entry_of(group, "", split)
    for name in ("pretrained", "untrained", *ALIKE):
        having = [run for run in runs if _has_control(run, name, split)]
        if having:
            entries[name] = entry_of(having[:1] if name in ALIKE else having, name, split)
    return entries


def _has_control(run: Path, name: str, split: str) -> bool:
    """Whether a control is there; one of an earlier evaluation, on other tasks, is left out."""
    folder = evaluation_folder(run, split, name)
    if not folder.is_dir():
        return False
    if stands_beside(load_evaluation(run, split, name), load_evaluation(run, split)):
        return True
    say(f"left out: {folder}, which is of other tasks or another protocol.")
    return False


def entry_of(runs: Sequence[Path], control: str = "", split: str = "test") -> CardEntry:
    """One method's evaluations with the facts of its training.

    Args:
        runs: A run for each seed.
        control: Name of the control whose rows to take, instead of the runs' own.
        split: Held-out tasks, those trained on, or new goals of the families trained on.
    """
    evaluations = [load_evaluation(run, split, control) for run in runs]
    subjects = [each.header.subject for each in evaluations]
    seeds = [int(subject.get("seed", 0)) for subject in subjects]
    steps = max(int(subject.get("num_timesteps", 0)) for subject in subjects)
    if control:
        return CardEntry(evaluations, seeds, training_steps=steps)
    metrics = [read_metrics(run) for run in runs]
    seconds = [value for own in metrics for value in finite(own, "time/iteration_s")]
    memory = [value for own in metrics for value in finite(own, "memory/peak_mib")]
    curves = [thinned(own) for own in metrics]
    return CardEntry(
        evaluations,
        seeds,
        settings=config_of(runs[0])["agent"],
        training_steps=steps,
        seconds_per_iteration=float(np.median(seconds)) if seconds else None,
        training_seconds=sum(seconds) if seconds else None,
        peak_memory_mib=max(memory, default=None),
        training=[curve for curve in curves if curve is not None] if all(curves) else [],
    )


def finite(metrics: Mapping[str, Sequence[float]], name: str) -> list[float]:
    """One column of a run's metrics, without the iterations that recorded nothing there."""
    return [value for value in metrics.get(name, ()) if math.isfinite(value)]


def _label(run: Path, taken: Mapping[str, Any]) -> str:
    config = config_of(run)
    name = str(config["algorithm"]).upper()
    if config["agent"].get("inner_lr") == 0:
        name = "control"
    if name not in taken:
        return name
    return next(f"{name} {i}" for i in range(2, len(taken) + 3) if f"{name} {i}" not in taken)
