"""Evaluations whose every number is given, and what a report needs beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metarl.evaluation import Evaluation, EvaluationHeader, EvaluationProtocol, EvaluationRow
from metarl.evaluation.report import Method, RunFacts, TraceLine
from metarl.tasks import Task

GOALS = ((0.1, 0.2), (0.3, -0.4), (-0.2, 0.0), (0.0, 0.5))


def navigation_tasks(family: str = "navigation-2d") -> list[Task]:
    return [Task(family, {"goal": list(goal)}) for goal in GOALS]


def evaluation(
    returns: Sequence[Sequence[float]],
    success: Sequence[Sequence[bool | None]] | None = None,
    tasks: Sequence[Task] | None = None,
    **header: Any,
) -> Evaluation:
    """Args: ``returns[step][task]``, ``success`` likewise (at any and at the last step)."""
    tasks = navigation_tasks() if tasks is None else tasks
    flags = [[None] * len(tasks)] * len(returns) if success is None else success
    rows = [
        EvaluationRow(
            task_index=index,
            family=task.family,
            task=task.digest,
            adaptation_step=step,
            episode=0,
            length=10,
            episode_return=float(returns[step][index]),
            success_any=flags[step][index],
            success_final=flags[step][index],
            unstable=False,
        )
        for step in range(len(returns))
        for index, task in enumerate(tasks)
    ]
    facts: dict[str, Any] = {
        "benchmark": "navigation",
        "split": "test",
        "max_episode_steps": 10,
        "manifest": "0123abcd",
        "subject": {"algorithm": "maml", "seed": 0},
        **header,
    }
    protocol = EvaluationProtocol(num_adaptation_steps=len(returns) - 1, adaptation_episodes=5)
    return Evaluation(rows, EvaluationHeader(protocol=protocol, tasks=tuple(tasks), **facts))


IMPROVING = evaluation(
    [[-9, -8, -7, -6], [-3, -4, -8, -2], [-2, -3, -7.5, -1]],
    [[False, True, False, False], [True, False, False, True], [True, False, False, True]],
)
FLAT = evaluation(
    [[-9, -8, -7, -6], [-8, -7, -6.5, -5], [-7, -6, -6, -4]],
    [[False] * 4, [False] * 4, [False, False, False, True]],
)
ORACLE = evaluation([[-1, -1, -1, -1]], [[True] * 4])


def facts(**changes: Any) -> RunFacts:
    values: dict[str, Any] = {
        "path": "runs/nav",
        "config": {"algorithm": "maml", "agent": {"inner_lr": 0.1}},
        "manifest": {
            "benchmark": "navigation",
            "seed": 0,
            "settings": {"step_size": 0.1},
            "train": {"type": "NavigationTasks", "max_episode_steps": 10},
            "test": {"type": "NavigationTasks", "max_episode_steps": 10},
            "disjoint": None,
            "digest": "0123abcd",
        },
        "versions": {
            "python": "3.11.7",
            "platform": "Linux",
            "cpu_count": 2,
            "packages": {"torch": "2.13.0"},
        },
        "metrics": {
            "timesteps": [100.0, 200.0, 300.0],
            "pre/return": [-9.0, -8.5, float("nan")],
            "post/return": [-9.0, -7.0, -5.0],
        },
        "commands": ["metarl train maml --benchmark navigation", "metarl evaluate runs/nav"],
    }
    return RunFacts(**{**values, **changes})


def trace() -> list[TraceLine]:
    return [
        TraceLine(
            str(task), step, -0.1 * task, -0.5, 1.0 + task, 0.1 * step, {"network.0": 0.01 * task}
        )
        for task in range(3)
        for step in (1, 2)
    ]


def methods() -> list[Method]:
    return [
        Method("MAML", [IMPROVING], [facts()], trace()),
        Method("pretrained", [FLAT]),
        Method("oracle", [ORACLE]),
    ]
