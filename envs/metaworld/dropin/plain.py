"""The same rows on Meta-World's own environments: for reward v1, and to render."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import gymnasium
import metaworld
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from .settings import Settings
from .splits import Row


def plain_env(row: Row, settings: Settings) -> gymnasium.Env[Any, Any]:
    """Builds one environment with its wrappers as Meta-World does."""
    env: gymnasium.Env[Any, Any] = metaworld._init_each_env(
        env_cls=ALL_V3_ENVIRONMENTS[row.env_name],
        tasks=[task.to_metaworld() for task in row.tasks],
        seed=row.seed,
        env_id=row.env_id,
        **asdict(settings),
    )
    return env


def plain_vector_env(
    rows: Sequence[Row], settings: Settings, autoreset_mode: AutoresetMode
) -> SyncVectorEnv[Any, Any]:
    """Builds one environment per row, stepped one after another."""
    return SyncVectorEnv(
        [partial(plain_env, row, settings) for row in rows], autoreset_mode=autoreset_mode
    )
