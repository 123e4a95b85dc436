"""Family E, on the table: cage an object, then push or pull it to a target.

These tasks share Meta-World's base caging term and differ in where the object goes and in when
holding it starts to pay. The object stays on its support, so the tests for holding are loose.
"""

from __future__ import annotations

import numpy as np

from metarl.envs.metaworld.engine.sources import body_pos, geom_mat, geom_pos, site_pos
from metarl.envs.metaworld.engine.spec import (
    GraspContact,
    ObservedObject,
    Outcome,
    Rows,
    TaskSpec,
)

from .primitives import caging, hamacher_product, norm, raised, select, tolerance

_COFFEE_SCALE = np.array([2.0, 2.0, 1.0])
_WALL_SCALE = np.array([3.0, 1.0, 1.0])


def _push(rows: Rows) -> Outcome:
    """Push a puck to a target on the table."""
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = norm(rows.obj - rows.target)
    in_place = tolerance(
        obj_to_target, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - rows.target)
    )
    grasped = caging(
        rows,
        rows.obj,
        object_reach_radius=0.01,
        obj_radius=0.015,
        pad_success_thresh=0.05,
        xz_thresh=0.005,
        density="high",
    )
    reward = 2 * grasped
    held = (tcp_to_obj < 0.02) & (rows.opening > 0)
    reward = select(held, reward + (1.0 + reward + 5.0 * in_place), reward)
    reward = select(obj_to_target < 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.05,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=rows.touching & (rows.opening > 0) & raised(rows, 0.02),
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _push_wall(rows: Rows) -> Outcome:
    """Push a puck around a wall: first towards a point beside it, then to the target.

    The point beside the wall is taken at the puck's *present* height, also for the margin.
    """
    obj, target = rows.obj, rows.target
    tcp_to_obj = norm(obj - rows.tcp)
    obj_to_target = norm(obj - target)
    midpoint = obj.copy()
    midpoint[:, :2] = (-0.05, 0.77)
    to_midpoint = tolerance(
        norm((obj - midpoint) * _WALL_SCALE),
        bounds=(0, 0.05),
        margin=norm((rows.obj_init_pos - midpoint) * _WALL_SCALE),
    )
    in_place = tolerance(obj_to_target, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - target))
    grasped = caging(
        rows,
        obj,
        object_reach_radius=0.01,
        obj_radius=0.015,
        pad_success_thresh=0.05,
        xz_thresh=0.005,
        density="high",
    )
    reward = 2 * grasped
    held = (tcp_to_obj < 0.02) & (rows.opening > 0)
    holding = select(
        obj[:, 1] > 0.75,
        reward + 1.0 + 4.0 + 3.0 * in_place,
        reward + 1.0 + 4.0 * to_midpoint,
    )
    reward = select(held, holding, reward)
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


def _coffee(rows: Rows) -> Outcome:
    """Move a mug to the coffee machine, or away from it.

    Distances along x and y count twice in the reward, but not in ``obj_to_target`` and success.
    ``grasp_success`` is 0 always: Meta-World looks for contacts of the geom ``mug``, which is
    only there to be seen and collides with nothing.
    """
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = norm(rows.obj - rows.target)
    scaled_distance = norm((rows.obj - rows.target) * _COFFEE_SCALE)
    in_place = tolerance(
        scaled_distance,
        bounds=(0, 0.05),
        margin=norm((rows.obj_init_pos - rows.target) * _COFFEE_SCALE),
    )
    grasped = caging(
        rows,
        rows.obj,
        object_reach_radius=0.04,
        obj_radius=0.02,
        pad_success_thresh=0.05,
        xz_thresh=0.05,
        desired_gripper_effort=0.7,
        density="medium",
    )
    reward = hamacher_product(grasped, in_place)
    held = (tcp_to_obj < 0.04) & (rows.opening > 0)
    reward = select(held, reward + (1.0 + 5.0 * in_place), reward)
    reward = select(scaled_distance < 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.07,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=0.0,
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _handle_pull(rows: Rows) -> Outcome:
    """Pull a handle up.

    Only heights count. The initial position is that of the box, not of the handle, and the test
    for holding compares the handle's *y* with the box's initial *z*, so it holds always.
    """
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = abs(rows.target[:, 2] - rows.obj[:, 2])
    in_place = tolerance(
        obj_to_target, bounds=(0, 0.05), margin=abs(rows.target[:, 2] - rows.obj_init_pos[:, 2])
    )
    grasped = caging(
        rows,
        rows.obj,
        object_reach_radius=0.01,
        obj_radius=0.022,
        pad_success_thresh=0.05,
        xz_thresh=0.01,
        density="high",
    )
    reward = hamacher_product(grasped, in_place)
    moved = rows.obj[:, 1] - 0.01 > rows.obj_init_pos[:, 2]
    held = (tcp_to_obj < 0.035) & (rows.opening > 0) & moved
    reward = select(held, reward + (1.0 + 5.0 * in_place), reward)
    reward = select(obj_to_target < 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.05,
        near_object=tcp_to_obj <= 0.05,
        grasp_success=(rows.opening > 0) & raised(rows, 0.03),
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _handle_pull_side(rows: Rows) -> Outcome:
    """Pull a handle up that sticks out sideways."""
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = norm(rows.obj - rows.target)
    in_place = tolerance(
        obj_to_target, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - rows.target)
    )
    grasped = caging(
        rows,
        rows.obj,
        object_reach_radius=0.01,
        obj_radius=0.032,
        pad_success_thresh=0.06,
        xz_thresh=0.01,
        density="high",
    )
    reward = hamacher_product(grasped, in_place)
    held = (tcp_to_obj < 0.035) & (rows.opening > 0) & raised(rows, 0.01)
    reward = select(held, reward + (1.0 + 5.0 * in_place), reward)
    reward = select(obj_to_target < 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.08,
        near_object=tcp_to_obj <= 0.05,
        grasp_success=(rows.opening > 0) & raised(rows, 0.03),
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


_MUG = (ObservedObject(body_pos("obj"), geom_mat("mug")),)
_NO_QUATERNION = (0.0, 0.0, 0.0, 0.0)

PUSH = (
    TaskSpec(
        "push-v3",
        (ObservedObject(body_pos("obj"), geom_mat("objGeom")),),
        _push,
        contact=GraspContact("objGeom", lifted=body_pos("obj"), clearance=0.019),
    ),
    TaskSpec(
        "push-wall-v3",
        (ObservedObject(geom_pos("objGeom"), geom_mat("objGeom")),),
        _push_wall,
        contact=GraspContact("objGeom", lifted=geom_pos("objGeom"), clearance=0.019),
    ),
    TaskSpec("coffee-pull-v3", _MUG, _coffee),
    TaskSpec("coffee-push-v3", _MUG, _coffee),
    TaskSpec(
        "handle-pull-v3", (ObservedObject(site_pos("handleRight"), _NO_QUATERNION),), _handle_pull
    ),
    TaskSpec(
        "handle-pull-side-v3",
        (ObservedObject(site_pos("handleCenter"), _NO_QUATERNION),),
        _handle_pull_side,
    ),
)
