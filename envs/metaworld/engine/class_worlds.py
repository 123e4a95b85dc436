"""A batch of worlds of one environment class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .observations import FRAME, frame, stack
from .reset_cache import ResetCache, ResetPoint, WorldTask
from .sources import BoolArray, FloatArray
from .spec import INFO_KEYS, Outcome, Rows

RowIndex = npt.NDArray[np.intp] | slice
"""Which worlds: ``[k]`` indices, or ``slice(None)`` for all (no copies are made then)."""


@dataclass(frozen=True)
class BatchStep:
    """A step of ``k`` worlds.

    Attributes:
        obs: ``[k, 39]``.
        reward: ``[k]``.
        info: Meta-World's info values by key, each ``[k]`` float64.
        diverged: ``[k]`` the simulation became unstable; MuJoCo has reset the world.
    """

    obs: FloatArray
    reward: FloatArray
    info: dict[str, FloatArray]
    diverged: BoolArray


class ClassWorlds:
    """Worlds of one class, each with a task of its own.

    Args:
        env_name: Meta-World's name of the class.
        num_worlds: How many.
        cache: Where the class and its reset points come from.
    """

    def __init__(self, env_name: str, num_worlds: int, cache: ResetCache) -> None:
        self._class = cache.env_class(env_name)
        self._cache = cache
        self._states = np.zeros((num_worlds, self._class.physics.state_size))
        self._body_pos = np.zeros((num_worlds, *self._class.physics.model.body_pos.shape))
        self._previous = np.zeros((num_worlds, FRAME))
        self._goal_observable = np.zeros(num_worlds, dtype=np.bool_)
        self._constants: dict[str, FloatArray] = {}
        self._memory = {name: np.full(num_worlds, np.nan) for name in self._class.spec.memory}

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
        return BatchStep(obs, info["unscaled_reward"], info, physics.diverged)

    def _set_constants(self, row: int, point: ResetPoint) -> None:
        for name, value in point.constants.items():
            if name not in self._constants:
                self._constants[name] = np.zeros((len(self._states), *value.shape))
            self._constants[name][row] = value


def _info(outcome: Outcome, num_rows: int) -> dict[str, FloatArray]:
    values = [getattr(outcome, key) for key in INFO_KEYS[:-1]]
    columns = np.empty((len(INFO_KEYS), num_rows))
    for column, value in zip(columns, (*values, outcome.reward), strict=True):
        column[:] = value
    return dict(zip(INFO_KEYS, columns, strict=True))
