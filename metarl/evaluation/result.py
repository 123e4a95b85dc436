"""What an evaluation found: raw rows with a header, on disk and in memory.

::

    FOLDER/rows.csv          one line per (task, adaptation step, episode)
    FOLDER/evaluation.json   how the rows were made, and their SHA-256
    FOLDER/summary.json      what is computed from them; never read back
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from metarl.errors import CheckpointError, EvaluationError, MetarlError
from metarl.evaluation.protocol import EvaluationProtocol
from metarl.evaluation.rows import EvaluationRow, check_rows, rows_from_csv, rows_to_csv
from metarl.evaluation.summary import StepSummary, summarise
from metarl.storage import read_json, write_file, write_json
from metarl.tasks import Task

FORMAT = 1
ROWS, HEADER, SUMMARY = "rows.csv", "evaluation.json", "summary.json"


@dataclass(frozen=True)
class EvaluationHeader:
    """How rows were made.

    Attributes:
        protocol: The protocol.
        benchmark: Name of the benchmark.
        split: Which of its distributions: ``"test"``, ``"train"`` or ``"other"``.
        max_episode_steps: Horizon of every episode.
        tasks: The tasks, by ``task_index``.
        manifest: Digest of the benchmark's split manifest.
        shares_tasks: Whether test tasks are trained on, so that nothing is held out.
        exhaustive: Whether the tasks are all that the benchmark has, in training and in test, each
            once: then they are no sample of others.
        subject: What was evaluated, as JSON data: ``algorithm``, ``seed``, ``iteration``,
            ``num_timesteps`` for an agent.
        versions: Versions of the packages that the rows depend on.
        seconds: How long it took.
    """

    protocol: EvaluationProtocol
    benchmark: str
    split: str
    max_episode_steps: int
    tasks: tuple[Task, ...]
    manifest: str
    shares_tasks: bool = False
    exhaustive: bool = False
    subject: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The header as plain JSON data."""
        return {
            "protocol": self.protocol.model_dump(mode="json"),
            "benchmark": self.benchmark,
            "split": self.split,
            "max_episode_steps": self.max_episode_steps,
            "manifest": self.manifest,
            "shares_tasks": self.shares_tasks,
            "exhaustive": self.exhaustive,
            "subject": dict(self.subject),
            "versions": dict(self.versions),
            "seconds": self.seconds,
            "tasks": [task.to_json() for task in self.tasks],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuilds a header from :meth:`to_json`'s result.

        Raises:
            EvaluationError: If something is missing or malformed.
        """
        try:
            protocol = EvaluationProtocol(**data["protocol"])
            # Older files don't say it; then no choice of tasks means all of them.
            chosen = protocol.tasks is not None or protocol.num_tasks is not None
            return cls(
                protocol=protocol,
                benchmark=str(data["benchmark"]),
                split=str(data["split"]),
                max_episode_steps=int(data["max_episode_steps"]),
                tasks=tuple(Task.from_json(task) for task in data["tasks"]),
                manifest=str(data["manifest"]),
                shares_tasks=bool(data["shares_tasks"]),
                exhaustive=bool(data.get("exhaustive", data["shares_tasks"] and not chosen)),
                subject=dict(data["subject"]),
                versions=dict(data["versions"]),
                seconds=float(data["seconds"]),
            )
        except KeyError as error:
            raise EvaluationError(f"lacks {error}") from None
        except (TypeError, ValueError, AttributeError, MetarlError) as error:
            raise EvaluationError(str(error)) from None


class Evaluation:
    """Rows of an evaluation.

    Args:
        rows: One per (task, adaptation step, episode), each exactly once.
        header: How they were made.

    Raises:
        EvaluationError: If rows are missing, doubled, foreign, or not finite.
    """

    def __init__(self, rows: Sequence[EvaluationRow], header: EvaluationHeader) -> None:
        protocol = header.protocol
        check_rows(rows, header.tasks, protocol.num_adaptation_steps, protocol.evaluation_episodes)
        self.rows = tuple(rows)
        self.header = header

    @property
    def protocol(self) -> EvaluationProtocol:
        """The protocol that the rows were made by."""
        return self.header.protocol

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks, by ``task_index``."""
        return self.header.tasks

    @property
    def families(self) -> tuple[str, ...]:
        """Family of each task, ``T`` names."""
        return tuple(task.family for task in self.tasks)

    @property
    def steps(self) -> list[int]:
        """Numbers of adaptation steps, ascending."""
        return list(range(self.protocol.num_adaptation_steps + 1))

    def values(self, field: str, step: int) -> npt.NDArray[np.float64] | None:
        """One field of all episodes after ``step`` adaptation steps, ``[T, E]``.

        Args:
            field: ``"episode_return"``, ``"success_any"``, ``"success_final"``, ``"length"`` or
                ``"unstable"``.
            step: Number of adaptation steps.

        Returns:
            None if a family reports no success and ``field`` is a success.

        Raises:
            EvaluationError: If there are no rows after that many steps.
        """
        if step not in self.steps:
            raise EvaluationError(f"step: got {step}; the rows are of {self.steps}.")
        if field not in self._values:
            shape = (len(self.tasks), len(self.steps), self.protocol.evaluation_episodes)
            array = np.full(shape, np.nan)
            for row in self.rows:
                value = getattr(row, field)
                if value is not None:
                    array[row.task_index, row.adaptation_step, row.episode] = value
            self._values[field] = None if np.isnan(array).any() else array
        found = self._values[field]
        return None if found is None else found[:, step]

    def per_task(self, field: str, step: int) -> npt.NDArray[np.float64] | None:
        """Mean of one field over each task's episodes after ``step`` adaptation steps, ``[T]``."""
        found = self.values(field, step)
        return None if found is None else found.mean(axis=-1)

    def summary(self) -> list[StepSummary]:
        """Statistics over tasks, every task weighing the same, per adaptation step."""
        return summarise([self])

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Reads what :meth:`save` wrote.

        Raises:
            EvaluationError: If a file is missing, damaged, or isn't what was written.
        """
        folder = Path(folder)
        if not (folder / HEADER).is_file():
            raise EvaluationError(f"{folder}: holds no evaluation (it lacks {HEADER})")
        try:
            header = read_json(folder / HEADER)
            content = (folder / ROWS).read_bytes()
        except FileNotFoundError:
            raise EvaluationError(f"{folder / ROWS}: no such file") from None
        except (CheckpointError, OSError) as error:
            raise EvaluationError(str(error)) from None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise EvaluationError(f"{folder / HEADER}: is no header of format {FORMAT}")
        if hashlib.sha256(content).hexdigest() != header.get("rows_sha256"):
            raise EvaluationError(f"{folder / ROWS}: is damaged (its SHA-256 differs)")
        try:
            rows = rows_from_csv(content)
        except EvaluationError as error:
            raise EvaluationError(f"{folder / ROWS}: {error}") from None
        try:
            return cls(rows, EvaluationHeader.from_json(header))
        except EvaluationError as error:
            raise EvaluationError(f"{folder / HEADER}: {error}") from None

    def save(self, folder: str | Path) -> Path:
        """Writes ``rows.csv``, ``evaluation.json`` and ``summary.json``.

        Returns:
            The folder.
        """
        folder = Path(folder)
        content = rows_to_csv(self.rows)
        digest = hashlib.sha256(content).hexdigest()
        write_file(folder / ROWS, content)
        write_json(
            folder / HEADER, {"format": FORMAT, "rows_sha256": digest, **self.header.to_json()}
        )
        write_json(folder / SUMMARY, {"steps": [asdict(line) for line in self.summary()]})
        return folder

    @cached_property
    def _values(self) -> dict[str, npt.NDArray[np.float64] | None]:
        return {}
