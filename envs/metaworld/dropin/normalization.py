"""The normalising wrappers of Gymnasium and Meta-World, for many rows at once, bit for bit.

Legend of axes: ``N`` rows, ``k`` of them stepped, ``d`` length of an observation. Rewards are
``Values``: ``np.float32`` in the rows where Meta-World returns such, see
:mod:`metarl.envs.metaworld.engine.narrowed`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.envs.metaworld.engine.class_worlds import RowIndex
from metarl.envs.metaworld.engine.narrowed import Narrowed, narrowed
from metarl.envs.metaworld.engine.sources import BoolArray, FloatArray
from metarl.envs.metaworld.engine.spec import Values

from .moments import RowMoments

_EPSILON = 1e-8
_GAMMA = 0.99


class RewardNormalizer(ABC):
    """Scales rewards row by row."""

    @abstractmethod
    def __call__(self, rows: RowIndex, reward: Values, terminated: BoolArray) -> Values:
        """Takes and returns ``[k]`` rewards."""


class ObservationNormalizer:
    """Gymnasium's ``NormalizeObservation``, one per row.

    Args:
        num_rows: ``N``.
        size: ``d``.

    Attributes:
        moments: The statistics.
        updating: ``[N]`` whether they follow what is observed.
    """

    def __init__(self, num_rows: int, size: int) -> None:
        self.moments = RowMoments(num_rows, (size,), np.float32)
        self.updating = np.ones(num_rows, dtype=np.bool_)

    def __call__(self, rows: RowIndex, obs: FloatArray) -> npt.NDArray[np.float32]:
        """Takes ``[k, d]`` observations into account and returns them normalised."""
        _update(self.moments, self.updating, rows, obs)
        scale = np.sqrt(self.moments.var[rows] + _EPSILON)
        return ((obs - self.moments.mean[rows]) / scale).astype(np.float32)


class ReturnNormalizer(RewardNormalizer):
    """Gymnasium's ``NormalizeReward``, one per row: divides by the spread of discounted returns.

    Attributes:
        moments: Of the discounted returns.
        updating: ``[N]`` whether they follow what is received.
    """

    def __init__(self, num_rows: int) -> None:
        self.moments = RowMoments(num_rows)
        self.updating = np.ones(num_rows, dtype=np.bool_)
        self._discounted = np.zeros(num_rows)

    def __call__(self, rows: RowIndex, reward: Values, terminated: BoolArray) -> Values:
        """Takes and returns ``[k]`` rewards."""
        plain = np.asarray(reward)
        discounted = self._discounted[rows] * _GAMMA * (1 - terminated) + plain
        self._discounted[rows] = discounted
        _update(self.moments, self.updating, rows, discounted)
        scaled: FloatArray = plain / np.sqrt(self.moments.var[rows] + _EPSILON)
        return scaled


class ExponentialNormalizer(RewardNormalizer):
    """Meta-World's ``NormalizeRewardsExponential``, one per row: a fading mean and variance.

    Meta-World takes every reward into account twice. Its estimates begin as Python floats: an
    ``np.float32`` reward makes the mean one for good, and the variance too if it is the very
    first; otherwise the variance is an ``np.float64`` from then on.

    Args:
        num_rows: ``N``.
        alpha: Rate at which the past fades.
    """

    def __init__(self, num_rows: int, alpha: float) -> None:
        self._alpha = alpha
        self._mean = np.zeros(num_rows)
        self._var = np.ones(num_rows)
        self._mean_single = np.zeros(num_rows, dtype=np.bool_)
        self._var_single = np.zeros(num_rows, dtype=np.bool_)
        self._fresh = np.ones(num_rows, dtype=np.bool_)

    def __call__(self, rows: RowIndex, reward: Values, terminated: BoolArray) -> Values:
        """Takes and returns ``[k]`` rewards."""
        del terminated
        self._update(rows, reward)
        var = self._update(rows, reward)
        scale = _sqrt(var) + _EPSILON
        scaled: Values = np.asarray(reward) / scale
        return scaled

    def _update(self, rows: RowIndex, reward: Values) -> Values:
        """Takes rewards into account and returns the variance, ``[k]``."""
        alpha = self._alpha
        mean = narrowed(self._mean[rows], self._mean_single[rows])
        mean = (1 - alpha) * mean + alpha * reward
        self._mean[rows], self._mean_single[rows] = np.asarray(mean), is_single(mean)

        error = reward - mean
        spread = alpha * (error * error)
        # An np.float64 variance is not rounded by what is added to it, a Python float is.
        floating = self._fresh[rows] | self._var_single[rows]
        spread = narrowed(np.asarray(spread), is_single(spread) & floating)
        var: Values = (1 - alpha) * narrowed(self._var[rows], self._var_single[rows]) + spread
        self._var[rows], self._var_single[rows] = np.asarray(var), is_single(var)
        self._fresh[rows] = False
        return var


def is_single(values: Values) -> BoolArray:
    """Tells which rows are ``np.float32``: ``[k]``."""
    single = np.zeros(len(np.asarray(values)), dtype=np.bool_)
    if isinstance(values, Narrowed):
        single[values.rows] = True
    return single


def _sqrt(values: Values) -> Any:
    if isinstance(values, Narrowed):
        return Narrowed(np.sqrt(values.wide), values.rows, np.sqrt(values.narrow))
    return np.sqrt(values)


def _update(moments: RowMoments, updating: BoolArray, rows: RowIndex, samples: FloatArray) -> None:
    chosen = updating[rows]
    if chosen.all():
        moments.update(rows, samples)
    else:
        moments.update(np.arange(len(updating))[rows][chosen], samples[chosen])
