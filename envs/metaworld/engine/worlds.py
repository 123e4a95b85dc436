"""Many Meta-World worlds of many classes, stepped together in one process.

Legend of axes: ``N`` is the number of worlds, ``k`` of those an argument names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .class_worlds import ClassWorlds
from .observations import SIZE
from .reset_cache import ResetCache, WorldTask
from .sources import BoolArray, FloatArray
from .spec import INFO_KEYS

MAX_EPISODE_STEPS = 500
ACTION_SIZE = 4


@dataclass(frozen=True)
class Advance:
    """Where all worlds are after a step. Rows that were not stepped hold their last observation.

    Meta-World never terminates an episode, so there is no such flag.

    Attributes:
        obs: ``[N, 39]`` float64.
        truncated: ``[N]`` the episode is over: time is up, or the simulation diverged.
        diverged: ``[N]`` the simulation became unstable in this step and MuJoCo reset it; the
            observation and reward beside it are those of the model's default state.
    """

    obs: FloatArray
    truncated: BoolArray
    diverged: BoolArray


@dataclass(frozen=True)
class Rewards:
    """What ``T`` steps were worth. Zeros where a world was not stepped.

    Attributes:
        reward: ``[T, N]``.
        info: Meta-World's info values by key, each ``[T, N]`` float64.
        single: ``[T, N]`` Meta-World returns the reward as ``np.float32``, which matters to whoever
            adds rewards up as it does: what is added to it is rounded to single precision too.
    """

    reward: FloatArray
    info: dict[str, FloatArray]
    single: BoolArray


@dataclass(frozen=True)
class WorldsStep:
    """A step of all worlds with its rewards: an :class:`Advance` and its :class:`Rewards`.

    Attributes:
        obs: ``[N, 39]`` float64.
        reward: ``[N]``, 0 where a world was not stepped.
        truncated: ``[N]`` the episode is over.
        diverged: ``[N]`` the simulation became unstable.
        info: Meta-World's info values by key, each ``[N]`` float64.
        single: ``[N]`` see :class:`Rewards`.
    """

    obs: FloatArray
    reward: FloatArray
    truncated: BoolArray
    diverged: BoolArray
    info: dict[str, FloatArray]
    single: BoolArray


class Worlds:
    """A batch of worlds, each with a task of its own and in its own time.

    What a world returns depends only on its task and actions, never on the others: it is bit for
    bit what Meta-World's environment returns, for float32 and for float64 actions.

    :meth:`step` returns all of it at once. A rollout that needs rewards only at its end is faster
    with :meth:`advance` for every step and one :meth:`settle`: rewards are then computed for many
    steps together, which matters most with few worlds of each class.

    Args:
        num_worlds: How many.
        cache: Classes and reset points, to share between batches.
        max_episode_steps: Steps after which an episode is truncated.
    """

    def __init__(
        self,
        num_worlds: int,
        cache: ResetCache | None = None,
        max_episode_steps: int = MAX_EPISODE_STEPS,
    ) -> None:
        if num_worlds < 1:
            raise ValueError(f"num_worlds must be at least 1, got {num_worlds}")
        if not 1 <= max_episode_steps <= MAX_EPISODE_STEPS:
            raise ValueError(
                f"max_episode_steps must be 1 to {MAX_EPISODE_STEPS}, got {max_episode_steps}"
            )
        self.num_worlds = num_worlds
        self.max_episode_steps = max_episode_steps
        self._cache = cache or ResetCache()
        self._tasks: list[WorldTask | None] = [None] * num_worlds
        self._groups: dict[str, _Group] = {}
        self._obs = np.zeros((num_worlds, SIZE))
        self._elapsed = np.zeros(num_worlds, dtype=np.int64)
        self._over = np.ones(num_worlds, dtype=np.bool_)
        self._num_unsettled = 0

    @property
    def tasks(self) -> tuple[WorldTask | None, ...]:
        """The task of every world, None where none was set yet."""
        return tuple(self._tasks)

    def set_tasks(self, rows: Iterable[int], tasks: Iterable[WorldTask]) -> None:
        """Gives worlds new tasks, of any class; they have to be reset before their next step.

        Raises:
            ValueError: If there is no such world, or no such class.
        """
        for row, task in zip(rows, tasks, strict=True):
            if not 0 <= row < self.num_worlds:
                raise ValueError(f"world {row} does not exist; there are {self.num_worlds}")
            group = self._group(task.env_name)
            before = self._tasks[row]
            if before is None or before.env_name != task.env_name:
                if before is not None:
                    self._groups[before.env_name].remove(row)
                group.add(row)
            self._tasks[row] = task
            self._over[row] = True

    def reset(self, rows: Iterable[int] | None = None) -> FloatArray:
        """Starts a new episode of their task in some worlds, by default in all.

        Returns:
            ``[k, 39]`` observations, in the order of ``rows``.

        Raises:
            TaskError: If Meta-World refuses a task's vector.
            ValueError: If one of the worlds has no task.
        """
        chosen = list(range(self.num_worlds) if rows is None else rows)
        by_class: dict[str, list[int]] = {}
        for row in chosen:
            task = self._tasks[row]
            if task is None:
                raise ValueError(f"world {row} has no task yet; call set_tasks first")
            by_class.setdefault(task.env_name, []).append(row)
        for env_name, members in by_class.items():
            group = self._groups[env_name]
            tasks = [task for row in members if (task := self._tasks[row]) is not None]
            self._obs[members] = group.worlds.reset(group.slots(members), tasks)
        self._elapsed[chosen] = 0
        self._over[chosen] = False
        return self._obs[chosen]

    def step(
        self, actions: npt.NDArray[np.floating[Any]], active: BoolArray | None = None
    ) -> WorldsStep:
        """Advances the active worlds by one step and computes its rewards.

        Takes what :meth:`advance` takes, and raises what it raises.

        Raises:
            RuntimeError: If earlier steps were not settled.
        """
        self.require_settled()
        moved = self.advance(actions, active)
        rewards = self.settle()
        info = {key: values[0] for key, values in rewards.info.items()}
        return WorldsStep(
            obs=moved.obs,
            reward=rewards.reward[0],
            truncated=moved.truncated,
            diverged=moved.diverged,
            info=info,
            single=rewards.single[0],
        )

    def state(self, row: int) -> FloatArray:
        """The simulation state of one world, ``[state_size]``, e.g. for a picture of it.

        Raises:
            ValueError: If the world has no task.
        """
        task = self._tasks[row]
        if task is None:
            raise ValueError(f"world {row} has no task yet; call set_tasks first")
        group = self._groups[task.env_name]
        return group.worlds.state(group.slots([row])[0])

    def advance(
        self, actions: npt.NDArray[np.floating[Any]], active: BoolArray | None = None
    ) -> Advance:
        """Advances the active worlds by one step, and leaves its rewards to :meth:`settle`.

        Args:
            actions: ``[N, 4]``, float32 or float64: the precision enters some rewards. Values
                beyond [-1, 1] are clipped as Meta-World does. Inactive rows are not looked at.
            active: ``[N]`` which worlds to step, by default all.

        Raises:
            ValueError: If an active world's action is not finite, its episode is over, or
                ``actions`` has the wrong shape or precision.
        """
        rows = np.arange(self.num_worlds) if active is None else np.flatnonzero(active)
        self._check(actions, rows)
        stepping = np.zeros(self.num_worlds, dtype=np.bool_)
        stepping[rows] = True
        diverged = np.zeros(self.num_worlds, dtype=np.bool_)

        for group in self._groups.values():
            members, slots = group.select(stepping)
            if not members.size:
                continue
            self._obs[members], diverged[members] = group.worlds.advance(slots, actions[members])
            group.unsettled.append((self._num_unsettled, members))

        self._num_unsettled += 1
        self._elapsed[rows] += 1
        truncated = stepping & ((self._elapsed >= self.max_episode_steps) | diverged)
        self._over |= truncated
        return Advance(self._obs.copy(), truncated, diverged)

    def require_settled(self) -> None:
        """Checks that the next rewards are the next step's.

        Raises:
            RuntimeError: If earlier steps were not settled.
        """
        if self._num_unsettled:
            raise RuntimeError(f"{self._num_unsettled} steps are unsettled; call settle first")

    def settle(self) -> Rewards:
        """Returns the rewards of all steps since the last call, oldest first."""
        found = np.zeros((len(INFO_KEYS) + 1, self._num_unsettled, self.num_worlds))
        for group in self._groups.values():
            values = group.worlds.settle()
            start = 0
            for t, members in group.unsettled:
                found[:, t, members] = values[:, start : start + len(members)]
                start += len(members)
            group.unsettled.clear()
        self._num_unsettled = 0
        info: dict[str, FloatArray] = dict(zip(INFO_KEYS, found[:-1], strict=True))
        return Rewards(info["unscaled_reward"].copy(), info, found[-1] != 0)

    def _group(self, env_name: str) -> _Group:
        if env_name not in self._groups:
            self._groups[env_name] = _Group(ClassWorlds(env_name, self._cache))
        return self._groups[env_name]

    def _check(self, actions: npt.NDArray[np.floating[Any]], rows: npt.NDArray[np.intp]) -> None:
        if actions.shape != (self.num_worlds, ACTION_SIZE):
            raise ValueError(
                f"actions must have shape {(self.num_worlds, ACTION_SIZE)}, got {actions.shape}"
            )
        if actions.dtype not in (np.float32, np.float64):
            raise ValueError(f"actions must be float32 or float64, got {actions.dtype}")
        over = rows[self._over[rows]]
        if over.size:
            raise ValueError(
                f"world {over[0]} has no episode to step in: reset it, or leave it out of active"
            )
        finite = np.isfinite(actions[rows]).all(axis=1)
        if not finite.all():
            row = rows[np.argmin(finite)]
            raise ValueError(f"action of world {row} is not finite: {actions[row]}")


class _Group:
    """The worlds of one class, and which slot of the class's batch each of them has.

    Attributes:
        worlds: The class's batch.
        unsettled: Steps without rewards so far: their number, and who took part.
    """

    def __init__(self, worlds: ClassWorlds) -> None:
        self.worlds = worlds
        self.unsettled: list[tuple[int, npt.NDArray[np.intp]]] = []
        self._slot_of: dict[int, int] = {}
        self._free: list[int] = []
        self._members: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None = None

    def add(self, row: int) -> None:
        """Gives a world a slot."""
        slot = self._free.pop() if self._free else len(self._slot_of)
        self.worlds.reserve(slot + 1)
        self._slot_of[row] = slot
        self._members = None

    def remove(self, row: int) -> None:
        """Frees a world's slot."""
        self._free.append(self._slot_of.pop(row))
        self._members = None

    def slots(self, rows: Sequence[int]) -> list[int]:
        """The slots of some worlds."""
        return [self._slot_of[row] for row in rows]

    def select(
        self, stepping: BoolArray
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp] | slice]:
        """Returns rows and slots of those to step; if all are, a slice, which copies nothing."""
        if self._members is None:
            members = sorted(self._slot_of.items(), key=lambda item: item[1])
            rows, slots = np.array(members, dtype=np.intp).reshape(-1, 2).T.copy()
            self._members = rows, slots
        rows, slots = self._members
        chosen = stepping[rows]
        if chosen.all() and not self._free:
            return rows, slice(0, len(rows))
        return rows[chosen], slots[chosen]
