"""Gymnasium ids of the Meta-World benchmarks on the batched engine."""

from __future__ import annotations

from typing import Any

import gymnasium

_NAMESPACE = "metarl"
_ML = f"{__package__}.meta_learning"
_MT = f"{__package__}.multi_task"


def register_envs() -> None:
    """Registers the ids; doing it again changes nothing."""
    for split in ("train", "test"):
        _register(f"ML1-{split}", f"{_ML}:make_ml_vec", f"{_ML}:make_ml1", split=split)
        for benchmark in ("ML10", "ML25", "ML45"):
            _register(
                f"{benchmark}-{split}", f"{_ML}:make_ml_vec", benchmark=benchmark, split=split
            )
    for benchmark in ("MT10", "MT25", "MT50"):
        _register(benchmark, f"{_MT}:make_mt_vec", benchmark=benchmark)
    _register("MT1", f"{_MT}:make_mt1_vec", f"{_MT}:make_mt1")
    _register("custom-ml-envs", f"{_ML}:make_custom_ml_vec")
    _register("custom-mt-envs", f"{_MT}:make_custom_mt_vec")


def _register(name: str, make_vec: str, make: str | None = None, **arguments: Any) -> None:
    env_id = f"{_NAMESPACE}/{name}-v0"
    if env_id not in gymnasium.registry:
        gymnasium.register(env_id, entry_point=make, vector_entry_point=make_vec, kwargs=arguments)
