"""Models without textures are otherwise Meta-World's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.envs.metaworld.engine.untextured import make_untextured

NOT_PHYSICS = ("_", "tex_", "mat_texid", "name")


@pytest.mark.parametrize("env_name", ["push-v3", "box-close-v3", "coffee-pull-v3"])
def test_every_other_array_of_the_model_is_the_same(env_name: str) -> None:
    original: Any = ALL_V3_ENVIRONMENTS[env_name]().model
    lean = make_untextured(env_name).model
    assert original.ntexdata > 0
    assert lean.ntexdata == 0
    compared = 0
    for name in dir(original):
        value = getattr(original, name)
        if isinstance(value, np.ndarray) and not name.startswith(NOT_PHYSICS):
            # Degenerate faces of a mesh have NaN normals.
            equal_nan = value.dtype.kind == "f"
            assert np.array_equal(value, getattr(lean, name), equal_nan=equal_nan), name
            compared += 1
    assert compared > 200
