"""Vector environments of many tasks, whose ended rows wait for the next reset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from metarl.errors import InvalidActionError, TaskError
from metarl.spaces import check_shape

if TYPE_CHECKING:
    from metarl.tasks import Task


@runtime_checkable
class DeferredVectorEnv(Protocol):
    """A vector environment that can put off its rewards and compute many steps' at once.

    Acting needs observations only. Where rewards are array arithmetic, doing it for many steps
    together spreads its fixed cost.
    """

    def advance(
        self, actions: Any
    ) -> tuple[Any, npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Steps as ``step`` does; returns observations, terminated, truncated and unstable."""
        ...

    def settle(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Returns rewards and success of the ``T`` steps since the last call, ``[T, N]`` each."""
        ...


class TaskVectorEnv(VectorEnv[Any, Any, Any]):
    """What vector environments of many tasks share; rows lie in blocks of one task each.

    Gymnasium's own vector environments either start the next episode at once or insist that no
    row has ended. Meta-learning counts whole episodes, so here a row that has ended keeps its last
    observation, gets reward 0 and isn't stepped until :meth:`reset`.

    Args:
        num_tasks: Blocks of rows.
        num_envs_per_task: Rows in each block; row ``i`` belongs to task ``i // num_envs_per_task``.
        observation_space: Space of one row's observations.
        action_space: Space of one row's actions.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(
        self,
        num_tasks: int,
        num_envs_per_task: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
    ) -> None:
        self.num_envs = num_tasks * num_envs_per_task
        self.single_observation_space = observation_space
        self.single_action_space = action_space
        self.observation_space = batch_space(observation_space, self.num_envs)
        self.action_space = batch_space(action_space, self.num_envs)
        self._num_envs_per_task = num_envs_per_task
        self._rngs: list[np.random.Generator | None] = [None] * self.num_envs

    def _check_number(self, tasks: Sequence[Task]) -> None:
        """Checks that there is one task for each block of rows.

        Raises:
            TaskError: If there are more or fewer.
        """
        if len(tasks) * self._num_envs_per_task != self.num_envs:
            raise TaskError(
                f"tasks: got {len(tasks)}; this vector environment holds "
                f"{self.num_envs // self._num_envs_per_task}."
            )

    def _reset_mask(self, options: dict[str, Any] | None) -> npt.NDArray[np.bool_]:
        """Which rows to reset: all, or those of ``options["reset_mask"]``, ``[N]``."""
        mask: npt.NDArray[np.bool_] = (options or {}).get(
            "reset_mask", np.ones(self.num_envs, dtype=np.bool_)
        )
        return mask

    def _generator(self, row: int, seed: int | None) -> np.random.Generator:
        """A row's own generator: begun anew by a seed, as Gymnasium's environments do it."""
        rng = self._rngs[row]
        if seed is not None or rng is None:
            rng, _ = seeding.np_random(seed)
            self._rngs[row] = rng
        return rng

    def _check_actions(self, actions: npt.NDArray[Any], active: npt.NDArray[np.bool_]) -> None:
        """Checks the rows of a ``Box`` space's actions.

        Args:
            actions: ``[N, ...]``.
            active: ``[N]`` rows whose episode is under way; the others may hold anything.

        Raises:
            InvalidActionError: If one isn't finite, or they have the wrong shape.
        """
        if actions.shape != self.action_space.shape:
            raise InvalidActionError(
                f"action: got shape {actions.shape}; must be {self.action_space.shape}."
            )
        finite = np.isfinite(actions).all(axis=1) | ~active
        if not finite.all():
            row = int(np.argmin(finite))
            raise InvalidActionError(f"action: row {row} is {actions[row]}; must be finite.")


class EpisodeVectorEnv(TaskVectorEnv):
    """Steps one environment after another, each until its episode ends.

    Args:
        tasks: One task per block of rows.
        num_envs_per_task: Rows in each block; row ``i`` belongs to task ``i // num_envs_per_task``.
        make_env: Builds the environment of a task.
        retask: Moves an environment to another task; says whether it could.
        observation_space: Space of one row's observations.
        action_space: Space of one row's actions.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        num_envs_per_task: int,
        *,
        make_env: Callable[[Task], gymnasium.Env[Any, Any]],
        retask: Callable[[gymnasium.Env[Any, Any], Task], bool],
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
    ) -> None:
        super().__init__(len(tasks), num_envs_per_task, observation_space, action_space)
        self._make_env = make_env
        self._retask = retask
        self._tasks = [task for task in tasks for _ in range(num_envs_per_task)]
        self.envs = [make_env(task) for task in self._tasks]
        self._seeds: list[int | None] = [None] * self.num_envs
        self._step_counts = np.zeros(self.num_envs, dtype=np.int64)
        self._observations: list[Any] = [None] * self.num_envs
        self._terminations = np.zeros(self.num_envs, dtype=np.bool_)
        self._truncations = np.zeros(self.num_envs, dtype=np.bool_)

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Moves the rows to other tasks; takes effect with the next :meth:`reset`.

        Raises:
            TaskError: If the number of tasks isn't the one this was built for.
        """
        self._check_number(tasks)
        self._tasks = [task for task in tasks for _ in range(self._num_envs_per_task)]
        for row, task in enumerate(self._tasks):
            if not self._retask(self.envs[row], task):
                self.envs[row].close()
                self.envs[row] = self._make_env(task)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode in every row, or in those of ``options["reset_mask"]``."""
        seeds = seed_of_each_row(seed, self.num_envs)
        mask = self._reset_mask(options)
        options = {key: value for key, value in (options or {}).items() if key != "reset_mask"}
        infos: dict[str, Any] = {}
        for row in np.flatnonzero(mask).tolist():
            self._seeds[row] = seeds[row]
            self._step_counts[row] = 0
            self._terminations[row] = self._truncations[row] = False
            try:
                observation, info = self.envs[row].reset(seed=seeds[row], options=options)
                check_shape(self.single_observation_space, observation)
            except Exception as error:
                error.add_note(self._where(row, "while resetting"))
                raise
            self._observations[row] = observation
            infos = self._add_info(infos, info, row)
        return self._batched_observations(), infos

    def step(
        self, actions: Any
    ) -> tuple[
        Any, npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_], dict[str, Any]
    ]:
        """Steps every row whose episode is under way.

        Raises:
            InvalidActionError: If there are more or fewer actions than rows.
        """
        rewards = np.zeros(self.num_envs, dtype=np.float64)
        infos: dict[str, Any] = {}
        each = list(iterate(self.action_space, actions))
        if len(each) != self.num_envs:
            raise InvalidActionError(f"action: got {len(each)}; must be {self.num_envs}.")
        for row, action in enumerate(each):
            if self._terminations[row] or self._truncations[row]:
                continue
            try:
                observation, reward, terminated, truncated, info = self.envs[row].step(action)
                check_shape(self.single_observation_space, observation)
            except Exception as error:
                error.add_note(self._where(row, "while stepping"))
                raise
            self._step_counts[row] += 1
            self._observations[row] = observation
            rewards[row] = float(reward)
            self._terminations[row] = terminated
            self._truncations[row] = truncated
            infos = self._add_info(infos, info, row)
        return (
            self._batched_observations(),
            rewards,
            self._terminations.copy(),
            self._truncations.copy(),
            infos,
        )

    def close_extras(self, **kwargs: Any) -> None:
        """Closes every environment."""
        del kwargs
        for env in self.envs:
            env.close()

    def _batched_observations(self) -> Any:
        out: Any = create_empty_array(self.single_observation_space, n=self.num_envs)
        return concatenate(self.single_observation_space, self._observations, out)

    def _where(self, row: int, doing: str) -> str:
        return (
            f"{doing} task {self._tasks[row].family} ({self._tasks[row].digest}), "
            f"episode {row % self._num_envs_per_task}, seed {self._seeds[row]}, "
            f"step {self._step_counts[row]}"
        )


def seed_of_each_row(seed: int | Sequence[int | None] | None, rows: int) -> Sequence[int | None]:
    """The seeds of rows: one for each as given, or from one number on, as Gymnasium counts."""
    if seed is None:
        return [None] * rows
    return [seed + row for row in range(rows)] if isinstance(seed, int) else seed
