"""`metarl evaluate`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import tyro

from metarl.cli.loading import load_run
from metarl.cli.output import OUT, counting, say
from metarl.evaluation import Evaluation, evaluate
from metarl.evaluation.figures import adaptation_figure
from metarl.evaluation.protocol import Preset
from metarl.evaluation.tables import gain_lines, summary_table
from metarl.storage import write_file


def evaluate_run(
    run: Annotated[Path, tyro.conf.Positional],
    preset: Preset | None = None,
    num_adaptation_steps: int | None = None,
    adaptation_episodes: int | None = None,
    evaluation_episodes: int | None = None,
    evaluation_actions: Literal["mean", "sampled"] | None = None,
    num_tasks: int | None = None,
    tasks: tuple[str, ...] | None = None,
    max_episode_steps: int | None = None,
    split: Literal["test", "train"] = "test",
    seed: int = 0,
    num_workers: int = os.cpu_count() or 1,
) -> int:
    """Evaluate a run's newest checkpoint on held-out tasks, before and after adaptation.

    Prints a table and writes RUN/evaluation/<split>/: rows.csv, evaluation.json, summary.json,
    adaptation.png.

    Args:
        run: The run folder.
        preset: A whole protocol: metaworld (1 step from 10 episodes, 3 counted), finn2017 (3 steps
            from 20 episodes, 20 counted, sampled actions, 40 tasks) or quick (10 tasks, 1 step from
            5 episodes). Settings given beside it replace its own.
        num_adaptation_steps: Results are given after 0, 1, ... this many steps; 2 by default.
        adaptation_episodes: Episodes of experience before each step; 10 by default.
        evaluation_episodes: Episodes counted per task and step; 1 by default.
        evaluation_actions: Act by the mean while counted (the default), or sample.
        num_tasks: Tasks drawn, spread over families; by default all.
        tasks: Families or task digests to evaluate on.
        max_episode_steps: Horizon; by default that of training.
        split: Held-out tasks, or those trained on.
        seed: Seed of the evaluation's randomness.
        num_workers: Processes that collect experience.
    """
    given = {
        "num_adaptation_steps": num_adaptation_steps,
        "adaptation_episodes": adaptation_episodes,
        "evaluation_episodes": evaluation_episodes,
        "evaluation_actions": evaluation_actions,
        "num_tasks": num_tasks,
        "tasks": tasks,
        "max_episode_steps": max_episode_steps,
        "seed": seed,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    agent = load_run(run)
    benchmark = agent.benchmark
    with counting("evaluating") as progress:
        evaluation = evaluate(
            agent,
            benchmark.test if split == "test" else benchmark.train,
            preset,
            num_workers=num_workers,
            progress=progress,
            **settings,
        )
    print_evaluation(evaluation, f"{benchmark.name}, {split} tasks, iteration {agent.iteration}")
    folder = save_evaluation(evaluation, run / "evaluation" / split)
    say(f"rows, summary and figure: {folder}")
    return 0


def save_evaluation(evaluation: Evaluation, folder: Path) -> Path:
    """Writes rows, summary and the adaptation curve (PNG and SVG) into a folder."""
    evaluation.save(folder)
    for kind in ("png", "svg"):
        write_file(folder / f"adaptation.{kind}", adaptation_figure({"": [evaluation]}, kind))
    return folder


def print_evaluation(evaluation: Evaluation, title: str) -> None:
    """Prints the summary of an evaluation."""
    OUT.print(summary_table({"": [evaluation]}, title))
    for line in gain_lines(evaluation.summary()):
        say(line)
    how = (
        "the mean action" if evaluation.protocol.evaluation_actions == "mean" else "sampled actions"
    )
    OUT.print(f"by {how}; mean over tasks [95 % interval]", style="dim")
