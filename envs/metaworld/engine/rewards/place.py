"""Family E, off the table: cage an object, lift it, and bring it to a target.

Meta-World's base caging term again, but holding the object only pays once it has been raised.
Two of the tasks add a funnel around the object or the target that the hand should stay above.
"""

from __future__ import annotations

import numpy as np

from metarl.envs.metaworld.engine.sources import body_pos, body_quat, geom_mat, geom_pos
from metarl.envs.metaworld.engine.spec import (
    GraspContact,
    ObservedObject,
    Outcome,
    Rows,
    TaskSpec,
)

from .primitives import (
    above_floor,
    caging,
    hamacher_product,
    log_floor,
    norm,
    once,
    raised,
    select,
    tolerance,
)

_BASKET_HEIGHT = 0.3
_BASKET_SCALE = np.array([1.0, 1.0, 2.0])
_WALL_SCALE = np.array([1.0, 1.0, 3.0])


def _hand_insert(rows: Rows) -> Outcome:
    """Carry a block into a hole in the table."""
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
    reward = hamacher_product(grasped, in_place)
    held = (tcp_to_obj < 0.02) & (rows.opening > 0)
    reward = select(held, reward + (1.0 + 7.0 * in_place), reward)
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


def _basketball(rows: Rows) -> Outcome:
    """Drop a ball into a basket; the target is a point above the hoop.

    Heights count twice, in ``obj_to_target`` and success too. A held ball counts as caged.
    """
    tcp_to_obj = norm(rows.obj - rows.tcp)
    target = rows.target.copy()
    target[:, 2] = _BASKET_HEIGHT
    obj_to_target = norm((rows.obj - target) * _BASKET_SCALE)
    in_place = tolerance(
        obj_to_target,
        bounds=(0, 0.08),
        margin=norm((rows.obj_init_pos - target) * _BASKET_SCALE),
    )
    grasped = caging(
        rows,
        rows.obj,
        object_reach_radius=0.01,
        obj_radius=0.025,
        pad_success_thresh=0.06,
        xz_thresh=0.005,
        density="high",
    )
    held = (tcp_to_obj < 0.035) & (rows.opening > 0) & raised(rows, 0.01)
    grasped = select(held, 1.0, grasped)
    reward = hamacher_product(grasped, in_place)
    reward = select(held, reward + (1.0 + 5.0 * in_place), reward)
    reward = select(obj_to_target < 0.08, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.08,
        near_object=tcp_to_obj <= 0.05,
        grasp_success=(rows.opening > 0) & raised(rows, 0.03),
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _bin_picking(rows: Rows) -> Outcome:
    """Carry a block from one bin to another, keeping the hand high between the two.

    The one reward with a memory: distances are measured against that after the episode's first
    step, not at its reset. Nearness is the hand's, not the fingertips'.
    """
    hand, obj, target, init = rows.hand, rows.obj, rows.target, rows.obj_init_pos
    obj_to_target = norm(obj - target)
    in_place = tolerance(
        obj_to_target,
        bounds=(0, 0.05),
        margin=once(rows.memory["first_obj_to_target"], obj_to_target),
    )
    floor = np.minimum(
        log_floor(norm(hand[:, :2] - init[:, :2]), 0.03, steepness=0.02, height=0.2),
        log_floor(norm(hand[:, :2] - target[:, :2]), 0.03, steepness=0.02, height=0.2),
    )
    high_enough = above_floor(hand[:, 2], floor, margin=0.05)
    grasped = caging(
        rows,
        obj,
        object_reach_radius=0.01,
        obj_radius=0.015,
        pad_success_thresh=0.05,
        xz_thresh=0.01,
        desired_gripper_effort=0.7,
        density="high",
    )
    near_object = norm(obj - hand) < 0.04
    grasp_success = near_object & raised(rows, 0.02) & (rows.opening >= 0.43)
    reward = hamacher_product(grasped, in_place)
    carrying = 1.0 + 5.0 * hamacher_product(high_enough, in_place)
    reward = select(grasp_success, reward + carrying, reward)
    reward = select(obj_to_target < 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.05,
        near_object=near_object,
        grasp_success=grasp_success,
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _pick_out_of_hole(rows: Rows) -> Outcome:
    """Lift a block out of a hole and bring it to a target in the air."""
    obj, tcp = rows.obj, rows.tcp
    tcp_to_obj = norm(obj - tcp)
    obj_to_target = norm(obj - rows.target)
    in_place = tolerance(
        obj_to_target, bounds=(0, 0.02), margin=norm(rows.obj_init_pos - rows.target)
    )
    radius = norm(tcp[:, :2] - rows.obj_init_pos[:, :2])
    floor = log_floor(radius, 0.03, steepness=0.015, height=0.15)
    high_enough = above_floor(tcp[:, 2], floor, margin=0.02)
    grasped = caging(
        rows,
        obj,
        object_reach_radius=0.01,
        obj_radius=0.015,
        pad_success_thresh=0.02,
        xz_thresh=0.03,
        desired_gripper_effort=0.1,
        density="high",
    )
    grasp_success = (tcp_to_obj < 0.04) & raised(rows, 0.02) & (rows.opening >= 0.33)
    reward = hamacher_product(grasped, in_place)
    carrying = 1.0 + 5.0 * hamacher_product(in_place, high_enough)
    reward = select(grasp_success, reward + carrying, reward)
    reward = select(obj_to_target < 0.05, 10.0, reward)
    return Outcome(
        reward=reward,
        success=obj_to_target <= 0.07,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=grasp_success,
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


def _pick_place_wall(rows: Rows) -> Outcome:
    """Carry a puck over a wall: first towards a point above it, then to the target.

    ``in_place_reward`` shows the second part only.
    """
    obj, target = rows.obj, rows.target
    tcp_to_obj = norm(obj - rows.tcp)
    obj_to_target = norm(obj - target)
    midpoint = target.copy()
    midpoint[:, 1:] = (0.77, 0.25)
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
    )
    reward = hamacher_product(grasped, to_midpoint)
    held = (tcp_to_obj < 0.02) & (rows.opening > 0) & raised(rows, 0.015)
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


def _shelf_place(rows: Rows) -> Outcome:
    """Put a block on a shelf, from the front: being under the shelf costs.

    In front of the shelf and below it, ``in_place`` is cut back by a bound loss; behind the
    shelf's edge it is 0. The cut makes it an ``np.float64``, so the reward is in double
    precision there even for a float32 action.
    """
    obj, target = rows.obj, rows.target
    x, y, z = obj.T
    tcp_to_obj = norm(obj - rows.tcp)
    obj_to_target = norm(obj - target)
    in_place = tolerance(obj_to_target, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - target))
    grasped = caging(
        rows,
        obj,
        object_reach_radius=0.01,
        obj_radius=0.02,
        pad_success_thresh=0.05,
        xz_thresh=0.01,
    )
    reward = hamacher_product(grasped, in_place)

    shelf_x, shelf_y = target[:, 0], target[:, 1]
    front = shelf_y - 3 * 0.05
    low = (z > 0.0) & (z < 0.24) & (shelf_x - 0.15 < x) & (x < shelf_x + 0.15)
    in_front = low & (front < y) & (y < shelf_y)
    loss = hamacher_product((y - front) / (3 * 0.05), (0.24 - z) / 0.24)
    in_place = np.where(in_front, np.clip(in_place - loss, 0.0, 1.0), in_place)
    in_place = np.where(low & (y > shelf_y), 0.0, in_place)

    held = (tcp_to_obj < 0.025) & (rows.opening > 0) & raised(rows, 0.01)
    bonus = 1.0 + 5.0 * in_place
    holding = select(in_front, np.asarray(reward) + bonus, reward + bonus)
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


_BLOCK = (ObservedObject(body_pos("obj"), body_quat("obj")),)
_LIFTED_BLOCK = GraspContact("objGeom", lifted=body_pos("obj"), clearance=0.019)

PLACE = (
    TaskSpec("hand-insert-v3", _BLOCK, _hand_insert, contact=_LIFTED_BLOCK),
    TaskSpec(
        "basketball-v3",
        (ObservedObject(body_pos("bsktball"), body_quat("bsktball")),),
        _basketball,
    ),
    TaskSpec("bin-picking-v3", _BLOCK, _bin_picking, memory=("first_obj_to_target",)),
    TaskSpec("pick-out-of-hole-v3", _BLOCK, _pick_out_of_hole),
    TaskSpec(
        "pick-place-wall-v3",
        (ObservedObject(geom_pos("objGeom"), geom_mat("objGeom")),),
        _pick_place_wall,
        contact=GraspContact("objGeom", lifted=geom_pos("objGeom"), clearance=0.019),
    ),
    TaskSpec(
        "shelf-place-v3",
        (ObservedObject(body_pos("obj"), geom_mat("objGeom")),),
        _shelf_place,
        contact=_LIFTED_BLOCK,
    ),
)
