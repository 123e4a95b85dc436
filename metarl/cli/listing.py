"""`metarl tasks`."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from metarl.cli.output import ERR, OUT, say
from metarl.envs import BENCHMARKS
from metarl.envs.discovery import discover
from metarl.envs.registry import builtin_names


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
    _list_discovered()
    return 0


def _list_discovered() -> None:
    """Those of other packages; what can't be used goes to stderr, with the reason."""
    found = discover()
    own = set(builtin_names())
    usable = [one for one in found if one.problem is None and one.name not in own]
    if usable:
        table = Table(title="From other packages")
        for heading in ("--benchmark", "what", "package"):
            table.add_column(heading)
        for one in usable:
            table.add_row(*map(escape, (one.name, one.description, one.package)))
        OUT.print(table)
    for one in found:
        if one.name in own:
            say(f"{one.name} of {one.package}: the name is taken by a benchmark of metarl", ERR)
        elif one.problem is not None:
            say(f"{one.name} of {one.package} can't be used: {one.problem}", ERR)
