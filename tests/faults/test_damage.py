"""Checkpoints that are damaged or were made to do harm."""

import hashlib
import json
import os
import pickle
import shutil
import struct
import tracemalloc
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metarl.agents.maml import MAML
from metarl.envs import make_benchmark
from metarl.errors import CheckpointError
from metarl.runs import RunFolder
from metarl.storage import CHECKSUMS, PARAMS, STATE, read_checkpoint, write_checkpoint
from metarl.tensor_files import MAX_HEADER_BYTES
from tests.faults.runs import outcome_of, resumed

FILES = (PARAMS, STATE, CHECKSUMS)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    """Three checkpoints, each with its own parameters."""
    run = RunFolder.create(tmp_path_factory.mktemp("damage") / "run", {"algorithm": "x"}, {})
    for iteration in (1, 2, 3):
        path = run.path / "checkpoints" / f"iteration-{iteration:06d}"
        params = {"weight": torch.full((3, 2), float(iteration)), "bias": torch.zeros(4)}
        write_checkpoint(path, params, {"iteration": iteration})
    return run


def damage(content: bytes, data: st.DataObject) -> bytes:
    """Truncates, or flips some bits."""
    if data.draw(st.booleans(), label="truncate"):
        return content[: data.draw(st.integers(0, len(content) - 1), label="length")]
    bits = st.integers(0, 8 * len(content) - 1)
    changed = bytearray(content)
    for bit in data.draw(st.sets(bits, min_size=1, max_size=5), label="bits"):
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("victims", [(3,), (2, 3), (1, 2, 3)], ids=str)
@given(data=st.data())
@settings(max_examples=40)
def test_damage_is_never_loaded_and_the_newest_whole_checkpoint_is_found(run, victims, name, data):
    kept = {}
    try:
        for victim in victims:
            path = run.path / "checkpoints" / f"iteration-{victim:06d}" / name
            kept[path] = path.read_bytes()
            path.write_bytes(damage(kept[path], data))
            with pytest.raises(CheckpointError, match=f"iteration-{victim:06d}"):
                read_checkpoint(path.parent)
        if victims == (1, 2, 3):
            with pytest.raises(CheckpointError, match=r"no checkpoint is whole: .*0003.*0001"):
                run.latest_checkpoint()
        else:
            newest = run.latest_checkpoint()
            assert newest.name == f"iteration-{min(victims) - 1:06d}"
            params, state = read_checkpoint(newest)
            assert params["weight"].unique().tolist() == [state["iteration"]]
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_going_back_is_said(run, caplog):
    path = run.path / "checkpoints" / "iteration-000003" / STATE
    content = path.read_bytes()
    path.write_bytes(b"{}")
    try:
        run.latest_checkpoint()
    finally:
        path.write_bytes(content)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"going back to iteration-000002: {path.parent}: {STATE} is damaged (its SHA-256 differs)"
    )


@pytest.mark.parametrize("name", FILES)
def test_a_run_whose_newest_checkpoint_is_damaged_goes_back_and_reaches_the_same_bits(
    launcher, undisturbed, tmp_path, name
):
    from tests.faults.runs import tiny_run

    run, output = tmp_path / "run", tmp_path / "output"
    assert launcher.run(tiny_run(run, "--total-timesteps", 300), output) == 0, output.read_text()
    newest = RunFolder(run).checkpoints()[-1]
    with (newest / name).open("r+b") as file:
        file.truncate(20)
    total = ("--total-timesteps", 8 * 72)
    assert launcher.run([*resumed(run), *total], output) == 0, output.read_text()
    text = output.read_text()
    assert "going back to iteration-" in text
    assert str(newest) in text
    assert outcome_of(run) == undisturbed


# Files that were made to do harm, with checksums that are right.


def hostile(path: Path, *, params: bytes | None = None, state: bytes = b"{}") -> Path:
    write_checkpoint(path, {"w": torch.zeros(2)}, {})
    if params is not None:
        (path / PARAMS).write_bytes(params)
    (path / STATE).write_bytes(state)
    digests = {
        name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in (PARAMS, STATE)
    }
    (path / CHECKSUMS).write_text(json.dumps(digests, indent=2) + "\n")
    return path


def tensor_file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


HUGE = 2**40
HOSTILE_TENSORS = {
    "empty": b"",
    "short": b"\x08",
    "header longer than the file": tensor_file({}, length=10**6),
    "huge header": tensor_file({}, length=2**63),
    "long header": tensor_file(b" " * (MAX_HEADER_BYTES + 1)),
    "header no JSON": tensor_file(b"{" * 1000),
    "header a list": tensor_file([]),
    "deep header": tensor_file(b"[" * 10**5),
    "entry a number": tensor_file({"w": 3}),
    "huge shape": tensor_file({"w": entry(shape=(HUGE,), offsets=(0, 4 * HUGE))}, bytes(8)),
    "shape that overflows": tensor_file({"w": entry(shape=(2**33, 2**33))}, bytes(8)),
    "shape larger than data": tensor_file({"w": entry(shape=(3,))}, bytes(8)),
    "negative shape": tensor_file({"w": entry(shape=(-2,))}, bytes(8)),
    "shape of floats": tensor_file({"w": entry(shape=(2.0,))}, bytes(8)),
    "many dimensions": tensor_file({"w": entry(shape=(1,) * 50 + (2,))}, bytes(8)),
    "unknown dtype": tensor_file({"w": entry(dtype="O")}, bytes(8)),
    "wrong dtype": tensor_file({"w": entry(dtype="F64")}, bytes(8)),
    "dtype a list": tensor_file({"w": entry(dtype=["F32"])}, bytes(8)),
    "overlap": tensor_file({"a": entry(), "b": entry()}, bytes(8)),
    "gap": tensor_file({"a": entry(offsets=(8, 16))}, bytes(16)),
    "more data": tensor_file({"a": entry()}, bytes(9)),
    "offsets beyond": tensor_file({"a": entry(offsets=(-8, 0))}, bytes(8)),
    "name twice": tensor_file(b'{"a":' + json.dumps(entry()).encode() + b',"a":{}}', bytes(8)),
    "name too long": tensor_file({"a" * 1000: entry()}, bytes(8)),
    "name with control characters": tensor_file({"a\x1b[2J": entry()}, bytes(8)),
    "many tensors": tensor_file(
        {str(i): entry(shape=(0,), offsets=(0, 0)) for i in range(5000)},
    ),
    "metadata": tensor_file({"__metadata__": {"format": "pt"}, "a": entry()}, bytes(8)),
    "further keys": tensor_file({"a": entry(extra=1)}, bytes(8)),
    "pickle": pickle.dumps({"w": [0.0] * 10}),
}


@pytest.mark.parametrize("content", HOSTILE_TENSORS.values(), ids=HOSTILE_TENSORS)
def test_hostile_tensors_are_refused_without_taking_memory(tmp_path, content):
    path = hostile(tmp_path / "checkpoint", params=content)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=r"checkpoint: params\.safetensors"):
            read_checkpoint(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * 2**20


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_terabyte_is_refused_before_it_is_read(tmp_path, name):
    path = hostile(tmp_path / "checkpoint")
    os.truncate(path / name, 2**40)  # sparse: it takes no room
    with pytest.raises(CheckpointError, match=f"holds {2**40} bytes; allowed: "):
        read_checkpoint(path)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "link in a folder above"])
@pytest.mark.parametrize("name", FILES)
def test_only_ordinary_files_of_the_folder_are_read(tmp_path, name, kind):
    path = hostile(tmp_path / "checkpoint")
    outside = shutil.copy(path / name, tmp_path / "outside")
    (path / name).unlink()
    if kind == "link":
        (path / name).symlink_to(outside)
    elif kind == "pipe":
        os.mkfifo(path / name)
    elif kind == "folder":
        (path / name).mkdir()
    else:
        (path / name).symlink_to("../outside")
    with pytest.raises(CheckpointError, match="checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "..", ".", "", "state.json/../x"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    path = hostile(tmp_path / "checkpoint")
    (tmp_path / "outside").write_bytes(b"secret")
    digests = json.loads((path / CHECKSUMS).read_text())
    for listed in ({**digests, name: "0" * 64}, {PARAMS: digests[PARAMS], name: digests[STATE]}):
        (path / CHECKSUMS).write_text(json.dumps(listed, indent=2) + "\n")
        with pytest.raises(CheckpointError, match=r"sha256\.json: isn't the list of"):
            read_checkpoint(path)


GOOD = {"algorithm": "maml", "config": {}, "seed": 0, "iteration": 1, "num_timesteps": 72}
HOSTILE_STATES = {
    "config a number": {"config": 3},
    "config unknown": {"config": {"evil": 1}},
    "config out of range": {"config": {"gamma": 7}},
    "a network that fills the memory": {"config": {"hidden_sizes": [16384] * 16}},
    "a layer that fills the memory": {"config": {"hidden_sizes": [10**12]}},
    "a batch that fills the memory": {"config": {"meta_batch_size": 10**12}},
    "seed a list": {"seed": [1]},
    "seed negative": {"seed": -1},
    "seed huge": {"seed": 2**200},
    "iteration a text": {"iteration": "one"},
    "iteration too large": {"iteration": 2**32},
    "manifest a list": {"manifest": []},
    "further keys": {"__class__": "os.system"},
    "algorithm another": {"algorithm": "os.system"},
    "algorithm a list": {"algorithm": ["maml"]},
    "manifest lacking": {"manifest": None},
}


@pytest.mark.parametrize("change", HOSTILE_STATES.values(), ids=HOSTILE_STATES)
def test_hostile_states_are_refused_by_name(tmp_path, change):
    benchmark = make_benchmark("navigation")
    state = {**GOOD, "manifest": benchmark.manifest(), **change}
    path = hostile(tmp_path / "checkpoint", state=json.dumps(state).encode())
    with pytest.raises(CheckpointError, match="checkpoint") as caught:
        MAML.load(path, benchmark)
    (field,) = change
    assert field in str(caught.value)


@pytest.mark.parametrize(
    "params",
    [
        {"policy.network.0.weight": torch.zeros(7, 7)},
        {"policy.network.0.weight": torch.zeros(4, 2, dtype=torch.float64)},
        {"policy.network.0.weight": torch.zeros(4, 2, dtype=torch.int32)},
        {"../../evil": torch.zeros(1)},
        {"outer.policy.log_std:exp_avg": torch.zeros(9)},
    ],
    ids=["shape", "double", "whole numbers", "name", "moment"],
)
def test_tensors_that_are_not_the_agents_are_refused_by_name(tmp_path, params):
    benchmark = make_benchmark("navigation", max_episode_steps=5)
    settings = {"hidden_sizes": (4,), "meta_batch_size": 2, "episodes_per_task": 1}
    MAML(benchmark, **settings).save(tmp_path / "checkpoint")
    found, state = read_checkpoint(tmp_path / "checkpoint")
    write_checkpoint(tmp_path / "checkpoint", {**found, **params}, state)
    (name,) = params
    with pytest.raises(CheckpointError, match="fit") as caught:
        MAML.load(tmp_path / "checkpoint", benchmark)
    assert name.removeprefix("outer.") in str(caught.value)
