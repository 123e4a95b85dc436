"""The table of a run's figures: one line per iteration, none of them ever half there for good."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from metarl.errors import CheckpointError
from metarl.storage import write_file

_NEEDED = {"iteration", "timesteps"}


class MetricsTable:
    """``metrics.csv``: rows are appended and flushed to disk; new columns rewrite the table.

    Args:
        path: The file.
        iteration: Rows of later iterations, which an interrupted run wrote after its last
            checkpoint, are dropped: they will come again.

    Raises:
        CheckpointError: If the file is damaged.
    """

    def __init__(self, path: Path, iteration: int = 0) -> None:
        self.path = path
        self._columns, rows = read_metrics(path)
        self._size = 0
        kept = [row for row in rows if float(row["iteration"]) <= iteration]
        self.is_continued = bool(self._columns)
        self.last_timesteps = int(float(kept[-1]["timesteps"])) if kept else None
        if self._columns:
            self._rewrite(kept)

    def append(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Adds rows; after an OSError the same rows may be given again."""
        columns = {name for row in rows for name in row}
        if columns - set(self._columns) or not self.path.exists():
            _, before = read_metrics(self.path)
            self._columns = sorted({*self._columns, *columns}, key=_iteration_first)
            self._rewrite([*before, *rows])
            return
        text = io.StringIO()
        csv.DictWriter(text, self._columns, lineterminator="\n").writerows(map(dict, rows))
        with self.path.open("r+b") as file:
            file.truncate(self._size)  # what a write that failed has left
            file.seek(self._size)
            file.write(text.getvalue().encode())
            file.flush()
            os.fsync(file.fileno())
            self._size = file.tell()

    def _rewrite(self, rows: Sequence[Mapping[str, object]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(dict, rows))
        content = text.getvalue().encode()
        write_file(self.path, content)
        self._size = len(content)


def read_metrics(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a table, without a last line that a killed run left unended.

    Raises:
        CheckpointError: If it is damaged; names the line.
    """
    if not path.exists():
        return [], []
    try:
        text = path.read_text()
        reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
        columns = list(reader.fieldnames or [])
        if columns and not set(columns) >= _NEEDED:
            raise CheckpointError(f"{path}: line 1 is no heading: it lacks iteration or timesteps")
        rows = []
        for row in reader:
            fault = _fault(row)
            if fault:
                raise CheckpointError(f"{path}: line {reader.line_num} is damaged: {fault}")
            rows.append(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise CheckpointError(f"{path}: can't be read: {error}") from None
    return columns, rows


def _fault(row: Mapping[str | None, str | None]) -> str:
    """What is wrong with a line of the table; empty if nothing is."""
    if None in row or None in row.values():
        return "it has more or fewer cells than the heading"
    for name, cell in row.items():
        try:
            number = float(cell or "nan")
        except ValueError:
            return f"{name} is {cell!r}, which is no number"
        if name in _NEEDED and not math.isfinite(number):
            return f"{name} is {cell!r}; must be a finite number"
    return ""


def _iteration_first(name: str) -> tuple[bool, str]:
    return "/" in name, name
