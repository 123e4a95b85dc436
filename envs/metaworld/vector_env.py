"""Many Meta-World tasks as one vector environment on the batched engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.errors import TaskError
from metarl.tasks import Task
from metarl.vector import TaskVectorEnv

from .engine import ResetCache, WorldRenderer, Worlds, WorldTask
from .environment import ACTION_SPACE, OBSERVATION_SPACE, read_task


class MetaWorldVectorEnv(TaskVectorEnv):
    """Steps every row's world at nearly the speed of its physics, with Meta-World's own bits.

    Rows whose episode has ended keep their last observation, get reward 0 and wait for
    :meth:`reset`; see :class:`metarl.envs.metaworld.MetaWorldEnv` for what a row is.

    Args:
        tasks: One task per block of rows; reward version 2.
        num_envs_per_task: Rows in each block.
        max_episode_steps: Horizon, 1 to 500.
        render_mode: None or ``"rgb_array"``.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        num_envs_per_task: int,
        max_episode_steps: int,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(len(tasks), num_envs_per_task, OBSERVATION_SPACE, ACTION_SPACE)
        self.render_mode = render_mode
        self._renderer = WorldRenderer(camera_name="corner2")
        self._worlds = Worlds(self.num_envs, shared_cache(), max_episode_steps)
        self._terminations = np.zeros(self.num_envs, dtype=np.bool_)
        self._truncations = np.ones(self.num_envs, dtype=np.bool_)
        self._observations = np.zeros((self.num_envs, *OBSERVATION_SPACE.shape))
        self.set_tasks(tasks)

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Moves the blocks of rows to other tasks; takes effect with the next :meth:`reset`.

        Raises:
            TaskError: If there are more or fewer tasks than blocks.
        """
        self._check_number(tasks)
        worlds = [_world_task(task) for task in tasks for _ in range(self._num_envs_per_task)]
        self._worlds.set_tasks(range(self.num_envs), worlds)
        self._truncations[:] = True

    def render(self) -> tuple[npt.NDArray[np.uint8], ...] | None:
        """A picture of every row, ``[480, 480, 3]`` each, or None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(self.render_row(row) for row in range(self.num_envs))

    def render_row(self, row: int) -> npt.NDArray[np.uint8]:
        """A picture of one row, the right way up: Meta-World's camera hangs upside down."""
        task = self._worlds.tasks[row]
        assert task is not None
        picture = self._renderer.render(task, self._worlds.state(row))
        return np.ascontiguousarray(np.rot90(picture, 2))

    def close_extras(self, **kwargs: Any) -> None:
        """Frees the renderer."""
        del kwargs
        self._renderer.close()

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[npt.NDArray[np.float64], dict[str, Any]]:
        """Starts an episode in every row, or in those of ``options["reset_mask"]``.

        Raises:
            TaskError: If the family refuses a task's vector, e.g. a goal too near the object.
        """
        del seed  # a task fixes all that is random
        rows = np.flatnonzero(self._reset_mask(options))
        started = self._worlds.reset(rows.tolist())
        self._observations = self._observations.copy()  # what a step has returned stays
        self._observations[rows] = started
        self._truncations[rows] = False
        return self._observations.copy(), {}

    def step(
        self, actions: npt.NDArray[Any]
    ) -> tuple[
        npt.NDArray[np.float64],
        npt.NDArray[np.float64],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Steps every row whose episode is under way.

        Raises:
            InvalidActionError: If an action isn't finite, or has the wrong shape.
            RuntimeError: If steps of :meth:`advance` are unsettled.
        """
        self._worlds.require_settled()
        observations, terminated, truncated, unstable = self.advance(actions)
        rewards = self._worlds.settle()
        info: dict[str, Any] = {
            **{key: values[0] for key, values in rewards.info.items()},
            "is_success": rewards.info["success"][0] > 0,
            "sim_unstable": unstable,
        }
        return observations, rewards.reward[0], terminated, truncated, info

    def advance(
        self, actions: npt.NDArray[Any]
    ) -> tuple[
        npt.NDArray[np.float64],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
    ]:
        """Steps without rewards; see :class:`metarl.vector.DeferredVectorEnv`.

        Raises:
            InvalidActionError: If an action isn't finite, or has the wrong shape.
        """
        active = ~self._truncations
        actions = np.asarray(actions)
        self._check_actions(actions, active)
        moved = self._worlds.advance(np.clip(actions, -1.0, 1.0), active)
        self._observations = moved.obs
        self._truncations |= moved.truncated
        return moved.obs, self._terminations.copy(), self._truncations.copy(), moved.diverged

    def settle(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Rewards and success of the steps since the last call, ``[T, N]`` each."""
        rewards = self._worlds.settle()
        return rewards.reward, rewards.info["success"] > 0


@cache
def shared_cache() -> ResetCache:
    """The models and reset points that every batch in this process shares."""
    return ResetCache()


def _world_task(task: Task) -> WorldTask:
    family, parameters = read_task(task)
    if parameters["reward_version"] != "v2":
        raise TaskError(
            f"reward_version: got {parameters['reward_version']!r}; the batched engine has v2 "
            'only; use backend="reference".'
        )
    return WorldTask(family, tuple(parameters["rand_vec"]), not parameters["goal_observable"])
