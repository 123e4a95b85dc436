"""Meta-World environments without textures, for use where nothing is rendered.

Textures are a third to a half of a model's memory. Physics doesn't know them: a model compiled
without them equals the original in every other array.
"""

from __future__ import annotations

from typing import Any

import mujoco
from metaworld.env_dict import ALL_V3_ENVIRONMENTS


class _Untextured:
    """Overrides the hook of ``MujocoEnv`` that loads the model."""

    fullpath: str

    def _initialize_simulation(self) -> tuple[Any, Any]:
        spec = mujoco.MjSpec.from_file(self.fullpath)
        for material in spec.materials:
            material.textures = [""] * len(material.textures)
        for texture in list(spec.textures):
            texture.delete()
        model = spec.compile()
        return model, mujoco.MjData(model)


def make_untextured(env_name: str) -> Any:
    """Returns Meta-World's environment of this name, unable to render but otherwise the same."""
    original = ALL_V3_ENVIRONMENTS[env_name]
    return type(original.__name__, (_Untextured, original), {})()
