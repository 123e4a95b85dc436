"""Entry points of the multi-task benchmarks: goals observable, nothing held out.

Arguments that all vector environments share are explained in :mod:`metarl.envs.metaworld.dropin`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from gymnasium.vector import AutoresetMode

from metarl.errors import ConfigError

from .build import AnyEnv, AnyVectorEnv, build_env, build_vector_env, read_keywords
from .settings import Settings
from .splits import Row, draw


def make_mt_vec(
    *,
    benchmark: str,
    seed: int | None = None,
    num_goals: int | None = None,
    num_envs: int | None = None,
    vector_strategy: str = "sync",
    autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    num_workers: int = 0,
    **settings: Any,
) -> AnyVectorEnv:
    """Builds MT10, MT25 or MT50: one row per class, goals observable, one drawn at every reset.

    Args:
        benchmark: ``"MT10"``, ``"MT25"`` or ``"MT50"``, set by the id.
        seed: Of the goals and of the choice among them.
        num_goals: Goals per class, 50 unless told. (Meta-World keeps the number for all
            benchmarks made later; here it holds for this one.)
        num_envs: Ignored.
        vector_strategy: Ignored.
        autoreset_mode: What happens to rows whose episode has ended.
        num_workers: Processes to spread the rows over.
        **settings: See :class:`.settings.Settings`.
    """
    del num_envs
    chosen = read_keywords(make_mt_vec, settings)
    classes = draw(benchmark, seed, num_goals=num_goals).train
    rows = [Row(name, tasks, seed, i) for i, (name, tasks) in enumerate(classes.items())]
    chosen = replace(chosen, num_tasks=chosen.num_tasks or len(rows))
    return build_vector_env(rows, chosen, vector_strategy, autoreset_mode, num_workers)


def make_custom_mt_vec(
    *,
    envs_list: Sequence[str],
    seed: int | None = None,
    num_envs: int | None = None,
    vector_strategy: str = "sync",
    autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    num_workers: int = 0,
    **settings: Any,
) -> AnyVectorEnv:
    """Builds a multi-task benchmark of classes of your choice, goals observable.

    Args:
        envs_list: Meta-World's names of the classes, one row each.
        seed: Row ``i`` has ``seed + i``. As with Meta-World's id, seed 0 means none.
        num_envs: Ignored.
        vector_strategy: Ignored.
        autoreset_mode: What happens to rows whose episode has ended.
        num_workers: Processes to spread the rows over.
        **settings: See :class:`.settings.Settings`.
    """
    del num_envs
    chosen = replace(read_keywords(make_custom_mt_vec, settings), num_tasks=len(envs_list))
    if not envs_list:
        raise ConfigError("envs_list: got none; needs at least one class.")
    rows = []
    for i, name in enumerate(envs_list):
        row_seed = seed + i if seed else None
        rows.append(Row(name, _mt1_tasks(name, row_seed, None), row_seed, i))
    return build_vector_env(rows, chosen, vector_strategy, autoreset_mode, num_workers)


def make_mt1_vec(
    *,
    env_name: str,
    seed: int | None = None,
    num_goals: int | None = None,
    env_id: int | None = None,
    num_envs: int = 1,
    vector_strategy: str = "sync",
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    num_workers: int = 0,
    **settings: Any,
) -> AnyVectorEnv:
    """Builds ``num_envs`` copies of MT1, all with the same seed, as ``make_vec`` does by itself.

    Args:
        env_name: Meta-World's name of the class.
        seed: Of the goals and of the choice among them.
        num_goals: How many goals, 50 unless told.
        env_id: Index of the class in the one-hot vector.
        num_envs: Rows.
        vector_strategy: Ignored.
        autoreset_mode: What happens to rows whose episode has ended.
        num_workers: Processes to spread the rows over.
        **settings: See :class:`.settings.Settings`.
    """
    row, chosen = _mt1(make_mt1_vec, env_name, seed, num_goals, env_id, settings)
    rows = [replace(row, copy=i) for i in range(num_envs)]
    return build_vector_env(rows, chosen, vector_strategy, autoreset_mode, num_workers)


def make_mt1(
    *,
    env_name: str,
    seed: int | None = None,
    num_goals: int | None = None,
    env_id: int | None = None,
    **settings: Any,
) -> AnyEnv:
    """Builds MT1: one class, 50 goals, observable, one of them drawn at every reset.

    Args:
        env_name: Meta-World's name of the class.
        seed: Of the goals and of the choice among them.
        num_goals: How many goals, 50 unless told.
        env_id: Index of the class in the one-hot vector.
        **settings: See :class:`.settings.Settings`.
    """
    row, chosen = _mt1(make_mt1, env_name, seed, num_goals, env_id, settings)
    return build_env(row, chosen)


def _mt1(
    maker: Callable[..., Any],
    env_name: str,
    seed: int | None,
    num_goals: int | None,
    env_id: int | None,
    settings: dict[str, Any],
) -> tuple[Row, Settings]:
    chosen = read_keywords(maker, settings)
    chosen = replace(chosen, num_tasks=chosen.num_tasks or 1)
    if chosen.use_one_hot and env_id is None:
        raise ConfigError("env_id: got None; use_one_hot needs the index of the class.")
    return Row(env_name, _mt1_tasks(env_name, seed, num_goals), seed, env_id), chosen


def _mt1_tasks(env_name: str, seed: int | None, num_goals: int | None) -> Any:
    return draw("MT1", seed, num_goals=num_goals, train_envs=(env_name,)).train[env_name]
