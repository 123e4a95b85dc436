"""Lean models are Meta-World's in all that physics knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.envs.metaworld.engine import TASKS
from metarl.envs.metaworld.engine.lean import make_lean

NOT_PHYSICS = ("_", "tex_", "mat_texid", "name", "cam_", "light_")
BY_GEOM = "geom_"
BY_MESH = ("mesh_", "bvh_", "body_bvh", "body_geom", "geom_dataid")
"""Where a geom's or a mesh's data begins; compared through what lies there instead."""


def arrays(model: Any) -> dict[str, np.ndarray]:
    found = {name: getattr(model, name) for name in dir(model) if not name.startswith(NOT_PHYSICS)}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


def mesh_of(model: Any, geom: int) -> tuple[np.ndarray, ...]:
    """Vertices and hull of a geom's mesh, which is what its contacts are found with."""
    mesh = model.geom_dataid[geom]
    if mesh < 0:
        return ()
    start, graph = model.mesh_vertadr[mesh], model.mesh_graphadr[mesh]
    vertices = model.mesh_vert[start : start + model.mesh_vertnum[mesh]]
    if graph < 0:
        return (vertices,)
    num_vertices, num_faces = model.mesh_graph[graph : graph + 2]
    length = 2 + 3 * num_vertices + 6 * num_faces
    return vertices, model.mesh_graph[graph : graph + length]


SOME = ("push-v3", "box-close-v3", "coffee-pull-v3", "hammer-v3", "window-open-v3")
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in TASKS if name not in SOME]


@pytest.mark.parametrize("env_name", [*SOME, *SLOW])
def test_what_physics_knows_is_the_same(env_name: str) -> None:
    original: Any = ALL_V3_ENVIRONMENTS[env_name]().model
    lean = make_lean(env_name).model
    collides = (original.geom_contype | original.geom_conaffinity) != 0
    named = np.array([original.geom(geom).name != "" for geom in range(original.ngeom)])
    kept = np.flatnonzero(collides | named)
    assert len(kept) == lean.ngeom < original.ngeom

    compared = 0
    for name, value in arrays(original).items():
        if name.startswith(BY_MESH):
            continue
        expected = value[kept] if name.startswith(BY_GEOM) else value
        # Degenerate faces of a mesh have NaN normals.
        equal_nan = value.dtype.kind == "f"
        assert np.array_equal(expected, getattr(lean, name), equal_nan=equal_nan), name
        compared += 1
    assert compared > 150
    for number, geom in enumerate(kept):
        assert lean.geom(number).name == original.geom(geom).name
        for ours, theirs in zip(mesh_of(lean, number), mesh_of(original, geom), strict=True):
            assert np.array_equal(ours, theirs)
    assert lean.stat.meaninertia == original.stat.meaninertia  # scales the solver's tolerance


@pytest.mark.parametrize("env_name", ["push-v3", "plate-slide-v3"])
def test_little_is_left_of_what_is_only_looked_at(env_name: str) -> None:
    original: Any = ALL_V3_ENVIRONMENTS[env_name]().model
    lean = make_lean(env_name).model
    assert original.ntexdata > 0
    assert lean.ntexdata == lean.ncam == lean.nlight == 0
    assert lean.nbuffer < original.nbuffer / 4
    assert lean.nbvh < original.nbvh / 3
