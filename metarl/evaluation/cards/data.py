"""A result card as JSON data, to and from its file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import EvaluationError
from metarl.evaluation.cards.content import Card, CardEntry
from metarl.evaluation.cards.fields import FIELDS
from metarl.evaluation.cards.members import CONTROLS, MANY, WITHOUT_META_LEARNING
from metarl.evaluation.comparison import compare
from metarl.evaluation.report.curves import curve
from metarl.evaluation.result import Evaluation
from metarl.evaluation.sampling import intervals_over
from metarl.evaluation.summary import check_same_tasks, score_matrix, summarise
from metarl.storage import read_json

_NUMBERS = re.compile(r"\[\n\s*([-+.\deE,\s]|null)+\]")


def card_json(card: Card) -> dict[str, Any]:
    """The card as JSON data.

    ::

        title, commands, notes, versions, hardware
        benchmark, split, protocol, manifest, shares_tasks
        variants: {label: VARIANT}
        comparisons: [{labels: [A, B], lines: [{adaptation_step, field, a, b, difference,
            probability}]}], where B is a control, or A the first method of a few
        extra: [{title, benchmark, split, protocol, manifest, shares_tasks, variants, comparisons}
            or {title, rates: [{label, adaptation_steps, rate, seed}]}]
        reasons: {label: why it failed to adapt}

        VARIANT: seeds, intervals_over (what varies), settings, training_steps,
            adaptation_lrs (of each seed, where they were chosen), median_seconds_per_iteration,
            training_seconds, peak_memory_mib, evaluation_seconds
            success_final, success_any, episode_return: {per_seed: [[mean after each step] of each
                seed], all: [ESTIMATE after each step]}, or null
            families: {family: {success_final (or episode_return): [ESTIMATE after each step]}},
                empty for a single family
            gain, share_worse: [null, ESTIMATE after each further step]
            training: [{environment_steps, before: {field: [...]}, after: {field: [...]}}], one
                learning curve per seed; none in `extra`, whose training is the card's
        ESTIMATE: mean, low, high (null where there is nothing to take an interval from)

    Raises:
        EvaluationError: If an entry has no evaluation, or a reason is given for none of them.
        ManifestMismatchError: If methods that stand together, or seeds of one, were evaluated on
            different tasks.
    """
    unknown = sorted(set(card.reasons) - set(card.entries))
    if unknown:
        raise EvaluationError(f"reasons: got {unknown}; the card's are {sorted(card.entries)}.")
    return {
        "title": card.title,
        "commands": list(card.commands),
        **_results(card.entries),
        "extra": [
            *(
                {"title": title, **_results(_without_curves(entries))}
                for title, entries in card.extra.items()
            ),
            *(
                {"title": title, "rates": [asdict(row) for row in rows]}
                for title, rows in card.upstream.items()
            ),
        ],
        "reasons": dict(card.reasons),
        "versions": dict(card.versions),
        "hardware": dict(card.hardware),
        "notes": list(card.notes),
    }


def card_bytes(data: Mapping[str, Any]) -> bytes:
    """A card's data as a JSON file's content, each list of numbers on a line of its own."""
    text = json.dumps(data, indent=2, allow_nan=False)
    return (_NUMBERS.sub(lambda found: _on_one_line(found[0]), text) + "\n").encode()


def _on_one_line(numbers: str) -> str:
    return f"[{' '.join(numbers.strip('[]').split())}]"


def read_card(path: Path) -> dict[str, Any]:
    """Reads a card's data; what cards made earlier don't hold is filled in as empty.

    Raises:
        CheckpointError: If the file is missing or isn't JSON.
        EvaluationError: If it isn't a card's.
    """
    data = read_json(path)
    if not isinstance(data, dict) or "variants" not in data or "title" not in data:
        raise EvaluationError(f"{path}: is no result card (it lacks title or variants)")
    data = {"shares_tasks": False, "comparisons": [], "extra": [], "reasons": {}, **data}
    for variant in data["variants"].values():
        several = len(variant["seeds"]) > 1
        variant.setdefault("intervals_over", "runs and tasks" if several else "tasks")
        variant.setdefault("training", [])
        variant.setdefault("families", {})
        variant.setdefault("peak_memory_mib", None)
    return data


def _results(entries: Mapping[str, CardEntry]) -> dict[str, Any]:
    """Evaluations under one protocol, and what they are of."""
    if not entries or not all(entry.evaluations for entry in entries.values()):
        raise EvaluationError("card: got an entry without an evaluation; each needs at least one.")
    check_same_tasks([one for entry in entries.values() for one in entry.evaluations])
    first = next(iter(entries.values())).evaluations[0]
    header = first.header.to_json()
    return {
        "benchmark": header["benchmark"],
        "split": header["split"],
        "protocol": {
            **header["protocol"],
            "num_tasks": len(first.tasks),
            "max_episode_steps": header["max_episode_steps"],
        },
        "manifest": header["manifest"],
        "shares_tasks": header["shares_tasks"],
        "variants": {label: _entry_json(entry) for label, entry in entries.items()},
        "comparisons": _comparisons(entries),
    }


def _without_curves(entries: Mapping[str, CardEntry]) -> dict[str, CardEntry]:
    """Further evaluations are of the same training, whose curves the card has already."""
    return {label: replace(entry, training=()) for label, entry in entries.items()}


def _entry_json(entry: CardEntry) -> dict[str, Any]:
    summaries = summarise(entry.evaluations)
    figures: dict[str, Any] = {}
    for name in FIELDS:
        matrices = [
            score_matrix(entry.evaluations, name, line.adaptation_step) for line in summaries
        ]
        estimates = [getattr(line, name) for line in summaries]
        if any(value is None for value in estimates):
            figures[name] = None
            continue
        figures[name] = {
            "per_seed": [
                [float(scores[run].mean()) for scores in matrices if scores is not None]
                for run in range(len(entry.evaluations))
            ],
            "all": [asdict(value) for value in estimates],
        }
    return {
        "seeds": list(entry.seeds),
        "intervals_over": intervals_over(entry.evaluations),
        "settings": dict(entry.settings),
        **_rates_json(entry.evaluations),
        "training_steps": entry.training_steps,
        "median_seconds_per_iteration": entry.seconds_per_iteration,
        "training_seconds": entry.training_seconds,
        "peak_memory_mib": entry.peak_memory_mib,
        "evaluation_seconds": sum(each.header.seconds for each in entry.evaluations),
        **figures,
        "gain": [None if line.gain is None else asdict(line.gain) for line in summaries],
        "share_worse": [
            None if line.share_worse is None else asdict(line.share_worse) for line in summaries
        ],
        "families": _families_json(entry.evaluations),
        "training": [one.to_json() for one in entry.training],
    }


def _rates_json(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """The step size that each seed's policy chose for its adaptation, where it chose one."""
    if evaluations[0].protocol.adaptation_lrs is None:
        return {}
    return {"adaptation_lrs": [one.header.subject["adaptation_lr"] for one in evaluations]}


def _families_json(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Success at the last step (return where there is none) of each family; empty if it's one."""
    families = np.asarray(evaluations[0].families)
    names = list(dict.fromkeys(evaluations[0].families))
    if len(names) < 2:
        return {}
    found: dict[str, Any] = {}
    for name in names:
        columns = np.flatnonzero(families == name)
        for field in ("success_final", "episode_return"):
            if values := curve(evaluations, field, columns):
                found[name] = {field: [asdict(value) for value in values]}
                break
    return found


def _comparisons(entries: Mapping[str, CardEntry]) -> list[dict[str, Any]]:
    """Every method against the controls, and the first against each other one.

    Of many methods with a control, against the control alone. Only methods that adapt in as many
    steps are compared.
    """
    first, *others = entries
    controls = [label for label in others if label in WITHOUT_META_LEARNING]
    pairs = [(first, other) for other in others if not (controls and len(entries) > MANY)]
    pairs += [
        (method, control)
        for method in entries
        if method not in CONTROLS
        for control in controls
        if (method, control) not in pairs
    ]
    return [
        {"labels": [a, b], "lines": _lines(entries[a].evaluations, entries[b].evaluations)}
        for a, b in pairs
        if entries[a].evaluations[0].steps == entries[b].evaluations[0].steps
    ]


def _lines(own: Sequence[Evaluation], others: Sequence[Evaluation]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in asdict(line).items() if key != "per_task"}
        for line in compare(own, others).lines
    ]
