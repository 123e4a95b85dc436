"""The quantities of a MuJoCo model that can be varied, and what they are called in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

import mujoco
import numpy as np
import numpy.typing as npt

from metarl.errors import ConfigError, UnknownNameError

Thing: TypeAlias = Literal["body", "geom", "joint", "actuator", "world"]

_OBJECTS = {
    "body": mujoco.mjtObj.mjOBJ_BODY,
    "geom": mujoco.mjtObj.mjOBJ_GEOM,
    "joint": mujoco.mjtObj.mjOBJ_JOINT,
    "actuator": mujoco.mjtObj.mjOBJ_ACTUATOR,
}
_DOFS = {int(mujoco.mjtJoint.mjJNT_FREE): 6, int(mujoco.mjtJoint.mjJNT_BALL): 3}
_SHAPED = {
    int(kind)
    for kind in (
        mujoco.mjtGeom.mjGEOM_SPHERE,
        mujoco.mjtGeom.mjGEOM_CAPSULE,
        mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        mujoco.mjtGeom.mjGEOM_CYLINDER,
        mujoco.mjtGeom.mjGEOM_BOX,
    )
}


@dataclass(frozen=True)
class Quantity:
    """Something that can be varied.

    Attributes:
        thing: What has it.
        fields: The arrays of ``MjModel`` that take the factor or value.
        columns: How many leading columns of them, where not all.
        absolute: Whether it can be set as well as scaled.
        positive: Whether it must stay above 0.
        derives: Whether other fields of the model are derived from it, so that ``mj_setConst`` is
            due after a change (MuJoCo's manual, "mjModel changes").
    """

    thing: Thing
    fields: tuple[str, ...]
    columns: int | None = None
    absolute: bool = False
    positive: bool = False
    derives: bool = False


QUANTITIES: dict[str, Quantity] = {
    "body_mass": Quantity("body", ("body_mass",), absolute=True, positive=True, derives=True),
    "body_inertia": Quantity("body", ("body_inertia",), positive=True, derives=True),
    "body_density": Quantity("body", ("body_mass", "body_inertia"), positive=True, derives=True),
    "geom_friction": Quantity("geom", ("geom_friction",)),
    "geom_sliding_friction": Quantity("geom", ("geom_friction",), columns=1, absolute=True),
    "geom_size": Quantity("geom", ("geom_size",), positive=True),
    "dof_damping": Quantity("joint", ("dof_damping",), absolute=True),
    "dof_armature": Quantity("joint", ("dof_armature",), absolute=True, derives=True),
    "dof_frictionloss": Quantity("joint", ("dof_frictionloss",), absolute=True),
    "joint_stiffness": Quantity("joint", ("jnt_stiffness",), absolute=True),
    "actuator_strength": Quantity(
        "actuator", ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange"), columns=3
    ),
    "gravity": Quantity("world", ("gravity",), absolute=True),
}
"""What :class:`.Vary` takes, by name.

``body_density`` scales mass and inertia together, as another material would. ``geom_friction``
scales sliding, torsional and rolling friction. ``geom_size`` scales links where they are: joints
and child bodies stay in their places, and mass and inertia follow where the model's file has them
computed from geoms. ``actuator_strength`` scales gain, bias and limits of the force. ``gravity`` is
a magnitude (m/s^2); its direction is the model's.
"""


def quantity_of(name: str) -> Quantity:
    """Finds a quantity.

    Raises:
        UnknownNameError: If there is no such quantity; lists the nearest names.
    """
    if name not in QUANTITIES:
        raise UnknownNameError("quantity", name, QUANTITIES)
    return QUANTITIES[name]


def element_names(model: Any, quantity: str) -> dict[str, int]:
    """Names and numbers of everything in a model that has a quantity; ``#3`` where unnamed.

    The world body has no mass, and planes, meshes and height fields have no size to scale.
    """
    thing = quantity_of(quantity).thing
    if thing == "world":
        return {"world": 0}
    count = {"body": model.nbody, "geom": model.ngeom, "joint": model.njnt, "actuator": model.nu}
    numbers: Sequence[int] = range(1 if thing == "body" else 0, count[thing])
    if quantity == "geom_size":
        numbers = [number for number in numbers if model.geom_type[number] in _SHAPED]
    return {
        mujoco.mj_id2name(model, _OBJECTS[thing], number) or f"#{number}": number
        for number in numbers
    }


def match_elements(model: Any, quantity: str, patterns: Sequence[str]) -> list[str]:
    """Names of the elements that a pattern matches, in the model's order.

    Raises:
        UnknownNameError: If a pattern matches nothing; lists the nearest names.
    """
    names = element_names(model, quantity)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UnknownNameError(f"names of {quantity}", pattern, names)
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def element_rows(model: Any, quantity: str, name: str) -> npt.NDArray[np.intp]:
    """Rows of the quantity's fields that belong to one element.

    Raises:
        ConfigError: If the actuator isn't one whose force its gain and bias scale.
        UnknownNameError: If there is no such element; lists the nearest names.
    """
    names = element_names(model, quantity)
    if name not in names:
        raise UnknownNameError(f"names of {quantity}", name, names)
    number = names[name]
    if quantity_of(quantity).fields[0].startswith("dof_"):
        first = int(model.jnt_dofadr[number])
        return np.arange(first, first + _DOFS.get(int(model.jnt_type[number]), 1))
    if quantity == "actuator_strength" and not (
        model.actuator_gaintype[number] <= int(mujoco.mjtGain.mjGAIN_AFFINE)
        and model.actuator_biastype[number] <= int(mujoco.mjtBias.mjBIAS_AFFINE)
    ):
        raise ConfigError(f"actuator_strength: {name!r} is a muscle or user-defined; can't scale.")
    return np.array([number])
