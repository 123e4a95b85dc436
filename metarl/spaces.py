"""From an environment's spaces to flat float32 rows, and back to actions it accepts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, iterate

from metarl.errors import ConfigError


def flatten_observations(space: spaces.Space[Any], batch: Any) -> npt.NDArray[np.float32]:
    """Flattens a batch of observations of ``space``.

    Args:
        space: Space of a single observation. ``Discrete`` becomes one-hot, ``Dict`` and ``Tuple``
            are joined, as in :func:`gymnasium.spaces.flatten`.
        batch: ``N`` observations, batched as Gymnasium's vector environments do.

    Returns:
        ``[N, O]``.

    Raises:
        ConfigError: If the batch doesn't have the space's shape.
    """
    if isinstance(space, spaces.Box):
        array = np.asarray(batch)
        if array.shape[1:] != space.shape:
            raise ConfigError(
                f"observation: got shape {array.shape[1:]}; the space's is {space.shape}."
            )
        return array.reshape(len(array), -1).astype(np.float32)
    if isinstance(space, spaces.Discrete):
        indices = np.asarray(batch).reshape(-1) - space.start
        one_hot: npt.NDArray[np.float32] = np.eye(int(space.n), dtype=np.float32)[indices]
        return one_hot
    rows = len(next(iter(batch.values() if isinstance(batch, dict) else batch)))
    items = iterate(batch_space(space, rows), batch)
    return np.stack([np.asarray(spaces.flatten(space, item), dtype=np.float32) for item in items])


def clip_actions(space: spaces.Space[Any], actions: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Brings sampled actions ``[N, ...]`` into the action space."""
    if isinstance(space, spaces.Box):
        clipped: npt.NDArray[Any] = np.clip(actions, space.low, space.high).astype(
            space.dtype, copy=False
        )
        return clipped
    if isinstance(space, spaces.Discrete):
        shifted: npt.NDArray[Any] = actions + space.start
        return shifted
    return actions


def is_single(space: spaces.Space[Any], observation: Any) -> bool:
    """Whether this is one observation of ``space`` rather than a batch of them."""
    if isinstance(space, spaces.Box | spaces.Discrete):
        return np.ndim(observation) == len(space.shape or ())
    return bool(space.contains(observation))
