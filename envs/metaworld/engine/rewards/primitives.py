"""The pieces that Meta-World's rewards are made of, over rows and bit for bit.

Every function here gives, row by row, the float64 bits of its scalar counterpart in
``metaworld.utils.reward_utils`` or ``SawyerXYZEnv``. Two points decide that:

* ``x ** 2`` on a scalar is the C library's ``pow``; ``np.float_power(x, 2)`` calls the same
  function for each element, while ``x * x`` and ``array ** 2`` differ in the last bit now and then.
* ``np.linalg.norm`` of a vector is the root of a BLAS dot product; so is ``np.vecdot``'s row.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from metarl.envs.metaworld.engine.narrowed import Scalars, narrowed, select
from metarl.envs.metaworld.engine.sources import BoolArray, FloatArray
from metarl.envs.metaworld.engine.spec import Rows

__all__ = [
    "above_floor",
    "caging",
    "gripper_closing",
    "hamacher_product",
    "log_floor",
    "norm",
    "once",
    "raised",
    "rect_prism_tolerance",
    "select",
    "square",
    "tolerance",
]

Sigmoid = Literal["gaussian", "long_tail"]
"""The sigmoids that the v2 rewards use."""

_VALUE_AT_MARGIN = 0.1
_GAUSSIAN_SCALE = np.sqrt(-2 * np.log(_VALUE_AT_MARGIN))
_LONG_TAIL_SCALE = np.sqrt(1 / _VALUE_AT_MARGIN - 1)
_LEAST_MARGIN = 1e-300


def norm(vectors: FloatArray) -> FloatArray:
    """Euclidean length of each row: ``[n, k] -> [n]``."""
    length: FloatArray = np.sqrt(np.vecdot(vectors, vectors))
    return length


def square(values: FloatArray) -> FloatArray:
    """``values ** 2`` as scalar arithmetic rounds it."""
    return np.float_power(values, 2)


def tolerance(
    x: FloatArray,
    bounds: tuple[float | FloatArray, float | FloatArray] = (0.0, 0.0),
    margin: float | FloatArray = 0.0,
    sigmoid: Sigmoid = "long_tail",
) -> FloatArray:
    """1 where ``x`` lies within ``bounds``, falling to 0.1 at a distance of ``margin``.

    With d the distance to the nearest bound over ``margin``, ``long_tail`` is
    ``1 / ((3 d)^2 + 1)`` and ``gaussian`` is ``exp(-(s d)^2 / 2)``, s^2 = -2 ln 0.1. Where
    ``margin`` is 0, so is the value out of bounds.

    Args:
        x: Distances, ``[n]`` or any other shape.
        bounds: Lower and upper, numbers or of ``x``'s shape.
        margin: A number or of ``x``'s shape, not negative.
        sigmoid: Shape of the fall.

    Returns:
        Values in [0, 1], of ``x``'s shape.
    """
    lower, upper = bounds
    # Inside the bounds the distance is cut to 0, which both sigmoids map to exactly 1. A margin of
    # 0 becomes one so small that any distance is squared to infinity, which they map to exactly 0.
    d = np.maximum(np.maximum(lower - x, x - upper), 0.0)
    with np.errstate(over="ignore"):
        d = d / np.maximum(margin, _LEAST_MARGIN)
        if sigmoid == "gaussian":
            value: FloatArray = np.exp(-0.5 * square(d * _GAUSSIAN_SCALE))
        else:
            value = 1 / (square(d * _LONG_TAIL_SCALE) + 1)
    return value


def hamacher_product(a: Scalars, b: Scalars) -> Any:
    """The t-norm ``a b / (a + b - a b)`` of two values in [0, 1]; 0 where both are 0."""
    product = a * b
    denominator = a + b - product
    return product / select(np.asarray(denominator > 0), denominator, 1.0)


def gripper_closing(effort: npt.NDArray[np.floating[Any]], desired: float = 1.0) -> Any:
    """The gripper effort of an action, cut to [0, ``desired``], as a share of ``desired``.

    Args:
        effort: ``[n]`` float64 or float32. Float32 gives rows in single precision, save where
            the cut replaces the action by a Python number.
        desired: Effort that counts as closing fully.
    """
    if effort.dtype != np.float32:
        return np.minimum(np.maximum(0.0, effort), desired) / desired
    limit = np.float32(desired)
    kept = (effort > 0) & (effort <= limit)
    share = np.where(effort > 0, 1.0, 0.0)
    share[kept] = effort[kept] / limit
    return narrowed(share, kept)


def caging(
    rows: Rows,
    obj: FloatArray,
    *,
    obj_radius: float,
    pad_success_thresh: float,
    object_reach_radius: float,
    xz_thresh: float,
    desired_gripper_effort: float = 1.0,
    density: Literal["plain", "medium", "high"] = "plain",
    obj_init_pos: FloatArray | None = None,
) -> Any:
    """Reward for having the object between the pads and closing them on it.

    ``SawyerXYZEnv._gripper_caging_reward``: the pads' distances to the object along y, each
    against its distance to the object's *initial* position; the fingertips' distance in the x-z
    plane; and, once both are nearly perfect (> 0.97), the gripper's effort.

    Args:
        rows: The worlds.
        obj: ``[n, 3]`` present position of the object.
        obj_radius: Radius of its bounding sphere (m).
        pad_success_thresh: Distance of a pad to the object that counts as success (m).
        object_reach_radius: Distance of the fingertips that counts as reached (m, medium only).
        xz_thresh: The same in the x-z plane (m).
        desired_gripper_effort: Effort that counts as closing fully.
        density: ``high`` averages with the caging term, ``medium`` with a reaching term.
        obj_init_pos: ``[n, 3]``, by default the captured one.

    Returns:
        ``[n]`` in [0, 1], single precision in rows where a float32 action entered.
    """
    init = rows.obj_init_pos if obj_init_pos is None else obj_init_pos

    pads = np.stack((rows.left_pad[:, 1], rows.right_pad[:, 1]))
    left, right = tolerance(
        np.abs(pads - obj[:, 1]),
        bounds=(obj_radius, pad_success_thresh),
        margin=np.abs(np.abs(pads - init[:, 1]) - pad_success_thresh),
    )
    caging_y = hamacher_product(left, right)
    tcp = rows.tcp
    caging_xz = tolerance(
        norm(tcp[:, ::2] - obj[:, ::2]),
        bounds=(0, xz_thresh),
        margin=norm(init[:, ::2] - rows.init_tcp[:, ::2]) - xz_thresh,
    )
    caged = hamacher_product(caging_y, caging_xz)
    held = caged > 0.97
    result = np.zeros(len(caged))
    if held.any():
        closing = gripper_closing(rows.effort, desired_gripper_effort)
        result = hamacher_product(caged, select(held, closing, 0.0))
    if density == "high":
        result = (result + caged) / 2
    elif density == "medium":
        reach = tolerance(
            norm(obj - tcp),
            bounds=(0, object_reach_radius),
            margin=np.abs(norm(init - rows.init_tcp) - object_reach_radius),
        )
        result = (result + reach) / 2
    return result


def rect_prism_tolerance(current: FloatArray, zero: FloatArray, one: FloatArray) -> FloatArray:
    """Product of the per-axis progress from ``zero`` to ``one`` inside that box, 1 outside it.

    Args:
        current: ``[n, 3]`` points.
        zero: ``[n, 3]`` corner where the value is 0.
        one: ``[n, 3]`` opposite corner, where it is 1.
    """
    inside = (np.minimum(zero, one) <= current) & (current <= np.maximum(zero, one))
    in_prism = np.logical_and.reduce(inside, axis=1)
    extent = one - zero
    scale = (current - zero) / np.where(extent == 0, 1.0, extent)
    return np.where(in_prism, scale[:, 0] * scale[:, 1] * scale[:, 2], 1.0)


def raised(rows: Rows, clearance: float) -> BoolArray:
    """Whether the first object is more than ``clearance`` (m) above its initial position."""
    above: BoolArray = rows.obj[:, 2] - clearance > rows.obj_init_pos[:, 2]
    return above


def log_floor(
    radius: FloatArray, threshold: float | FloatArray, steepness: float, height: float
) -> FloatArray:
    """The height to keep above at a horizontal distance from something to be met from above.

    A funnel: 0 within ``threshold`` of the axis, then rising steeply, then levelling off.

    Args:
        radius: ``[n]`` horizontal distance from the funnel's axis (m).
        threshold: Radius of the hole in the middle (m).
        steepness: Factor of the logarithm.
        height: Height of the floor 1 m outside the hole (m).
    """
    outside = radius > threshold
    distance = np.where(outside, radius - threshold, 1.0)
    return np.where(outside, steepness * np.log(distance) + height, 0.0)


def above_floor(height: FloatArray, floor: FloatArray, margin: float | FloatArray) -> FloatArray:
    """1 for a height at or above ``floor``, falling off below it."""
    below = tolerance(floor - height, bounds=(0.0, 0.01), margin=margin)
    return np.where(height >= floor, 1.0, below)


def once(memory: FloatArray, values: FloatArray) -> FloatArray:
    """Keeps the episode's first values: writes ``values`` where ``memory`` is still NaN.

    Returns:
        ``memory``, filled.
    """
    np.copyto(memory, values, where=np.isnan(memory))
    return memory
