"""What a task asks of a walker, as the term of the reward that depends on the task.

Legend of axes: ``n`` worlds; ``d`` coordinates of the place, 1 (``x``) or 2 (``x, y``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .robot import FloatArray


class Objective(ABC):
    """A formula for progress towards a goal.

    Attributes:
        parameter: Name of the goal among a task's parameters; None where there is no goal.
    """

    parameter: ClassVar[str | None]

    @abstractmethod
    def progress(self, place: FloatArray, velocity: FloatArray, goals: FloatArray) -> FloatArray:
        """Progress in one step.

        Args:
            place: ``[n, d]`` where the robot is after the step (m).
            velocity: ``[n, d]`` its mean velocity during the step (m/s).
            goals: ``[n, g]`` the tasks' goals.

        Returns:
            ``[n]``.
        """


class Direction(Objective):
    """Velocity in a direction: ``u . v``, with a unit vector ``u`` of ``d`` numbers."""

    parameter = "direction"

    def progress(self, place: FloatArray, velocity: FloatArray, goals: FloatArray) -> FloatArray:
        """See the class."""
        del place
        along: FloatArray = np.sum(goals * velocity, axis=1)
        return along


class Velocity(Objective):
    """Closeness to a velocity along ``x``: ``-|v_x - goal|``."""

    parameter = "velocity"

    def progress(self, place: FloatArray, velocity: FloatArray, goals: FloatArray) -> FloatArray:
        """See the class."""
        del place
        return -np.abs(velocity[:, 0] - goals[:, 0])


class Goal(Objective):
    """Closeness to a place: ``-(|x - goal_x| + |y - goal_y|)``."""

    parameter = "goal"

    def progress(self, place: FloatArray, velocity: FloatArray, goals: FloatArray) -> FloatArray:
        """See the class."""
        del velocity
        near: FloatArray = -np.sum(np.abs(place - goals), axis=1)
        return near


class Forward(Objective):
    """Velocity along ``x``, whatever the task: for tasks that differ in the robot itself."""

    parameter = None

    def progress(self, place: FloatArray, velocity: FloatArray, goals: FloatArray) -> FloatArray:
        """See the class."""
        del place, goals
        return velocity[:, 0]


def total_reward(
    weight: float,
    progress: FloatArray,
    survival: FloatArray,
    control_cost: npt.NDArray[np.floating[Any]],
    contact_cost: FloatArray,
) -> FloatArray:
    """``(weight * progress + survival) - (control + contact)``, summed as Gymnasium sums it."""
    return (weight * progress + survival) - (control_cost + contact_cost)
