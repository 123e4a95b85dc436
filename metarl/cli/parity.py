"""`metarl check-metaworld`."""

from __future__ import annotations

import os
from typing import Annotated

import tyro
from rich.progress import Progress
from rich.table import Table

from metarl.cli.output import ERR, OUT
from metarl.envs.metaworld import FAMILIES
from metarl.testing import check_metaworld_parity, describe_machine


def check_metaworld(
    families: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    num_goals: int = 5,
    episodes: int = 2,
    steps: int = 500,
    num_workers: int = os.cpu_count() or 1,
) -> int:
    """Compare the fast Meta-World with the installed one, bit for bit, on this machine.

    Random and expert actions, float32 and float64. The exit code is 1 if anything differs. All 50
    families at the default size take about ten minutes.

    Args:
        families: Which; by default all 50.
        num_goals: Goals per family.
        episodes: Episodes per goal.
        steps: Steps per episode, at most 500.
        num_workers: Processes.
    """
    chosen = families or FAMILIES
    OUT.print(describe_machine(), highlight=False)
    with Progress(console=ERR, transient=True) as bar:
        line = bar.add_task("comparing", total=4 * len(chosen))
        checks = check_metaworld_parity(
            chosen,
            num_goals=num_goals,
            episodes=episodes,
            steps=steps,
            num_workers=num_workers,
            progress=lambda _: bar.advance(line),
        )
    table = Table(title="Fast Meta-World against metaworld")
    for heading in ("family", "steps", "steps in success", "steps in grasp", "mismatches"):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    for family in chosen:
        reports = [check.report for check in checks if check.report.env_name == family]
        different = sum(sum(report.mismatches.values()) for report in reports)
        table.add_row(
            family,
            f"{sum(report.steps for report in reports):,}",
            f"{sum(report.successes for report in reports):,}",
            f"{sum(report.grasps for report in reports):,}",
            f"[red]{different:,}[/]" if different else "0",
        )
    OUT.print(table)
    wrong = [check for check in checks if not check.report.exact]
    for check in wrong:
        OUT.print(f"{check.report.env_name}, {check.actions}, {check.precision}:", highlight=False)
        OUT.print(f"  first difference: {check.report.first}", markup=False, highlight=False)
    total = sum(check.report.steps for check in checks)
    OUT.print(f"{total:,} steps compared, {len(wrong)} of {len(checks)} comparisons differ")
    return 1 if wrong else 0
