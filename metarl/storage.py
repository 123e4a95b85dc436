"""Files that are whole or absent, and that are never unpickled.

A folder is written under a temporary name, flushed to disk, given a manifest with the SHA-256 of
every file, and renamed. Tensors are safetensors, the rest is JSON. What is read is bounded first:
sizes, names and shapes are checked before memory is taken, and links are not followed, so that no
path leads out of the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

from metarl.errors import CheckpointError
from metarl.tensor_files import check_header, header_length
from metarl.types import Params

CHECKSUMS = "sha256.json"
PARAMS = "params.safetensors"
STATE = "state.json"

MAX_BYTES = {CHECKSUMS: 2**12, STATE: 2**26, PARAMS: 2**31}
"""What a file of a checkpoint may hold at most."""

MAX_JSON_BYTES = 2**26

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?:[0-9a-f]{8}|old)")


def write_file(path: Path, content: bytes) -> None:
    """Writes a file so that it holds either what it held before or all of ``content``."""
    make_folder(path.parent)
    temporary = _beside(path)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def write_json(path: Path, data: Any) -> None:
    """Writes JSON, atomically."""
    write_file(path, _json_bytes(data))


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        CheckpointError: If the file is missing, too large, or isn't JSON.
    """
    try:
        return _parse_json(_read_bounded(path, MAX_JSON_BYTES))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (CheckpointError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is not JSON: {error}") from None


def write_checkpoint(path: Path, params: Params, state: Mapping[str, Any]) -> None:
    """Writes tensors and JSON state as one folder that replaces what was there.

    At every instant either the old folder or the new one is whole; between the two renames the old
    one stands beside its place under the name ``.<name>.old``, where :func:`read_checkpoint` finds
    it.
    """
    # Copied, because safetensors refuses tensors that share memory.
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in params.items()
    }
    files = {PARAMS: save_safetensors(tensors), STATE: _json_bytes(state)}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files[CHECKSUMS] = _json_bytes(digests)
    make_folder(path.parent)
    temporary, previous = _beside(path), _previous(path)
    try:
        temporary.mkdir()
        for name, content in files.items():
            write_file(temporary / name, content)
        if path.exists():
            shutil.rmtree(previous, ignore_errors=True)
            path.rename(previous)
        temporary.rename(path)
        flush_folder(path.parent)
        shutil.rmtree(previous, ignore_errors=True)
    except BaseException:
        if previous.exists() and not path.exists():
            previous.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def read_checkpoint(path: Path) -> tuple[Params, dict[str, Any]]:
    """Reads what :func:`write_checkpoint` wrote.

    Raises:
        CheckpointError: If a file is missing, isn't the one that was written, or claims more than
            a checkpoint may hold.
    """
    if not path.is_dir() and _previous(path).is_dir():
        path = _previous(path)  # the writer was killed between its two renames
    if not path.is_dir():
        raise CheckpointError(f"{path}: there is no checkpoint (no such folder)")
    digests = _read_digests(path)
    contents = {name: _read_part(path, name, digests[name]) for name in (STATE, PARAMS)}
    try:
        state = _parse_json(contents[STATE])
        params = load_safetensors(contents[PARAMS])
    except (SafetensorError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: can't be read: {error}") from None
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: {STATE} holds no JSON object")
    return params, state


def make_folder(path: Path) -> None:
    """Makes a folder and those above it, so that they survive a loss of power."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        flush_folder(made.parent)


def remove_folder(path: Path) -> None:
    """Removes a folder so that it is never seen half removed under its own name."""
    temporary = _beside(path)
    path.rename(temporary)
    shutil.rmtree(temporary, ignore_errors=True)


def clean_folder(folder: Path) -> list[str]:
    """Removes what writers that were killed have left in a folder; nobody may be writing there.

    A checkpoint whose writer was killed between its two renames gets its name back.

    Returns:
        What was removed.
    """
    removed = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        left = _TEMPORARY.fullmatch(entry.name)
        if left is None:
            continue
        rightful = folder / left["name"]
        if entry == _previous(rightful) and not rightful.exists():
            entry.rename(rightful)
        elif entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
            removed.append(entry.name)
        else:
            entry.unlink()
            removed.append(entry.name)
    return removed


def is_left_over(path: Path) -> bool:
    """Whether a writer that was killed left this; :func:`clean_folder` removes it."""
    return _TEMPORARY.fullmatch(path.name) is not None


def flush_folder(path: Path) -> None:
    """Makes sure that new and renamed entries of a folder survive a loss of power."""
    if os.name != "posix":
        return  # other systems don't open folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_digests(path: Path) -> dict[str, str]:
    """The manifest of a checkpoint, which names exactly its own files."""
    try:
        content = _read_bounded(path / CHECKSUMS, MAX_BYTES[CHECKSUMS])
        digests = _parse_json(content)
    except FileNotFoundError:
        raise CheckpointError(f"{path / CHECKSUMS}: no such file") from None
    except (CheckpointError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path / CHECKSUMS}: can't be read: {error}") from None
    if (
        not isinstance(digests, dict)
        or digests.keys() != {PARAMS, STATE}
        or not all(isinstance(digest, str) for digest in digests.values())
        or content != _json_bytes(digests)  # to the byte: this list vouches for all the rest
    ):
        raise CheckpointError(f"{path / CHECKSUMS}: isn't the list of {PARAMS} and {STATE}")
    return digests


def _read_part(path: Path, name: str, digest: str) -> bytes:
    try:
        content = _read_bounded(path / name, MAX_BYTES[name], tensors=name == PARAMS)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: lacks {name}") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {name} {error}, so it can't be read") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"{path}: {name} is damaged (its SHA-256 differs)")
    return content


def _read_bounded(path: Path, max_bytes: int, *, tensors: bool = False) -> bytes:
    """Reads an ordinary file of bounded size; of tensors, once its claims have been checked."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:  # a link, or no right to read it
        raise CheckpointError(f"can't be opened: {error.strerror}") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise CheckpointError("is no ordinary file")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > max_bytes:
            raise CheckpointError(f"holds {status.st_size} bytes; allowed: {max_bytes}")
        if tensors:
            _check_tensors(file, status.st_size)
        return file.read(status.st_size)


def _check_tensors(file: BinaryIO, size: int) -> None:
    length = header_length(file.read(8))
    if 8 + length > size:
        raise CheckpointError(f"is cut off: it claims a header of {length} bytes, and holds {size}")
    check_header(file.read(length), size - 8 - length)
    file.seek(0)


def _json_bytes(data: Any) -> bytes:
    return (json.dumps(data, indent=2, allow_nan=False) + "\n").encode()


def _parse_json(content: bytes) -> Any:
    return json.loads(content, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _beside(path: Path) -> Path:
    """A new name in the same folder; unlike tempfile's, what gets it has the usual permissions."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def _previous(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")
