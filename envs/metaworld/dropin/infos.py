"""The info dictionaries of Gymnasium's vector environments.

Every key ``k`` holds an array with one value per row, and ``_k`` tells which rows have one; a
dictionary among the values is laid out the same way. Numbers are float64 here, or int64 for counts
(Gymnasium takes the type of whichever row comes first, and rounds the others to that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.envs.metaworld.engine.sources import BoolArray


def masked(values: Mapping[str, Any], mask: BoolArray) -> dict[str, Any]:
    """Lays out values that only the rows of ``mask``, ``[N]``, have; nothing if there are none.

    Args:
        values: Arrays ``[N]``, or dictionaries that are laid out already.
        mask: Which rows have them.
    """
    if not mask.any():
        return {}
    laid_out: dict[str, Any] = {}
    for key, value in values.items():
        laid_out[key] = value if isinstance(value, dict) else _zeroed(value, mask)
        laid_out[f"_{key}"] = mask.copy()
    return laid_out


def concatenated(parts: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> dict[str, Any]:
    """Joins the infos of several blocks of rows, as if one environment had made them.

    Args:
        parts: One per block.
        sizes: Rows of each block.
    """
    joined: dict[str, Any] = {}
    for key in dict.fromkeys(key for part in parts for key in part):
        found = [part.get(key) for part in parts]
        sample = next(value for value in found if value is not None)
        if isinstance(sample, dict):
            joined[key] = concatenated([value or {} for value in found], sizes)
        else:
            joined[key] = np.concatenate(
                [
                    _absent(sample, size) if value is None else value
                    for value, size in zip(found, sizes, strict=True)
                ]
            )
    return joined


def _zeroed(values: npt.NDArray[Any], mask: BoolArray) -> npt.NDArray[Any]:
    kept = _absent(values, len(mask))
    kept[mask] = values[mask]
    return kept


def _absent(sample: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """What stands in the rows of a key that haven't a value: None among objects, else zero."""
    if sample.dtype == object:
        return np.full(size, None, dtype=object)
    return np.zeros((size, *sample.shape[1:]), dtype=sample.dtype)
