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
        ConfigError: If the batch doesn't have the space's shape, or a discrete observation isn't in
            its space.
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
        outside = (indices < 0) | (indices >= space.n)
        if outside.any():
            raise ConfigError(
                f"observation: got {indices[outside][0] + space.start}; "
                f"the space goes from {space.start} to {space.start + space.n - 1}."
            )
        one_hot = np.zeros((len(indices), int(space.n)), dtype=np.float32)
        one_hot[np.arange(len(indices)), indices] = 1.0
        return one_hot
    rows = len(next(iter(batch.values() if isinstance(batch, dict) else batch)))
    items = iterate(batch_space(space, rows), batch)
    return np.stack([np.asarray(spaces.flatten(space, item), dtype=np.float32) for item in items])


def check_shape(space: spaces.Space[Any], observation: Any) -> None:
    """Checks that one observation is built as ``space`` says; its values may be out of bounds.

    Raises:
        ConfigError: Naming the shape that came and the one that the space has.
    """
    if isinstance(space, spaces.Dict):
        if not isinstance(observation, dict) or observation.keys() != space.spaces.keys():
            came = sorted(observation) if isinstance(observation, dict) else type(observation)
            raise ConfigError(f"observation: got {came}; the space has {sorted(space.spaces)}.")
        for key, inner in space.spaces.items():
            check_shape(inner, observation[key])
    elif isinstance(space, spaces.Tuple):
        # As Tuple.contains takes it.
        sequence = isinstance(observation, (tuple, list)) or (
            isinstance(observation, np.ndarray) and observation.ndim > 0
        )
        if not sequence or len(observation) != len(space.spaces):
            parts = f"{len(observation)} parts" if sequence else type(observation)
            raise ConfigError(f"observation: got {parts}; the space has {len(space.spaces)}.")
        for inner, part in zip(space.spaces, observation, strict=True):
            check_shape(inner, part)
    elif space.shape is not None:
        try:
            shape = np.shape(observation)
        except ValueError as error:  # rows of unlike lengths
            raise ConfigError(f"observation: {error}; the space's is {space.shape}.") from error
        if shape != space.shape:
            raise ConfigError(f"observation: got shape {shape}; the space's is {space.shape}.")


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
    """Whether this is one observation of ``space`` rather than a batch of them.

    Its shape tells, not its values: observations outside the declared bounds are common.
    """
    if isinstance(space, spaces.Dict):
        key = next(iter(space))
        return is_single(space[key], observation[key])
    if isinstance(space, spaces.Tuple):
        return is_single(space[0], observation[0])
    if space.shape is None:
        return bool(space.contains(observation))
    return np.ndim(observation) == len(space.shape)
