"""Commands given as on the command line, on runs small enough for a second."""

import re
from pathlib import Path

from metarl.cli import main

TINY = [
    *("train", "maml", "--benchmark", "navigation", "--max-episode-steps", "6"),
    *("--meta-batch-size", "3", "--episodes-per-task", "2", "--hidden-sizes", "4"),
    *("--num-workers", "0"),
]
ITERATION = 3 * 2 * 6 * 2
"""Environment steps of one iteration with these settings."""


def run_main(*arguments: object) -> object:
    """The exit code, whether returned or raised."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        return leaving.code


def plain(text: str) -> str:
    """Text without frames and line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─•]", " ", text).split())


def newest_checkpoint(run: Path) -> Path:
    return max((run / "checkpoints").iterdir())
