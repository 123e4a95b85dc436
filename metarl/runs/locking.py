"""One process at a time in a folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metarl.errors import RunBusyError

LOG = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from training in a folder; ends with the process at the latest.

    Raises:
        RunBusyError: If another process trains in it.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunBusyError(f"run: another process is training in {folder}") from None
        except OSError as error:  # some network file systems can't
            LOG.warning("%s can't be locked (%s); train in it once", folder, error.strerror)
        yield
    finally:
        os.close(handle)
