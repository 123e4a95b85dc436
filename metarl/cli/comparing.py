"""`metarl compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import tyro

from metarl.cli.loading import Split, check_each_once, load_evaluation
from metarl.cli.output import OUT, say
from metarl.evaluation.comparison import compare
from metarl.evaluation.figures import comparison_figure
from metarl.evaluation.sampling import Over, fixed_tasks_note, intervals_over, single_runs_note
from metarl.evaluation.tables import comparison_table
from metarl.storage import write_file, write_json


def compare_runs(
    a: Annotated[Path, tyro.conf.Positional],
    b: Annotated[Path, tyro.conf.Positional],
    more_a: tuple[Path, ...] = (),
    more_b: tuple[Path, ...] = (),
    split: Split = "test",
    output: Path | None = None,
) -> int:
    """Compare two evaluated runs, task by task.

    Prints each run's mean, their difference and the probability that the first is better, with
    95 % intervals, and writes comparison.png, .svg and .json.

    Args:
        a: Run folder, evaluated with `metarl evaluate`.
        b: Another, evaluated on the same tasks under the same protocol.
        more_a: Further seeds of the first.
        more_b: Further seeds of the second.
        split: Held-out tasks, those trained on, or new goals of the families trained on.
        output: Where files go; by default into the first run's folder of evaluations.
    """
    check_each_once((a, *more_a, b, *more_b))
    first, second = (
        [load_evaluation(run, split) for run in runs] for runs in ((a, *more_a), (b, *more_b))
    )
    labels = (a.name or str(a), b.name or str(b))
    comparison = compare(first, second, labels if labels[0] != labels[1] else (str(a), str(b)))
    OUT.print(comparison_table(comparison))
    runs = "tasks" if len(first) == len(second) == 1 else "runs and tasks"
    shown = "" if comparison.over == "nothing" else " [95 % interval]"
    OUT.print(f"means over {runs}{shown}; differences task by task", style="dim")
    if note := fixed_tasks_note([comparison.over]):
        say(note)
    kinds: dict[str, Over] = {
        label: intervals_over(method)
        for label, method in zip(comparison.labels, (first, second), strict=True)
    }
    if note := single_runs_note(kinds):
        say(note)
    folder = output or a / "evaluation" / split / f"against-{b.name}"
    write_json(folder / "comparison.json", asdict(comparison))
    for kind in ("png", "svg"):
        write_file(folder / f"comparison.{kind}", comparison_figure(comparison, kind))
    say(f"figure and numbers: {folder}")
    return 0
