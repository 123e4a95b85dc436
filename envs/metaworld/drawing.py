"""What Meta-World's own benchmark classes need said before they draw tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import metaworld

from metarl.errors import ConfigError

NUM_GOALS = 50
"""How many goals Meta-World draws of a family."""

_MAX_SEED = 2**32 - 1
"""NumPy's, whose global generator Meta-World draws from."""


@contextmanager
def goals_per_family(num_goals: int) -> Iterator[None]:
    """Lets Meta-World draw so many goals of a family.

    Their number is a variable of its module, which ``gymnasium.make("Meta-World/MT1",
    num_goals=3)`` changes for good.
    """
    before = metaworld._N_GOALS
    metaworld._N_GOALS = num_goals
    try:
        yield
    finally:
        metaworld._N_GOALS = before


def check_seed(seed: int, benchmark: str) -> None:
    """Checks a seed for one of Meta-World's benchmarks; ``"ML1"`` tests on ``seed + 1``.

    Raises:
        ConfigError: If it is out of range.
    """
    highest = _MAX_SEED - (benchmark == "ML1")
    if seed < 0:
        raise ConfigError(f"seed: got {seed}; must be at least 0.")
    if seed > highest:
        raise ConfigError(f"seed: got {seed}; must be at most {highest}.")
