import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metarl.errors import ConfigError
from metarl.seeding import Purpose, Stream

seeds = st.integers(0, 2**128 - 1)
keys = st.integers(0, 2**32 - 1)
paths = st.lists(keys, max_size=5).map(tuple)


def numpy_bits(stream: Stream) -> list[int]:
    return stream.numpy().integers(2**63, size=4).tolist()


def torch_bits(stream: Stream) -> list[int]:
    return torch.randint(2**62, (4,), generator=stream.torch()).tolist()


@given(seeds, paths)
def test_the_path_alone_determines_the_bits(seed, path):
    one, other = Stream(seed, path), Stream(seed)
    for key in path:
        numpy_bits(other)  # drawing on the way changes nothing
        other = other.child(key)
    assert one == other
    assert hash(one) == hash(other)
    assert numpy_bits(one) == numpy_bits(other) == numpy_bits(one)
    assert torch_bits(one) == torch_bits(other) == torch_bits(one)


@given(seeds, paths, st.sets(keys, min_size=2, max_size=5))
def test_siblings_and_their_parent_differ(seed, path, children):
    parent = Stream(seed, path)
    streams = [parent, *(parent.child(key) for key in children)]
    for bits in (numpy_bits, torch_bits):
        assert len({tuple(bits(stream)) for stream in streams}) == len(streams)


@given(st.sets(seeds, min_size=2, max_size=5), paths)
def test_seeds_differ(several, path):
    assert len({tuple(numpy_bits(Stream(seed, path))) for seed in several}) == len(several)


@given(seeds, st.lists(keys, min_size=2, max_size=4))
def test_several_keys_at_once_are_one_path(seed, path):
    at_once = Stream(seed).child(*path)
    assert at_once == Stream(seed).child(path[0]).child(*path[1:])


def test_numpy_integers_and_purposes_are_plain_keys():
    stream = Stream(3).child(Purpose.QUERY, np.int64(5))
    assert stream == Stream(3, (3, 5))
    assert all(type(key) is int for key in stream.path)


def test_bits_are_those_of_numpys_seed_sequence():
    sequence = np.random.SeedSequence(7, spawn_key=(1, 2))
    expected = np.random.default_rng(sequence).standard_normal(5)
    assert np.array_equal(Stream(7, (1, 2)).numpy().standard_normal(5), expected)


@pytest.mark.parametrize(
    ("purpose", "value"),
    [
        ("INITIALISATION", 0),
        ("TASKS", 1),
        ("SUPPORT", 2),
        ("QUERY", 3),
        ("EVALUATION", 4),
        ("ADAPTATION", 5),
        ("SPLIT", 6),
        ("ACTING", 7),
    ],
)
def test_values_of_purposes_never_change(purpose, value):
    """Another value would give every run of before other random numbers."""
    assert Purpose[purpose] == value


@pytest.mark.parametrize("key", [-1, 2**32, 2**40])
def test_keys_that_would_collide_with_others_are_refused(key):
    """SeedSequence cuts larger ones into words: 2**32 would be the path (0, 1)."""
    with pytest.raises(ConfigError, match=f"key: got {key}; must be at least 0 and below {2**32}"):
        Stream(0).child(3, key)


@pytest.mark.parametrize("seed", [-1, 2**128])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(ConfigError, match=f"seed: got {seed}; must be at least 0"):
        Stream(seed)
