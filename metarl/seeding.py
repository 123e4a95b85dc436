"""Explicit random streams, all derived from one seed.

A stream is a path in a tree: the root is the user's seed, every child is named by integers (the
purpose, the iteration, the task, ...). What is drawn from a stream depends on its path alone,
never on what was drawn elsewhere, so results don't depend on the order or place of the work.
Built on :class:`numpy.random.SeedSequence`, whose ``spawn_key`` is that path.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch

from metarl.errors import ConfigError

# SeedSequence cuts what is larger into several words, so that paths would collide.
MAX_SEED = 2**128 - 1
MAX_KEY = 2**32 - 1


class Purpose(IntEnum):
    """First key below the root: what the random numbers are for. Values are part of the format."""

    INITIALISATION = 0
    TASKS = 1
    SUPPORT = 2
    QUERY = 3
    EVALUATION = 4
    ADAPTATION = 5
    SPLIT = 6
    ACTING = 7


@dataclass(frozen=True)
class Stream:
    """A reproducible source of random numbers.

    Attributes:
        seed: The root seed, a non-negative integer.
        path: Keys from the root to this stream.
    """

    seed: int
    path: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, values, end in (
            ("seed", (self.seed,), MAX_SEED + 1),
            ("key", self.path, MAX_KEY + 1),
        ):
            for value in values:
                if not 0 <= value < end:
                    raise ConfigError(f"{name}: got {value}; must be at least 0 and below {end}.")

    def child(self, *keys: int) -> Stream:
        """Returns the stream below this one that is named by ``keys``.

        Raises:
            ConfigError: If a key is negative or above ``MAX_KEY``.
        """
        return Stream(self.seed, self.path + tuple(int(key) for key in keys))

    def numpy(self) -> np.random.Generator:
        """Returns a fresh generator at the start of this stream."""
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=self.path))
        )

    def torch(self) -> torch.Generator:
        """Returns a fresh CPU generator for PyTorch at the start of this stream."""
        words = np.random.SeedSequence(self.seed, spawn_key=self.path).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(words[0] >> np.uint64(1)))
