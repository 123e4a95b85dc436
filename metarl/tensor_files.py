"""Safetensors files from anyone: what a file claims to hold is checked before memory is taken.

A file is eight bytes (length of the header, little-endian), the header (JSON: name to dtype, shape
and byte range), and the tensors' bytes. Every claim can be checked against the size of the file
before any tensor is made.
"""

from __future__ import annotations

import json
import math
from typing import Any

from metarl.errors import CheckpointError

MAX_HEADER_BYTES = 2**20
MAX_TENSORS = 4096
MAX_DIMENSIONS = 8
MAX_NAME_LENGTH = 256

ITEM_SIZES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "I16": 2,
    "U16": 2,
    "F16": 2,
    "BF16": 2,
    "I32": 4,
    "U32": 4,
    "F32": 4,
    "I64": 8,
    "U64": 8,
    "F64": 8,
}
"""Bytes per element of the dtypes that a checkpoint may hold."""


def header_length(prefix: bytes) -> int:
    """Reads the length of the header from the first eight bytes of a file.

    Raises:
        CheckpointError: If there are fewer than eight, or the length is out of bounds.
    """
    if len(prefix) < 8:
        raise CheckpointError(f"is cut off: {len(prefix)} bytes, where 8 give the header's length")
    length = int.from_bytes(prefix[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(f"claims a header of {length} bytes; allowed: {MAX_HEADER_BYTES}")
    return length


def check_header(header: bytes, data_bytes: int) -> None:
    """Checks that a header describes exactly ``data_bytes`` bytes of ordinary tensors.

    Raises:
        CheckpointError: Saying which claim doesn't hold.
    """
    try:
        entries = json.loads(header, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"has a header that is no JSON: {error}") from None
    if not isinstance(entries, dict):
        raise CheckpointError("has a header that is no JSON object")
    if entries.pop("__metadata__", None) is not None:
        raise CheckpointError("carries metadata; ours doesn't")
    if len(entries) > MAX_TENSORS:
        raise CheckpointError(f"claims {len(entries)} tensors; allowed: {MAX_TENSORS}")
    ranges = sorted(_byte_range(name, entry) for name, entry in entries.items())
    position = 0
    for begin, end in ranges:
        if begin != position:
            raise CheckpointError(f"has tensors that overlap or leave a gap at byte {position}")
        position = end
    if position != data_bytes:
        raise CheckpointError(f"claims {position} bytes of tensors and holds {data_bytes}")


def _byte_range(name: str, entry: Any) -> tuple[int, int]:
    """Where one tensor lies, once its dtype, shape and size have been found to agree."""
    if not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable()):
        raise CheckpointError(f"has a tensor named {name[:40]!r}")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"has a tensor {name!r} without dtype, shape and data_offsets alone")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
        raise CheckpointError(f"has a tensor {name!r} of dtype {dtype!r}")
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise CheckpointError(f"has a tensor {name!r} of shape {shape!r}")
    if not _are_counts(offsets) or len(offsets) != 2:
        raise CheckpointError(f"has a tensor {name!r} at {offsets!r}")
    begin, end = offsets
    if end - begin != math.prod(shape) * ITEM_SIZES[dtype]:
        raise CheckpointError(f"has a tensor {name!r} whose shape {shape} doesn't fit its bytes")
    return begin, end


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 2**48 for value in values
    )


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a name is there twice")
    return result
