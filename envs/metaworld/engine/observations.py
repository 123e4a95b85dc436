"""Meta-World's observation: two frames of hand, gripper and objects, and the goal.

Index table: 0-2 hand position (m), 3 gripper opening (0 to 1), 4-6 and 7-10 position (m) and
quaternion of the first object, 11-17 the same of the second (or zeros), 18-35 the previous
frame, 36-38 the goal (m), or zeros when it is hidden.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .rewards.primitives import norm
from .sources import HAND, LEFT_CLAW, RIGHT_CLAW, BoolArray, FloatArray, Readings, Source
from .spec import ObservedObject

FRAME = 18
SIZE = 39
_HAND_LOW = np.array([-0.525, 0.348, -0.0525, -1.0])
_HAND_HIGH = np.array([0.525, 1.025, 0.7, 1.0])


def frame(objects: Sequence[ObservedObject], readings: Readings) -> FloatArray:
    """The present frame, not clipped: ``[n, 18]``."""
    hand = readings[HAND]
    result = np.zeros((len(hand), FRAME))
    result[:, :3] = hand
    opening = norm(readings[RIGHT_CLAW] - readings[LEFT_CLAW])
    result[:, 3] = np.clip(opening / 0.1, 0.0, 1.0)
    for start, item in zip((4, 11), objects, strict=False):
        result[:, start : start + 3] = _position(item, readings)
        result[:, start + 3 : start + 7] = _orientation(item, readings)
    return result


def stack(
    current: FloatArray,
    previous: FloatArray,
    goal: FloatArray,
    goal_bounds: FloatArray,
    goal_observable: BoolArray,
) -> FloatArray:
    """The observation that a step returns and its reward is computed from.

    Hand and goal are clipped to Meta-World's observation space; a reset's observation is not,
    and what is kept as the previous frame isn't either.

    Args:
        current: ``[n, 18]``.
        previous: ``[n, 18]``.
        goal: ``[n, 3]``.
        goal_bounds: ``[2, 3]`` least and greatest goal of the class.
        goal_observable: ``[n]`` False where the goal is to be zeros.

    Returns:
        ``[n, 39]``.
    """
    obs = np.empty((len(current), SIZE))
    obs[:, :FRAME] = current
    obs[:, FRAME : 2 * FRAME] = previous
    for start in (0, FRAME):
        hand = obs[:, start : start + 4]
        np.clip(hand, _HAND_LOW, _HAND_HIGH, out=hand)
    clipped = np.clip(goal, goal_bounds[0], goal_bounds[1])
    obs[:, 2 * FRAME :] = np.where(goal_observable[:, None], clipped, 0.0)
    return obs


def _position(item: ObservedObject, readings: Readings) -> FloatArray:
    source = item.position
    position = readings[source] if isinstance(source, Source) else source(readings)
    return position if item.offset is None else position + np.array(item.offset)


def _orientation(item: ObservedObject, readings: Readings) -> FloatArray:
    source = item.orientation
    if not isinstance(source, Source):
        return np.array(source)
    if source.is_rotation_matrix:
        return quaternion(readings[source])
    return readings[source]


def quaternion(matrices: FloatArray) -> FloatArray:
    """Rotation matrices as unit quaternions, x first: ``[n, 9] -> [n, 4]``.

    Shepperd's method, choosing the largest of the three diagonal entries and the trace, with
    the operations in scipy's order, so that the bits are those of
    ``Rotation.from_matrix(m).as_quat()`` for matrices that are orthogonal already.
    """
    m = matrices.reshape(-1, 3, 3)
    diagonal = m[:, (0, 1, 2), (0, 1, 2)]
    trace = diagonal[:, 0] + diagonal[:, 1] + diagonal[:, 2]
    choice = np.argmax(np.column_stack((diagonal, trace)), axis=1)
    result = np.empty((len(m), 4))
    for i in range(3):
        rows = np.flatnonzero(choice == i)
        if not rows.size:
            continue
        j, k = (i + 1) % 3, (i + 2) % 3
        r = m[rows]
        result[rows, i] = 1 - trace[rows] + 2 * r[:, i, i]
        result[rows, j] = r[:, j, i] + r[:, i, j]
        result[rows, k] = r[:, k, i] + r[:, i, k]
        result[rows, 3] = r[:, k, j] - r[:, j, k]
    rows = np.flatnonzero(choice == 3)
    if rows.size:
        r = m[rows]
        result[rows, 0] = r[:, 2, 1] - r[:, 1, 2]
        result[rows, 1] = r[:, 0, 2] - r[:, 2, 0]
        result[rows, 2] = r[:, 1, 0] - r[:, 0, 1]
        result[rows, 3] = 1 + trace[rows]
    return result / _scipy_norm(result)[:, None]


def _scipy_norm(q: FloatArray) -> FloatArray:
    """Length of each quaternion, summed from left to right as scipy's compiled code does."""
    total = q[:, 0] * q[:, 0] + q[:, 1] * q[:, 1] + q[:, 2] * q[:, 2] + q[:, 3] * q[:, 3]
    length: FloatArray = np.sqrt(total)
    return length
