"""Family A: bring the fingertips to a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.envs.metaworld.engine.sources import body_pos, geom_mat
from metarl.envs.metaworld.engine.spec import ObservedObject, Outcome, Rows, TaskSpec

from .primitives import norm, tolerance

_PUCK = (ObservedObject(body_pos("obj"), geom_mat("objGeom")),)


def _capture(env: Any) -> Mapping[str, npt.ArrayLike]:
    return {"margin": np.linalg.norm(env.hand_init_pos - env._target_pos)}


def _reach(rows: Rows) -> Outcome:
    tcp_to_target = norm(rows.tcp - rows.target)
    in_place = tolerance(tcp_to_target, bounds=(0, 0.05), margin=rows.constant("margin"))
    return Outcome(
        reward=10 * in_place,
        success=tcp_to_target <= 0.05,
        near_object=tcp_to_target,
        grasp_success=1.0,
        grasp_reward=tcp_to_target,
        in_place_reward=in_place,
        obj_to_target=tcp_to_target,
    )


def _reach_wall(rows: Rows) -> Outcome:
    return replace(_reach(rows), near_object=0.0, grasp_success=0.0, grasp_reward=0.0)


REACH = (
    TaskSpec("reach-v3", _PUCK, _reach, capture=_capture),
    TaskSpec("reach-wall-v3", _PUCK, _reach_wall, capture=_capture),
)
