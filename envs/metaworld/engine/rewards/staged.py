"""Family G: rewards put together from stages and from helpers for orientation and height.

Their info differs from the other families': ``near_object`` is one of the reward's factors,
``grasp_success`` says whether the grasp reward is at least a half, and ``obj_to_target`` is 0.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from metarl.envs.metaworld.engine.sources import (
    BoolArray,
    FloatArray,
    body_pos,
    body_quat,
    geom_mat,
    geom_pos,
    joint_pos,
    site_pos,
)
from metarl.envs.metaworld.engine.spec import ObservedObject, Outcome, Rows, TaskSpec, Values

from .primitives import (
    above_floor,
    caging,
    hamacher_product,
    log_floor,
    norm,
    select,
    tolerance,
)

_NUT = site_pos("RoundNut")
_NAIL = joint_pos("NailSlideJoint")
_DOOR_HINGE = joint_pos("doorjoint")
_UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])
_QUARTER_TURN = np.array([0.707, 0.0, 0.0, 0.707])
_HEIGHT_SCALE = np.array([1.0, 1.0, 3.0])


def _outcome(
    reward: Values, success: BoolArray, grab: Values, ready: FloatArray, in_place: FloatArray
) -> Outcome:
    """What the tasks of this family report alike."""
    return Outcome(
        reward=reward,
        success=success,
        near_object=ready,
        grasp_success=grab >= 0.5,
        grasp_reward=grab,
        in_place_reward=in_place,
        obj_to_target=0.0,
    )


def _orientation(rows: Rows, ideal: FloatArray, margin: float) -> FloatArray:
    """1 at the ideal quaternion, falling linearly to 0 at a distance of ``margin``.

    A quaternion's negative, though the same orientation, counts as far away.
    """
    return np.maximum(1.0 - norm(rows.obs[:, 7:11] - ideal) / margin, 0.0)


def _handle_caging(rows: Rows, handle_length: float, density: Literal["medium", "high"]) -> Values:
    """Caging of a long handle: anywhere along it is as good as its centre.

    Args:
        rows: The worlds.
        handle_length: Length of the handle along x (m).
        density: See :func:`.primitives.caging`.
    """
    grip = rows.obj.copy()
    hand_x = rows.hand[:, 0]
    grip[:, 0] = np.where(abs(grip[:, 0] - hand_x) < handle_length / 2.0, hand_x, grip[:, 0])
    grasped: Values = caging(
        rows,
        grip,
        object_reach_radius=0.01,
        obj_radius=0.015,
        pad_success_thresh=0.02,
        xz_thresh=0.01,
        density=density,
    )
    return grasped


def _closing(rows: Rows) -> FloatArray:
    """Gripper effort as a share, -1 open to 1 closed; only its rounding shows the precision."""
    effort: FloatArray = ((np.clip(rows.effort, -1, 1) + 1.0) / 2.0).astype(np.float64)
    return effort


def _assembly(rows: Rows) -> Outcome:
    """Put a wrench's ring over a peg."""
    upright = _orientation(rows, _QUARTER_TURN, 0.4)
    grab = _handle_caging(rows, 0.02, "medium")
    ring = rows.read(_NUT)
    error = rows.target - ring
    radius = norm(error[:, :2])
    success = (radius < 0.02) & (error[:, 2] > 0.0)
    threshold = np.where(success, 0.02, 0.01)
    # Height is measured against a funnel around the peg, which a hooked ring may enter.
    error[:, 2] = log_floor(radius, threshold, steepness=0.02, height=0.2) - ring[:, 2]
    lifted = (ring[:, 2] > 0.02) | (radius < threshold)
    in_place = 0.1 * lifted + 0.9 * tolerance(
        norm(error * _HEIGHT_SCALE), bounds=(0, 0.02), margin=0.4
    )
    reward = (2.0 * grab + 6.0 * in_place) * upright
    reward = select(success, 10.0, reward)
    return _outcome(reward, success, grab, upright, in_place)


def _disassemble(rows: Rows) -> Outcome:
    """Lift a wrench's ring off a peg; success is the height of the observed end."""
    upright = _orientation(rows, _QUARTER_TURN, 0.4)
    grab = _handle_caging(rows, 0.02, "high")
    ring = rows.read(_NUT)
    error = rows.target + np.array([0.0, 0.0, 0.1]) - ring
    in_place = 0.1 * (ring[:, 2] > 0.02) + 0.9 * tolerance(
        norm(error), bounds=(0, 0.02), margin=0.2
    )
    reward = (2.0 * grab + 6.0 * in_place) * upright
    success = rows.obj[:, 2] > rows.target[:, 2]
    reward = select(success, 10.0, reward)
    return _outcome(reward, success, grab, upright, in_place)


def _hammer(rows: Rows) -> Outcome:
    """Drive a nail in with a hammer.

    Success is the nail's depth alone; the full reward also asks that the hammer be in use.
    """
    upright = _orientation(rows, _UPRIGHT, 0.4)
    grab = _handle_caging(rows, 0.14, "high")
    head = rows.obj + np.array([0.16, 0.06, 0.0])
    in_place = 0.1 * (head[:, 2] > 0.02) + 0.9 * tolerance(
        norm(rows.target - head), bounds=(0, 0.02), margin=0.2
    )
    reward = (2.0 * grab + 6.0 * in_place) * upright
    success = rows.read(_NAIL) > 0.09
    reward = select(success & (reward > 5.0), 10.0, reward)
    return _outcome(reward, success, grab, upright, in_place)


def _box_close(rows: Rows) -> Outcome:
    """Put a lid on a box, coming from above.

    The orientation scales the reward of success too.
    """
    hand, lid = rows.hand, rows.obj + np.array([0.0, 0.0, 0.02])
    grab = _closing(rows)
    floor = log_floor(norm(hand[:, :2] - lid[:, :2]), 0.02, steepness=0.04, height=0.4)
    ready = hamacher_product(
        above_floor(hand[:, 2], floor, margin=floor / 2.0),
        tolerance(norm(hand - lid), bounds=(0, 0.02), margin=0.5),
    )
    error = rows.target - lid
    lifted = 0.2 * (lid[:, 2] > 0.04) + 0.8 * tolerance(
        norm(error * _HEIGHT_SCALE), bounds=(0, 0.05), margin=0.25
    )
    reward = 2.0 * hamacher_product(grab, ready) + 8.0 * lifted
    success = norm(rows.obj - rows.target) < 0.08
    reward = np.where(success, 10.0, reward) * _orientation(rows, _QUARTER_TURN, 0.2)
    return _outcome(reward, success, grab, ready, lifted)


def _door_open(rows: Rows) -> Outcome:
    """Pull a door open by its handle; only the handle's x decides on success."""
    hand, door = rows.hand, rows.obj + np.array([-0.05, 0.0, 0.0])
    angle = rows.read(_DOOR_HINGE)
    grab = _closing(rows)
    floor = log_floor(norm(hand[:, :2] - door[:, :2]), 0.12, steepness=0.04, height=0.4)
    ready = hamacher_product(
        above_floor(hand[:, 2], floor, margin=floor / 2.0),
        tolerance(norm(hand - door - np.array([0.05, 0.03, -0.01])), bounds=(0, 0.06), margin=0.5),
    )
    opened = 0.2 * (angle < -np.pi / 90.0) + 0.8 * tolerance(
        np.pi / 2.0 + np.pi / 6 + angle, bounds=(0, 0.5), margin=np.pi / 3.0
    )
    reward = 2.0 * hamacher_product(ready, grab) + 8.0 * opened
    success = abs(rows.obj[:, 0] - rows.target[:, 0]) <= 0.08
    reward = np.where(success, 10.0, reward)
    return _outcome(reward, success, grab, ready, opened)


_WRENCH = (ObservedObject(site_pos("RoundNut-8"), body_quat("RoundNut")),)

STAGED = (
    TaskSpec("assembly-v3", _WRENCH, _assembly, reads=(_NUT,)),
    TaskSpec("disassemble-v3", _WRENCH, _disassemble, reads=(_NUT,)),
    TaskSpec(
        "hammer-v3",
        (
            ObservedObject(body_pos("hammer"), body_quat("hammer")),
            ObservedObject(body_pos("nail_link"), body_quat("nail_link")),
        ),
        _hammer,
        reads=(_NAIL,),
    ),
    TaskSpec(
        "box-close-v3",
        (ObservedObject(body_pos("top_link"), body_quat("top_link")),),
        _box_close,
    ),
    TaskSpec(
        "door-open-v3",
        (ObservedObject(geom_pos("handle"), geom_mat("handle")),),
        _door_open,
        reads=(_DOOR_HINGE,),
    ),
)
