"""Named quantities of a simulation, and where MuJoCo keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import mujoco
import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

Field: TypeAlias = Literal[
    "xpos", "xquat", "xmat", "geom_xpos", "geom_xmat", "site_xpos", "site_xmat", "qpos"
]

_OBJECT_TYPE = {
    "xpos": mujoco.mjtObj.mjOBJ_BODY,
    "xquat": mujoco.mjtObj.mjOBJ_BODY,
    "xmat": mujoco.mjtObj.mjOBJ_BODY,
    "geom_xpos": mujoco.mjtObj.mjOBJ_GEOM,
    "geom_xmat": mujoco.mjtObj.mjOBJ_GEOM,
    "site_xpos": mujoco.mjtObj.mjOBJ_SITE,
    "site_xmat": mujoco.mjtObj.mjOBJ_SITE,
    "qpos": mujoco.mjtObj.mjOBJ_JOINT,
}


@dataclass(frozen=True)
class Source:
    """One named quantity: a row of a field of ``MjData``.

    Attributes:
        field: The array of ``MjData`` that holds it.
        name: The MuJoCo name of the body, geom, site or joint.
    """

    field: Field
    name: str

    @property
    def is_rotation_matrix(self) -> bool:
        """Whether this is an orientation given as nine matrix entries."""
        return self.field in ("xmat", "geom_xmat", "site_xmat")

    def index(self, model: Any) -> int:
        """Returns the row of ``field`` that holds this quantity.

        Raises:
            KeyError: If the model has no element of this name.
        """
        element = mujoco.mj_name2id(model, _OBJECT_TYPE[self.field], self.name)
        if element < 0:
            raise KeyError(f"the model has no element {self.name!r} to read {self.field!r} from")
        return int(model.jnt_qposadr[element]) if self.field == "qpos" else int(element)


Readings: TypeAlias = Mapping[Source, FloatArray]
"""What was read of ``n`` worlds: ``[n, 3]`` positions, ``[n, 4]`` quaternions (w first),
``[n, 9]`` rotation matrices, ``[n]`` joint positions."""


def body_pos(name: str) -> Source:
    """Position of a body's frame in the world (m)."""
    return Source("xpos", name)


def body_quat(name: str) -> Source:
    """Orientation of a body's frame, as a quaternion with w first."""
    return Source("xquat", name)


def body_mat(name: str) -> Source:
    """Orientation of a body's frame, as a rotation matrix."""
    return Source("xmat", name)


def geom_pos(name: str) -> Source:
    """Position of a geom in the world (m)."""
    return Source("geom_xpos", name)


def geom_mat(name: str) -> Source:
    """Orientation of a geom, as a rotation matrix."""
    return Source("geom_xmat", name)


def site_pos(name: str) -> Source:
    """Position of a site in the world (m)."""
    return Source("site_xpos", name)


def site_mat(name: str) -> Source:
    """Orientation of a site, as a rotation matrix."""
    return Source("site_xmat", name)


def joint_pos(name: str) -> Source:
    """Position of a hinge (rad) or slide (m) joint."""
    return Source("qpos", name)


HAND = body_pos("hand")
RIGHT_CLAW = body_pos("rightclaw")
LEFT_CLAW = body_pos("leftclaw")
RIGHT_PAD = body_pos("rightpad")
LEFT_PAD = body_pos("leftpad")
RIGHT_FINGER = site_pos("rightEndEffector")
LEFT_FINGER = site_pos("leftEndEffector")

ROBOT = (HAND, RIGHT_CLAW, LEFT_CLAW, RIGHT_PAD, LEFT_PAD, RIGHT_FINGER, LEFT_FINGER)
"""Read for every task, declared or not."""
