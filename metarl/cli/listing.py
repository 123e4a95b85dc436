"""`metarl tasks`."""

from __future__ import annotations

from rich.table import Table

from metarl.cli.output import OUT
from metarl.envs import BENCHMARKS


def list_tasks() -> int:
    """List the benchmarks, their families, and how many goals they hold."""
    table = Table(title="Benchmarks")
    for heading in ("--benchmark", "what", "train", "held out"):
        table.add_column(heading)
    for entry in BENCHMARKS:
        table.add_row(entry.name, entry.description, entry.train, entry.test)
    OUT.print(table)
    families = sorted({family for entry in BENCHMARKS for family in entry.families})
    OUT.print(f"<family> is one of {len(families)}:", " ".join(families), highlight=False)
    return 0
