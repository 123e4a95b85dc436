"""The live display of a training run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from metarl.agent import Agent


class LiveDisplay:
    """A callback that shows progress, time left, and how the policy does.

    In a terminal the display renews itself; elsewhere (a log file) it prints a line per iteration.

    Args:
        total_timesteps: Environment steps at which training ends.
        start_timesteps: Environment steps taken before.
        console: Where to; standard error by default.
    """

    def __init__(
        self, total_timesteps: int, start_timesteps: int = 0, console: Console | None = None
    ) -> None:
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("[bold]meta-training"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[steps]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._bar = self._progress.add_task(
            "", total=total_timesteps, completed=start_timesteps, steps=""
        )
        self._figures: Mapping[str, float] = {}
        self._first: Mapping[str, float] = {}
        self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=4)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def __call__(self, agent: Agent, figures: Mapping[str, float]) -> None:
        """Shows one iteration's figures."""
        self._figures = figures
        self._first = {**figures, **self._first}
        self._progress.update(
            self._bar,
            completed=min(agent.num_timesteps, int(self._progress.tasks[0].total or 0)),
            steps=f"{agent.num_timesteps:,} steps, {figures['time/fps']:,.0f}/s",
        )
        if not self._console.is_terminal:
            self._console.print(one_line(figures), highlight=False, soft_wrap=True)

    def _render(self) -> Group:
        table = Table(box=None, padding=(0, 2))
        for heading in ("", "first iteration", "this iteration"):
            table.add_column(heading, justify="right" if heading else "left")
        for name, label in _SHOWN.items():
            if name in self._figures:
                table.add_row(label, _show(name, self._first), _show(name, self._figures))
        return Group(self._progress, table)


_SHOWN = {
    "pre/return": "return before adaptation",
    "post/return": "return after adaptation",
    "pre/success_final": "success before, last step",
    "post/success_final": "success after, last step",
    "inner/kl": "KL of the inner steps, one task",
    "inner/relative_change": "relative change by the inner steps",
    "outer/kl": "KL of the outer step",
    "time/iteration_s": "seconds per iteration",
}


def one_line(figures: Mapping[str, float]) -> str:
    """An iteration in one line of text."""
    parts = [f"iteration {figures['iteration']:.0f}", f"{figures['timesteps']:,.0f} steps"]
    if "pre/return" in figures and "post/return" in figures:
        parts.append(f"return {_show('pre/return', figures)} -> {_show('post/return', figures)}")
    if "pre/success_final" in figures and "post/success_final" in figures:
        before, after = _show("pre/success_final", figures), _show("post/success_final", figures)
        parts.append(f"success {before} -> {after}")
    parts.append(f"{figures['time/iteration_s']:.1f} s")
    return ", ".join(parts)


def _show(name: str, figures: Mapping[str, float]) -> str:
    value = figures[name]
    if "success" in name:
        return f"{100 * value:.0f} %"
    return f"{value:.4f}" if name.startswith(("inner/", "outer/")) else f"{value:.1f}"
