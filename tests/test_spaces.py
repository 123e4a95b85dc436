import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array
from hypothesis import given
from hypothesis import strategies as st

from metarl.errors import ConfigError
from metarl.spaces import check_shape, clip_actions, flatten_observations, is_single

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
SPACES = {
    "scalar box": spaces.Box(-1.0, 1.0, (), np.float64),
    "flat box": BOX,
    "picture": spaces.Box(0, 255, (4, 3, 2), np.uint8),
    "discrete": spaces.Discrete(4),
    "discrete from 3": spaces.Discrete(4, start=3),
    "discrete from -2": spaces.Discrete(4, start=-2),
    "multi-discrete": spaces.MultiDiscrete([3, 2]),
    "multi-binary": spaces.MultiBinary(5),
    "dict": spaces.Dict({"position": BOX, "mode": spaces.Discrete(3, start=1)}),
    "nested dict": spaces.Dict(
        {
            "a": spaces.Dict({"b": BOX, "c": spaces.Discrete(2), "d": spaces.MultiBinary(2)}),
            "z": spaces.Tuple((BOX, spaces.Discrete(3))),
        }
    ),
    "tuple": spaces.Tuple((BOX, spaces.Discrete(3, start=1), spaces.MultiDiscrete([2, 3]))),
    "nested tuple": spaces.Tuple((spaces.Tuple((BOX, BOX, BOX)), spaces.Discrete(2))),
}
each_space = pytest.mark.parametrize("space", SPACES.values(), ids=list(SPACES))


def batched(space, observations):
    """As Gymnasium's vector environments batch."""
    out = create_empty_array(space, n=len(observations))
    return concatenate(space, observations, out)


@each_space
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_rows_are_what_gymnasium_flattens_one_by_one(space, rows):
    space.seed(rows)
    observations = [space.sample() for _ in range(rows)]
    flat = flatten_observations(space, batched(space, observations))
    expected = np.stack([spaces.flatten(space, one) for one in observations])
    assert flat.shape == (rows, spaces.flatdim(space))
    assert flat.dtype == np.float32
    assert np.array_equal(flat, expected.astype(np.float32))


def test_flattening_a_box_copies():
    batch = np.zeros((3, 2), dtype=np.float32)
    flatten_observations(BOX, batch)[:] = 1
    assert not batch.any()


def test_a_box_outside_its_bounds_is_kept():
    """Meta-World's goal lies outside its declared space."""
    assert flatten_observations(BOX, np.array([[5.0, -5.0]])).tolist() == [[5.0, -5.0]]


@pytest.mark.parametrize("shape", [(3, 3), (3,), (3, 2, 1)])
def test_observations_of_another_shape_are_refused(shape):
    with pytest.raises(ConfigError, match=r"observation: got shape .*; the space's is \(2,\)"):
        flatten_observations(BOX, np.zeros(shape))


@pytest.mark.parametrize("value", [2, 7, -1])
def test_discrete_observations_outside_the_space_are_refused(value):
    with pytest.raises(ConfigError, match=rf"observation: got {value}; .* from 3 to 6"):
        flatten_observations(spaces.Discrete(4, start=3), np.array([3, value]))


def test_a_large_discrete_space_costs_its_rows_only():
    """A one-hot table of all values would take 4 TB here."""
    flat = flatten_observations(spaces.Discrete(1_000_000), np.array([999_999, 0]))
    assert flat.shape == (2, 1_000_000)
    assert flat.argmax(axis=1).tolist() == [999_999, 0]
    assert flat.sum() == 2


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=2))
def test_clipped_box_actions_are_in_the_space(action):
    space = spaces.Box(np.float32([-1, 0]), np.float32([0.5, 3]))
    (clipped,) = clip_actions(space, np.array([action]))
    assert space.contains(clipped)
    assert np.array_equal(clipped, np.clip(action, space.low, space.high).astype(np.float32))


def test_actions_inside_the_box_keep_their_bits_and_the_input_is_left_alone():
    actions = np.array([[0.1, -0.3], [1.5, -2.0]], dtype=np.float32)
    before = actions.copy()
    clipped = clip_actions(BOX, actions)
    assert np.array_equal(clipped, np.array([[0.1, -0.3], [1.0, -1.0]], dtype=np.float32))
    assert np.array_equal(actions, before)


def test_discrete_actions_count_from_the_start_of_the_space():
    space = spaces.Discrete(3, start=5)
    actions = clip_actions(space, np.array([0, 2, 1]))
    assert actions.tolist() == [5, 7, 6]
    assert all(space.contains(action) for action in actions)


@each_space
def test_one_observation_is_told_from_a_batch(space):
    space.seed(1)
    one = space.sample()
    assert is_single(space, one)
    for rows in (1, 2, 3, 5):
        assert not is_single(space, batched(space, [one] * rows))


def test_one_observation_outside_the_bounds_is_still_one():
    space = SPACES["dict"]
    one = {"position": np.array([5.0, 5.0]), "mode": 1}
    assert is_single(space, one)
    assert not is_single(space, batched(space, [one, one]))


PAIR = spaces.Tuple((spaces.Box(-1, 1, (2,)), spaces.Discrete(3)))
NESTED = spaces.Dict({"a": spaces.Box(-1, 1, (2,)), "b": spaces.Dict({"c": spaces.Discrete(3)})})


@pytest.mark.parametrize(
    ("space", "observation"),
    [
        (spaces.Box(-1, 1, (2, 3)), np.full((2, 3), 7.0)),
        (spaces.Discrete(3), np.int64(1)),
        (NESTED, {"a": np.zeros(2), "b": {"c": 1}}),
        (PAIR, (np.full(2, 7.0), 1)),
        (PAIR, [np.zeros(2), np.int64(0)]),
    ],
)
def test_observations_of_the_right_shape_pass_whatever_their_values(space, observation):
    check_shape(space, observation)


@pytest.mark.parametrize(
    ("space", "observation", "message"),
    [
        (spaces.Box(-1, 1, (2,)), np.zeros(3), r"got shape \(3,\); the space's is \(2,\)"),
        (spaces.Box(-1, 1, (2,)), np.zeros((1, 2)), r"got shape \(1, 2\)"),
        (spaces.Discrete(3), np.zeros(1), r"got shape \(1,\); the space's is \(\)"),
        (NESTED, {"a": np.zeros(3), "b": {"c": 1}}, r"got shape \(3,\)"),
        (NESTED, {"a": np.zeros(2)}, r"got \['a'\]; the space has \['a', 'b'\]"),
        (NESTED, np.zeros(2), "got <class 'numpy.ndarray'>; the space has"),
        (PAIR, (np.zeros(3), 1), r"got shape \(3,\); the space's is \(2,\)"),
        (PAIR, (np.zeros(2),), "got 1 parts; the space has 2"),
        (PAIR, {"a": np.zeros(2)}, "got <class 'dict'>; the space has 2"),
        (PAIR, np.array(3.0), "got <class 'numpy.ndarray'>; the space has 2"),
        (PAIR, ([1, [2, 3]], 1), r".*inhomogeneous.*; the space's is \(2,\)"),
    ],
)
def test_observations_of_another_shape_are_told(space, observation, message):
    with pytest.raises(ConfigError, match=f"observation: {message}"):
        check_shape(space, observation)
