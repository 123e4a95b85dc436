"""TensorBoard's event files, written at once and without a thread, so that a failure is seen."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4


class EventFile:
    """One event file; it is made at the first write.

    Args:
        folder: Where to.
        purge_step: TensorBoard forgets what older files say from this step on; ``None`` for a run
            that is new.
    """

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        # Their import takes seconds, so it waits until something is to be recorded.
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        events: Any = event_pb2  # modules that are made at run time, out of checkers' sight
        summaries: Any = summary_pb2
        self._event, self._session = events.Event, events.SessionLog
        self._summary = summaries.Summary
        # The beginning of the name is TensorBoard's; files are read in the order of their names.
        stamp, host, unique = f"{time.time():017.6f}", socket.gethostname(), uuid4().hex[:8]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"events.out.tfevents.{stamp}.{host}.{os.getpid()}.{unique}"
        self._file = path.open("xb")
        self._writer = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        if purge_step is not None:
            start = self._session(status=self._session.START)
            self._write(step=purge_step, session_log=start)

    def add_scalars(self, values: Mapping[str, float], step: int) -> None:
        """Writes figures of one step.

        Raises:
            OSError: If they can't be written; this file is of no further use then.
        """
        scalars = [self._summary.Value(tag=tag, simple_value=v) for tag, v in values.items()]
        self._write(step=step, summary=self._summary(value=scalars))
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, **fields: object) -> None:
        event = self._event(wall_time=time.time(), **fields)
        self._writer.write(event.SerializeToString())
