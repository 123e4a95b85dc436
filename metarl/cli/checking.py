"""`metarl check-env`."""

from __future__ import annotations

import faulthandler
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import tyro
from rich.markup import escape
from rich.table import Table

from metarl.cli.output import OUT, say
from metarl.recipes.loading import benchmark_of
from metarl.testing import Finding, Report, check_benchmark

_STYLES = {"passed": "green", "failed": "bold red", "not checked": "yellow"}


def check_env(
    benchmark: Annotated[str, tyro.conf.Positional],
    seed: int = 0,
    benchmark_seed: int = 0,
    max_episode_steps: int | None = None,
    seconds: float = 60.0,
    call_seconds: float = 10.0,
    ignore: tuple[str, ...] = (),
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False,
) -> int:
    """Look for the usual mistakes in a task distribution, your own for example.

    Checks training and held-out tasks. The exit code is 0 if nothing was found, 1 if something was,
    2 if the benchmark can't be made.

    Example: metarl check-env my_package:MyBenchmark

    Args:
        benchmark: As in training: module:NAME, or a name that `metarl tasks` lists.
        seed: Seed of the tasks, resets and actions that are tried.
        benchmark_seed: Seed of the benchmark's split.
        max_episode_steps: Horizon; by default the benchmark's own.
        seconds: Time for each of the two sides; what doesn't fit isn't checked.
        call_seconds: Time for one call into the environment, after which it counts as hanging.
        ignore: Kinds of finding that you accept, e.g. slow-step.
        as_json: Print the findings as JSON.
    """
    settings = {
        "benchmark": benchmark,
        "benchmark_seed": benchmark_seed,
        "max_episode_steps": max_episode_steps,
    }
    made = benchmark_of(settings)
    with _last_resort(2 * seconds + 4 * call_seconds + 30):
        reports = check_benchmark(
            made, seconds=seconds, call_seconds=call_seconds, seed=seed, ignore=ignore
        )
    if as_json:
        _print_json(made.name, reports)
    else:
        _print_table(made.name, reports)
    return 0 if all(report.ok for report in reports.values()) else 1


@contextmanager
def _last_resort(seconds: float) -> Iterator[None]:
    """Ends the process, with a traceback, if even a timer signal can't end a call.

    A call into compiled code that never returns isn't interrupted by signals. The exit code is 1.
    """
    try:
        sys.stderr.fileno()
    except (AttributeError, OSError):  # not a real file, so the process isn't ours to end
        yield
        return
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _print_json(name: str, reports: dict[str, Report]) -> None:
    content = {side: report.to_json() for side, report in reports.items()}
    ok = all(report.ok for report in reports.values())
    say(json.dumps({"benchmark": name, "ok": ok, **content}, indent=2))


def _print_table(name: str, reports: dict[str, Report]) -> None:
    table = Table(title=escape(name))
    table.add_column("check")
    sides = {"train": "training tasks", "test": "held-out tasks"}
    for side in reports:
        table.add_column(sides[side])
    for check in reports["train"].checks:
        states = [report.checks[check] for report in reports.values()]
        table.add_row(check, *(f"[{_STYLES[state]}]{state}[/]" for state in states))
    OUT.print(table)
    for side, report in reports.items():
        figures = ", ".join(f"{label} {value:.3g}" for label, value in report.figures.items())
        say(f"{sides[side]}: {figures}" if figures else f"{sides[side]}: nothing was measured")
    findings = [(side, one) for side, report in reports.items() for one in report.findings]
    for side, finding in findings:
        _print_finding(sides[side], finding)
    say("nothing found" if not findings else f"{len(findings)} found")


def _print_finding(side: str, finding: Finding) -> None:
    style = "bold red" if finding.severity == "error" else "bold yellow"
    OUT.print(f"\n[{style}]{finding.severity}[/]: [bold]{finding.code}[/], {side}")
    say(f"  {finding.what}\n  why it matters: {finding.why}\n  usual fix: {finding.fix}")
