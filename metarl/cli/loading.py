"""Evaluations as they lie in a run folder."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import Literal, TypeAlias

from metarl.errors import EvaluationError
from metarl.evaluation import Evaluation
from metarl.evaluation.result import ROWS
from metarl.storage import read_json

Split: TypeAlias = Literal["test", "train", "new-goals"]
"""Held-out tasks, those trained on, or new goals of the families trained on."""

UPSTREAM = "upstream.json"
"""What ``metaworld.evaluation`` said, beside the rows."""

DIGEST = "rows_sha256"
"""The field by which a file beside the rows says which rows it belongs to."""


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
