"""Running mean and variance, one of them per row, as Gymnasium's ``RunningMeanStd`` has them.

The order of operations is Gymnasium's, so that every row has the bits that its own wrapper would
have had. Legend of axes: ``N`` rows, ``k`` of them updated at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.wrappers.utils import RunningMeanStd

from metarl.envs.metaworld.engine.class_worlds import RowIndex
from metarl.envs.metaworld.engine.sources import FloatArray

_PRIOR_COUNT = 1e-4


class RowMoments:
    """Mean and variance of what each row has seen, one sample at a time.

    Args:
        num_rows: ``N``.
        shape: Shape of a sample.
        dtype: What Gymnasium keeps the initial variance in. All later values are float64.

    Attributes:
        mean: ``[N, *shape]``.
        var: ``[N, *shape]``.
        count: ``[N]``.
    """

    def __init__(
        self,
        num_rows: int,
        shape: tuple[int, ...] = (),
        dtype: type[np.floating[Any]] = np.float64,
    ) -> None:
        self.mean = np.zeros((num_rows, *shape))
        self.var = np.ones((num_rows, *shape))
        self.count = np.full(num_rows, _PRIOR_COUNT)
        self._shape = shape
        self._dtype = dtype
        self._prior_scatter = float(dtype(_PRIOR_COUNT))

    def update(self, rows: RowIndex, samples: FloatArray) -> None:
        """Adds one sample, ``[k, *shape]``, to each of ``rows``."""
        count = self.count[rows].reshape(-1, *(1 for _ in self._shape))
        mean = self.mean[rows]
        delta = samples - mean
        total = count + 1
        scatter = np.where(count == _PRIOR_COUNT, self._prior_scatter, self.var[rows] * count)
        self.mean[rows] = mean + delta / total
        self.var[rows] = (scatter + delta * delta * count / total) / total
        self.count[rows] += 1

    def get(self, row: int) -> RunningMeanStd:
        """Returns a copy of one row's statistics in Gymnasium's form."""
        moments = RunningMeanStd(shape=self._shape, dtype=self._dtype)  # type: ignore[no-untyped-call]
        moments.mean, moments.var = self.mean[row].copy(), self.var[row].copy()
        moments.count = float(self.count[row])
        return moments

    def set(self, row: int, moments: RunningMeanStd) -> None:
        """Takes over statistics, for instance those of a training environment."""
        self.mean[row], self.var[row] = moments.mean, moments.var
        self.count[row] = moments.count
