"""Meta-World's benchmarks, their tasks drawn by Meta-World's own benchmark classes.

The classes are right where the registered ids are not: ``Meta-World/ML1-train`` serves the test
tasks (metaworld 3.1.1). What is taken from them is each task's family and random vector; train and
test are checked to be disjoint.

ML1 tests on goals drawn with ``seed + 1``: seed 1 trains on the goals that seed 0 tests on. Space
the seeds of runs that are to be independent.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import metaworld

from metarl.errors import ConfigError, UnknownNameError
from metarl.tasks import Benchmark, Task

from .distribution import MetaWorldTasks
from .drawing import NUM_GOALS, check_seed, goals_per_family
from .environment import (
    FAMILIES,
    MAX_EPISODE_STEPS,
    REWARD_VERSIONS,
    check_horizon,
    metaworld_task,
)

SETTINGS = ("max_episode_steps", "reward_version", "backend")


def ML1(env_name: str, seed: int = 0, **settings: Any) -> Benchmark:  # noqa: N802 - its own name
    """One family: 50 goals to train on, 50 others to test on, goals hidden.

    Args:
        env_name: One of the 50 families, e.g. ``"reach-v3"``.
        seed: Seed of the goals, 0 to 4294967294; the test goals use ``seed + 1``.
        **settings: ``max_episode_steps`` (1 to 500), ``reward_version`` (``"v1"``, ``"v2"``) and
            ``backend`` (``"fast"``, ``"reference"``; see :class:`.MetaWorldTasks`).

    Raises:
        UnknownNameError: If there is no such family.
        ConfigError: If a setting is out of range.
    """
    _check_family("env_name", env_name)
    return _benchmark(f"ml1/{env_name}", metaworld.ML1, seed, settings, env_name=env_name)


def ML10(seed: int = 0, **settings: Any) -> Benchmark:  # noqa: N802
    """Ten families to train on, five others to test on, 50 goals each, hidden."""
    return _benchmark("ml10", metaworld.ML10, seed, settings)


def ML25(seed: int = 0, **settings: Any) -> Benchmark:  # noqa: N802
    """25 families to train on, five to test on, 50 goals each, hidden.

    In metaworld 3.1.1 one family, ``basketball-v3``, is in both: its goals differ, but success on
    it is no success on a family never trained on.
    """
    return _benchmark("ml25", metaworld.ML25, seed, settings)


def ML45(seed: int = 0, **settings: Any) -> Benchmark:  # noqa: N802
    """45 families to train on, five others to test on, 50 goals each, hidden."""
    return _benchmark("ml45", metaworld.ML45, seed, settings)


def CustomML(  # noqa: N802
    train_envs: Sequence[str],
    test_envs: Sequence[str],
    seed: int = 0,
    *,
    num_held_out_goals: int = 0,
    **settings: Any,
) -> Benchmark:
    """Families of your choice to train and to test on, 50 goals each, hidden.

    Two kinds of generalisation can be tested, one or both: to other families (``test_envs``), and
    to other goals of the families trained on (``num_held_out_goals``). Every evaluated episode is
    recorded with its task's family, which tells the two apart.

    Args:
        train_envs: Families to train on.
        test_envs: Other families, to test on; may be empty if goals are held out.
        seed: Seed of the goals.
        num_held_out_goals: How many of each training family's 50 goals are only tested on.
        **settings: As for :func:`ML1`.

    Raises:
        UnknownNameError: If there is no such family.
        ConfigError: If nothing is trained or tested on, a family is in both lists, or too many
            goals are held out.
    """
    if not 0 <= num_held_out_goals < NUM_GOALS:
        raise ConfigError(
            f"num_held_out_goals: got {num_held_out_goals}; allowed: 0 to {NUM_GOALS - 1}."
        )
    for field, names, needed in (
        ("train_envs", train_envs, True),
        ("test_envs", test_envs, num_held_out_goals == 0),
    ):
        if needed and not names:
            raise ConfigError(f"{field}: got none; needs at least one family.")
        for name in names:
            _check_family(field, name)
    shared = sorted(set(train_envs) & set(test_envs))
    if shared:
        raise ConfigError(f"test_envs: {', '.join(shared)} also in train_envs; must be disjoint.")
    return _benchmark(
        "custom-ml",
        partial(_with_held_out_goals, num_held_out_goals),
        seed,
        settings,
        train_envs=list(train_envs),
        test_envs=list(test_envs),
    )


def MT1(env_name: str, seed: int = 0, **settings: Any) -> Benchmark:  # noqa: N802
    """One family, 50 goals, each part of the observation; nothing is held out."""
    _check_family("env_name", env_name)
    return _benchmark(f"mt1/{env_name}", metaworld.MT1, seed, settings, env_name=env_name)


def MT10(seed: int = 0, **settings: Any) -> Benchmark:  # noqa: N802
    """Ten families, 50 goals each, observable; nothing is held out."""
    return _benchmark("mt10", metaworld.MT10, seed, settings)


def MT25(seed: int = 0, **settings: Any) -> Benchmark:  # noqa: N802
    """25 families, 50 goals each, observable; nothing is held out."""
    return _benchmark("mt25", metaworld.MT25, seed, settings)


def MT50(seed: int = 0, **settings: Any) -> Benchmark:  # noqa: N802
    """All families, 50 goals each, observable; nothing is held out."""
    return _benchmark("mt50", metaworld.MT50, seed, settings)


def _benchmark(
    name: str,
    source: Any,
    seed: int,
    settings: dict[str, Any],
    **arguments: Any,
) -> Benchmark:
    unknown = sorted(settings.keys() - set(SETTINGS))
    if unknown:
        raise UnknownNameError("setting", unknown[0], SETTINGS)
    reward_version = settings.get("reward_version", "v2")
    if reward_version not in REWARD_VERSIONS:
        raise ConfigError(
            f"reward_version: got {reward_version!r}; allowed: {', '.join(REWARD_VERSIONS)}."
        )
    check_seed(seed, "ML1" if source is metaworld.ML1 else name)
    horizon = settings.get("max_episode_steps", MAX_EPISODE_STEPS)
    check_horizon(horizon)  # now, as drawing the tasks takes seconds
    backend = settings.get("backend", "fast")
    with goals_per_family(NUM_GOALS):
        drawn = source(seed=seed, **arguments)

    def distribution(tasks: Sequence[Any]) -> MetaWorldTasks:
        return MetaWorldTasks(
            [_convert(task, reward_version) for task in tasks],
            max_episode_steps=horizon,
            backend=backend,
        )

    return Benchmark(
        name=name,
        train=distribution(drawn.train_tasks),
        test=distribution(drawn.test_tasks) if drawn.test_tasks else None,
        seed=seed,
        settings={"reward_version": reward_version},
    )


@dataclass(frozen=True)
class _Split:
    """Meta-World's own tasks, in its benchmarks' words."""

    train_tasks: list[Any]
    test_tasks: list[Any]


def _with_held_out_goals(num_held_out: int, **arguments: Any) -> _Split:
    """Meta-World's custom split, with each training family's last goals moved to the test tasks."""
    drawn = metaworld.CustomML(**arguments)
    split = _Split([], list(drawn.test_tasks))
    seen: Counter[str] = Counter()
    for task in drawn.train_tasks:
        seen[task.env_name] += 1
        kept = seen[task.env_name] <= NUM_GOALS - num_held_out
        (split.train_tasks if kept else split.test_tasks).append(task)
    return split


def _convert(task: Any, reward_version: str) -> Task:
    """Reads Meta-World's own task, which it made a moment ago in this process."""
    data = pickle.loads(task.data)  # noqa: S301
    return metaworld_task(
        task.env_name,
        data["rand_vec"],
        goal_observable=not data["partially_observable"],
        reward_version=reward_version,
    )


def _check_family(field: str, name: str) -> None:
    if name not in FAMILIES:
        raise UnknownNameError(field, name, FAMILIES)
