"""From rows and settings to an environment: batched, in worker processes, or Meta-World's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode, VectorEnv

from metarl.errors import ConfigError

from .plain import plain_env, plain_vector_env
from .settings import Settings, check_vector_strategy, read_autoreset_mode, read_settings
from .single_env import SingleEnv
from .splits import Row
from .vector_env import LocalVectorEnv
from .worker_env import WorkerVectorEnv

AnyVectorEnv = VectorEnv[Any, Any, Any]
AnyEnv = gymnasium.Env[Any, Any]


def build_vector_env(
    rows: Sequence[Row],
    settings: Settings,
    vector_strategy: str,
    autoreset_mode: AutoresetMode | str,
    num_workers: int,
) -> AnyVectorEnv:
    """Builds the vector environment of some rows.

    Raises:
        ConfigError: If an argument isn't allowed, or not beside the others.
    """
    check_vector_strategy(vector_strategy)
    mode = read_autoreset_mode(autoreset_mode)
    if num_workers < 0:
        raise ConfigError(f"num_workers: got {num_workers}; must be at least 0.")
    if num_workers and not settings.batched:
        raise ConfigError(
            f"num_workers: got {num_workers}; must be 0 with a render_mode or reward version v1."
        )
    if not settings.batched:
        return plain_vector_env(rows, settings, mode)
    if num_workers:
        return WorkerVectorEnv(rows, settings, mode, num_workers)
    return LocalVectorEnv(rows, settings, mode)


def build_env(row: Row, settings: Settings) -> AnyEnv:
    """Builds the environment of one row."""
    return SingleEnv(row, settings) if settings.batched else plain_env(row, settings)


def read_keywords(maker: Callable[..., Any], keywords: dict[str, Any], **defaults: Any) -> Settings:
    """Reads the settings among the keyword arguments of an entry point.

    Args:
        maker: The entry point; its own arguments are suggested too where a name is unknown.
        keywords: What it got beside those.
        **defaults: Its defaults where they differ from those of :class:`.settings.Settings`.
    """
    own = [name for name in inspect.signature(maker).parameters if name != "settings"]
    return read_settings(keywords, own, **defaults)
