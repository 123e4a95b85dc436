"""`metarl trace`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from metarl.cli.loading import DIGEST, evaluation_folder, load_evaluation, rows_digest
from metarl.cli.output import counting, say
from metarl.errors import ConfigError
from metarl.evaluation.report.content import TRACE
from metarl.recipes.loading import load_run, with_horizon
from metarl.runs import RunFolder
from metarl.storage import write_json
from metarl.tasks import Task


def trace_run(
    run: Annotated[Path, tyro.conf.Positional],
    num_tasks: int = 10,
    split: Literal["test", "train"] = "test",
    seed: int = 0,
) -> int:
    """Trace adaptation on some tasks of a run's evaluation: what each inner step did.

    Loss, gradient, divergence from the start and change of each layer go into
    RUN/evaluation/<split>/trace.json, from which `metarl report` draws them. Checkpoint, horizon
    and protocol are those of the evaluation.

    Args:
        run: The run folder, evaluated with `metarl evaluate`.
        num_tasks: Tasks, spread over the families.
        split: Held-out tasks, or those trained on.
        seed: Seed of the adaptation's randomness.
    """
    if num_tasks < 1:
        raise ConfigError(f"num_tasks: got {num_tasks}; must be at least 1.")
    RunFolder(run).config()  # refuses what isn't a run before asking for its evaluation
    evaluation = load_evaluation(run, split)
    header = evaluation.header
    agent = load_run(run, checkpoint=str(header.subject["iteration"]))
    benchmark = agent.benchmark
    if header.max_episode_steps != benchmark.train.max_episode_steps:
        benchmark = with_horizon(run, header.max_episode_steps)
    protocol = evaluation.protocol
    if protocol.num_adaptation_steps < 1:
        raise ConfigError("num_adaptation_steps: the run's evaluation has 0; nothing to trace.")
    if protocol.adaptation_lrs is not None:
        agent = agent.with_adaptation_lr(header.subject["adaptation_lr"])
    chosen = _spread(evaluation.tasks, num_tasks)
    lines = []
    with agent, counting("tracing") as progress:
        for index, task in enumerate(chosen):
            progress(index, len(chosen))
            policy = agent.adapt(
                task,
                num_steps=protocol.num_adaptation_steps,
                num_episodes=protocol.adaptation_episodes,
                distribution=benchmark.test if split == "test" else benchmark.train,
                seed=seed,
                trace=True,
            )
            lines += [{"task": task.digest, **step.to_dict()} for step in policy.trace]
    folder = evaluation_folder(run, split)
    path = folder / TRACE
    write_json(path, {DIGEST: rows_digest(folder), "steps": lines})
    say(f"trace of {len(chosen)} tasks: {path}")
    return 0


def _spread(tasks: Sequence[Task], count: int) -> list[Task]:
    """Up to ``count`` tasks, the first of each family before the second of any."""
    seen: dict[str, int] = {}
    ranked = []
    for index, task in enumerate(tasks):
        seen[task.family] = seen.get(task.family, 0) + 1
        ranked.append((seen[task.family], index))
    return [tasks[index] for _, index in sorted(ranked)[:count]]
