"""`metarl evaluate`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.progress import Progress

from metarl.cli.loading import load_run
from metarl.cli.output import ERR, OUT, say
from metarl.evaluation import Evaluation, evaluate


def evaluate_run(
    run: Annotated[Path, tyro.conf.Positional],
    num_adaptation_steps: int = 2,
    adaptation_episodes: int = 10,
    evaluation_episodes: int = 1,
    num_tasks: int | None = None,
    split: Literal["test", "train"] = "test",
    seed: int = 0,
    num_workers: int = os.cpu_count() or 1,
) -> int:
    """Evaluate a run's newest checkpoint on held-out tasks, before and after adaptation.

    Prints a table and writes RUN/evaluation/<split>/: episodes.csv, summary.json, adaptation.png.

    Args:
        run: The run folder.
        num_adaptation_steps: Results are given after 0, 1, ... this many steps.
        adaptation_episodes: Episodes of experience before each step.
        evaluation_episodes: Episodes counted per task and step.
        num_tasks: Tasks to evaluate on; by default all.
        split: Held-out tasks, or those trained on.
        seed: Seed of the evaluation's randomness.
        num_workers: Processes that collect experience.
    """
    agent = load_run(run)
    benchmark = agent.benchmark
    with Progress(console=ERR, transient=True) as bar:
        line = bar.add_task("evaluating")
        evaluation = evaluate(
            agent,
            benchmark.test if split == "test" else benchmark.train,
            num_tasks=num_tasks,
            num_adaptation_steps=num_adaptation_steps,
            adaptation_episodes=adaptation_episodes,
            evaluation_episodes=evaluation_episodes,
            seed=seed,
            num_workers=num_workers,
            progress=lambda done, total: bar.update(line, completed=done, total=total),
        )
    print_evaluation(evaluation, f"{benchmark.name}, {split} tasks, iteration {agent.iteration}")
    if split == "test" and benchmark.shares_tasks:
        say("not held out: this benchmark's test tasks are among its training tasks")
    folder = evaluation.save(run / "evaluation" / split)
    say(f"rows, summary and figure: {folder}")
    return 0


def print_evaluation(evaluation: Evaluation, title: str) -> None:
    """Prints the summary of an evaluation."""
    OUT.print(evaluation.table(title))
    OUT.print("mean action; mean over tasks [95 % interval, bootstrap over tasks]", style="dim")
