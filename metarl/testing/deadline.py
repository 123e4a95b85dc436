"""Time limits on calls into code that may never return."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class TookTooLongError(BaseException):
    """A call was interrupted at its time limit.

    Not an ``Exception``: code that swallows those shall not swallow this.
    """


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupts what runs inside after ``seconds``.

    By a timer signal: Python code and system calls that wait are interrupted, a long call into
    compiled code only when it returns. Outside the main thread and on systems without that signal
    there is no limit. A timer that is running already goes on afterwards.

    Raises:
        TookTooLongError: At the limit.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(
        signal, "setitimer"
    ):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise TookTooLongError

    began = time.monotonic()
    handler: Any = signal.signal(signal.SIGALRM, interrupt)
    outer, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer:
            left = max(outer - (time.monotonic() - began), 1e-3)
            signal.setitimer(signal.ITIMER_REAL, left, interval)
