"""The vector environment behind the ids, and what its two forms have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from metarl.envs.metaworld.engine.sources import BoolArray, FloatArray

from .batch import Actions, RowBatch, RowsStep, as_actions
from .infos import masked
from .settings import Settings
from .spaces import METADATA, action_space, observation_space, vector_dtype
from .splits import Row
from .sub_environment import SETTABLE, SubEnvironment

Observations = npt.NDArray[np.floating[Any]]
StepResult = tuple[Observations, FloatArray, BoolArray, BoolArray, dict[str, Any]]


class MetaWorldVectorEnv(VectorEnv[Observations, npt.NDArray[Any], npt.NDArray[Any]]):
    """Rows of Meta-World environments behind the interface of Gymnasium's vector environments.

    Args:
        rows: What each of them plays.
        settings: How they are wrapped.
        autoreset_mode: What happens to a row whose episode has ended.
    """

    def __init__(
        self, rows: Sequence[Row], settings: Settings, autoreset_mode: AutoresetMode
    ) -> None:
        self.num_envs = len(rows)
        self.autoreset_mode = autoreset_mode
        self.metadata = {**METADATA, "autoreset_mode": autoreset_mode}
        goals_hidden = all(row.tasks[0].partially_observable for row in rows)
        space = observation_space(settings, goals_hidden, vector_dtype(settings))
        self.single_observation_space = space
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        shape = (self.num_envs, *space.shape)
        self._observations: Observations = np.zeros(shape, vector_dtype(settings))
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Starts an episode in every row, or in those of ``options["reset_mask"]``.

        Args:
            seed: Ignored, as by Meta-World: tasks are drawn from the seed given to ``make_vec``.
            options: May hold ``reset_mask``, ``[N]`` bool with at least one True.
        """
        del seed
        mask = _reset_mask(options, self.num_envs)
        self._reset_rows(mask)
        self._ended[mask] = False
        return self._observations.copy(), {}

    def step(self, actions: npt.ArrayLike) -> StepResult:
        """Steps every row.

        With autoreset ``NEXT_STEP`` a row whose episode has ended is reset instead, with
        ``SAME_STEP`` at once, its last observation and info going into ``final_obs`` and
        ``final_info``.

        Args:
            actions: ``[N, 4]``.

        Returns:
            Observations ``[N, d]``, rewards, terminations and truncations ``[N]``, infos.

        Raises:
            ResetNeeded: If an episode has ended, with autoreset disabled.
            InvalidActionError: If an action is not finite, or the shape is wrong.
        """
        resetting = np.zeros(self.num_envs, dtype=np.bool_)
        if self.autoreset_mode == AutoresetMode.NEXT_STEP:
            resetting = self._ended
        elif self.autoreset_mode == AutoresetMode.DISABLED and self._ended.any():
            rows = np.flatnonzero(self._ended).tolist()
            raise ResetNeeded(f"rows {rows} have ended: reset them with options['reset_mask']")
        checked = as_actions(actions, self.num_envs, ~resetting)
        result = self._step_rows(checked, resetting)
        self._ended = result[2] | result[3]
        return result

    @abstractmethod
    def _reset_rows(self, mask: BoolArray) -> None:
        """Resets some rows and writes their observations to ``_observations``."""

    @abstractmethod
    def _step_rows(self, actions: Actions, resetting: BoolArray) -> StepResult:
        """Steps the rows, or resets them where ``resetting``."""

    @abstractmethod
    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Calls a method, or reads an attribute, of every row's environment.

        Raises:
            AttributeError: If they have no such name.
        """

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Reads an attribute of every row's environment."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Sets an attribute of every row's environment.

        Args:
            name: One of :data:`.sub_environment.SETTABLE`.
            values: A list or tuple with one value per row, or one value for all.
        """
        if name not in SETTABLE:
            raise AttributeError(f"can't set {name!r}; allowed: {', '.join(SETTABLE)}")
        if not isinstance(values, (list, tuple)):
            values = [values] * self.num_envs
        if len(values) != self.num_envs:
            raise ValueError(f"values: got {len(values)} for {self.num_envs} environments")
        self._set_attr(name, values)

    @abstractmethod
    def _set_attr(self, name: str, values: Sequence[Any]) -> None:
        """Sets an attribute that may be set, one value per row."""

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """What draws each row's tasks."""
        return self.call("np_random")

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """What each row's :attr:`np_random` was seeded with."""
        return self.call("np_random_seed")


class LocalVectorEnv(MetaWorldVectorEnv):
    """All rows in this process."""

    def __init__(
        self, rows: Sequence[Row], settings: Settings, autoreset_mode: AutoresetMode
    ) -> None:
        super().__init__(rows, settings, autoreset_mode)
        self._batch = RowBatch(rows, settings)
        self._sub_environments = [SubEnvironment(self._batch, i) for i in range(self.num_envs)]

    def _step_rows(self, actions: Actions, resetting: BoolArray) -> StepResult:
        step = self._batch.step(actions, ~resetting)
        ended = step.terminated | step.truncated
        self._observations[~resetting] = step.obs[~resetting]
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            infos = _infos_of_same_step(step, ended)
            resetting = ended
        else:
            infos = {**masked(step.info, ~resetting), **_episode_info(step, ended)}
        if resetting.any():
            self._reset_rows(resetting)
        return self._observations.copy(), step.reward, step.terminated, step.truncated, infos

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Calls a method, or reads an attribute, of every row's environment."""
        if name.startswith("_") or not hasattr(SubEnvironment, name):
            known = ", ".join(n for n in dir(SubEnvironment) if not n.startswith("_"))
            raise AttributeError(f"environments have no {name!r}; there is: {known}")
        found = [getattr(env, name) for env in self._sub_environments]
        return tuple(f(*args, **kwargs) if callable(f) else f for f in found)

    def _set_attr(self, name: str, values: Sequence[Any]) -> None:
        for env, value in zip(self._sub_environments, values, strict=True):
            setattr(env, name, value)

    def _reset_rows(self, mask: BoolArray) -> None:
        self._observations[mask] = self._batch.reset(np.flatnonzero(mask).tolist())


def _reset_mask(options: dict[str, Any] | None, num_envs: int) -> BoolArray:
    mask = (options or {}).get("reset_mask")
    if mask is None:
        return np.ones(num_envs, dtype=np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise TypeError(f"options['reset_mask'] must be a numpy array of bool, got {mask!r}")
    if mask.shape != (num_envs,) or not mask.any():
        raise ValueError(
            f"options['reset_mask'] must have shape {(num_envs,)} and a True, got {mask!r}"
        )
    return mask


def _episode_info(step: RowsStep, ended: BoolArray) -> dict[str, Any]:
    if step.episode is None:
        return {}
    return masked({"episode": masked(step.episode, ended)}, ended)


def _infos_of_same_step(step: RowsStep, ended: BoolArray) -> dict[str, Any]:
    final_obs = np.full(len(ended), None, dtype=object)
    for row in np.flatnonzero(ended).tolist():
        final_obs[row] = step.obs[row].copy()
    final_info = {**masked(step.info, ended), **_episode_info(step, ended)}
    return {
        **masked({"final_obs": final_obs, "final_info": final_info}, ended),
        **masked(step.info, ~ended),
    }
