"""Where the command prints, and how it shows progress."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

OUT = Console()
ERR = Console(stderr=True)


def say(text: str, console: Console = OUT) -> None:
    """Prints text as it is: paths are neither broken over lines nor read as markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar with the time left; gives a function of what is done and what there is in all."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=ERR, transient=True) as bar:
        line = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(line, completed=done, total=total)


@contextmanager
def warnings_go_to(tell: Callable[[str], None]) -> Iterator[None]:
    """Hands the package's warnings to ``tell`` while the block runs."""
    logger, handler = logging.getLogger("metarl"), _Teller(tell)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Teller(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.getMessage())
