"""Gymnasium ids of the Meta-World benchmarks on the batched engine."""

from __future__ import annotations

from typing import Any

import gymnasium

_NAMESPACE = "metarl"


def register_envs() -> None:
    """Registers the ids; doing it again changes nothing."""
    for split in ("train", "test"):
        arguments = {"benchmark": "ML1", "split": split}
        _register(
            f"ML1-{split}", "meta_learning:make_ml_vec", arguments, single="meta_learning:make_ml1"
        )
        for benchmark in ("ML10", "ML25", "ML45"):
            arguments = {"benchmark": benchmark, "split": split}
            _register(f"{benchmark}-{split}", "meta_learning:make_ml_vec", arguments)
    for benchmark in ("MT10", "MT25", "MT50"):
        _register(benchmark, "multi_task:make_mt_vec", {"benchmark": benchmark})
    _register("MT1", "multi_task:make_mt1_vec", {}, single="multi_task:make_mt1")
    _register("custom-ml-envs", "meta_learning:make_custom_ml_vec", {})
    _register("custom-mt-envs", "multi_task:make_custom_mt_vec", {})


def _register(name: str, maker: str, arguments: dict[str, Any], single: str | None = None) -> None:
    env_id = f"{_NAMESPACE}/{name}-v0"
    if env_id in gymnasium.registry:
        return
    gymnasium.register(
        env_id,
        entry_point=None if single is None else f"{__package__}.{single}",
        vector_entry_point=f"{__package__}.{maker}",
        kwargs=arguments,
    )
