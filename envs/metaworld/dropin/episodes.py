"""Return, length and duration of episodes, as Gymnasium's ``RecordEpisodeStatistics`` has them."""

from __future__ import annotations

import time
from collections import deque

import numpy as np

from metarl.envs.metaworld.engine.class_worlds import RowIndex
from metarl.envs.metaworld.engine.narrowed import narrowed
from metarl.envs.metaworld.engine.sources import BoolArray, FloatArray
from metarl.envs.metaworld.engine.spec import Values

from .normalization import is_single

_BUFFER_LENGTH = 100


class EpisodeStatistics:
    """Adds up rewards per row; ``N`` is the number of rows, ``k`` of those stepped.

    Attributes:
        returns: ``[N]`` reward so far in the present episode.
        lengths: ``[N]`` its steps so far.
        episode_count: ``[N]`` episodes ended.
        return_queue: Per row, the last hundred episodes' returns.
        length_queue: Per row, their lengths.
        time_queue: Per row, their durations (s).
    """

    def __init__(self, num_rows: int) -> None:
        self.returns = np.zeros(num_rows)
        self.lengths = np.zeros(num_rows, dtype=np.int64)
        self.episode_count = np.zeros(num_rows, dtype=np.int64)
        self.return_queue = [deque[float](maxlen=_BUFFER_LENGTH) for _ in range(num_rows)]
        self.length_queue = [deque[int](maxlen=_BUFFER_LENGTH) for _ in range(num_rows)]
        self.time_queue = [deque[float](maxlen=_BUFFER_LENGTH) for _ in range(num_rows)]
        self._single = np.zeros(num_rows, dtype=np.bool_)
        self._started = np.zeros(num_rows)

    def reset(self, rows: RowIndex) -> None:
        """Starts an episode in some rows."""
        self.returns[rows] = 0.0
        self.lengths[rows] = 0
        self._single[rows] = False
        self._started[rows] = time.perf_counter()

    def step(self, rows: RowIndex, reward: Values) -> None:
        """Adds ``[k]`` rewards."""
        # Once an np.float32 is added, Meta-World's sum is one until the episode ends.
        returns = narrowed(self.returns[rows], self._single[rows]) + reward
        self.returns[rows] = np.asarray(returns)
        self._single[rows] = is_single(returns)
        self.lengths[rows] += 1

    def end(self, done: BoolArray) -> dict[str, FloatArray]:
        """Closes the episodes of the rows ``done``, ``[N]``.

        Returns:
            Return ``r``, length ``l`` and duration ``t`` (s), each ``[N]``, zero in other rows.
        """
        now = time.perf_counter()
        times = np.where(done, np.round(now - self._started, 6), 0.0)
        for row in np.flatnonzero(done).tolist():
            self.return_queue[row].append(float(self.returns[row]))
            self.length_queue[row].append(int(self.lengths[row]))
            self.time_queue[row].append(float(times[row]))
        self.episode_count[done] += 1
        self._started[done] = now
        return {
            "r": np.where(done, self.returns, 0.0),
            "l": np.where(done, self.lengths, 0),
            "t": times,
        }
