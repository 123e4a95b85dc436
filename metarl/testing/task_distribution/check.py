"""The checks in order, each building upon those before."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from metarl.errors import ConfigError, UnknownNameError
from metarl.seeding import Stream
from metarl.tasks import Benchmark, TaskDistribution
from metarl.testing.task_distribution.adaptation import check_effects, check_hidden
from metarl.testing.task_distribution.context import Context, SkippedError
from metarl.testing.task_distribution.episodes import check_episodes, check_spaces
from metarl.testing.task_distribution.findings import KINDS, Finding, Report
from metarl.testing.task_distribution.new_process import check_new_process
from metarl.testing.task_distribution.player import FaultError, OutOfTimeError, Player
from metarl.testing.task_distribution.records import check_sampling, check_sending, check_tasks
from metarl.testing.task_distribution.reproducibility import (
    check_restoration,
    check_seeding,
    check_side_by_side,
)
from metarl.testing.task_distribution.vectors import check_vectors

CHECKS: dict[str, Callable[[Context], list[Finding]]] = {
    "tasks are drawn from the generator given": check_sampling,
    "tasks differ, pickle and round-trip through JSON": check_tasks,
    "the distribution can be sent to workers": check_sending,
    "spaces are the same for all tasks": check_spaces,
    "episodes fit their spaces and the horizon": check_episodes,
    "one seed gives one episode": check_seeding,
    "a task is the same whatever came before": check_restoration,
    "environments don't disturb each other": check_side_by_side,
    "make_vec agrees with make_env": check_vectors,
    "tasks differ in what exploration meets": check_effects,
    "the task is hidden from first observations": check_hidden,
    "a new process makes its environments": check_new_process,
}


def check_task_distribution(
    distribution: TaskDistribution,
    *,
    seconds: float = 60.0,
    call_seconds: float = 10.0,
    seed: int = 0,
    ignore: Collection[str] = (),
) -> Report:
    """Looks for the mistakes that everybody makes in a task distribution of their own.

    Each check builds upon those before it: after a fault, what it would spoil isn't checked.

    Args:
        distribution: What to check.
        seconds: Time for everything; what doesn't fit isn't checked.
        call_seconds: Time for one call into the environment, after which it counts as hanging. The
            call is interrupted by a timer signal, which needs the main thread.
        seed: Seed of the tasks, resets and actions that are tried.
        ignore: Kinds of fault, keys of ``KINDS``, not to report.

    Returns:
        The faults, what was checked, and measured figures.

    Raises:
        ConfigError: If a number is out of range.
        UnknownNameError: If there is no such kind of fault.
    """
    for name, value in (("seconds", seconds), ("call_seconds", call_seconds)):
        if not value > 0:
            raise ConfigError(f"{name}: got {value}; must be above 0.")
    if seed < 0:
        raise ConfigError(f"seed: got {seed}; must be at least 0.")
    for code in ignore:
        if code not in KINDS:
            raise UnknownNameError("ignore", code, KINDS)
    context = Context(distribution, Player(distribution, seconds, call_seconds), Stream(seed))
    report = context.report
    report.checks = dict.fromkeys(CHECKS, "not checked")
    for name, check in CHECKS.items():
        try:
            found = check(context)
        except SkippedError:
            continue
        except OutOfTimeError:
            break
        except FaultError as fault:
            report.findings.append(fault.finding)
            report.checks[name] = "failed"
            break
        report.findings += found
        report.checks[name] = "failed" if found else "passed"
    report.findings = [one for one in report.findings if one.code not in ignore]
    return report


def check_benchmark(benchmark: Benchmark, **settings: Any) -> dict[str, Report]:
    """Checks both sides of a benchmark.

    What was found in training tasks already isn't reported again for held-out ones.

    Args:
        benchmark: What to check.
        **settings: Those of :func:`check_task_distribution`, for each side.

    Returns:
        One report for ``"train"``, and one for ``"test"`` where there are held-out tasks.
    """
    reports = {"train": check_task_distribution(benchmark.train, **settings)}
    if benchmark.test is None:
        return reports
    reports["test"] = report = check_task_distribution(benchmark.test, **settings)
    known = reports["train"].codes
    report.findings = [one for one in report.findings if one.code not in known]
    for name in ("observation_space", "action_space", "max_episode_steps"):
        own, held_out = getattr(benchmark.train, name), getattr(benchmark.test, name)
        if own != held_out:
            what = f"{name} is {own} in training, {held_out} in held-out tasks"
            report.findings.append(Finding("spaces-differ", what))
    return reports
