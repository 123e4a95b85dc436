"""Which tasks each row of a vector environment plays: Meta-World's own benchmarks, dealt out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import metaworld
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.envs.metaworld.drawing import check_seed, goals_per_family
from metarl.envs.metaworld.engine import WorldTask
from metarl.errors import ConfigError, UnknownNameError

Split = Literal["train", "test"]
ENV_NAMES: tuple[str, ...] = tuple(ALL_V3_ENVIRONMENTS)


@dataclass(frozen=True)
class Row:
    """One sub-environment: a class and the tasks it may be given.

    Attributes:
        env_name: Meta-World's name of the class.
        tasks: The tasks, in the order in which Meta-World lists them.
        seed: Of the row's choice among them; None for a fresh one.
        env_id: Index of the class in the benchmark where it is multi-task, for the one-hot vector.
        copy: How many rows before it are of the same class and ``env_id``.
    """

    env_name: str
    tasks: tuple[WorldTask, ...]
    seed: int | None
    env_id: int | None = None
    copy: int = 0


@dataclass(frozen=True)
class Drawn:
    """A Meta-World benchmark: its classes and their tasks, for training and for testing."""

    train: dict[str, tuple[WorldTask, ...]]
    test: dict[str, tuple[WorldTask, ...]]


def draw(
    name: str,
    seed: int | None,
    *,
    num_goals: int | None = None,
    train_envs: Sequence[str] = (),
    test_envs: Sequence[str] = (),
) -> Drawn:
    """Draws a benchmark's tasks with Meta-World's own class.

    Args:
        name: ``"ML10"``, ``"MT50"``, ..., ``"CustomML"``; with one class of ``train_envs``
            ``"ML1"`` or ``"MT1"``.
        seed: Of the goals. A benchmark with a seed is drawn once and kept, as drawing takes
            about 7 ms per goal.
        num_goals: Goals per class, 50 unless told.
        train_envs: Names of classes, where the benchmark takes some.
        test_envs: Names of classes, where the benchmark takes some.

    Raises:
        UnknownNameError: If there is no such class.
        ConfigError: If the seed is out of range, or a list of names is empty or not disjoint.
    """
    if seed is not None:
        check_seed(seed, name)
    for env_name in (*train_envs, *test_envs):
        if env_name not in ENV_NAMES:
            raise UnknownNameError("env_name", env_name, ENV_NAMES)
    if name == "CustomML":
        _check_custom(train_envs, test_envs)
    goals = metaworld._N_GOALS if num_goals is None else num_goals
    make = _draw if seed is None else _draw_once
    return make(name, seed, goals, tuple(train_envs), tuple(test_envs))


def _draw(
    name: str,
    seed: int | None,
    num_goals: int,
    train_envs: tuple[str, ...],
    test_envs: tuple[str, ...],
) -> Drawn:
    make = getattr(metaworld, name)
    with goals_per_family(num_goals):
        if name == "CustomML":
            benchmark = make(list(train_envs), list(test_envs), seed=seed)
        else:
            benchmark = make(*train_envs, seed=seed)
    return Drawn(
        _by_class(benchmark.train_classes, benchmark.train_tasks),
        _by_class(benchmark.test_classes if benchmark.test_tasks else (), benchmark.test_tasks),
    )


_draw_once = lru_cache(maxsize=32)(_draw)


def meta_learning_rows(
    classes: dict[str, tuple[WorldTask, ...]],
    meta_batch_size: int,
    total_tasks_per_cls: int | None,
    seed: int | None,
) -> list[Row]:
    """Deals a split's tasks out to rows: every class gets as many rows, every row as many tasks.

    Raises:
        ConfigError: If that doesn't come out even.
    """
    if meta_batch_size < 1 or meta_batch_size % len(classes):
        raise ConfigError(
            f"meta_batch_size: got {meta_batch_size}; must be a multiple of the number of "
            f"classes, {len(classes)}."
        )
    rows_per_class = meta_batch_size // len(classes)
    rows = []
    for env_name, tasks in classes.items():
        chosen = tasks if total_tasks_per_cls is None else tasks[:total_tasks_per_cls]
        if not chosen or len(chosen) % rows_per_class:
            raise ConfigError(
                f"total_tasks_per_cls: {len(chosen)} tasks of {env_name} don't divide among "
                f"{rows_per_class} environments; choose total_tasks_per_cls (at most "
                f"{len(tasks)}) a multiple of that."
            )
        rows += [
            Row(env_name, chosen[i::rows_per_class], seed, copy=i) for i in range(rows_per_class)
        ]
    return rows


def _by_class(names: Sequence[str], tasks: Sequence[Any]) -> dict[str, tuple[WorldTask, ...]]:
    found = [WorldTask.from_metaworld(task) for task in tasks]
    return {name: tuple(t for t in found if t.env_name == name) for name in names}


def _check_custom(train_envs: Sequence[str], test_envs: Sequence[str]) -> None:
    for field, names in (("train_envs", train_envs), ("test_envs", test_envs)):
        if not names:
            raise ConfigError(f"{field}: got none; needs at least one class.")
    shared = sorted(set(train_envs) & set(test_envs))
    if shared:
        raise ConfigError(f"test_envs: {', '.join(shared)} also in train_envs; must be disjoint.")
