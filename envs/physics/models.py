"""Changes to a MuJoCo model that can be taken back to the bit."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import mujoco
import numpy as np
import numpy.typing as npt

from metarl.errors import ConfigError, TaskError

from .quantities import element_rows, quantity_of

Changes: TypeAlias = Sequence[Mapping[str, Any]]
"""JSON data: quantity, kind (``"scale"`` or ``"absolute"``) and values (number(s) by element)."""

_UNTOUCHED = ("mesh_", "hfield_", "tex_", "skin_", "flex_", "name")


class ModelEditor:
    """Makes variants of a model, each from its unchanged state.

    Where MuJoCo derives other fields from the changed ones (mass, inertia, armature),
    ``mj_setConst`` computes them anew: subtree masses, inverse weights, mean inertia. For
    ``geom_size`` the model's file is compiled again, so that bounding volumes, and mass and inertia
    where the file leaves them to the compiler, are those that the compiler gives.

    Args:
        model: The ``MjModel``; it isn't changed.
        path: The file that it was compiled from, needed to vary ``geom_size``.
    """

    def __init__(self, model: Any, path: str | Path | None = None) -> None:
        self.original = copy.copy(model)
        self._path = path

    def edited(self, changes: Changes) -> Any:
        """Returns a new ``MjModel`` with changes.

        Raises:
            ConfigError: If a change is malformed, or sizes vary and the model's file isn't known.
            UnknownNameError: If there is no such quantity or element.
        """
        sizes = [change for change in changes if change.get("quantity") == "geom_size"]
        model = self._resized(sizes) if sizes else copy.copy(self.original)
        derive = False
        for change in changes:
            if change not in sizes:
                derive |= _apply(model, change)
        if derive:
            mujoco.mj_setConst(model, mujoco.MjData(model))
        return model

    def _resized(self, changes: Changes) -> Any:
        if self._path is None:
            raise ConfigError("geom_size: the model's file isn't known, so it can't be compiled.")
        spec = mujoco.MjSpec.from_file(str(self._path))
        if not models_equal(spec.compile(), self.original):
            raise ConfigError(
                f"geom_size: {self._path} compiles to another model than the environment's, "
                "which therefore was changed after loading; can't vary sizes."
            )
        geoms = dict(zip(_geom_numbers(str(self._path)), spec.geoms, strict=True))
        for change in changes:
            for name, value in _values_of(change):
                (number,) = element_rows(self.original, "geom_size", name)
                geom = geoms[int(number)]
                # Written out, as ends given by `fromto` would override size and place.
                geom.fromto = np.full(6, np.nan)
                geom.pos = self.original.geom_pos[number]
                geom.quat = self.original.geom_quat[number]
                geom.size = self.original.geom_size[number] * value
        return spec.compile()


def assign_model(target: Any, source: Any) -> None:
    """Copies every number of a model into another of the same structure, in place.

    Whoever holds the model (an environment, its renderer) so goes on with the other numbers.
    """
    for name in _array_names():
        getattr(target, name)[:] = getattr(source, name)
    target.opt.gravity[:] = source.opt.gravity
    for name in _STATISTICS:
        value = getattr(source.stat, name)
        if isinstance(value, np.ndarray):
            getattr(target.stat, name)[:] = value
        else:
            setattr(target.stat, name, value)


def models_equal(model: Any, other: Any) -> bool:
    """Whether two models hold the same numbers, to the bit."""
    pairs = [(getattr(model, name), getattr(other, name)) for name in _array_names()]
    pairs += [(getattr(model.stat, name), getattr(other.stat, name)) for name in _STATISTICS]
    pairs.append((model.opt.gravity, other.opt.gravity))
    return all(np.shape(a) == np.shape(b) and np.array_equal(a, b) for a, b in pairs)


def base_values(model: Any, quantity: str, name: str) -> npt.NDArray[np.float64]:
    """One element's values in the first of the quantity's fields, ``[rows, columns]``."""
    field = _field(model, quantity_of(quantity).fields[0])
    columns = quantity_of(quantity).columns
    rows = field[element_rows(model, quantity, name)].reshape(-1, *field.shape[1:])
    values: npt.NDArray[np.float64] = rows[..., :columns] if field.ndim > 1 else rows
    return values


_STATISTICS = ("meaninertia", "meanmass", "meansize", "extent", "center")


@cache
def _geom_numbers(path: str) -> tuple[int, ...]:
    """The numbers in the compiled model of a file's geoms, in the file's order.

    Only names connect the two, so geoms without one are given one in a copy that is thrown away.
    """
    spec = mujoco.MjSpec.from_file(path)
    for place, geom in enumerate(spec.geoms):
        geom.name = geom.name or f"geom number {place} of the file"
    model = spec.compile()
    return tuple(
        int(mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, geom.name)) for geom in spec.geoms
    )


@cache
def _array_names() -> tuple[str, ...]:
    """The arrays of an ``MjModel`` but for meshes, pictures and names, that nothing here varies."""
    tiny = mujoco.MjModel.from_xml_string("<mujoco/>")
    return tuple(
        name
        for name in dir(tiny)
        if isinstance(getattr(tiny, name, None), np.ndarray)
        and not name.startswith(("_", *_UNTOUCHED))
    )


def _apply(model: Any, change: Mapping[str, Any]) -> bool:
    """Makes one change; says whether derived fields have to follow."""
    name = change["quantity"]
    quantity = quantity_of(name)
    for element, value in _values_of(change):
        rows = element_rows(model, name, element)
        for field_name in quantity.fields:
            field = _field(model, field_name)
            block = field[rows] if field.ndim == 1 else field[rows, : quantity.columns]
            if value.size not in (1, block.size):
                raise TaskError(
                    f"{name} of {element!r}: got {value.size} numbers; must be 1 or {block.size}."
                )
            if change["kind"] == "scale":
                block = block * value.reshape(block.shape if value.size > 1 else ())
            elif name == "gravity":
                block = block / np.linalg.norm(block) * value
            else:
                block = np.broadcast_to(value, block.shape)
            if field.ndim == 1:
                field[rows] = block
            else:
                field[rows, : quantity.columns] = block
    return quantity.derives


def _field(model: Any, name: str) -> npt.NDArray[np.float64]:
    field: npt.NDArray[np.float64] = (
        model.opt.gravity[None] if name == "gravity" else getattr(model, name)
    )
    return field


def _values_of(change: Mapping[str, Any]) -> list[tuple[str, npt.NDArray[np.float64]]]:
    if change.keys() != {"quantity", "kind", "values"} or not isinstance(change["values"], dict):
        raise TaskError(f"physics: got {change!r}; needs quantity, kind and values.")
    if change["kind"] not in ("scale", "absolute"):
        raise TaskError(f"kind: got {change['kind']!r}; allowed: scale, absolute.")
    return [(name, np.asarray(value, dtype=np.float64)) for name, value in change["values"].items()]
