"""The fast Meta-World against the installed one, on the user's own machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from typing import Literal, get_args

from metarl.envs.metaworld import FAMILIES
from metarl.envs.metaworld.engine import ParityReport, check_parity
from metarl.errors import ConfigError, UnknownNameError

Actions = Literal["random", "expert"]
Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class ParityCheck:
    """One comparison of the batched engine with the installed Meta-World.

    Attributes:
        actions: Uniform actions, or those of Meta-World's scripted expert with noise.
        precision: Of the actions; it changes the bits of some rewards.
        goal_observable: Whether the goal was part of the observation.
        report: What was compared and what differed.
    """

    actions: Actions
    precision: Precision
    goal_observable: bool
    report: ParityReport


def check_metaworld_parity(
    families: Sequence[str] = FAMILIES,
    *,
    num_goals: int = 5,
    episodes: int = 2,
    steps: int = 500,
    actions: Sequence[Actions] = ("random", "expert"),
    precisions: Sequence[Precision] = ("float32", "float64"),
    num_workers: int = 1,
    progress: Callable[[ParityCheck], None] | None = None,
) -> list[ParityCheck]:
    """Compares the batched engine with the installed Meta-World, bit for bit.

    Reset observations, observations, rewards and every ``info`` value must be equal. The bits
    depend on the versions of mujoco and numpy and on the processor, so it is worth a run wherever
    they matter. Random actions play with the goal hidden, the experts with the goal observable.

    Args:
        families: Which of the 50; by default all.
        num_goals: Goals per family, played side by side and exchanged between episodes.
        episodes: Episodes per goal.
        steps: Steps per episode, 1 to 500.
        actions: Where actions come from.
        precisions: Precision of the actions.
        num_workers: Processes.
        progress: Called with each comparison as it ends.

    Returns:
        One check per family, source of actions and precision.

    Raises:
        UnknownNameError: If there is no such family, source of actions or precision.
        ConfigError: If a number is out of range.
    """
    for family in families:
        if family not in FAMILIES:
            raise UnknownNameError("families", family, FAMILIES)
    for field, values, allowed in (
        ("actions", actions, get_args(Actions)),
        ("precisions", precisions, get_args(Precision)),
    ):
        for one in values:
            if one not in allowed:
                raise UnknownNameError(field, one, allowed)
    for name, value in (
        ("num_goals", num_goals),
        ("episodes", episodes),
        ("steps", steps),
        ("num_workers", num_workers),
    ):
        if value < 1:
            raise ConfigError(f"{name}: got {value}; must be at least 1.")
    if steps > 500:
        raise ConfigError(f"steps: got {steps}; Meta-World's episodes end after 500.")
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    checks = []
    with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        pending = [
            pool.submit(_check, family, source, precision, num_goals, episodes, steps)
            for family, source, precision in product(families, actions, precisions)
        ]
        for future in pending:
            check = future.result()
            checks.append(check)
            if progress is not None:
                progress(check)
    return checks


def describe_machine() -> str:
    """The versions that the bits depend on, in one line."""
    packages = ("metaworld", "mujoco", "numpy", "scipy")
    listed = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{listed}; {os.uname().machine if hasattr(os, 'uname') else os.name}"


def _check(
    family: str, source: Actions, precision: Precision, num_goals: int, episodes: int, steps: int
) -> ParityCheck:
    goal_observable = source == "expert"
    report = check_parity(
        family,
        num_goals=num_goals,
        episodes=episodes,
        steps=steps,
        action_dtype=precision,
        policy=source,
        partially_observable=not goal_observable,
    )
    return ParityCheck(source, precision, goal_observable, report)
