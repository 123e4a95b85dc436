"""Evaluations as they lie in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from metarl.errors import EvaluationError
from metarl.evaluation import Evaluation

Split: TypeAlias = Literal["test", "train", "new-goals"]
"""Held-out tasks, those trained on, or new goals of the families trained on."""


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
        raise EvaluationError(f"{run}: isn't evaluated; first `metarl evaluate {run}`.")
    return Evaluation.load(folder)


def evaluation_folder(run: Path, split: str = "test", control: str = "") -> Path:
    """Where the rows of a run lie, or those of one of its controls."""
    folder = run / "evaluation" / split
    return folder / "controls" / control if control else folder
