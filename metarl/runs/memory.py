"""How much memory the process has taken."""

from __future__ import annotations

import sys


def peak_memory_mib() -> float | None:
    """The process's largest resident size so far, in MiB, workers apart; None where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak / 2**20 if sys.platform == "darwin" else peak / 2**10)
