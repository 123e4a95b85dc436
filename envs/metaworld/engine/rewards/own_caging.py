"""Family F: tasks with a caging term of their own, then bring the object to a target."""

from __future__ import annotations

import numpy as np

from metarl.envs.metaworld.engine.sources import (
    FloatArray,
    body_mat,
    body_pos,
    body_quat,
    geom_mat,
    geom_pos,
)
from metarl.envs.metaworld.engine.spec import (
    GraspContact,
    ObservedObject,
    Outcome,
    Rows,
    TaskSpec,
)

from .primitives import (
    gripper_closing,
    hamacher_product,
    norm,
    raised,
    select,
    tolerance,
)

_PAD_MARGIN = 0.05
_XZ = np.array([1.0, 0.0, 1.0])
_SOCCER_SCALE = np.array([3.0, 1.0, 1.0])


def _between_pads(rows: Rows, inner: float, outer: float) -> FloatArray:
    """How well the object lies between the pads, each ``inner`` to ``outer`` away along y.

    Unlike the base term's, the distances are signed: the object must be on the pads' inner
    sides. The margins look like constants of the episode, but Meta-World's initial pad positions
    are live views, so they follow the pads.
    """
    y, left, right = rows.obj[:, 1], rows.left_pad[:, 1], rows.right_pad[:, 1]
    between: FloatArray = hamacher_product(
        tolerance(y - right, bounds=(inner, outer), margin=abs(abs(y - right) - _PAD_MARGIN)),
        tolerance(left - y, bounds=(inner, outer), margin=abs(abs(y - left) - _PAD_MARGIN)),
    )
    return between


def _caged(rows: Rows, obj_radius: float, xz_thresh: float) -> FloatArray:
    """Whether the pads are around the object, in y and in the x-z plane: ``[n]`` in [0, 1]."""
    in_xz = tolerance(
        norm((rows.tcp - rows.obj) * _XZ),
        bounds=(0, xz_thresh),
        margin=norm((rows.obj_init_pos - rows.init_tcp) * _XZ) - xz_thresh,
    )
    caged: FloatArray = hamacher_product(_between_pads(rows, obj_radius, _PAD_MARGIN), in_xz)
    return caged


def _caging(rows: Rows, obj_radius: float, grip_margin: float, xz_thresh: float) -> FloatArray:
    """Caging in which closing counts by the pads' distance, whatever the gripper's effort.

    Args:
        rows: The worlds.
        obj_radius: Least distance of a pad to the object's centre (m).
        grip_margin: Distance beyond it within which a pad grips (m).
        xz_thresh: Distance in the x-z plane that counts as reached (m).
    """
    caged = _caged(rows, obj_radius, xz_thresh)
    gripping = _between_pads(rows, obj_radius, obj_radius + grip_margin)
    return (caged + np.where(caged > 0.95, gripping, 0.0)) / 2


def _pick_place(rows: Rows) -> Outcome:
    """Pick a puck up and bring it to a target in the air.

    The only caging term of this family that takes the gripper's effort, and with it the
    action's precision.
    """
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = norm(rows.obj - rows.target)
    in_place = tolerance(
        obj_to_target, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - rows.target)
    )
    caged = _caged(rows, obj_radius=0.015, xz_thresh=0.005)
    gripping = select(caged > 0.97, gripper_closing(rows.effort), 0.0)
    grasped = (hamacher_product(caged, gripping) + caged) / 2
    reward = hamacher_product(grasped, in_place)
    held = (tcp_to_obj < 0.02) & (rows.opening > 0) & raised(rows, 0.01)
    reward = select(held, reward + (1.0 + 5.0 * in_place), reward)
    reward = select(obj_to_target < 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.07,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=rows.touching & (rows.opening > 0) & raised(rows, 0.02),
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _push_back(rows: Rows) -> Outcome:
    """Pull a puck back towards the robot; it is held once it has come a little nearer."""
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = norm(rows.obj - rows.target)
    initially = norm(rows.obj_init_pos - rows.target)
    in_place = tolerance(obj_to_target, bounds=(0, 0.05), margin=initially)
    grasped = _caging(rows, obj_radius=0.007, grip_margin=0.003, xz_thresh=0.01)
    reward = hamacher_product(grasped, in_place)
    closing = (rows.opening > 0) & (rows.opening < 0.55)
    held = (tcp_to_obj < 0.01) & closing & (initially - obj_to_target > 0.01)
    reward = np.where(held, reward + (1.0 + 5.0 * in_place), reward)
    reward = np.where(obj_to_target < 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.07,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=rows.touching & (rows.opening > 0) & raised(rows, 0.02),
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _soccer(rows: Rows) -> Outcome:
    """Roll a ball into a goal.

    Distances along x count threefold, but not in ``obj_to_target`` and success. The margin is
    the ball's distance from its *start*, so it grows from 0 as the ball moves. Passing the goal
    line beside the goal costs.
    """
    obj, target = rows.obj, rows.target
    tcp_to_obj = norm(obj - rows.tcp)
    obj_to_target = norm(obj - target)
    scaled_distance = norm((obj - target) * _SOCCER_SCALE)
    in_place = tolerance(
        scaled_distance,
        bounds=(0, 0.07),
        margin=norm((obj - rows.obj_init_pos) * _SOCCER_SCALE),
    )
    goal_line = target[:, 1] - 0.1
    beside = (obj[:, 1] > goal_line) & (abs(obj[:, 0] - target[:, 0]) > 0.1)
    loss = 2 * ((obj[:, 1] - goal_line) / (1 - goal_line))
    in_place = np.where(beside, np.clip(in_place - loss, 0.0, 1.0), in_place)
    grasped = _caging(rows, obj_radius=0.013, grip_margin=0.01, xz_thresh=0.005)
    reward = 3 * grasped + 6.5 * in_place
    reward = np.where(scaled_distance < 0.07, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.07,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=rows.touching & (rows.opening > 0) & raised(rows, 0.02),
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _swept(rows: Rows, target: FloatArray, grasped: FloatArray) -> Outcome:
    """What the two sweeping tasks share, given the target and the caging term."""
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = norm(rows.obj - target)
    in_place = tolerance(obj_to_target, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - target))
    reward = 2 * grasped + 6 * hamacher_product(grasped, in_place)
    reward = np.where(obj_to_target < 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.05,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=rows.touching & (rows.opening > 0),
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _sweep(rows: Rows) -> Outcome:
    """Sweep a block off the table, to a target beside it."""
    grasped = _caging(rows, obj_radius=0.02, grip_margin=0.01, xz_thresh=0.005)
    return _swept(rows, rows.target, grasped)


def _sweep_into(rows: Rows) -> Outcome:
    """Sweep a block into a hole; the target is taken at the block's present height."""
    target = np.column_stack((rows.target[:, :2], rows.obj[:, 2]))
    grasped = _caging(rows, obj_radius=0.02, grip_margin=0.005, xz_thresh=0.01)
    return _swept(rows, target, grasped)


_PUCK = (ObservedObject(body_pos("obj"), geom_mat("objGeom")),)

OWN_CAGING = (
    TaskSpec(
        "pick-place-v3",
        _PUCK,
        _pick_place,
        contact=GraspContact("objGeom", lifted=body_pos("obj"), clearance=0.019),
    ),
    TaskSpec(
        "push-back-v3",
        (ObservedObject(geom_pos("objGeom"), geom_mat("objGeom")),),
        _push_back,
        contact=GraspContact("objGeom", lifted=geom_pos("objGeom"), clearance=0.019),
    ),
    TaskSpec(
        "soccer-v3",
        (ObservedObject(body_pos("soccer_ball"), body_mat("soccer_ball")),),
        _soccer,
        contact=GraspContact("objGeom", lifted=body_pos("soccer_ball"), clearance=0.019),
    ),
    TaskSpec(
        "sweep-v3",
        (ObservedObject(body_pos("obj"), body_quat("obj")),),
        _sweep,
        contact=GraspContact("objGeom"),
    ),
    TaskSpec("sweep-into-v3", _PUCK, _sweep_into, contact=GraspContact("objGeom")),
)
