"""Whether a folder can be written, asked before its content is made."""

from __future__ import annotations

import tempfile
from pathlib import Path

from metarl.errors import DiskError


def check_writable(folder: Path, advice: str) -> None:
    """Checks that a folder, which needn't be there yet, can be written; leaves nothing there.

    Args:
        folder: The folder.
        advice: What to do if it can't.

    Raises:
        DiskError: If it can't.
    """
    place = folder.resolve()
    try:
        there = next(one for one in (place, *place.parents) if one.exists())
        # Tried, since permissions don't tell all: a file system may be read-only.
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise DiskError(f"{folder}: can't be written: {error.strerror}; {advice}.") from None
