"""One row of a batch as the environment that it stands for: what ``call`` and ``get_attr`` reach.

Each public name is one that Meta-World's wrapped environments have too.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers.utils import RunningMeanStd
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.types import Task

from metarl.envs.metaworld.engine import WorldTask
from metarl.envs.metaworld.engine.sources import BoolArray
from metarl.errors import CheckpointError

from .batch import RowBatch
from .normalization import ReturnNormalizer
from .spaces import action_space, observation_space

SETTABLE = (
    "terminate_on_success",
    "sample_tasks_on_reset",
    "update_running_mean",
    "obs_rms",
    "return_rms",
)
"""Names that ``set_attr`` may set."""


class SubEnvironment:
    """Row ``index`` of a batch."""

    max_path_length = 500

    def __init__(self, batch: RowBatch, index: int) -> None:
        self._batch = batch
        self._index = index
        self._row = batch.rows[index]
        self._selector = batch.selectors[index]

    # What it is.

    @property
    def task_name(self) -> str:
        """Name of Meta-World's class, such as ``SawyerReachEnvV3``."""
        name: str = ALL_V3_ENVIRONMENTS[self._row.env_name].__name__
        return name

    @property
    def env_id(self) -> str:
        """Under what name its checkpoint is kept."""
        return f"{ALL_V3_ENVIRONMENTS[self._row.env_name]}_{self._row.env_id}"

    @property
    def observation_space(self) -> gymnasium.spaces.Box:
        """Space of its own observations, before they are batched; the goal is unbounded."""
        settings = self._batch.settings
        dtype = np.float32 if settings.normalize_observations else np.float64
        return observation_space(settings, goal_is_zero=False, dtype=dtype)

    @property
    def action_space(self) -> gymnasium.spaces.Box:
        """Space of its actions."""
        return action_space()

    # Tasks.

    @property
    def tasks(self) -> list[Task]:
        """Its tasks in their present order, in Meta-World's form."""
        return [task.to_metaworld() for task in self._selector.tasks]

    @property
    def current_task_idx(self) -> int:
        """Position in :attr:`tasks` of the task chosen last."""
        return self._selector.current_task_idx

    @property
    def sample_tasks_on_reset(self) -> bool:
        """Whether every reset takes a new task."""
        return self._selector.sample_on_reset

    @sample_tasks_on_reset.setter
    def sample_tasks_on_reset(self, on: bool) -> None:
        self._selector.sample_on_reset = bool(on)

    def toggle_sample_tasks_on_reset(self, on: bool) -> None:
        """Sets whether every reset takes a new task."""
        self.sample_tasks_on_reset = on

    def sample_tasks(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.floating[Any]], dict[str, Any]]:
        """Takes the next task and resets; ``seed`` is ignored, as by Meta-World."""
        del seed, options
        self._batch.choose_task(self._index)
        return self._batch.restart([self._index])[0], {}

    def set_task(self, task: Task) -> None:
        """Sets a task of one's own making, from the next reset on."""
        self._batch.set_task(self._index, WorldTask.from_metaworld(task))

    @property
    def np_random(self) -> np.random.Generator:
        """What draws the tasks."""
        return self._selector.np_random

    @property
    def np_random_seed(self) -> int:
        """What :attr:`np_random` was seeded with."""
        return self._selector.np_random_seed

    # Ends of episodes.

    @property
    def terminate_on_success(self) -> bool:
        """Whether success ends an episode."""
        return bool(self._batch.terminate_on_success[self._index])

    @terminate_on_success.setter
    def terminate_on_success(self, on: bool) -> None:
        self._batch.terminate_on_success[self._index] = on

    def toggle_terminate_on_success(self, on: bool) -> None:
        """Sets whether success ends an episode."""
        self.terminate_on_success = on

    # Statistics.

    @property
    def episode_count(self) -> int:
        """Episodes ended."""
        return int(self._batch.statistics.episode_count[self._index])

    @property
    def episode_returns(self) -> float:
        """Reward so far in the present episode."""
        return float(self._batch.statistics.returns[self._index])

    @property
    def episode_lengths(self) -> int:
        """Steps so far in the present episode."""
        return int(self._batch.statistics.lengths[self._index])

    @property
    def return_queue(self) -> deque[float]:
        """Returns of the last hundred episodes."""
        return self._batch.statistics.return_queue[self._index]

    @property
    def length_queue(self) -> deque[int]:
        """Lengths of the last hundred episodes."""
        return self._batch.statistics.length_queue[self._index]

    @property
    def time_queue(self) -> deque[float]:
        """Durations of the last hundred episodes (s)."""
        return self._batch.statistics.time_queue[self._index]

    # Normalisation.

    @property
    def obs_rms(self) -> RunningMeanStd:
        """Mean and variance of observations, a copy."""
        if self._batch.obs_normalizer is None:
            raise AttributeError("observations aren't normalised")
        return self._batch.obs_normalizer.moments.get(self._index)

    @obs_rms.setter
    def obs_rms(self, moments: RunningMeanStd) -> None:
        if self._batch.obs_normalizer is None:
            raise AttributeError("observations aren't normalised")
        self._batch.obs_normalizer.moments.set(self._index, moments)

    @property
    def return_rms(self) -> RunningMeanStd:
        """Mean and variance of discounted returns, a copy."""
        return self._return_normalizer().moments.get(self._index)

    @return_rms.setter
    def return_rms(self, moments: RunningMeanStd) -> None:
        self._return_normalizer().moments.set(self._index, moments)

    @property
    def update_running_mean(self) -> bool:
        """Whether the statistics of observations, else of returns, follow what is seen."""
        return bool(self._updating()[self._index])

    @update_running_mean.setter
    def update_running_mean(self, on: bool) -> None:
        self._updating()[self._index] = on

    def _return_normalizer(self) -> ReturnNormalizer:
        normalizer = self._batch.reward_normalizer
        if not isinstance(normalizer, ReturnNormalizer):
            raise AttributeError("rewards aren't normalised by Gymnasium's method")
        return normalizer

    def _updating(self) -> BoolArray:
        outer = self._batch.obs_normalizer
        return self._return_normalizer().updating if outer is None else outer.updating

    # Checkpoints.

    def get_checkpoint(self) -> tuple[str, dict[str, Any]]:
        """Returns the name and the state of the choice of tasks, in plain JSON types."""
        return self.env_id, self._selector.get_checkpoint()

    def load_checkpoint(self, ckpts: list[tuple[str, dict[str, Any]]]) -> None:
        """Continues from the checkpoint of this row.

        Rows of one class share a name. Meta-World then gives all of them the first one's
        checkpoint; here each gets its own.

        Raises:
            CheckpointError: If there is none.
        """
        mine = [checkpoint for name, checkpoint in ckpts if name == self.env_id]
        if len(mine) <= self._row.copy:
            names = sorted({name for name, _ in ckpts})
            raise CheckpointError(
                f"ckpts: has {len(mine)} of {self.env_id!r}, row {self._index} needs number "
                f"{self._row.copy + 1}; names: {', '.join(names)}."
            )
        self._selector.load_checkpoint(mine[self._row.copy])
