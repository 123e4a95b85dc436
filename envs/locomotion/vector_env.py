"""Many tasks of one family as one vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from metarl.envs.physics import ModelEditor, changes_of
from metarl.errors import InvalidActionError, TaskError
from metarl.tasks import Task

from .families import Family
from .objectives import total_reward
from .robot import FloatArray
from .worlds import Worlds


class LocomotionVectorEnv(VectorEnv[Any, Any, Any]):
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

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(
        self,
        family: Family,
        tasks: Sequence[Task],
        num_envs_per_task: int,
        max_episode_steps: int,
    ) -> None:
        reference = family.robot.reference
        self.family = family
        self.num_envs = len(tasks) * num_envs_per_task
        self.single_observation_space = reference.observation_space
        self.single_action_space = reference.action_space
        self.observation_space = batch_space(reference.observation_space, self.num_envs)
        self.action_space = batch_space(reference.action_space, self.num_envs)
        self.max_episode_steps = max_episode_steps
        self._num_envs_per_task = num_envs_per_task
        self._worlds = Worlds(family.robot, self.num_envs)
        self._editor = ModelEditor(reference.model, reference.fullpath)
        self._rngs: list[np.random.Generator | None] = [None] * self.num_envs
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
        if len(tasks) * self._num_envs_per_task != self.num_envs:
            raise TaskError(
                f"tasks: got {len(tasks)}; this vector environment holds "
                f"{self.num_envs // self._num_envs_per_task}."
            )
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
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
        rows = np.flatnonzero(mask).tolist()
        self._observations[rows] = self._worlds.reset(
            rows, [self._generator(row, _seed_of(seed, row)) for row in rows]
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
        rows = np.flatnonzero(~(self._terminations | self._truncations))
        actions = self._checked(actions)[rows]
        motion = self._worlds.advance(rows, actions)
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

    def _generator(self, row: int, seed: int | None) -> np.random.Generator:
        rng = self._rngs[row]
        if seed is not None or rng is None:
            rng, _ = seeding.np_random(seed)
            self._rngs[row] = rng
        return rng

    def _checked(self, actions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        actions = np.asarray(actions)
        if actions.shape != self.action_space.shape:
            raise InvalidActionError(
                f"action: got shape {actions.shape}; must be {self.action_space.shape}."
            )
        finite = np.isfinite(actions).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            raise InvalidActionError(f"action: row {row} is {actions[row]}; must be finite.")
        return actions

    def _spread(self, rows: npt.NDArray[np.intp], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        everywhere = np.zeros(self.num_envs, dtype=values.dtype)
        everywhere[rows] = values
        return everywhere


def _seed_of(seed: int | Sequence[int | None] | None, row: int) -> int | None:
    if seed is None:
        return None
    return seed + row if isinstance(seed, int) else seed[row]
