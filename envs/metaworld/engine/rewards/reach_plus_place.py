"""Family D: reaching plus placing, a weighted sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.envs.metaworld.engine.sources import (
    FloatArray,
    body_pos,
    body_quat,
    geom_mat,
    geom_pos,
    site_pos,
)
from metarl.envs.metaworld.engine.spec import ObservedObject, Outcome, Rows, TaskSpec

from .primitives import norm, select, tolerance

_LOCK = body_pos("lock_link")
_SHOULDER = np.array([0.0, 0.055, 0.07])
_LOCK_SCALE = np.array([0.25, 1.0, 0.5])
_DRAWER_SCALE = np.array([3.0, 3.0, 1.0])
_DRAWER_LENGTH = 0.2


def _capture_faucet(env: Any) -> Mapping[str, npt.ArrayLike]:
    return {
        "place_margin": abs(np.linalg.norm(env.obj_init_pos - env._target_pos) - 0.07),
        "reach_margin": abs(np.linalg.norm(env.obj_init_pos - env.init_tcp) - 0.01),
    }


def _turn_faucet(rows: Rows, handle: FloatArray) -> Outcome:
    target_to_obj = norm(handle - rows.target)
    tcp_to_obj = norm(handle - rows.tcp)
    in_place = tolerance(target_to_obj, bounds=(0, 0.07), margin=rows.constant("place_margin"))
    reached = tolerance(
        tcp_to_obj,
        bounds=(0, 0.01),
        margin=rows.constant("reach_margin"),
        sigmoid="gaussian",
    )
    reward = (2 * reached + 3 * in_place) * 2
    return Outcome(
        reward=select(target_to_obj <= 0.07, 10.0, reward),
        success=target_to_obj <= 0.07,
        near_object=tcp_to_obj <= 0.01,
        grasp_success=1.0,
        grasp_reward=reached,
        in_place_reward=in_place,
        obj_to_target=target_to_obj,
    )


def _faucet_open(rows: Rows) -> Outcome:
    return _turn_faucet(rows, rows.obj + np.array([-0.04, 0.0, 0.03]))


def _faucet_close(rows: Rows) -> Outcome:
    return _turn_faucet(rows, rows.obj)


def _door_close(rows: Rows) -> Outcome:
    obj_to_target = norm(rows.obj - rows.target)
    in_place = tolerance(
        obj_to_target,
        bounds=(0, 0.05),
        margin=norm(rows.obj_init_pos - rows.target),
        sigmoid="gaussian",
    )
    hand_in_place = tolerance(
        norm(rows.tcp - rows.target),
        bounds=(0, 0.25 * 0.05),
        margin=norm(rows.constant("hand_init_pos") - rows.obj) + 0.1,
        sigmoid="gaussian",
    )
    reward = 3 * hand_in_place + 6 * in_place
    return Outcome(
        reward=select(obj_to_target < 0.05, 10.0, reward),
        success=obj_to_target <= 0.08,
        near_object=0.0,
        grasp_success=1.0,
        grasp_reward=1.0,
        in_place_reward=hand_in_place,
        obj_to_target=obj_to_target,
    )


def _door_unlock(rows: Rows) -> Outcome:
    shoulder_to_lock = norm((rows.hand + _SHOULDER - rows.obj) * _LOCK_SCALE)
    # Meta-World's initial lock position follows the lock, so the margin shrinks as it turns.
    margin = norm((rows.init_tcp + _SHOULDER - rows.read(_LOCK)) * _LOCK_SCALE)
    ready = tolerance(shoulder_to_lock, bounds=(0, 0.02), margin=margin)
    obj_to_target = abs(rows.target[:, 0] - rows.obj[:, 0])
    pushed = tolerance(obj_to_target, bounds=(0, 0.005), margin=0.1)
    return Outcome(
        reward=2 * ready + 8 * pushed,
        success=obj_to_target <= 0.02,
        near_object=shoulder_to_lock <= 0.05,
        grasp_success=rows.opening > 0,
        grasp_reward=ready,
        in_place_reward=pushed,
        obj_to_target=obj_to_target,
    )


def _drawer_open(rows: Rows) -> Outcome:
    handle_error = norm(rows.obj - rows.target)
    opened = tolerance(handle_error, bounds=(0, 0.02), margin=_DRAWER_LENGTH)
    # The x-y error counts more, so that the gripper comes down on the handle from above.
    caged = tolerance(
        norm((rows.obj - rows.hand) * _DRAWER_SCALE),
        bounds=(0, 0.01),
        margin=rows.constant("caging_margin"),
    )
    return Outcome(
        reward=(caged + opened) * 5.0,
        success=handle_error <= 0.03,
        near_object=norm(rows.obj - rows.hand) <= 0.03,
        grasp_success=rows.opening > 0,
        grasp_reward=caged,
        in_place_reward=opened,
        obj_to_target=handle_error,
    )


def _capture_drawer(env: Any) -> Mapping[str, npt.ArrayLike]:
    handle = env._target_pos + np.array([0.0, env.maxDist, 0.0])
    return {"caging_margin": np.linalg.norm((handle - env.init_tcp) * _DRAWER_SCALE)}


def _plate_slide(rows: Rows) -> Outcome:
    obj_to_target = norm(rows.obj - rows.target)
    tcp = rows.tcp
    tcp_to_obj = norm(tcp - rows.obj)
    in_place = tolerance(
        obj_to_target, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - rows.target) - 0.05
    )
    grasped = tolerance(
        tcp_to_obj, bounds=(0, 0.05), margin=norm(rows.init_tcp - rows.obj_init_pos) - 0.05
    )
    sliding = (tcp[:, 2] <= 0.03) & (tcp_to_obj < 0.07)
    reward = select(sliding, 2.0 + (7.0 * in_place), 1.5 * grasped)
    return Outcome(
        reward=select(obj_to_target < 0.05, 10.0, reward),
        success=obj_to_target <= 0.07,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=0.0,
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


_PLATE = (ObservedObject(geom_pos("puck"), geom_mat("puck")),)


def _faucet_handle(site: str) -> tuple[ObservedObject]:
    return (ObservedObject(site_pos(site), body_quat("faucetBase"), offset=(0.0, 0.0, -0.01)),)


REACH_PLUS_PLACE = (
    TaskSpec(
        "faucet-open-v3", _faucet_handle("handleStartOpen"), _faucet_open, capture=_capture_faucet
    ),
    TaskSpec(
        "faucet-close-v3",
        _faucet_handle("handleStartClose"),
        _faucet_close,
        capture=_capture_faucet,
    ),
    TaskSpec(
        "door-close-v3",
        (ObservedObject(geom_pos("handle"), geom_mat("handle")),),
        _door_close,
        capture=lambda env: {"hand_init_pos": env.hand_init_pos},
    ),
    TaskSpec(
        "door-unlock-v3",
        (ObservedObject(site_pos("lockStartUnlock"), body_quat("door_link")),),
        _door_unlock,
        reads=(_LOCK,),
    ),
    TaskSpec(
        "drawer-open-v3",
        (
            ObservedObject(
                body_pos("drawer_link"), body_quat("drawer_link"), offset=(0.0, -0.16, 0.0)
            ),
        ),
        _drawer_open,
        capture=_capture_drawer,
    ),
    TaskSpec("plate-slide-side-v3", _PLATE, _plate_slide),
    TaskSpec("plate-slide-back-v3", _PLATE, _plate_slide),
    TaskSpec("plate-slide-back-side-v3", _PLATE, _plate_slide),
)
