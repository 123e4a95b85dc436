"""Files that are whole or absent, and that are never unpickled.

A folder is written under a temporary name, flushed to disk, given a manifest with the SHA-256 of
every file, and renamed. Tensors are safetensors, the rest is JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

from metarl.errors import CheckpointError
from metarl.types import Params

CHECKSUMS = "sha256.json"


def write_file(path: Path, content: bytes) -> None:
    """Writes a file so that it holds either what it held before or all of ``content``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def write_json(path: Path, data: Any) -> None:
    """Writes JSON, atomically."""
    write_file(path, (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        CheckpointError: If the file is missing or isn't JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: is not JSON: {error}") from None


def write_checkpoint(path: Path, params: Params, state: Mapping[str, Any]) -> None:
    """Writes tensors and JSON state as one folder that replaces what was there.

    At every instant either the old folder or the new one is whole; between the two renames the old
    one stands beside its place under the name ``.<name>.old``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in params.items()}
    files = {
        "params.safetensors": save_safetensors(tensors),
        "state.json": (json.dumps(state, indent=2, allow_nan=False) + "\n").encode(),
    }
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files[CHECKSUMS] = (json.dumps(digests, indent=2) + "\n").encode()
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        for name, content in files.items():
            write_file(temporary / name, content)
        previous = path.with_name(f".{path.name}.old")
        if path.exists():
            shutil.rmtree(previous, ignore_errors=True)
            path.rename(previous)
        temporary.rename(path)
        _flush_folder(path.parent)
        shutil.rmtree(previous, ignore_errors=True)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def read_checkpoint(path: Path) -> tuple[Params, dict[str, Any]]:
    """Reads what :func:`write_checkpoint` wrote.

    Raises:
        CheckpointError: If a file is missing, or isn't the one that was written.
    """
    if not path.is_dir():
        raise CheckpointError(f"{path}: there is no checkpoint (no such folder)")
    digests = read_json(path / CHECKSUMS)
    contents = {}
    for name in ("params.safetensors", "state.json"):
        try:
            content = (path / name).read_bytes()
        except FileNotFoundError:
            raise CheckpointError(f"{path}: lacks {name}") from None
        if not isinstance(digests, dict) or hashlib.sha256(content).hexdigest() != digests.get(
            name
        ):
            raise CheckpointError(f"{path}: {name} is damaged (its SHA-256 differs)")
        contents[name] = content
    try:
        return load_safetensors(contents["params.safetensors"]), json.loads(contents["state.json"])
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: can't be read: {error}") from None


def _flush_folder(path: Path) -> None:
    if os.name != "posix":
        return  # other systems don't open folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
