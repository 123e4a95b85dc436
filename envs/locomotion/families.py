"""The families: which robot, what is asked of it, and what varies in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metarl.envs.physics import Vary, sample_physics
from metarl.errors import TaskError, UnknownNameError
from metarl.tasks import Task

from .objectives import Direction, Forward, Goal, Objective, Velocity
from .robot import FloatArray, Robot
from .robots import Ant, HalfCheetah, Hopper, Humanoid, Walker2d


@dataclass(frozen=True)
class Family:
    """A robot and an objective.

    Attributes:
        name: What tasks call it, e.g. ``"halfcheetah-dir"``.
        robot: With the weights of this family's reward.
        objective: What is asked of it.
        goal_size: Numbers in a goal.
        varies: What varies in the robot itself.
    """

    name: str
    robot: Robot
    objective: Objective
    goal_size: int = 0
    varies: tuple[Vary, ...] = field(default=())

    def task(self, goal: Sequence[float]) -> Task:
        """The task of one goal.

        Raises:
            TaskError: If the goal hasn't the family's number of entries.
        """
        assert self.objective.parameter is not None
        task = Task(self.name, {self.objective.parameter: [float(entry) for entry in goal]})
        self.goal_of(task)
        return task

    def sample_physics(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws tasks that differ in the robot."""
        return sample_physics(self.name, self.robot.reference.model, self.varies, num_tasks, rng)

    def goal_of(self, task: Task) -> FloatArray:
        """The goal of a task, ``[g]``.

        Raises:
            TaskError: If the task is another family's, or its goal isn't finite numbers.
        """
        name = self.objective.parameter
        goal: Any = [] if name is None else task.parameters.get(name)
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
"""Finn et al. and ProMP halve HalfCheetah's cost of control."""

_MASSES, _DAMPINGS = (1.5**-3, 1.5**3), (1.3**-3, 1.3**3)
RANDOM_PARAMETERS = (
    Vary("body_mass", scale=_MASSES, distribution="log-uniform"),
    Vary("body_inertia", scale=_MASSES, distribution="log-uniform", draw="components"),
    Vary("dof_damping", scale=_DAMPINGS, distribution="log-uniform"),
    Vary("geom_friction", scale=_MASSES, distribution="log-uniform", draw="components"),
)
"""Factors 1.5^U(-3, 3) on mass (per body), inertia and friction (per component), 1.3^U(-3, 3) on
damping (per joint): the package ``rand_param_envs`` that ProMP and PEARL use."""

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("halfcheetah-dir", HalfCheetah(ctrl_cost_weight=_HALF_COST), Direction(), 1),
        Family("halfcheetah-vel", HalfCheetah(ctrl_cost_weight=_HALF_COST), Velocity(), 1),
        Family("ant-dir", Ant(), Direction(), 2),
        Family("ant-dir-2d", Ant(), Direction(), 2),
        Family("ant-vel", Ant(ctrl_cost_weight=0.5e-2, healthy_reward=1.05), Velocity(), 1),
        Family(
            "ant-goal",
            Ant(
                ctrl_cost_weight=0.1,
                healthy_reward=0.0,
                terminate_when_unhealthy=False,
                exclude_current_positions_from_observation=False,
            ),
            Goal(),
            2,
        ),
        Family("walker2d-dir", Walker2d(), Direction(), 1),
        Family("walker2d-vel", Walker2d(healthy_reward=15.0), Velocity(), 1),
        Family("walker2d-params", Walker2d(), Forward(), varies=RANDOM_PARAMETERS),
        Family("hopper-params", Hopper(), Forward(), varies=RANDOM_PARAMETERS),
        Family("humanoid-dir", Humanoid(), Direction(), 2),
        Family("humanoid-dir-2d", Humanoid(), Direction(), 2),
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
