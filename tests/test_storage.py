import contextlib
import errno
import hashlib
import json
import pickle
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from metarl import storage
from metarl.errors import CheckpointError
from metarl.storage import (
    CHECKSUMS,
    read_checkpoint,
    read_json,
    write_checkpoint,
    write_file,
    write_json,
)

FILES = ("params.safetensors", "state.json", CHECKSUMS)
STATE = {"iteration": 3, "rng": [2**64 + 1, "PCG64"], "lr": 0.1, "none": None}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def params() -> dict[str, torch.Tensor]:
    return {
        "weight": torch.randn(3, 2, generator=torch.Generator().manual_seed(0)),
        "log_std": torch.tensor([-0.0, float("inf"), float("nan")]),
        "double": torch.tensor(0.1, dtype=torch.float64),
        "count": torch.arange(4),
        "empty": torch.zeros(0, 5),
    }


def other_params() -> dict[str, torch.Tensor]:
    return {name: torch.zeros_like(value) for name, value in params().items()}


def bits(tensor: torch.Tensor) -> tuple:
    content = tensor.detach().contiguous().numpy().tobytes()
    return tensor.dtype, tuple(tensor.shape), content


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert {name: bits(value) for name, value in left.items()} == {
        name: bits(value) for name, value in right.items()
    }


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


@given(st.dictionaries(st.text(), json_values, max_size=4))
@settings(max_examples=25)
def test_what_was_written_comes_back_to_the_bit(state):
    with folder() as root:
        write_checkpoint(root / "new" / "checkpoint", params(), state)
        tensors, read = read_checkpoint(root / "new" / "checkpoint")
    assert_same(tensors, params())
    assert json.dumps(read, sort_keys=True) == json.dumps(state, sort_keys=True)


def test_parameters_that_share_memory_or_carry_gradients_are_written(tmp_path):
    shared = torch.arange(6.0).reshape(2, 3)
    tensors = {
        "one": shared,
        "same": shared,
        "row": shared[1],
        "turned": shared.T,
        "learned": torch.nn.Parameter(shared.clone()),
        "spread": torch.ones(1).expand(4),
    }
    write_checkpoint(tmp_path / "checkpoint", tensors, {})
    read, _ = read_checkpoint(tmp_path / "checkpoint")
    assert_same(read, tensors)


def test_a_checkpoint_replaces_the_one_before_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "checkpoint"
    write_checkpoint(path, other_params(), {"iteration": 1})
    write_checkpoint(path, params(), STATE)
    tensors, state = read_checkpoint(path)
    assert_same(tensors, params())
    assert state == STATE
    assert names(tmp_path) == ["checkpoint"]
    assert names(path) == sorted(FILES)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("whole") / "checkpoint"
    write_checkpoint(path, params(), STATE)
    return {name: (path / name).read_bytes() for name in FILES}


def place(path: Path, contents: dict[str, bytes]) -> Path:
    path.mkdir()
    for name, content in contents.items():
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=60)
def test_a_flipped_bit_is_noticed_in_every_file(whole, name, data):
    content = bytearray(whole[name])
    position = data.draw(st.integers(0, 8 * len(content) - 1))
    content[position // 8] ^= 1 << position % 8
    with folder() as root:
        path = place(root / "checkpoint", {**whole, name: bytes(content)})
        with pytest.raises(CheckpointError, match="checkpoint"):
            read_checkpoint(path)


@pytest.mark.parametrize("name", FILES)
def test_truncation_at_any_place_is_noticed_in_every_file(whole, name, tmp_path):
    place(tmp_path / "checkpoint", whole)
    for length in range(len(whole[name])):
        (tmp_path / "checkpoint" / name).write_bytes(whole[name][:length])
        with pytest.raises(CheckpointError, match="checkpoint"):
            read_checkpoint(tmp_path / "checkpoint")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(whole, name, tmp_path):
    path = place(tmp_path / "checkpoint", whole)
    (path / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        read_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere: there is no checkpoint"):
        read_checkpoint(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"file: there is no checkpoint"):
        read_checkpoint(tmp_path / "file")


@pytest.mark.parametrize("checksums", [b"[]", b"null", b"{}", b'"params.safetensors"', b"\xff"])
def test_checksums_of_another_form_are_refused(whole, checksums, tmp_path):
    path = place(tmp_path / "checkpoint", {**whole, CHECKSUMS: checksums})
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


def with_checksums(contents: dict[str, bytes]) -> dict[str, bytes]:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return {**contents, CHECKSUMS: (json.dumps(digests, indent=2) + "\n").encode()}


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("name", ["params.safetensors", "state.json"])
@pytest.mark.parametrize(
    ("dump", "load"),
    [
        (pickle.dump, lambda path: pickle.loads(path.read_bytes())),
        (torch.save, lambda path: torch.load(path, weights_only=False)),
    ],
    ids=["pickle", "torch.save"],
)
def test_nothing_is_unpickled(whole, name, dump, load, tmp_path):
    trace = tmp_path / "trace"
    with (tmp_path / "payload").open("wb") as file:
        dump(Payload(trace), file)
    payload = (tmp_path / "payload").read_bytes()
    contents = {"params.safetensors": whole["params.safetensors"], "state.json": b"{}"}
    path = place(tmp_path / "checkpoint", with_checksums({**contents, name: payload}))
    with pytest.raises(CheckpointError, match="can't be read"):
        read_checkpoint(path)
    assert not trace.exists()
    load(tmp_path / "payload")
    assert trace.exists(), "the payload does nothing, so the test shows nothing"


@pytest.mark.parametrize("name", ["params.safetensors", "state.json"])
@given(content=st.binary(max_size=200))
@settings(max_examples=60)
def test_hostile_files_with_right_checksums_are_refused(whole, name, content):
    assume(content.strip() != b"{}")
    contents = {"params.safetensors": whole["params.safetensors"], "state.json": b"{}"}
    with folder() as root:
        path = place(root / "checkpoint", with_checksums({**contents, name: content}))
        with pytest.raises(CheckpointError):
            read_checkpoint(path)


@pytest.mark.parametrize(
    "state", [b"[]", b"3", b"null", b"[" * 100_000], ids=["list", "number", "null", "deep"]
)
def test_state_that_is_no_json_object_is_refused(whole, state, tmp_path):
    contents = {"params.safetensors": whole["params.safetensors"], "state.json": state}
    path = place(tmp_path / "checkpoint", with_checksums(contents))
    with pytest.raises(CheckpointError, match="checkpoint"):
        read_checkpoint(path)


@contextlib.contextmanager
def full_disk(monkeypatch, owner, name: str, number: int):
    """Lets the call of ``owner.name`` with this number fail, and expects to hear of it."""
    real, calls = getattr(owner, name), []

    def function(*args, **kwargs):
        calls.append(args)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, function)
        with pytest.raises(OSError, match="No space left"):
            yield


WRITER_FAULTS = [
    *[(storage.os, "fsync", number) for number in range(1, 7)],
    *[(storage.Path, "open", number) for number in (1, 2, 3)],
    *[(storage.Path, "replace", number) for number in (1, 2, 3)],
    *[(storage.Path, "rename", number) for number in (1, 2)],
]


@pytest.mark.parametrize(
    ("owner", "name", "number"), WRITER_FAULTS, ids=[f"{n}-{i}" for _, n, i in WRITER_FAULTS]
)
def test_a_failing_writer_keeps_the_old_checkpoint_and_leaves_nothing(
    tmp_path, monkeypatch, owner, name, number
):
    path = tmp_path / "checkpoint"
    write_checkpoint(path, params(), STATE)
    with full_disk(monkeypatch, owner, name, number):
        write_checkpoint(path, other_params(), {})
    tensors, state = read_checkpoint(path)
    assert_same(tensors, params())
    assert state == STATE
    assert names(tmp_path) == ["checkpoint"]


@pytest.mark.parametrize("state", [{"loss": float("nan")}, {"rng": object()}])
def test_state_that_json_cannot_hold_is_refused_before_anything_is_written(tmp_path, state):
    with pytest.raises((TypeError, ValueError)):
        write_checkpoint(tmp_path / "checkpoint", params(), state)
    assert names(tmp_path) == []


def test_killed_between_the_two_renames_the_old_checkpoint_is_read(tmp_path):
    path = tmp_path / "checkpoint"
    write_checkpoint(path, params(), STATE)
    path.rename(tmp_path / ".checkpoint.old")
    tensors, state = read_checkpoint(path)
    assert_same(tensors, params())
    assert state == STATE
    write_checkpoint(path, other_params(), {"iteration": 4})
    assert read_checkpoint(path)[1] == {"iteration": 4}
    assert names(tmp_path) == ["checkpoint"]


def test_write_file_replaces_the_whole_content(tmp_path):
    path = tmp_path / "new" / "file"
    write_file(path, b"long content")
    write_file(path, b"short")
    assert path.read_bytes() == b"short"
    assert names(path.parent) == ["file"]


def test_files_get_the_usual_permissions(tmp_path):
    """A run's results can be read by the others who could read any new file."""
    (tmp_path / "usual").touch()
    (tmp_path / "folder").mkdir()
    write_file(tmp_path / "file", b"")
    write_checkpoint(tmp_path / "checkpoint", params(), STATE)
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert (tmp_path / "checkpoint").stat().st_mode == (tmp_path / "folder").stat().st_mode


@pytest.mark.parametrize(("owner", "name"), [(storage.os, "fsync"), (storage.Path, "replace")])
def test_a_failing_write_file_keeps_the_old_file_and_leaves_nothing(
    tmp_path, monkeypatch, owner, name
):
    path = tmp_path / "file"
    write_file(path, b"old")
    with full_disk(monkeypatch, owner, name, 1):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@given(json_values)
@settings(max_examples=40)
def test_json_comes_back_to_the_bit(value):
    with folder() as root:
        write_json(root / "file.json", value)
        read = read_json(root / "file.json")
    assert json.dumps(read) == json.dumps(value)


def test_json_that_is_missing_or_damaged_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nothing\.json: no such file"):
        read_json(tmp_path / "nothing.json")
    for content in (b"{", b"\xff\xfe", b""):
        (tmp_path / "bad.json").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"bad\.json: is not JSON"):
            read_json(tmp_path / "bad.json")


def test_numbers_that_are_not_finite_are_no_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"loss": float("nan")})
    assert names(tmp_path) == []
