"""Raw rows of an evaluation: one per (task, adaptation step, episode), as CSV and back."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product

from metarl.errors import EvaluationError
from metarl.tasks import Task


@dataclass(frozen=True)
class EvaluationRow:
    """One episode.

    Attributes:
        task_index: Number of the task within the evaluation.
        family: The task's family.
        task: The task's digest.
        adaptation_step: Adaptation steps taken before the episode.
        episode: Number of the episode within this task and step.
        length: Steps of the episode.
        episode_return: Undiscounted sum of rewards.
        success_any: Whether the success flag was up at any step; None if the family has none.
        success_final: Whether it was up at the last step; None likewise.
        unstable: Whether the simulation diverged.
    """

    task_index: int
    family: str
    task: str
    adaptation_step: int
    episode: int
    length: int
    episode_return: float
    success_any: bool | None
    success_final: bool | None
    unstable: bool


COLUMNS = tuple(field.name for field in fields(EvaluationRow))


def rows_to_csv(rows: Sequence[EvaluationRow]) -> bytes:
    """Rows as a CSV file; numbers survive to the bit, a flag that isn't there is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue().encode()


def rows_from_csv(content: bytes) -> list[EvaluationRow]:
    """Reads what :func:`rows_to_csv` wrote.

    Raises:
        EvaluationError: If it isn't that; names the line.
    """
    try:
        reader = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise EvaluationError(f"columns are {reader.fieldnames}, not {list(COLUMNS)}")
        rows = []
        for line in reader:
            try:
                rows.append(_parse(line))
            except (KeyError, TypeError, ValueError) as error:
                raise EvaluationError(f"line {reader.line_num} can't be read: {error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(f"is no CSV file: {error}") from None
    return rows


def check_rows(
    rows: Sequence[EvaluationRow], tasks: Sequence[Task], num_steps: int, num_episodes: int
) -> None:
    """Checks that every (task, step, episode) is there exactly once, with finite numbers.

    Args:
        rows: The rows.
        tasks: The tasks by ``task_index``.
        num_steps: Adaptation steps; rows are expected after 0, 1, ..., this many.
        num_episodes: Episodes per task and step.

    Raises:
        EvaluationError: Naming the first row that is missing, doubled, foreign or not finite.
    """
    expected = set(product(range(len(tasks)), range(num_steps + 1), range(num_episodes)))
    for row in rows:
        place = (row.task_index, row.adaptation_step, row.episode)
        where = f"task {place[0]}, adaptation step {place[1]}, episode {place[2]}"
        if place not in expected:
            raise EvaluationError(f"{where}: is counted twice, or isn't part of the protocol")
        expected.remove(place)
        task = tasks[row.task_index]
        if (row.family, row.task) != (task.family, task.digest):
            raise EvaluationError(
                f"{where}: is of {row.family} {row.task}; the task there is "
                f"{task.family} {task.digest}"
            )
        if not math.isfinite(row.episode_return):
            raise EvaluationError(
                f"{where} ({task.family}): the return is {row.episode_return}; must be finite"
            )
        if row.length < 1:
            raise EvaluationError(f"{where}: got length {row.length}; must be at least 1")
    if expected:
        first = min(expected)
        raise EvaluationError(
            f"{len(expected)} rows are missing, e.g. task {first[0]}, adaptation step {first[1]}, "
            f"episode {first[2]}"
        )


_FLAGS = {"True": True, "False": False, "": None}


def _parse(line: Mapping[str, str]) -> EvaluationRow:
    unstable = _FLAGS[line["unstable"]]
    if unstable is None:
        raise ValueError("it doesn't say whether the episode was unstable")
    return EvaluationRow(
        task_index=int(line["task_index"]),
        family=line["family"],
        task=line["task"],
        adaptation_step=int(line["adaptation_step"]),
        episode=int(line["episode"]),
        length=int(line["length"]),
        episode_return=float(line["episode_return"]),
        success_any=_FLAGS[line["success_any"]],
        success_final=_FLAGS[line["success_final"]],
        unstable=unstable,
    )
