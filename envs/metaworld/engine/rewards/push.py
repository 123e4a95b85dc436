"""Family E: cage an object, then bring it to a target."""

from __future__ import annotations

from metarl.envs.metaworld.engine.sources import body_pos, geom_mat
from metarl.envs.metaworld.engine.spec import (
    GraspContact,
    ObservedObject,
    Outcome,
    Rows,
    TaskSpec,
)

from .primitives import caging, norm, select, tolerance


def _push(rows: Rows) -> Outcome:
    tcp_to_obj = norm(rows.obj - rows.tcp)
    target_to_obj = norm(rows.obj - rows.target)
    in_place = tolerance(
        target_to_obj, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - rows.target)
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
    reward = select(target_to_obj < 0.05, 10.0, reward)
    lifted = rows.obj[:, 2] - 0.02 > rows.obj_init_pos[:, 2]
    return Outcome(
        reward=reward,
        success=target_to_obj <= 0.05,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=rows.touching & (rows.opening > 0) & lifted,
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=target_to_obj,
    )


PUSH = (
    TaskSpec(
        "push-v3",
        (ObservedObject(body_pos("obj"), geom_mat("objGeom")),),
        _push,
        contact=GraspContact("objGeom", lifted=body_pos("obj"), clearance=0.019),
    ),
)
