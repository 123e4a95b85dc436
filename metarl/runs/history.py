"""The record of what happened to a run: begun, resumed, disturbed, stopped."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class History:
    """``history.jsonl``: one JSON object per line, with time and event; only ever appended to.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, event: str, **details: Any) -> None:
        """Appends an entry and flushes it to disk."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"time": now, "event": event, **details}) + "\n"
        # A killed writer may have left a line without its end.
        before = self.path.read_bytes() if self.path.exists() else b""
        torn = before and not before.endswith(b"\n")
        with self.path.open("ab") as file:
            file.write((b"\n" if torn else b"") + line.encode())
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """All entries that are whole, oldest first."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the torn end of a killed writer
            if isinstance(entry, dict):
                found.append(entry)
        return found
