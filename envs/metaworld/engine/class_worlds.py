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
from .spec import INFO_KEYS, Rows

RowIndex = npt.NDArray[np.intp] | slice
"""Which worlds: ``[k]`` indices, or a slice (which saves copying)."""

_EVALUATE_AT = 1024
"""Rows after which rewards are computed unasked: enough to make them cheap, few enough to fit."""


@dataclass(frozen=True)
class _Step:
    """A step of ``k`` worlds whose rewards are still to be computed."""

    rows: RowIndex
    obs: FloatArray
    actions: npt.NDArray[np.floating[Any]]
    blocks: list[FloatArray]
    touching: BoolArray


class ClassWorlds:
    """Worlds of one class, each with a task of its own.

    Physics and observation come at once, since the next action needs them. Rewards can wait: they
    cost some hundred array operations whether for ten rows or for a thousand, so they are
    computed for several steps together.

    Args:
        env_name: Meta-World's name of the class.
        cache: Where the class and its reset points come from.
        num_worlds: Worlds to make room for; see :meth:`reserve`.
    """

    def __init__(self, env_name: str, cache: ResetCache, num_worlds: int = 0) -> None:
        self._class = cache.env_class(env_name)
        self._cache = cache
        self._states = np.zeros((0, self._class.physics.state_size))
        self._body_pos: list[FloatArray] = []
        self._previous = np.zeros((0, FRAME))
        self._goal = np.zeros((0, 3))
        self._constants: dict[str, FloatArray] = {}
        self._memory = {name: np.zeros(0) for name in self._class.spec.memory}
        self._waiting: list[_Step] = []
        self._num_waiting = 0
        self._info: list[FloatArray] = []
        self.reserve(num_worlds)

    def reserve(self, num_worlds: int) -> None:
        """Makes room for at least so many worlds; those there already are kept."""
        if num_worlds <= len(self._states):
            return
        extra = max(num_worlds, 2 * len(self._states)) - len(self._states)

        def extended(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.concatenate((values, np.zeros((extra, *values.shape[1:]), values.dtype)))

        self._states = extended(self._states)
        self._body_pos += [self._class.physics.model.body_pos] * extra
        self._previous = extended(self._previous)
        self._goal = extended(self._goal)
        self._constants = {name: extended(values) for name, values in self._constants.items()}
        self._memory = {name: extended(values) for name, values in self._memory.items()}

    def reset(self, rows: Sequence[int], tasks: Sequence[WorldTask]) -> FloatArray:
        """Puts each of ``rows`` at the start of its task.

        Returns:
            ``[len(rows), 39]`` observations.
        """
        self._evaluate()
        points = [self._cache.get(task) for task in tasks]
        for row, task, point in zip(rows, tasks, points, strict=True):
            self._states[row] = point.state
            self._body_pos[row] = point.body_pos
            self._previous[row] = point.obs[:FRAME]
            if task.partially_observable:
                self._goal[row] = 0.0
            else:
                self._goal[row] = np.clip(point.constants["target"], *self._class.goal_bounds)
            self._set_constants(row, point)
            for values in self._memory.values():
                values[row] = np.nan
        return np.stack([point.obs for point in points])

    def state(self, row: int) -> FloatArray:
        """The simulation state of one world, ``[state_size]``."""
        state: FloatArray = self._states[row].copy()
        return state

    def advance(
        self, rows: RowIndex, actions: npt.NDArray[np.floating[Any]]
    ) -> tuple[FloatArray, BoolArray]:
        """Moves some worlds by a step and observes them.

        Args:
            rows: Which.
            actions: ``[k, 4]``, float32 or float64.

        Returns:
            ``[k, 39]`` observations, and ``[k]`` whether the simulation became unstable; MuJoCo
            has reset such a world.
        """
        physics, spec = self._class.physics, self._class.spec
        floors = None
        if spec.contact is not None and spec.contact.lifted is not None:
            reference = self._constants[spec.contact.reference]
            floors = reference[rows, 2] + spec.contact.clearance

        states = self._states[rows]
        body_pos = (
            self._body_pos[rows] if isinstance(rows, slice) else [self._body_pos[i] for i in rows]
        )
        physics.apply(states, actions)
        step = physics.step(states, body_pos, floors)
        self._states[rows] = states

        current = frame(spec.objects, physics.readings(step.blocks))
        obs = stack(current, self._previous[rows], self._goal[rows])
        self._previous[rows] = current
        self._waiting.append(_Step(rows, obs, actions, step.blocks, step.touching))
        self._num_waiting += len(obs)
        if self._num_waiting >= _EVALUATE_AT:
            self._evaluate()
        return obs, step.diverged

    def settle(self) -> FloatArray:
        """Returns Meta-World's info values for all steps since the last call.

        Returns:
            ``[8, K]`` in the order of :data:`.spec.INFO_KEYS`, of which the last is the reward,
            and 1 where Meta-World returns that as ``np.float32`` (see :mod:`.narrowed`); ``K``
            counts the worlds of every step, one step after the other.
        """
        self._evaluate()
        info, self._info = self._info, []
        return np.concatenate(info, axis=1) if info else np.empty((len(INFO_KEYS) + 1, 0))

    def _evaluate(self) -> None:
        """Computes the rewards that are waiting, while the tasks they belong to are still set."""
        waiting, self._waiting, self._num_waiting = self._waiting, [], 0
        if self._memory or len(waiting) < 2:
            # What is carried from step to step has to be computed step by step.
            for step in waiting:
                self._info.append(self._evaluated(step))
            return
        self._info.append(
            self._evaluated(
                _Step(
                    np.concatenate([np.arange(len(self._states))[s.rows] for s in waiting]),
                    np.concatenate([s.obs for s in waiting]),
                    np.concatenate([s.actions for s in waiting]),
                    [np.concatenate(b) for b in zip(*(s.blocks for s in waiting), strict=True)],
                    np.concatenate([s.touching for s in waiting]),
                )
            )
        )

    def _evaluated(self, step: _Step) -> FloatArray:
        memory = {name: values[step.rows] for name, values in self._memory.items()}
        outcome = self._class.spec.reward(
            Rows(
                step.obs,
                step.actions,
                self._class.physics.readings(step.blocks),
                {name: values[step.rows] for name, values in self._constants.items()},
                memory,
                step.touching,
            )
        )
        for name, values in memory.items():
            self._memory[name][step.rows] = values
        columns = np.zeros((len(INFO_KEYS) + 1, len(step.obs)))
        for column, key in zip(columns, INFO_KEYS[:-1], strict=False):
            column[:] = getattr(outcome, key)
        columns[-2] = outcome.reward
        if isinstance(outcome.reward, Narrowed):
            columns[-1, outcome.reward.rows] = 1.0
        return columns

    def _set_constants(self, row: int, point: ResetPoint) -> None:
        for name, value in point.constants.items():
            if name not in self._constants:
                self._constants[name] = np.zeros((len(self._states), *value.shape))
            self._constants[name][row] = value
