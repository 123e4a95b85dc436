"""Every error that a user of the package can meet, under one base class.

A message names the field, the value that came, and what is allowed. Errors that a caller may
already catch under a built-in name (``ValueError``, ``FileExistsError``) keep that base too.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class MetarlError(Exception):
    """Base class of all errors that this package raises on purpose."""


class ConfigError(MetarlError):
    """A setting or argument is outside what is allowed.

    Not a ``ValueError``: argument parsers and validators take those for their own and reword them.
    """


class UnknownNameError(ConfigError):
    """A name is not among those known; the message lists the nearest ones."""

    def __init__(self, field: str, value: str, known: Iterable[str]) -> None:
        choices = sorted(known)
        near = difflib.get_close_matches(value, choices, n=5, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(choices)}."
        self.advice = f"unknown name; {hint}"
        super().__init__(f"{field}: unknown name {value!r}; {hint}")
        self._arguments = (field, value, choices)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions pickle as their message by default, which isn't what this one is built from.
        return type(self), self._arguments, self.__dict__


class TaskError(MetarlError, ValueError):
    """A task is malformed or doesn't belong to the distribution it was given to."""


class SplitError(MetarlError, ValueError):
    """Training and test tasks of a benchmark overlap."""


class ManifestMismatchError(MetarlError):
    """A saved run and the benchmark at hand don't hold the same tasks or versions."""


class RunExistsError(MetarlError, FileExistsError):
    """The folder chosen for a new run already holds something."""


class RunBusyError(MetarlError):
    """Another process is training in the run folder."""


class RunChangedError(MetarlError):
    """A run can't go on as it was: versions or settings are others than those it was begun with."""


class DiskError(MetarlError, OSError):
    """The run folder can't be written; what was written before is whole."""


class CheckpointError(MetarlError):
    """A checkpoint is missing, incomplete or damaged."""


class EvaluationError(MetarlError):
    """Rows of an evaluation are missing, damaged, not finite, or don't fit together."""


class InvalidActionError(MetarlError, ValueError):
    """An action is not a finite number or has the wrong shape."""


class RolloutError(MetarlError, RuntimeError):
    """An environment failed with an exception that can't travel between processes."""


class NonFiniteError(MetarlError, ArithmeticError):
    """A number that is to be learned from is infinite or not a number.

    Attributes:
        task_index: Which task of the meta-batch it arose in, where that isn't in the message.
    """

    def __init__(self, message: str, *, task_index: int | None = None) -> None:
        super().__init__(message)
        self.task_index = task_index


class WorkerDiedError(MetarlError, RuntimeError):
    """A worker process ended while it held work."""


class RenderingError(MetarlError, RuntimeError):
    """No picture can be drawn here; the message says what is missing."""


def describe_error(error: BaseException) -> str:
    """Type and message of an exception, and where code that isn't this package's raised it."""
    foreign = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not Path(frame.filename).is_relative_to(Path(__file__).parent)
        and not frame.filename.startswith("<frozen ")
        and Path(frame.filename).parent.name != "importlib"
    ]
    place = f" ({foreign[-1].filename}, line {foreign[-1].lineno})" if foreign else ""
    return f"{type(error).__name__}: {error}{place}"
