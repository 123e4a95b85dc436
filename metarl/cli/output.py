"""Where the command prints."""

from __future__ import annotations

from rich.console import Console

OUT = Console()
ERR = Console(stderr=True)


def say(text: str, console: Console = OUT) -> None:
    """Prints text as it is: paths are neither broken over lines nor read as markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
