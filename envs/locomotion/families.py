"""The families: which robot, and what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metarl.errors import TaskError, UnknownNameError
from metarl.tasks import Task

from .objectives import Direction, Objective, Velocity
from .robots import FloatArray, HalfCheetah, Robot


@dataclass(frozen=True)
class Family:
    """A robot and an objective.

    Attributes:
        name: What tasks call it, e.g. ``"halfcheetah-dir"``.
        robot: With the weights of this family's reward.
        objective: What the tasks differ in.
        goal_size: Numbers in a goal.
    """

    name: str
    robot: Robot
    objective: Objective
    goal_size: int

    def task(self, goal: Sequence[float]) -> Task:
        """The task of one goal.

        Raises:
            TaskError: If the goal hasn't the family's number of entries.
        """
        assert self.objective.parameter is not None
        task = Task(self.name, {self.objective.parameter: [float(entry) for entry in goal]})
        self.goal_of(task)
        return task

    def goal_of(self, task: Task) -> FloatArray:
        """The goal of a task, ``[g]``.

        Raises:
            TaskError: If the task is another family's, or its goal isn't finite numbers.
        """
        name = self.objective.parameter
        goal = task.parameters.get(name) if name is not None else []
        valid = (
            task.family == self.name
            and isinstance(goal, list)
            and len(goal) == self.goal_size
            and all(type(entry) in (int, float) for entry in goal)
        )
        if not valid:
            raise TaskError(
                f"task: got {task!r}; needs family {self.name!r} and {name!r}, a list of "
                f"{self.goal_size} number(s)."
            )
        return np.array(goal, dtype=np.float64)


_HALF_COST = 0.5 * 0.1
"""Finn et al. and ProMP halve Gymnasium's cost of control."""

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("halfcheetah-dir", HalfCheetah(ctrl_cost_weight=_HALF_COST), Direction(), 1),
        Family("halfcheetah-vel", HalfCheetah(ctrl_cost_weight=_HALF_COST), Velocity(), 1),
    )
}


def family_of(name: str) -> Family:
    """Finds a family by its name.

    Raises:
        UnknownNameError: If there is no such family; lists the nearest names.
    """
    if name not in FAMILIES:
        raise UnknownNameError("family", name, FAMILIES)
    return FAMILIES[name]
