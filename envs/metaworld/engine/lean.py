"""Meta-World environments whose models hold what physics needs, for use where nothing is rendered.

Pictures are most of a model: of 20 MB, textures are 6 and the meshes that cover the robot's arm 10.
They cost time too, although they never touch anything: every ``mj_step`` clears a flag for each
node of every mesh's bounding volume hierarchy (134,000 of them), which takes as long as finding
the contacts, and sweeps the data of the simulation out of the processor's first cache.
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

    Such a geom collides with nothing and has no name to be read by. It stays if its body's inertia
    is computed from its geoms. The bodies, joints and remaining geoms then have the numbers that
    they have in the whole model, to the bit.

    Args:
        path: The model's XML file.
    """
    spec = mujoco.MjSpec.from_file(path)
    for material in spec.materials:
        material.textures = [""] * len(material.textures)
    for body in spec.bodies:
        if body.explicitinertial:
            for geom in [g for g in body.geoms if _is_only_looked_at(g)]:
                geom.delete()
    meshes = {geom.meshname for geom in spec.geoms}
    unused = [mesh for mesh in spec.meshes if mesh.name not in meshes]
    for element in (*spec.textures, *spec.cameras, *spec.lights, *unused):
        element.delete()
    return spec.compile()


def _is_only_looked_at(geom: Any) -> bool:
    return not geom.name and geom.contype == 0 and geom.conaffinity == 0
