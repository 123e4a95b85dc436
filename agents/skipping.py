"""Updates that are skipped because a number isn't finite."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from metarl.errors import NonFiniteError
from metarl.tasks import Task
from metarl.types import Params

LOG = logging.getLogger(__name__)


class SkippedUpdates:
    """Counts skipped updates, and ends training when too many come in a row.

    Args:
        max_in_row: So many in a row are too many.
        total: Skipped so far.
        in_row: Skipped since the last update.
    """

    def __init__(self, max_in_row: int, total: int = 0, in_row: int = 0) -> None:
        self.max_in_row = max_in_row
        self.total = total
        self.in_row = in_row

    def note_update(self) -> None:
        """Says that an update was taken."""
        self.in_row = 0

    def note_skip(self, error: NonFiniteError, tasks: Sequence[Task]) -> None:
        """Counts one more skipped update.

        Raises:
            NonFiniteError: Naming the task, if this was one too many.
        """
        self.total += 1
        self.in_row += 1
        where = "" if error.task_index is None else f" Task {_name(tasks[error.task_index])}."
        told = f"{error}{where}"
        if self.in_row >= self.max_in_row:
            raise NonFiniteError(f"{told}; {self.in_row} updates in a row were skipped") from error
        LOG.warning("update skipped, parameters unchanged: %s", told)


@contextmanager
def indexed_by(places: Sequence[int]) -> Iterator[None]:
    """Where work on some tasks of a batch fails, says which of the whole batch it was.

    Args:
        places: In the batch, of each task that is worked on.
    """
    try:
        yield
    except NonFiniteError as error:
        if error.task_index is not None:
            error.task_index = places[error.task_index]
        raise


def check_update(params: Params, figures: Mapping[str, float]) -> None:
    """Checks what an outer step gave.

    Raises:
        NonFiniteError: Naming the first parameter or figure that isn't finite.
    """
    for name, value in params.items():
        if not torch.isfinite(value).all():
            raise NonFiniteError(f"{name}: isn't finite after the outer step")
    for name, figure in figures.items():
        if not torch.isfinite(torch.tensor(figure)):
            raise NonFiniteError(f"{name}: got {figure} in the outer step")


def check_adapted(params: Iterable[Params]) -> None:
    """Checks the parameters that tasks' adaptation has led to.

    Raises:
        NonFiniteError: Naming the first parameter that isn't finite, with the task's index.
    """
    for index, own in enumerate(params):
        for name, value in own.items():
            if not torch.isfinite(value).all():
                raise NonFiniteError(f"{name}: isn't finite after adaptation", task_index=index)


def _name(task: Task) -> str:
    return f"{task.family} ({task.digest})"
