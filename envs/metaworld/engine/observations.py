"""Meta-World's observation: two frames of hand, gripper and objects, and the goal.

Index table: 0-2 hand position (m), 3 gripper opening (0 to 1), 4-6 and 7-10 position (m) and
quaternion of the first object, 11-17 the same of the second (or zeros), 18-35 the previous
frame, 36-38 the goal (m), or zeros when it is hidden.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .rewards.primitives import norm
from .sources import HAND, LEFT_CLAW, RIGHT_CLAW, FloatArray, Readings, Source
from .spec import ObservedObject

FRAME = 18
SIZE = 39
# Meta-World's bounds of hand and gripper, once per frame. Objects are not bounded, and the goal
# comes within its own.
_FRAME_LOW = np.r_[-0.525, 0.348, -0.0525, -1.0, np.full(14, -np.inf)]
_FRAME_HIGH = np.r_[0.525, 1.025, 0.7, 1.0, np.full(14, np.inf)]
_LOW = np.r_[_FRAME_LOW, _FRAME_LOW, np.full(3, -np.inf)]
_HIGH = np.r_[_FRAME_HIGH, _FRAME_HIGH, np.full(3, np.inf)]


def frame(objects: Sequence[ObservedObject], readings: Readings) -> FloatArray:
    """The present frame, not clipped: ``[n, 18]``."""
    hand = readings[HAND]
    result = np.zeros((len(hand), FRAME))
    result[:, :3] = hand
    opening = norm(readings[RIGHT_CLAW] - readings[LEFT_CLAW])
    result[:, 3] = np.minimum(opening / 0.1, 1.0)
    for start, item in zip((4, 11), objects, strict=False):
        result[:, start : start + 3] = _position(item, readings)
        result[:, start + 3 : start + 7] = _orientation(item, readings)
    return result


def stack(current: FloatArray, previous: FloatArray, goal: FloatArray) -> FloatArray:
    """The observation that a step returns and its reward is computed from.

    It is clipped to Meta-World's observation space; a reset's observation is not, and what is
    kept as the previous frame isn't either.

    Args:
        current: ``[n, 18]``.
        previous: ``[n, 18]``.
        goal: ``[n, 3]`` as it is shown: within its bounds, or zeros where it is hidden.

    Returns:
        ``[n, 39]``.
    """
    obs: FloatArray = np.concatenate((current, previous, goal), axis=1)
    np.maximum(obs, _LOW, out=obs)
    np.minimum(obs, _HIGH, out=obs)
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
    decision = np.empty((len(m), 4))
    decision[:, :3] = matrices[:, ::4]
    decision[:, 3] = trace = matrices[:, 0] + matrices[:, 4] + matrices[:, 8]
    choice = decision.argmax(axis=1)
    first = choice[0]
    if (choice == first).all():
        result = _by_largest(int(first), m, trace)
    else:
        result = np.empty((len(m), 4))
        for case in set(choice.tolist()):
            rows = np.flatnonzero(choice == case)
            result[rows] = _by_largest(case, m[rows], trace[rows])
    squares = result * result
    total = squares[:, 0] + squares[:, 1] + squares[:, 2] + squares[:, 3]
    return result / np.sqrt(total)[:, None]


def _by_largest(case: int, m: FloatArray, trace: FloatArray) -> FloatArray:
    """Quaternions up to length: ``case`` is the largest diagonal entry, or 3 for the trace."""
    q = np.empty((len(m), 4))
    if case == 3:
        q[:, 0] = m[:, 2, 1] - m[:, 1, 2]
        q[:, 1] = m[:, 0, 2] - m[:, 2, 0]
        q[:, 2] = m[:, 1, 0] - m[:, 0, 1]
        q[:, 3] = 1 + trace
        return q
    i, j, k = case, (case + 1) % 3, (case + 2) % 3
    q[:, i] = 1 - trace + 2 * m[:, i, i]
    q[:, j] = m[:, j, i] + m[:, i, j]
    q[:, k] = m[:, k, i] + m[:, i, k]
    q[:, 3] = m[:, k, j] - m[:, j, k]
    return q
