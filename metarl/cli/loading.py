"""What lies in a run folder for pages to tell of: settings, versions, evaluations."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from metarl.agents import ALGORITHMS
from metarl.errors import CheckpointError, EvaluationError
from metarl.evaluation import Evaluation
from metarl.evaluation.result import ROWS
from metarl.runs import RunFolder
from metarl.storage import read_json

Split: TypeAlias = Literal["test", "train", "new-goals"]
"""Held-out tasks, those trained on, or new goals of the families trained on."""

UPSTREAM = "upstream.json"
"""What ``metaworld.evaluation`` said, beside the rows."""

DIGEST = "rows_sha256"
"""The field by which a file beside the rows says which rows it belongs to."""


def check_each_once(runs: Sequence[Path]) -> None:
    """Checks that no run is named twice: one seed must not count as several.

    Raises:
        EvaluationError: Naming the run.
    """
    seen: dict[Path, Path] = {}
    for run in runs:
        place = run.resolve()
        if place in seen:
            raise EvaluationError(
                f"runs: got {seen[place]} and {run}, which are one run; each may be named once."
            )
        seen[place] = run


def config_of(run: Path) -> dict[str, Any]:
    """The settings of a run, as far as pages tell of them: ``algorithm``, ``benchmark``, ``agent``.

    Others aren't checked, so that a run of an earlier version can be written up too.

    Raises:
        CheckpointError: If the folder isn't a run's, or one of these is missing or unknown.
    """
    config = RunFolder(run).config()
    faults = []
    if str(config.get("algorithm")) not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        faults.append(f"algorithm: got {config.get('algorithm')!r}; known: {known}.")
    for name, kind, wanted in (("benchmark", str, "a name"), ("agent", dict, "settings by name")):
        if not isinstance(config.get(name), kind):
            faults.append(f"{name}: got {config.get(name)!r}; must be {wanted}.")
    if faults:
        raise CheckpointError("\n".join([f"{run / 'config.yaml'}:", *faults]))
    return config


def versions_of(run: Path) -> dict[str, Any]:
    """Packages and machine, as a run recorded them.

    Raises:
        CheckpointError: If the record is missing or damaged.
    """
    path = run / "versions.json"
    found = read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get("packages"), dict):
        raise CheckpointError(f"{path}: lists no packages")
    missing = [name for name in ("python", "platform", "cpu_count") if name not in found]
    if missing:
        raise CheckpointError(f"{path}: lacks {', '.join(missing)}")
    return found


def load_evaluation(run: Path, split: str = "test", control: str = "") -> Evaluation:
    """Loads what `metarl evaluate` wrote into a run folder.

    Args:
        run: The run folder.
        split: Which tasks (:data:`Split`).
        control: Name of a control, for its rows instead of the run's.

    Raises:
        EvaluationError: If the run isn't evaluated, or its rows are damaged.
    """
    folder = evaluation_folder(run, split, control)
    if not folder.is_dir():
        command = shlex.join(["metarl", "evaluate", str(run)])
        raise EvaluationError(f"{run}: isn't evaluated; first `{command}`.")
    return Evaluation.load(folder)


def evaluation_folder(run: Path, split: str = "test", control: str = "") -> Path:
    """Where the rows of a run lie, or those of one of its controls."""
    folder = run / "evaluation" / split
    return folder / "controls" / control if control else folder


def rows_digest(folder: Path) -> str:
    """SHA-256 of the rows that lie in an evaluation's folder."""
    return hashlib.sha256((folder / ROWS).read_bytes()).hexdigest()


def belongs_to_rows(path: Path) -> bool:
    """Whether a file beside an evaluation's rows is there, and isn't of an earlier evaluation.

    Raises:
        CheckpointError: If the file isn't JSON.
    """
    if not path.exists():
        return False
    content = read_json(path)
    return isinstance(content, dict) and content.get(DIGEST) == rows_digest(path.parent)
