"""Families E and F, with something in hand: pegs to plug in and out, sticks to push and pull with.

The object that is caged isn't the one that must arrive, or its grasp point isn't its head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.envs.metaworld.engine.sources import (
    BoolArray,
    FloatArray,
    body_mat,
    body_pos,
    body_quat,
    site_mat,
    site_pos,
)
from metarl.envs.metaworld.engine.spec import (
    GraspContact,
    ObservedObject,
    Outcome,
    Rows,
    TaskSpec,
)

from .primitives import (
    caging,
    hamacher_product,
    norm,
    raised,
    rect_prism_tolerance,
    select,
    tolerance,
)

_PEG_HEAD = site_pos("pegHead")
_COLLISION_BOXES = tuple(
    (
        site_pos(f"bottom_right_corner_collision_box_{i}"),
        site_pos(f"top_left_corner_collision_box_{i}"),
    )
    for i in (1, 2)
)
_STICK_END = site_pos("stick_end")
_PEG_SCALE = np.array([1.0, 2.0, 2.0])
_STICK_SCALE = np.array([1.0, 1.0, 2.0])


def _peg_insert_side(rows: Rows) -> Outcome:
    """Plug a peg, held at its middle, into the side of a box.

    The head's way is fenced by two prisms below and beside the hole, inside which ``in_place``
    falls. There it is an ``np.float64``, so the reward is in double precision even for a float32
    action. A held peg counts as caged; ``grasp_success`` wants the fingertips nearer than that.
    """
    tcp_to_obj = norm(rows.obj - rows.tcp)
    head = rows.read(_PEG_HEAD)
    obj_to_target = norm((head - rows.target) * _PEG_SCALE)
    in_place = tolerance(
        obj_to_target,
        bounds=(0, 0.07),
        margin=norm((rows.constant("peg_head_init_pos") - rows.target) * _PEG_SCALE),
    )
    box_1, box_2 = (
        rect_prism_tolerance(head, zero=rows.read(bottom_right), one=rows.read(top_left))
        for bottom_right, top_left in _COLLISION_BOXES
    )
    in_place = hamacher_product(in_place, hamacher_product(box_2, box_1))
    grasped = caging(
        rows,
        rows.obj,
        object_reach_radius=0.01,
        obj_radius=0.0075,
        pad_success_thresh=0.03,
        xz_thresh=0.005,
        density="high",
    )
    lifted = (rows.opening > 0) & raised(rows, 0.01)
    held = (tcp_to_obj < 0.08) & lifted
    grasped = select(held, 1.0, grasped)
    fenced = (box_1 < 1.0) | (box_2 < 1.0)
    reward = hamacher_product(select(fenced, np.asarray(grasped), grasped), in_place)
    reward = select(held, reward + (1.0 + 5 * in_place), reward)
    reward = select(obj_to_target <= 0.07, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.07,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=(tcp_to_obj < 0.02) & lifted,
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _peg_unplug_side(rows: Rows) -> Outcome:
    """Pull a peg out of the side of a box; it is grasped once it has moved a little along x."""
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = norm(rows.obj - rows.target)
    in_place = tolerance(
        obj_to_target, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - rows.target)
    )
    grasped = caging(
        rows,
        rows.obj,
        object_reach_radius=0.01,
        obj_radius=0.025,
        pad_success_thresh=0.05,
        xz_thresh=0.005,
        desired_gripper_effort=0.8,
        density="high",
    )
    pulled = rows.obj[:, 0] - rows.obj_init_pos[:, 0] > 0.015
    grasp_success = (rows.opening > 0.5) & pulled
    reward = 2 * grasped
    held = grasp_success & (tcp_to_obj < 0.035)
    reward = select(held, 1 + reward + 5 * in_place, reward)
    reward = select(obj_to_target <= 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.07,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=grasp_success,
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _stick_pull(rows: Rows) -> Outcome:
    """Put a stick through a container's handle and pull the container to a target.

    ``grasp_success`` compares the stick's height with the initial height of the *container*.
    """
    stick, target = rows.obj, rows.target
    handle = rows.obs[:, 11:14]
    stick_init_pos = rows.constant("stick_init_pos")
    to_container = np.array([0.05, 0.0, 0.0])
    container = handle + to_container
    container_init_pos = rows.obj_init_pos + to_container
    tcp_to_stick = norm(stick - rows.tcp)
    handle_to_target = norm(handle - target)

    stick_in_place = tolerance(
        norm((stick - container) * _STICK_SCALE),
        bounds=(0, 0.05),
        margin=norm((stick_init_pos - container_init_pos) * _STICK_SCALE),
    )
    stick_at_target = tolerance(
        norm(stick - target), bounds=(0, 0.05), margin=norm(stick_init_pos - target)
    )
    container_in_place = tolerance(
        norm(container - target), bounds=(0, 0.05), margin=norm(rows.obj_init_pos - target)
    )
    grasped = caging(
        rows,
        stick,
        object_reach_radius=0.01,
        obj_radius=0.014,
        pad_success_thresh=0.05,
        xz_thresh=0.01,
        density="high",
    )
    held = (tcp_to_stick < 0.02) & (rows.opening > 0) & _above(stick, stick_init_pos, 0.01)
    grasped = select(held, 1.0, grasped)
    inserted = _inserted(handle, rows.read(_STICK_END))
    reward = hamacher_product(grasped, stick_in_place)
    holding = select(
        inserted,
        1.0 + reward + 5.0 + 2.0 * stick_at_target + 1.0 * container_in_place,
        1.0 + reward + 5.0 * stick_in_place,
    )
    arrived = inserted & (handle_to_target <= 0.12)
    reward = select(held, select(arrived, 10.0, holding), reward)
    return Outcome(
        reward=reward,
        success=arrived,
        near_object=tcp_to_stick <= 0.03,
        grasp_success=rows.touching & (rows.opening > 0) & raised(rows, 0.02),
        grasp_reward=grasped,
        in_place_reward=stick_in_place,
        obj_to_target=handle_to_target,
    )


def _stick_push(rows: Rows) -> Outcome:
    """Push a container to a target with the end of a stick.

    The caging term is the base one, about the stick's initial position. Success asks for a
    grasp, and so for contact forces, which no other task does.
    """
    stick = rows.obj + np.array([0.015, 0.0, 0.0])
    container, target = rows.obs[:, 11:14], rows.target
    stick_init_pos = rows.constant("stick_init_pos")
    tcp_to_stick = norm(stick - rows.tcp)
    container_to_target = norm(container - target)
    stick_in_place = tolerance(
        norm(stick - target), bounds=(0, 0.12), margin=norm(stick_init_pos - target) - 0.12
    )
    container_in_place = tolerance(
        container_to_target, bounds=(0, 0.12), margin=norm(rows.obj_init_pos - target) - 0.12
    )
    grasped = caging(
        rows,
        stick,
        object_reach_radius=0.01,
        obj_radius=0.04,
        pad_success_thresh=0.05,
        xz_thresh=0.01,
        density="high",
        obj_init_pos=stick_init_pos,
    )
    lifted = (rows.opening > 0) & _above(stick, stick_init_pos, 0.01)
    held = (tcp_to_stick < 0.02) & lifted
    arrived = container_to_target <= 0.12
    holding = 2.0 + 5.0 * stick_in_place + 3.0 * container_in_place
    reward = select(held, select(arrived, 10.0, holding), grasped)
    grasp_success = rows.touching & lifted
    return Outcome(
        reward=reward,
        success=grasp_success & arrived,
        near_object=tcp_to_stick <= 0.03,
        grasp_success=grasp_success,
        grasp_reward=select(held, 1.0, grasped),
        in_place_reward=stick_in_place,
        obj_to_target=container_to_target,
    )


def _above(position: FloatArray, reference: FloatArray, clearance: float) -> BoolArray:
    """Whether a position is more than ``clearance`` above another: ``[n]``."""
    above: BoolArray = position[:, 2] - clearance > reference[:, 2]
    return above


def _inserted(handle: FloatArray, stick_end: FloatArray) -> BoolArray:
    """Whether the stick's end has passed through the handle: ``[n]``."""
    passed: BoolArray = (
        (stick_end[:, 0] >= handle[:, 0])
        & (abs(stick_end[:, 1] - handle[:, 1]) <= 0.04)
        & (abs(stick_end[:, 2] - handle[:, 2]) <= 0.06)
    )
    return passed


def _capture_peg(env: Any) -> Mapping[str, npt.ArrayLike]:
    return {"peg_head_init_pos": env.peg_head_pos_init}


def _capture_stick(env: Any) -> Mapping[str, npt.ArrayLike]:
    return {"stick_init_pos": env.stick_init_pos}


_STICK = ObservedObject(body_pos("stick"), body_mat("stick"))
_NO_QUATERNION = (0.0, 0.0, 0.0, 0.0)

TOOLS = (
    TaskSpec(
        "peg-insert-side-v3",
        (ObservedObject(site_pos("pegGrasp"), site_mat("pegGrasp")),),
        _peg_insert_side,
        reads=(_PEG_HEAD, *(corner for box in _COLLISION_BOXES for corner in box)),
        capture=_capture_peg,
    ),
    TaskSpec(
        "peg-unplug-side-v3",
        (ObservedObject(site_pos("pegEnd"), body_quat("plug1")),),
        _peg_unplug_side,
    ),
    TaskSpec(
        "stick-pull-v3",
        (_STICK, ObservedObject(site_pos("insertion"), _NO_QUATERNION)),
        _stick_pull,
        reads=(_STICK_END,),
        capture=_capture_stick,
        contact=GraspContact("objGeom", lifted=body_pos("stick"), clearance=0.019),
    ),
    TaskSpec(
        "stick-push-v3",
        (
            _STICK,
            ObservedObject(site_pos("insertion"), _NO_QUATERNION, offset=(0.0, 0.09, 0.0)),
        ),
        _stick_push,
        capture=_capture_stick,
        contact=GraspContact(
            "objGeom", lifted=body_pos("stick"), reference="stick_init_pos", clearance=0.009
        ),
    ),
)
