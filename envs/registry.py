"""Benchmarks by the names that the command line and saved runs use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from metarl.errors import UnknownNameError
from metarl.tasks import Benchmark

from . import locomotion, metaworld, physics
from .bandits import bandits
from .discovery import entry_points_by_name, is_reference, load_named, load_reference, make_from
from .navigation import navigation, navigation_sparse, navigation_wind
from .tabular import random_mdps


@dataclass(frozen=True)
class BenchmarkEntry:
    """One line of the list of benchmarks.

    Attributes:
        name: What to ask for; ``<family>`` stands for one of ``families``.
        description: What it is, in a few words.
        train: Training tasks, in words.
        test: Held-out tasks, in words.
        make: Builds it from a seed and settings (and a family, where the name has one).
        families: Names that may stand for ``<family>``.
    """

    name: str
    description: str
    train: str
    test: str
    make: Callable[..., Benchmark]
    families: tuple[str, ...] = ()


_GOAL_HIDDEN, _GOAL_SEEN = "goal hidden", "goal observable"

BENCHMARKS: tuple[BenchmarkEntry, ...] = (
    BenchmarkEntry(
        "navigation",
        "2-D point navigation (Finn et al. 2017), goal hidden",
        "goals in a square",
        "goals in the same square",
        navigation,
    ),
    BenchmarkEntry(
        "navigation-sparse",
        "2-D point navigation with sparse reward (PEARL), goal hidden",
        "goals on a half-circle",
        "goals on the same half-circle",
        navigation_sparse,
    ),
    BenchmarkEntry(
        "navigation-wind",
        "2-D point navigation in a wind that is hidden",
        "winds in a square",
        "winds in the same square",
        navigation_wind,
    ),
    *(
        BenchmarkEntry(
            f"bandits-{num_arms}",
            f"Bernoulli bandits with {num_arms} arms (RL2)",
            "arms' probabilities in [0, 1]",
            "the same distribution",
            partial(bandits, num_arms),
        )
        for num_arms in (5, 10, 50)
    ),
    BenchmarkEntry(
        "tabular-mdps",
        "random MDPs of 10 states and 5 actions (RL2)",
        "Dirichlet and normal",
        "the same distribution",
        random_mdps,
    ),
    BenchmarkEntry(
        "halfcheetah-dir",
        "HalfCheetah-v5 forward or backward (Finn et al. 2017), direction hidden",
        "2 directions",
        "none: the same 2 directions",
        locomotion.halfcheetah_dir,
    ),
    BenchmarkEntry(
        "halfcheetah-vel",
        "HalfCheetah-v5 at a velocity (Finn et al. 2017), goal hidden",
        "100 velocities, 0 to 2 m/s",
        "30 other velocities",
        locomotion.halfcheetah_vel,
    ),
    BenchmarkEntry(
        "ant-dir",
        "Ant-v5 forward or backward (ProMP, PEARL), direction hidden",
        "2 directions",
        "none: the same 2 directions",
        locomotion.ant_dir,
    ),
    BenchmarkEntry(
        "ant-dir-2d",
        "Ant-v5 in a direction (ProMP, PEARL), hidden",
        "100 directions",
        "30 other directions",
        locomotion.ant_dir_2d,
    ),
    BenchmarkEntry(
        "ant-vel",
        "Ant-v5 at a velocity (Finn et al. 2017), goal hidden",
        "100 velocities, 0 to 3 m/s",
        "30 other velocities",
        locomotion.ant_vel,
    ),
    BenchmarkEntry(
        "ant-goal",
        "Ant-v5 to a place (ProMP, PEARL), goal hidden",
        "150 goals within 3 m",
        "30 other goals",
        locomotion.ant_goal,
    ),
    BenchmarkEntry(
        "walker2d-dir",
        "Walker2d-v5 forward or backward (ProMP), direction hidden",
        "2 directions",
        "none: the same 2 directions",
        locomotion.walker2d_dir,
    ),
    BenchmarkEntry(
        "walker2d-vel",
        "Walker2d-v5 at a velocity (ProMP), goal hidden",
        "100 velocities, 0 to 10 m/s",
        "30 other velocities",
        locomotion.walker2d_vel,
    ),
    BenchmarkEntry(
        "walker2d-params",
        "Walker2d-v5 with random mass, inertia, damping, friction (ProMP, PEARL)",
        "40 bodies",
        "10 other bodies",
        locomotion.walker2d_params,
    ),
    BenchmarkEntry(
        "hopper-params",
        "Hopper-v5 with random mass, inertia, damping, friction (ProMP, PEARL)",
        "40 bodies",
        "10 other bodies",
        locomotion.hopper_params,
    ),
    BenchmarkEntry(
        "humanoid-dir",
        "Humanoid-v5 forward or backward (ProMP), direction hidden",
        "2 directions",
        "none: the same 2 directions",
        locomotion.humanoid_dir,
    ),
    BenchmarkEntry(
        "humanoid-dir-2d",
        "Humanoid-v5 in a direction (ProMP, PEARL), hidden",
        "100 directions",
        "30 other directions",
        locomotion.humanoid_dir_2d,
    ),
    BenchmarkEntry(
        "reacher-damping",
        "Reacher-v5 with varying damping of its joints",
        "40 arms, factors 0.2 to 5",
        "20 arms, factors 5 to 20",
        physics.reacher_damping,
    ),
    BenchmarkEntry(
        "ml1/<family>",
        f"Meta-World ML1, {_GOAL_HIDDEN}",
        "1 family, 50 goals",
        "same family, 50 other goals",
        metaworld.ML1,
        metaworld.FAMILIES,
    ),
    BenchmarkEntry(
        "ml10",
        f"Meta-World ML10, {_GOAL_HIDDEN}",
        "10 families, 500 goals",
        "5 other families, 250 goals",
        metaworld.ML10,
    ),
    BenchmarkEntry(
        "ml25",
        f"Meta-World ML25, {_GOAL_HIDDEN}",
        "25 families, 1250 goals",
        "4 other families and basketball-v3 again, 250 other goals",
        metaworld.ML25,
    ),
    BenchmarkEntry(
        "ml45",
        f"Meta-World ML45, {_GOAL_HIDDEN}",
        "45 families, 2250 goals",
        "5 other families, 250 goals",
        metaworld.ML45,
    ),
    BenchmarkEntry(
        "mt1/<family>",
        f"Meta-World MT1, {_GOAL_SEEN}",
        "1 family, 50 goals",
        "none",
        metaworld.MT1,
        metaworld.FAMILIES,
    ),
    BenchmarkEntry(
        "mt10", f"Meta-World MT10, {_GOAL_SEEN}", "10 families, 500 goals", "none", metaworld.MT10
    ),
    BenchmarkEntry(
        "mt25", f"Meta-World MT25, {_GOAL_SEEN}", "25 families, 1250 goals", "none", metaworld.MT25
    ),
    BenchmarkEntry(
        "mt50", f"Meta-World MT50, {_GOAL_SEEN}", "50 families, 2500 goals", "none", metaworld.MT50
    ),
)


def builtin_names() -> list[str]:
    """The names of this package's own benchmarks."""
    names: list[str] = []
    for entry in BENCHMARKS:
        names += [entry.name.replace("<family>", family) for family in entry.families] or [
            entry.name
        ]
    return names


def benchmark_names() -> list[str]:
    """Every name that :func:`make_benchmark` takes, beside ``module:NAME``."""
    return list(dict.fromkeys([*builtin_names(), *entry_points_by_name()]))


def make_benchmark(name: str, seed: int = 0, **settings: Any) -> Benchmark:
    """Builds a benchmark by its name.

    Args:
        name: One of :func:`benchmark_names`, e.g. ``"ml1/reach-v3"``, or ``module:NAME`` for a
            benchmark, a task distribution or what makes one, in any module that can be imported.
        seed: Seed of the split.
        **settings: Settings of that benchmark, e.g. ``max_episode_steps``.

    Raises:
        UnknownNameError: If there is no such benchmark; lists the nearest names.
        ConfigError: If what the name leads to can't be imported or made, or takes no such setting.
    """
    if is_reference(name):
        return make_from(load_reference(name), name, seed, settings)
    check_benchmark_name(name)
    if name not in builtin_names():
        return make_from(load_named(name), name, seed, settings)
    prefix, _, family = name.partition("/")
    entry = next(e for e in BENCHMARKS if e.name.partition("/")[0] == prefix)
    make = partial(entry.make, family) if family else entry.make
    return make_from(make, name, seed, settings)


def check_benchmark_name(name: str) -> None:
    """Checks that a name leads to something.

    Raises:
        UnknownNameError: If not; lists the nearest names.
        ConfigError: If the module of ``module:NAME`` can't be imported.
    """
    if is_reference(name):
        load_reference(name)
    elif name not in (names := benchmark_names()):
        raise UnknownNameError("benchmark", name, names)
