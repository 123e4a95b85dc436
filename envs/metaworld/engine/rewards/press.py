"""Family B: come near with the gripper closed or open, then press.

``opening`` is 0 for a closed gripper. Several of these rewards call it "closed" as it stands;
that is Meta-World's, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.envs.metaworld.engine.sources import (
    FloatArray,
    body_pos,
    body_quat,
    site_pos,
)
from metarl.envs.metaworld.engine.spec import ObservedObject, Outcome, Rows, TaskSpec

from .primitives import hamacher_product, norm, select, square, tolerance

_LOCK_SCALE = np.array([0.25, 1.0, 0.5])


def _press_length(env: Any) -> Mapping[str, npt.ArrayLike]:
    return {"press_length": env._obj_to_target_init}


def _outcome(
    rows: Rows,
    reward: FloatArray,
    tcp_to_obj: FloatArray,
    near: FloatArray,
    pressed: FloatArray,
    obj_to_target: FloatArray,
    success_radius: float,
) -> Outcome:
    """What the tasks of this family report alike."""
    return Outcome(
        reward=reward,
        success=obj_to_target <= success_radius,
        near_object=tcp_to_obj <= 0.05,
        grasp_success=rows.opening > 0,
        grasp_reward=near,
        in_place_reward=pressed,
        obj_to_target=obj_to_target,
    )


def _near(rows: Rows, tcp_to_obj: FloatArray, radius: float) -> FloatArray:
    """Nearness to the button, scaled by its *present* distance to where the hand began."""
    return tolerance(tcp_to_obj, bounds=(0, radius), margin=norm(rows.obj - rows.init_tcp))


def _pressed(obj_to_target: FloatArray, length: float | FloatArray) -> FloatArray:
    return tolerance(obj_to_target, bounds=(0, 0.005), margin=length)


def _push_in(rows: Rows, press_length: float | FloatArray) -> Outcome:
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = abs(rows.target[:, 1] - rows.obj[:, 1])
    near = _near(rows, tcp_to_obj, 0.05)
    pressed = _pressed(obj_to_target, press_length)
    reward = 2 * hamacher_product(rows.opening, near)
    reward = select(tcp_to_obj <= 0.05, reward + 8 * pressed, reward)
    return _outcome(rows, reward, tcp_to_obj, near, pressed, obj_to_target, 0.02)


def _button_press(rows: Rows) -> Outcome:
    return _push_in(rows, rows.constant("press_length"))


def _coffee_button(rows: Rows) -> Outcome:
    return _push_in(rows, 0.03)


def _push_down(rows: Rows, closed: FloatArray) -> Outcome:
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = abs(rows.target[:, 2] - rows.obj[:, 2])
    near = _near(rows, tcp_to_obj, 0.01)
    pressed = _pressed(obj_to_target, rows.constant("press_length"))
    reward = 5 * hamacher_product(closed, near)
    reward = select(tcp_to_obj <= 0.03, reward + 5 * pressed, reward)
    return _outcome(rows, reward, tcp_to_obj, near, pressed, obj_to_target, 0.024)


def _button_press_topdown(rows: Rows) -> Outcome:
    return _push_down(rows, 1 - rows.opening)


def _button_press_topdown_wall(rows: Rows) -> Outcome:
    return _push_down(rows, rows.opening)


def _button_press_wall(rows: Rows) -> Outcome:
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = abs(rows.target[:, 1] - rows.obj[:, 1])
    near = _near(rows, tcp_to_obj, 0.01)
    pressed = _pressed(obj_to_target, rows.constant("press_length"))
    approaching = 2 * hamacher_product((1 - rows.opening) / 2.0, near)
    pressing = 2 + 2 * (1 + rows.opening) + 4 * square(pressed)
    reward = select(tcp_to_obj > 0.07, approaching, pressing)
    return _outcome(rows, reward, tcp_to_obj, near, pressed, obj_to_target, 0.03)


def _door_lock(rows: Rows) -> Outcome:
    tcp_to_obj = norm((rows.obj - rows.left_pad) * _LOCK_SCALE)
    obj_to_target = abs(rows.target[:, 2] - rows.obj[:, 2])
    # Meta-World's initial pad position follows the pad, so the margin is the distance itself.
    near = tolerance(tcp_to_obj, bounds=(0, 0.01), margin=tcp_to_obj)
    pressed = _pressed(obj_to_target, 0.1)
    reward = 2 * hamacher_product(rows.opening, near) + 8 * pressed
    return _outcome(rows, reward, tcp_to_obj, near, pressed, obj_to_target, 0.02)


_FRONT_BUTTON = (
    ObservedObject(body_pos("button"), body_quat("button"), offset=(0.0, -0.193, 0.0)),
)
_TOP_BUTTON = (ObservedObject(body_pos("button"), body_quat("button"), offset=(0.0, 0.0, 0.193)),)

PRESS = (
    TaskSpec("button-press-v3", _FRONT_BUTTON, _button_press, capture=_press_length),
    TaskSpec("button-press-wall-v3", _FRONT_BUTTON, _button_press_wall, capture=_press_length),
    TaskSpec("button-press-topdown-v3", _TOP_BUTTON, _button_press_topdown, capture=_press_length),
    TaskSpec(
        "button-press-topdown-wall-v3",
        _TOP_BUTTON,
        _button_press_topdown_wall,
        capture=_press_length,
    ),
    TaskSpec(
        "coffee-button-v3",
        (ObservedObject(site_pos("buttonStart"), (1.0, 0.0, 0.0, 0.0)),),
        _coffee_button,
    ),
    TaskSpec(
        "door-lock-v3",
        (ObservedObject(site_pos("lockStartLock"), body_quat("door_link")),),
        _door_lock,
    ),
)
