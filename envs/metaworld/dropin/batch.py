"""Rows of Meta-World environments with all their wrappers, stepped together.

What :func:`metaworld.make_mt_envs` and :func:`metaworld.make_ml_envs` put around each environment
is done here for all rows at once: time limit, end at success, one-hot task, information for
recurrent policies, normalised rewards and observations, episode statistics, choice of tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metarl.envs.metaworld.engine import ResetCache, Worlds, WorldTask
from metarl.envs.metaworld.engine.class_worlds import RowIndex
from metarl.envs.metaworld.engine.narrowed import narrowed
from metarl.envs.metaworld.engine.sources import BoolArray, FloatArray
from metarl.envs.metaworld.engine.worlds import ACTION_SIZE
from metarl.errors import InvalidActionError, TaskError

from .episodes import EpisodeStatistics
from .normalization import (
    ExponentialNormalizer,
    ObservationNormalizer,
    ReturnNormalizer,
    RewardNormalizer,
)
from .selection import SELECTORS, TaskSelector
from .settings import Settings
from .spaces import observation_size
from .splits import Row

Actions = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class RowsStep:
    """A step of ``N`` rows; those that were not stepped hold no reward, end or info.

    Attributes:
        obs: ``[N, d]``, float32 if normalised, else float64.
        reward: ``[N]``.
        terminated: ``[N]``.
        truncated: ``[N]``.
        info: Meta-World's info values by key, each ``[N]``.
        episode: Return ``r``, length ``l`` and duration ``t`` of the episodes that ended, each
            ``[N]``; None if none did.
    """

    obs: npt.NDArray[np.floating[Any]]
    reward: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    info: dict[str, FloatArray]
    episode: dict[str, FloatArray] | None


class RowBatch:
    """Rows, each what one of Meta-World's wrapped environments is.

    Args:
        rows: What each of them plays.
        settings: How they are wrapped.

    Attributes:
        terminate_on_success: ``[N]`` whether success ends an episode.
        selectors: How each row chooses its next task.
        statistics: Of the episodes.
        obs_normalizer: Set if observations are normalised.
        reward_normalizer: Set if rewards are.
    """

    def __init__(self, rows: Sequence[Row], settings: Settings) -> None:
        n = len(rows)
        self.rows = tuple(rows)
        self.settings = settings
        self.selectors: list[TaskSelector] = [
            SELECTORS[settings.task_select](row.tasks, row.seed) for row in rows
        ]
        self.statistics = EpisodeStatistics(n)
        self.terminate_on_success = np.full(n, settings.terminate_on_success)
        self.obs_normalizer = (
            ObservationNormalizer(n, observation_size(settings))
            if settings.normalize_observations
            else None
        )
        self.reward_normalizer = _reward_normalizer(settings, n)
        self._worlds = Worlds(n, ResetCache(), settings.horizon)
        self._one_hot = _one_hot(rows, settings)

    def choose_task(self, row: int) -> None:
        """Gives a row its next task; it has to be reset before it is stepped."""
        self.set_task(row, self.selectors[row].next())

    def set_task(self, row: int, task: WorldTask) -> None:
        """Gives a row a task; it has to be reset before it is stepped.

        Raises:
            TaskError: If the task is of another class.
        """
        if task.env_name != self.rows[row].env_name:
            raise TaskError(f"task: got one of {task.env_name}; row {row} has another class.")
        self._worlds.set_tasks([row], [task])

    def reset(self, rows: Sequence[int]) -> npt.NDArray[np.floating[Any]]:
        """Starts an episode in some rows, with a new task where that is the row's way.

        Returns:
            ``[k, d]`` observations.

        Raises:
            TaskError: If a row has no task and chooses none by itself.
        """
        for row in rows:
            if self.selectors[row].sample_on_reset:
                self.choose_task(row)
            elif self._worlds.tasks[row] is None:
                raise TaskError(
                    f"row {row} has no task yet; first call('sample_tasks'), or "
                    "call('toggle_sample_tasks_on_reset', True)."
                )
        return self.restart(rows)

    def restart(self, rows: Sequence[int]) -> npt.NDArray[np.floating[Any]]:
        """Starts an episode of the present task in some rows; returns ``[k, d]`` observations."""
        index = np.asarray(rows, dtype=np.intp)
        parts = [self._worlds.reset(rows), self._one_hot[index]]
        if self.settings.recurrent_info_in_obs:
            parts.append(np.zeros((len(index), ACTION_SIZE + 2)))
        obs = np.concatenate(parts, axis=1)
        self.statistics.reset(index)
        return obs if self.obs_normalizer is None else self.obs_normalizer(index, obs)

    def step(self, actions: Actions, active: BoolArray) -> RowsStep:
        """Advances the active rows.

        Args:
            actions: ``[N, 4]``, see :func:`as_actions`.
            active: ``[N]``.
        """
        rows: RowIndex = slice(None) if active.all() else np.flatnonzero(active)
        step = self._worlds.step(actions, active)
        terminated = self.terminate_on_success & (step.info["success"] == 1.0)
        done = terminated | step.truncated

        parts: list[npt.NDArray[Any]] = [step.obs, self._one_hot]
        if self.settings.recurrent_info_in_obs:
            scale = 10.0 if self.settings.normalize_reward_in_recurrent_info else 1.0
            parts += [actions, (step.reward / scale)[:, None], done[:, None]]
        obs = np.concatenate(parts, axis=1, dtype=np.float64)

        reward = narrowed(step.reward[rows], step.single[rows])
        if self.reward_normalizer is not None:
            reward = self.reward_normalizer(rows, reward, terminated[rows])
        self.statistics.step(rows, reward)
        rewards = np.zeros(len(self.rows))
        rewards[rows] = np.asarray(reward)
        return RowsStep(
            self._normalized(rows, obs),
            rewards,
            terminated,
            step.truncated,
            step.info,
            self.statistics.end(done) if done.any() else None,
        )

    def _normalized(self, rows: RowIndex, obs: FloatArray) -> npt.NDArray[np.floating[Any]]:
        if self.obs_normalizer is None:
            return obs
        normalized = np.zeros(obs.shape, dtype=np.float32)
        normalized[rows] = self.obs_normalizer(rows, obs[rows])
        return normalized


def as_actions(actions: npt.ArrayLike, num_rows: int, active: BoolArray) -> Actions:
    """Checks actions and returns them as floats; float32 and float64 stay what they are.

    Args:
        actions: ``[N, 4]``.
        num_rows: ``N``.
        active: ``[N]`` the rows to look at.

    Raises:
        InvalidActionError: If an active row's action is not finite, or the shape is wrong.
    """
    array = np.asarray(actions)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.shape != (num_rows, ACTION_SIZE):
        raise InvalidActionError(
            f"actions: got shape {array.shape}; must be {(num_rows, ACTION_SIZE)}."
        )
    bad = active & ~np.isfinite(array).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise InvalidActionError(f"actions: row {row} is {array[row]}; must be finite.")
    return array


def _reward_normalizer(settings: Settings, num_rows: int) -> RewardNormalizer | None:
    if settings.reward_normalization_method == "gymnasium":
        return ReturnNormalizer(num_rows)
    if settings.reward_normalization_method == "exponential":
        return ExponentialNormalizer(num_rows, settings.reward_alpha)
    return None


def _one_hot(rows: Sequence[Row], settings: Settings) -> FloatArray:
    """``[N, num_tasks]``, without columns if the observation doesn't tell the task."""
    if not settings.use_one_hot:
        return np.zeros((len(rows), 0))
    assert settings.num_tasks is not None
    one_hot = np.zeros((len(rows), settings.num_tasks))
    for one, row in zip(one_hot, rows, strict=True):
        assert row.env_id is not None
        one[row.env_id] = 1.0
    return one_hot
