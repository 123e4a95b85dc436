"""Many tasks of one family as one vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.envs.physics import ModelEditor, changes_of
from metarl.tasks import Task
from metarl.vector import TaskVectorEnv, seed_of_each_row

from .families import Family
from .objectives import total_reward
from .robot import FloatArray
from .worlds import Worlds


class LocomotionVectorEnv(TaskVectorEnv):
    """Steps every row's world with the bits of Gymnasium's own environment.

    Rows whose episode has ended keep their last observation, get reward 0 and wait for
    :meth:`reset`. Row ``i`` reset with seed ``s`` starts where Gymnasium's environment starts with
    seed ``s``; without a seed it draws on.

    Args:
        family: Robot and objective.
        tasks: One task per block of rows.
        num_envs_per_task: Rows in each block.
        max_episode_steps: Horizon.
    """

    def __init__(
        self,
        family: Family,
        tasks: Sequence[Task],
        num_envs_per_task: int,
        max_episode_steps: int,
    ) -> None:
        reference = family.robot.reference
        super().__init__(
            len(tasks), num_envs_per_task, reference.observation_space, reference.action_space
        )
        self.family = family
        self.max_episode_steps = max_episode_steps
        self._worlds = Worlds(family.robot, self.num_envs)
        self._editor = ModelEditor(reference.model, reference.fullpath)
        self._observations = np.zeros(self.observation_space.shape or ())
        self._step_counts = np.zeros(self.num_envs, dtype=np.int64)
        self._terminations = np.zeros(self.num_envs, dtype=np.bool_)
        self._truncations = np.ones(self.num_envs, dtype=np.bool_)
        self.set_tasks(tasks)

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Moves the blocks of rows to other tasks; takes effect with the next :meth:`reset`.

        Raises:
            TaskError: If there are more or fewer tasks than blocks, or one is another family's.
        """
        self._check_number(tasks)
        goals = np.array([self.family.goal_of(task) for task in tasks])
        self._goals = np.repeat(goals, self._num_envs_per_task, axis=0)
        if self.family.varies:
            models = [self._editor.edited(changes_of(task)) for task in tasks]
            rows = range(self.num_envs)
            self._worlds.set_models([models[row // self._num_envs_per_task] for row in rows])
        self._truncations[:] = True

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Starts an episode in every row, or in those of ``options["reset_mask"]``."""
        rows = np.flatnonzero(self._reset_mask(options)).tolist()
        seeds = seed_of_each_row(seed, self.num_envs)
        self._observations[rows] = self._worlds.reset(
            rows, [self._generator(row, seeds[row]) for row in rows]
        )
        self._step_counts[rows] = 0
        self._terminations[rows] = self._truncations[rows] = False
        return self._observations.copy(), {}

    def step(
        self, actions: npt.NDArray[Any]
    ) -> tuple[
        FloatArray, FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.bool_], dict[str, Any]
    ]:
        """Steps every row whose episode is under way.

        ``info`` holds Gymnasium's terms of the reward, with ``reward_task`` in the place of
        ``reward_forward``; zeros in rows that weren't stepped.

        Raises:
            InvalidActionError: If an action isn't finite, or has the wrong shape.
        """
        active = ~(self._terminations | self._truncations)
        rows = np.flatnonzero(active)
        actions = np.asarray(actions)
        self._check_actions(actions, active)
        motion = self._worlds.advance(rows, actions[rows])
        weight = self.family.robot.values["forward_reward_weight"]
        progress = self.family.objective.progress(motion.place, motion.velocity, self._goals[rows])
        rewards = total_reward(
            weight, progress, motion.survival, motion.control_cost, motion.contact_cost
        )
        self._observations[rows] = motion.observations
        self._step_counts[rows] += 1
        self._terminations[rows] = motion.fallen
        late = self._step_counts[rows] >= self.max_episode_steps
        self._truncations[rows] = late | motion.diverged
        terms: dict[str, npt.NDArray[Any]] = {
            "reward_task": weight * progress,
            "reward_survive": motion.survival,
            "reward_ctrl": -motion.control_cost,
            "reward_contact": -motion.contact_cost,
            "sim_unstable": motion.diverged,
        }
        for axis, name in zip(range(self.family.robot.dimensions), "xy", strict=False):
            terms[f"{name}_position"] = motion.place[:, axis]
            terms[f"{name}_velocity"] = motion.velocity[:, axis]
        return (
            self._observations.copy(),
            self._spread(rows, rewards),
            self._terminations.copy(),
            self._truncations.copy(),
            {name: self._spread(rows, values) for name, values in terms.items()},
        )

    def _spread(self, rows: npt.NDArray[np.intp], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        everywhere = np.zeros(self.num_envs, dtype=values.dtype)
        everywhere[rows] = values
        return everywhere
