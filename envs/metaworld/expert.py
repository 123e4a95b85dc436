"""Meta-World's scripted experts as an oracle: what a controller that sees the goal reaches."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from metaworld.policies import ENV_POLICY_MAP

from metarl.errors import ConfigError
from metarl.evaluation import Evaluation, EvaluationHeader, EvaluationRow
from metarl.tasks import Task

from .distribution import TASKS_PER_BATCH, MetaWorldTasks
from .environment import FAMILIES, metaworld_task


def evaluate_expert(
    header: EvaluationHeader, progress: Callable[[int, int], None] | None = None
) -> Evaluation:
    """Lets the scripted expert of each family play the tasks of another evaluation.

    The expert sees the goal and learns nothing: one episode per task, before any adaptation.
    Experts aren't perfect, nor are they rewarded for speed: this is a mark of what is possible, not
    a bound.

    Args:
        header: Of the evaluation whose tasks and horizon are taken.
        progress: Called with the tasks done so far and in all.

    Raises:
        ConfigError: If a task isn't Meta-World's.
    """
    tasks = header.tasks
    check_expert(tasks)
    rows: list[EvaluationRow] = []
    for start in range(0, len(tasks), TASKS_PER_BATCH):
        rows += _play(tasks[start : start + TASKS_PER_BATCH], header.max_episode_steps, start)
        if progress is not None:
            progress(len(rows), len(tasks))
    protocol = header.protocol.without_adaptation().model_copy(update={"evaluation_episodes": 1})
    return Evaluation(
        rows, replace(header, protocol=protocol, subject={"algorithm": "scripted expert"})
    )


def check_expert(tasks: Sequence[Task] | None) -> None:
    """Checks that there is an expert of every task.

    Raises:
        ConfigError: If there isn't.
    """
    families = {task.family for task in tasks or ()}
    if not families or families - set(FAMILIES):
        others = ", ".join(sorted(families - set(FAMILIES))) or "infinitely many tasks"
        raise ConfigError(
            f"controls: got expert; there is no scripted one of {others}, only of Meta-World's "
            "families."
        )


def _play(tasks: Sequence[Task], horizon: int, first_index: int) -> list[EvaluationRow]:
    """One episode of each task, side by side, the goal observable."""
    seen = [
        metaworld_task(task.family, **{**task.parameters, "goal_observable": True})
        for task in tasks
    ]
    experts = [ENV_POLICY_MAP[task.family]() for task in tasks]
    vec: Any = MetaWorldTasks(seen, max_episode_steps=horizon).make_vec(seen, 1)
    lengths = np.zeros(len(tasks), dtype=np.int64)
    returns = np.zeros(len(tasks))
    success_any, success_final, unstable = np.zeros((3, len(tasks)), dtype=np.bool_)
    active = np.ones(len(tasks), dtype=np.bool_)
    observations, _ = vec.reset(seed=[0] * len(tasks))
    while active.any():
        with warnings.catch_warnings():
            # "Constant(s) may be too high", of some experts' gains.
            warnings.simplefilter("ignore", UserWarning)
            actions = np.stack(
                [expert.get_action(row) for expert, row in zip(experts, observations, strict=True)]
            )
        observations, rewards, terminated, truncated, infos = vec.step(actions.astype(np.float32))
        success = np.asarray(infos["success"], dtype=np.bool_)
        lengths += active
        returns += np.where(active, rewards, 0.0)
        success_any |= active & success
        success_final = np.where(active, success, success_final)
        unstable |= active & np.asarray(infos["sim_unstable"], dtype=np.bool_)
        active = active & ~(terminated | truncated)
    vec.close()
    return [
        EvaluationRow(
            task_index=first_index + index,
            family=task.family,
            task=task.digest,
            adaptation_step=0,
            episode=0,
            length=int(lengths[index]),
            episode_return=float(returns[index]),
            success_any=bool(success_any[index]),
            success_final=bool(success_final[index]),
            unstable=bool(unstable[index]),
        )
        for index, task in enumerate(tasks)
    ]
