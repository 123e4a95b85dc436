"""What signals do to a training run."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any, NoReturn

from metarl.agent import Agent


class LeaveNow(BaseException):
    """The second signal: leaves at once.

    Attributes:
        code: The exit code.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


class GracefulStop:
    """SIGTERM and the first Ctrl-C end training soon and cleanly; a second one at once.

    Args:
        agent: Who is training.
    """

    def __init__(self, agent: Agent) -> None:
        self.received: int | None = None
        self._agent = agent
        self._before: dict[int, Any] = {}

    def __enter__(self) -> GracefulStop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None:
            self._leave(number)
        self.received = number
        self._agent.request_stop()
        # Not through a console, whose lock the interrupted code may hold.
        sys.stderr.write("finishing the job at hand, then saving; once more to leave at once\n")

    @staticmethod
    def _leave(number: int) -> NoReturn:
        raise LeaveNow(number)
