"""Meta-World environments whose models hold what physics needs, for use where nothing is rendered.

Looks are most of a model: of 20 MB, textures are 6 and the meshes that cover the robot's arm 12.
They cost time too, although they never touch anything: every ``mj_step`` clears a flag for each
node of every mesh's bounding volume hierarchy (134,000 of them), which takes nearly as long as
finding the contacts, and sweeps the simulation out of the processor's first cache.
"""

from __future__ import annotations

from typing import Any

import mujoco
from metaworld.env_dict import ALL_V3_ENVIRONMENTS


class _Lean:
    """Overrides the hook of ``MujocoEnv`` that loads the model."""

    fullpath: str

    def _initialize_simulation(self) -> tuple[Any, Any]:
        model = compile_lean(self.fullpath)
        return model, mujoco.MjData(model)


def make_lean(env_name: str) -> Any:
    """Returns Meta-World's environment of this name, unable to render but otherwise the same."""
    original = ALL_V3_ENVIRONMENTS[env_name]
    return type(original.__name__, (_Lean, original), {})()


def compile_lean(path: str) -> Any:
    """Compiles a model without textures, cameras, lights and the geoms that are only looked at.

    Such a geom collides with nothing and has no name to be read by. In Meta-World's models it has
    no part in its body's inertia either, so all else keeps its numbers, to the bit.

    Args:
        path: The model's XML file.
    """
    spec = mujoco.MjSpec.from_file(path)
    for material in spec.materials:
        material.textures = [""] * len(material.textures)
    for geom in [geom for geom in spec.geoms if _is_only_looked_at(geom)]:
        geom.delete()
    meshes = {geom.meshname for geom in spec.geoms}
    unused = [mesh for mesh in spec.meshes if mesh.name not in meshes]
    for element in (*spec.textures, *spec.cameras, *spec.lights, *unused):
        element.delete()
    return spec.compile()


def _is_only_looked_at(geom: Any) -> bool:
    return not geom.name and geom.contype == 0 and geom.conaffinity == 0
