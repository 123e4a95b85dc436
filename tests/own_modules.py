"""Forgets modules that a test wrote and imported."""

import sys
from pathlib import Path


def forget_modules_of(folder: Path) -> None:
    """Removes what was imported from a folder, so that the next test may use the same names."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_relative_to(folder):
            del sys.modules[name]
