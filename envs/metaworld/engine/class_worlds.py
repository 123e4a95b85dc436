"""A batch of worlds of one environment class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .narrowed import Narrowed
from .observations import FRAME, frame, stack
from .reset_cache import ResetCache, ResetPoint, WorldTask
from .sources import BoolArray, FloatArray
from .spec import INFO_KEYS, Outcome, Rows

RowIndex = npt.NDArray[np.intp] | slice
"""Which worlds: ``[k]`` indices, or a slice (which saves copying)."""


@dataclass(frozen=True)
class BatchStep:
    """A step of ``k`` worlds.

    Attributes:
        obs: ``[k, 39]``.
        reward: ``[k]``.
        info: ``[7, k]`` Meta-World's info values, in the order of :data:`.spec.INFO_KEYS`.
        diverged: ``[k]`` the simulation became unstable; MuJoCo has reset the world.
        single: ``[k]`` Meta-World returns the reward as ``np.float32`` (see :mod:`.narrowed`).
    """

    obs: FloatArray
    reward: FloatArray
    info: FloatArray
    diverged: BoolArray
    single: BoolArray


class ClassWorlds:
    """Worlds of one class, each with a task of its own.

    Args:
        env_name: Meta-World's name of the class.
        cache: Where the class and its reset points come from.
        num_worlds: Worlds to make room for; see :meth:`reserve`.
    """

    def __init__(self, env_name: str, cache: ResetCache, num_worlds: int = 0) -> None:
        self._class = cache.env_class(env_name)
        self._cache = cache
        self._states = np.zeros((0, self._class.physics.state_size))
        self._body_pos = np.zeros((0, *self._class.physics.model.body_pos.shape))
        self._previous = np.zeros((0, FRAME))
        self._goal_observable = np.zeros(0, dtype=np.bool_)
        self._constants: dict[str, FloatArray] = {}
        self._memory = {name: np.zeros(0) for name in self._class.spec.memory}
        self.reserve(num_worlds)

    def reserve(self, num_worlds: int) -> None:
        """Makes room for at least so many worlds; those there already are kept."""
        if num_worlds <= len(self._states):
            return
        extra = max(num_worlds, 2 * len(self._states)) - len(self._states)

        def extended(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.concatenate((values, np.zeros((extra, *values.shape[1:]), values.dtype)))

        self._states = extended(self._states)
        self._body_pos = extended(self._body_pos)
        self._previous = extended(self._previous)
        self._goal_observable = extended(self._goal_observable)
        self._constants = {name: extended(values) for name, values in self._constants.items()}
        self._memory = {name: extended(values) for name, values in self._memory.items()}

    def reset(self, rows: Sequence[int], tasks: Sequence[WorldTask]) -> FloatArray:
        """Puts each of ``rows`` at the start of its task.

        Returns:
            ``[len(rows), 39]`` observations.
        """
        points = [self._cache.get(task) for task in tasks]
        for row, task, point in zip(rows, tasks, points, strict=True):
            self._states[row] = point.state
            self._body_pos[row] = point.body_pos
            self._previous[row] = point.obs[:FRAME]
            self._goal_observable[row] = not task.partially_observable
            self._set_constants(row, point)
            for values in self._memory.values():
                values[row] = np.nan
        return np.stack([point.obs for point in points])

    def step(self, rows: RowIndex, actions: npt.NDArray[np.floating[Any]]) -> BatchStep:
        """Advances some worlds by a step; ``actions`` is ``[k, 4]``, float32 or float64."""
        env, spec = self._class, self._class.spec
        constants = {name: values[rows] for name, values in self._constants.items()}
        memory = {name: values[rows] for name, values in self._memory.items()}
        floors = None
        if spec.contact is not None and spec.contact.lifted is not None:
            floors = constants[spec.contact.reference][:, 2] + spec.contact.clearance

        states = self._states[rows]
        env.physics.apply(states, actions)
        physics = env.physics.step(states, self._body_pos[rows], floors)
        self._states[rows] = states

        current = frame(spec.objects, physics.readings)
        obs = stack(
            current,
            self._previous[rows],
            constants["target"],
            env.goal_bounds,
            self._goal_observable[rows],
        )
        self._previous[rows] = current
        outcome = spec.reward(
            Rows(obs, actions, physics.readings, constants, memory, physics.touching)
        )
        for name, values in memory.items():
            self._memory[name][rows] = values
        info = _info(outcome, len(obs))
        single = np.zeros(len(obs), dtype=np.bool_)
        if isinstance(outcome.reward, Narrowed):
            single[outcome.reward.rows] = True
        return BatchStep(obs, info[-1], info, physics.diverged, single)

    def _set_constants(self, row: int, point: ResetPoint) -> None:
        for name, value in point.constants.items():
            if name not in self._constants:
                self._constants[name] = np.zeros((len(self._states), *value.shape))
            self._constants[name][row] = value


def _info(outcome: Outcome, num_rows: int) -> FloatArray:
    columns = np.empty((len(INFO_KEYS), num_rows))
    for column, key in zip(columns, INFO_KEYS[:-1], strict=False):
        column[:] = getattr(outcome, key)
    columns[-1] = outcome.reward
    return columns
