"""Family C: reaching times placing, as a Hamacher product.

Both terms must be large, so the hand may not leave the handle while the mechanism moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from metarl.envs.metaworld.engine.sources import (
    FloatArray,
    Readings,
    body_pos,
    body_quat,
    geom_mat,
    geom_pos,
    joint_pos,
    site_pos,
)
from metarl.envs.metaworld.engine.spec import (
    Capture,
    ObservedObject,
    Outcome,
    Rows,
    TaskSpec,
    Values,
)

from .primitives import gripper_closing, hamacher_product, norm, select, tolerance

_NO_ROTATION_SHOWN = (0.0, 0.0, 0.0, 0.0)

_DIAL = body_pos("dial")
_DIAL_ANGLE = joint_pos("knob_Joint_1")
_DIAL_PUSH_OFFSET = np.array([0.05, 0.02, 0.09])
_LEVER_ANGLE = joint_pos("LeverAxis")
_PRESS_HANDLE = site_pos("handleStart")
_OPEN_HANDLE = site_pos("handleOpenStart")
_CLOSE_HANDLE = site_pos("handleCloseStart")


def _margins(
    place_from: Callable[[Any], Any], reach_from: Callable[[Any], Any], place: float, reach: float
) -> Capture:
    """Captures how far object and fingertips begin from where they should be.

    Args:
        place_from: The initial offset of the object to its target, from an environment.
        reach_from: The initial offset of the fingertips to the object.
        place: Radius around the target that counts as placed (m).
        reach: Radius around the object that counts as reached (m).
    """

    def capture(env: Any) -> Mapping[str, npt.ArrayLike]:
        return {
            "place_margin": abs(np.linalg.norm(place_from(env)) - place),
            "reach_margin": abs(np.linalg.norm(reach_from(env)) - reach),
        }

    return capture


def _terms(
    rows: Rows,
    target_to_obj: FloatArray,
    tcp_to_obj: FloatArray,
    place: float,
    reach: float,
    reach_sigmoid: Literal["gaussian", "long_tail"],
) -> tuple[FloatArray, FloatArray]:
    """The placing and the reaching term, with the margins of :func:`_margins`."""
    in_place = tolerance(target_to_obj, bounds=(0, place), margin=rows.constant("place_margin"))
    reached = tolerance(
        tcp_to_obj,
        bounds=(0, reach),
        margin=rows.constant("reach_margin"),
        sigmoid=reach_sigmoid,
    )
    return in_place, reached


def _outcome(
    reward: Values,
    tcp_to_obj: FloatArray,
    near: float,
    target_to_obj: FloatArray,
    success: float,
    reached: Values,
    in_place: FloatArray,
) -> Outcome:
    """What most tasks of this family report alike."""
    return Outcome(
        reward=reward,
        success=target_to_obj <= success,
        near_object=tcp_to_obj <= near,
        grasp_success=1.0,
        grasp_reward=reached,
        in_place_reward=in_place,
        obj_to_target=target_to_obj,
    )


def _dial_pointer(readings: Readings) -> FloatArray:
    """Position of the dial's pointer, 5 cm from its centre."""
    angle = readings[_DIAL_ANGLE]
    direction = np.column_stack((np.sin(angle), -np.cos(angle), np.zeros(len(angle))))
    pointer: FloatArray = readings[_DIAL] + direction * 0.05
    return pointer


def _dial_turn(rows: Rows) -> Outcome:
    pointer = _dial_pointer(rows.readings)
    target_to_obj = norm(pointer - rows.target)
    tcp_to_obj = norm(pointer + _DIAL_PUSH_OFFSET - rows.tcp)
    in_place, near = _terms(rows, target_to_obj, tcp_to_obj, 0.07, 0.005, "gaussian")
    reached = hamacher_product(near, gripper_closing(rows.effort))
    reward = 10 * hamacher_product(reached, in_place)
    return _outcome(reward, tcp_to_obj, 0.01, target_to_obj, 0.07, reached, in_place)


def _drawer_close(rows: Rows) -> Outcome:
    target_to_obj = norm(rows.obj - rows.target)
    tcp_to_obj = norm(rows.obj - rows.tcp)
    in_place, near = _terms(rows, target_to_obj, tcp_to_obj, 0.05, 0.005, "gaussian")
    reached = hamacher_product(near, gripper_closing(rows.effort))
    closed = target_to_obj <= 0.05 + 0.015
    reward = select(closed, 1.0, hamacher_product(reached, in_place)) * 10
    return _outcome(reward, tcp_to_obj, 0.01, target_to_obj, 0.05 + 0.015, reached, in_place)


def _handle_press(rows: Rows) -> Outcome:
    handle = rows.read(_PRESS_HANDLE)
    target_to_obj = norm(handle[:, 2:] - rows.target[:, 2:])
    tcp_to_obj = norm(handle - rows.tcp)
    in_place, reached = _terms(rows, target_to_obj, tcp_to_obj, 0.02, 0.02, "long_tail")
    pressed = target_to_obj <= 0.02
    reward = select(pressed, 1.0, hamacher_product(reached, in_place)) * 10
    return _outcome(reward, tcp_to_obj, 0.05, target_to_obj, 0.02, reached, in_place)


def _window(
    rows: Rows, handle: FloatArray, reach_sigmoid: Literal["gaussian", "long_tail"]
) -> Outcome:
    target_to_obj = norm(handle[:, :1] - rows.target[:, :1])
    tcp_to_obj = norm(handle - rows.tcp)
    in_place, reached = _terms(rows, target_to_obj, tcp_to_obj, 0.05, 0.02, reach_sigmoid)
    reward = 10 * hamacher_product(reached, in_place)
    return _outcome(reward, tcp_to_obj, 0.05, target_to_obj, 0.05, reached, in_place)


def _window_open(rows: Rows) -> Outcome:
    return _window(rows, rows.read(_OPEN_HANDLE), "long_tail")


def _window_close(rows: Rows) -> Outcome:
    return _window(rows, rows.read(_CLOSE_HANDLE), "gaussian")


def _lever_pull(rows: Rows) -> Outcome:
    # The shoulder of the gripper goes under the lever, not its fingers; y counts less.
    scale = np.array([4.0, 1.0, 4.0])
    shoulder = rows.hand + np.array([0.0, 0.055, 0.07])
    shoulder_to_lever = norm((shoulder - rows.obj) * scale)
    ready = tolerance(shoulder_to_lever, bounds=(0, 0.02), margin=rows.constant("shoulder_margin"))
    lever_error = abs(-rows.read(_LEVER_ANGLE) - np.pi / 2.0)
    engagement = tolerance(
        lever_error, bounds=(0, np.pi / 48.0), margin=(np.pi / 2.0) - (np.pi / 12.0)
    )
    in_place = tolerance(
        norm(rows.obj - rows.target), bounds=(0, 0.04), margin=rows.constant("place_margin")
    )
    return Outcome(
        reward=10.0 * hamacher_product(ready, in_place),
        success=lever_error <= np.pi / 24,
        near_object=shoulder_to_lever < 0.03,
        grasp_success=ready > 0.9,
        grasp_reward=ready,
        in_place_reward=engagement,
        obj_to_target=shoulder_to_lever,
    )


def _capture_lever(env: Any) -> Mapping[str, npt.ArrayLike]:
    shoulder = env.init_tcp + np.array([0.0, 0.055, 0.07]) - env._lever_pos_init
    return {
        "shoulder_margin": np.linalg.norm(shoulder * np.array([4.0, 1.0, 4.0])),
        "place_margin": np.linalg.norm(env._lever_pos_init - env._target_pos),
    }


def _plate_slide(rows: Rows) -> Outcome:
    obj_to_target = norm(rows.obj - rows.target)
    tcp_to_obj = norm(rows.tcp - rows.obj)
    in_place = tolerance(
        obj_to_target, bounds=(0, 0.05), margin=norm(rows.obj_init_pos - rows.target)
    )
    grasped = tolerance(
        tcp_to_obj, bounds=(0, 0.05), margin=norm(rows.init_tcp - rows.obj_init_pos)
    )
    reward = 8 * hamacher_product(grasped, in_place)
    return Outcome(
        reward=select(obj_to_target < 0.05, 10.0, reward),
        success=obj_to_target <= 0.07,
        near_object=tcp_to_obj <= 0.03,
        grasp_success=0.0,
        grasp_reward=grasped,
        in_place_reward=in_place,
        obj_to_target=obj_to_target,
    )


_HANDLE_MARGINS = _margins(
    lambda env: env._handle_init_pos[2] - env._target_pos[2],
    lambda env: env._handle_init_pos - env.init_tcp,
    place=0.02,
    reach=0.02,
)

REACH_TIMES_PLACE = (
    TaskSpec(
        "dial-turn-v3",
        (ObservedObject(_dial_pointer, body_quat("dial")),),
        _dial_turn,
        reads=(_DIAL, _DIAL_ANGLE),
        capture=_margins(
            lambda env: env.dial_push_position - env._target_pos,
            lambda env: env.dial_push_position - env.init_tcp,
            place=0.07,
            reach=0.005,
        ),
    ),
    TaskSpec(
        "drawer-close-v3",
        (ObservedObject(body_pos("drawer_link"), _NO_ROTATION_SHOWN, offset=(0.0, -0.16, 0.05)),),
        _drawer_close,
        capture=_margins(
            lambda env: env.obj_init_pos - env._target_pos,
            lambda env: env.obj_init_pos - env.init_tcp,
            place=0.05,
            reach=0.005,
        ),
    ),
    TaskSpec(
        "handle-press-v3",
        (ObservedObject(_PRESS_HANDLE, _NO_ROTATION_SHOWN),),
        _handle_press,
        capture=_HANDLE_MARGINS,
    ),
    TaskSpec(
        "handle-press-side-v3",
        (ObservedObject(_PRESS_HANDLE, _NO_ROTATION_SHOWN),),
        _handle_press,
        capture=_HANDLE_MARGINS,
    ),
    TaskSpec(
        "window-open-v3",
        (ObservedObject(_OPEN_HANDLE, _NO_ROTATION_SHOWN),),
        _window_open,
        capture=_margins(
            lambda env: env.obj_init_pos[0] - env._target_pos[0],
            lambda env: env.window_handle_pos_init - env.init_tcp,
            place=0.05,
            reach=0.02,
        ),
    ),
    TaskSpec(
        "window-close-v3",
        (ObservedObject(_CLOSE_HANDLE, _NO_ROTATION_SHOWN),),
        _window_close,
        capture=_margins(
            lambda env: env.window_handle_pos_init[0] - env._target_pos[0],
            lambda env: env.window_handle_pos_init - env.init_tcp,
            place=0.05,
            reach=0.02,
        ),
    ),
    TaskSpec(
        "lever-pull-v3",
        (ObservedObject(site_pos("leverStart"), geom_mat("objGeom")),),
        _lever_pull,
        reads=(_LEVER_ANGLE,),
        capture=_capture_lever,
    ),
    TaskSpec(
        "plate-slide-v3",
        (ObservedObject(geom_pos("puck"), geom_mat("puck")),),
        _plate_slide,
    ),
)
