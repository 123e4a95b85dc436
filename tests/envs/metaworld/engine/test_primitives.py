"""Row by row, the vectorised primitives give the bits of Meta-World's scalar functions."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from metaworld.utils import reward_utils
from scipy.spatial.transform import Rotation

from metarl.envs.metaworld.engine.narrowed import Narrowed, narrowed, select
from metarl.envs.metaworld.engine.observations import quaternion
from metarl.envs.metaworld.engine.rewards import primitives

NUM_ROWS = 2000


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("sigmoid", ["gaussian", "long_tail"])
def test_tolerance(rng: np.random.Generator, sigmoid: Literal["gaussian", "long_tail"]) -> None:
    x = rng.uniform(-0.1, 0.5, NUM_ROWS)
    x[:4] = (0.0, 0.05, 0.02, 0.3)
    margin = rng.uniform(0, 0.4, NUM_ROWS)
    margin[:100] = 0.0
    expected = [
        reward_utils.tolerance(float(xi), (0.02, 0.05), float(mi), sigmoid)
        for xi, mi in zip(x, margin, strict=True)
    ]
    assert np.array_equal(primitives.tolerance(x, (0.02, 0.05), margin, sigmoid), expected)


def test_hamacher_product(rng: np.random.Generator) -> None:
    a, b = rng.random((2, NUM_ROWS))
    a[:10], b[5:15] = 0.0, 0.0
    expected = [
        reward_utils.hamacher_product(ai, bi) for ai, bi in zip(a.tolist(), b.tolist(), strict=True)
    ]
    assert np.array_equal(primitives.hamacher_product(a, b), expected)


def test_norm_square_and_prism(rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(NUM_ROWS, 3))
    assert np.array_equal(primitives.norm(vectors), [np.linalg.norm(v) for v in vectors])
    assert np.array_equal(
        primitives.norm(vectors[:, ::2]), [np.linalg.norm(v[[0, 2]]) for v in vectors]
    )
    assert np.array_equal(primitives.square(vectors[:, 0]), [x**2 for x in vectors[:, 0]])
    one = np.sign(rng.normal(size=(NUM_ROWS, 3)))
    zero = -one
    assert np.array_equal(
        primitives.rect_prism_tolerance(vectors, zero, one),
        [reward_utils.rect_prism_tolerance(*row) for row in zip(vectors, zero, one, strict=True)],
    )


def test_quaternion_has_scipys_bits(rng: np.random.Generator) -> None:
    rotations = Rotation.random(NUM_ROWS, rng=rng)
    matrices = rotations.as_matrix()
    expected = Rotation.from_matrix(matrices).as_quat()
    assert np.array_equal(quaternion(matrices.reshape(-1, 9)), expected)


@pytest.mark.parametrize("desired", [1.0, 0.7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float32_actions_round_as_scalars_do(
    rng: np.random.Generator, desired: float, dtype: type[np.floating]
) -> None:
    """The end of the caging term, then a typical reward."""
    caged = rng.uniform(0.9, 1.0, NUM_ROWS)
    in_place = rng.random(NUM_ROWS)
    effort = rng.uniform(-0.5, 1.5, NUM_ROWS).astype(dtype)
    effort[:2] = (1.0, desired)

    expected = []
    for c, p, e in zip(caged.tolist(), in_place.tolist(), effort, strict=True):
        closed = min(max(0, e), desired) / desired
        grip = reward_utils.hamacher_product(c, closed if c > 0.97 else 0.0)
        reward = 2 * ((grip + c) / 2)
        if c > 0.95:
            reward += 1.0 + reward + 5.0 * p
        expected.append(10.0 if p > 0.9 else reward)

    closing = primitives.gripper_closing(effort, desired)
    grip = primitives.hamacher_product(caged, select(caged > 0.97, closing, 0.0))
    reward = 2 * ((grip + caged) / 2)
    reward = select(caged > 0.95, reward + (1.0 + reward + 5.0 * in_place), reward)
    reward = select(in_place > 0.9, 10.0, reward)

    assert isinstance(reward, Narrowed) == (dtype == np.float32)
    assert np.array_equal(np.asarray(reward), np.array(expected, dtype=np.float64))


def test_narrowed_operands_of_different_rows_meet() -> None:
    a = narrowed(np.array([0.1, np.float32(0.1), 0.1]), np.array([False, True, False]))
    b = narrowed(np.array([0.2, 0.2, np.float32(0.2)]), np.array([False, False, True]))
    expected = [0.1 + 0.2, np.float32(0.1) + 0.2, 0.1 + np.float32(0.2)]
    assert np.array_equal(np.asarray(a + b), np.array(expected, dtype=np.float64))
    assert ((a + b) > 0.3).tolist() == [bool(x > 0.3) for x in expected]


def test_narrowed_refuses_what_it_cannot_round() -> None:
    a = narrowed(np.array([0.5]), np.array([True]))
    with pytest.raises(TypeError):
        np.float_power(a, 2)
