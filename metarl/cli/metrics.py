"""What a run recorded while it trained."""

from __future__ import annotations

import csv
from pathlib import Path

from metarl.errors import CheckpointError


def read_metrics(run: Path) -> dict[str, list[float]]:
    """The columns of a run's metrics; NaN where a line has no number.

    Raises:
        CheckpointError: If the table can't be read.
    """
    path = run / "metrics.csv"
    if not path.exists():
        return {}
    try:
        with path.open(newline="") as file:
            lines = list(csv.DictReader(file))
        if any(None in line for line in lines):
            raise ValueError("a line has more cells than the heading")
        names = dict.fromkeys(name for line in lines for name in line)
        return {name: [float(line.get(name) or "nan") for line in lines] for name in names}
    except (OSError, TypeError, ValueError, csv.Error) as error:
        raise CheckpointError(f"{path}: can't be read: {error}") from None
