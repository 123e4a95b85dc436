"""How a row chooses its next task: the streams of Meta-World's task selection wrappers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from gymnasium.utils import seeding

from metarl.envs.metaworld.engine import WorldTask


class TaskSelector(ABC):
    """Chooses among a row's tasks.

    Args:
        tasks: What to choose from.
        seed: Of the choice; None for a fresh one.

    Attributes:
        tasks: In their present order.
        sample_on_reset: Whether every reset takes a new task.
        current_task_idx: Position in ``tasks`` of the one chosen last, -1 before the first.
    """

    sample_on_reset: bool

    def __init__(self, tasks: Sequence[WorldTask], seed: int | None) -> None:
        self.tasks = list(tasks)
        self.current_task_idx = -1
        self.np_random, self.np_random_seed = seeding.np_random(seed)

    @abstractmethod
    def next(self) -> WorldTask:
        """Chooses a task."""

    def get_checkpoint(self) -> dict[str, Any]:
        """Returns the state of the choice, in plain JSON types."""
        return {
            "tasks": [
                {
                    "env_name": task.env_name,
                    "rand_vec": list(task.rand_vec),
                    "partially_observable": task.partially_observable,
                }
                for task in self.tasks
            ],
            "current_task_idx": self.current_task_idx,
            "sample_tasks_on_reset": self.sample_on_reset,
            "rng_state": self.np_random.bit_generator.state,
        }

    def load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continues from where :meth:`get_checkpoint` was called."""
        self.tasks = [
            WorldTask(task["env_name"], tuple(task["rand_vec"]), task["partially_observable"])
            for task in checkpoint["tasks"]
        ]
        self.current_task_idx = checkpoint["current_task_idx"]
        self.sample_on_reset = checkpoint["sample_tasks_on_reset"]
        self.np_random.bit_generator.state = checkpoint["rng_state"]


class RandomSelector(TaskSelector):
    """Draws a task, at every reset unless told otherwise."""

    sample_on_reset = True

    def next(self) -> WorldTask:
        """Draws one of the tasks."""
        self.current_task_idx = int(self.np_random.choice(len(self.tasks)))
        return self.tasks[self.current_task_idx]


class PseudorandomSelector(TaskSelector):
    """Takes the tasks in turn and shuffles them before each round; not at resets unless told."""

    sample_on_reset = False

    def next(self) -> WorldTask:
        """Takes the next task of the round."""
        self.current_task_idx = (self.current_task_idx + 1) % len(self.tasks)
        if self.current_task_idx == 0:
            self.np_random.shuffle(self.tasks)
        return self.tasks[self.current_task_idx]


SELECTORS: dict[str, type[RandomSelector] | type[PseudorandomSelector]] = {
    "random": RandomSelector,
    "pseudorandom": PseudorandomSelector,
}
