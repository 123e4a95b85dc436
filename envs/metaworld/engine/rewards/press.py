"""Family B: come near with the gripper closed (or open), then press."""

from __future__ import annotations

from metarl.envs.metaworld.engine.sources import FloatArray, body_pos, body_quat
from metarl.envs.metaworld.engine.spec import ObservedObject, Outcome, Rows, TaskSpec

from .primitives import hamacher_product, norm, select, tolerance


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


def _button_press(rows: Rows) -> Outcome:
    tcp_to_obj = norm(rows.obj - rows.tcp)
    obj_to_target = abs(rows.target[:, 1] - rows.obj[:, 1])
    near = tolerance(tcp_to_obj, bounds=(0, 0.05), margin=norm(rows.obj - rows.init_tcp))
    pressed = tolerance(obj_to_target, bounds=(0, 0.005), margin=rows.constant("press_length"))
    reward = 2 * hamacher_product(rows.opening, near)
    reward = select(tcp_to_obj <= 0.05, reward + 8 * pressed, reward)
    return _outcome(rows, reward, tcp_to_obj, near, pressed, obj_to_target, 0.02)


PRESS = (
    TaskSpec(
        "button-press-v3",
        (ObservedObject(body_pos("button"), body_quat("button"), offset=(0.0, -0.193, 0.0)),),
        _button_press,
        capture=lambda env: {"press_length": env._obj_to_target_init},
    ),
)
