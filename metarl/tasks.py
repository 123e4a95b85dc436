"""Tasks, distributions over tasks, and benchmarks that split them into train and test.

A *task* is one MDP: a family (an environment class) and the parameters that single it out. Whoever
brings an environment of their own writes :meth:`TaskDistribution.sample` and
:meth:`TaskDistribution.make_env`; everything else has a default.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from metarl.errors import ConfigError, ManifestMismatchError, SplitError, TaskError
from metarl.vector import EpisodeVectorEnv


class Task:
    """One MDP of a family. Immutable, hashable and JSON-serialisable.

    Args:
        family: Name of the environment class, e.g. ``"reach-v3"``.
        parameters: What singles the MDP out within its family; anything that JSON can hold.
            Numbers survive a round trip to the bit.

    Raises:
        TaskError: If the parameters can't be written as JSON.
    """

    __slots__ = ("_digest", "_json", "family")

    family: str
    _json: str
    _digest: str

    def __init__(self, family: str, parameters: Mapping[str, Any]) -> None:
        try:
            canonical = json.dumps(dict(parameters), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise TaskError(f"parameters of a {family!r} task must be JSON: {error}") from None
        digest = hashlib.sha256(f"{family}\n{canonical}".encode()).hexdigest()[:16]
        object.__setattr__(self, "family", family)
        object.__setattr__(self, "_json", canonical)
        object.__setattr__(self, "_digest", digest)

    @property
    def parameters(self) -> dict[str, Any]:
        """A copy of the task's parameters."""
        return dict(json.loads(self._json))

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits: equal for equal family and parameters, and only for those.

        Parameters are equal here if JSON writes them alike, so 1 and 1.0 are two. Where the same
        task must not come twice, they are compared by value.
        """
        return self._digest

    def to_json(self) -> dict[str, Any]:
        """Returns the task as plain JSON data."""
        return {"family": self.family, "parameters": self.parameters}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Task:
        """Rebuilds a task from :meth:`to_json`'s result."""
        try:
            return cls(data["family"], data["parameters"])
        except KeyError as error:
            raise TaskError(f"task data lacks the key {error}") from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Task is immutable: can't set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Task is immutable: can't delete {name!r}")

    def __reduce__(self) -> tuple[type[Task], tuple[str, dict[str, Any]]]:
        return Task, (self.family, self.parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        return (self.family, self._json) == (other.family, other._json)

    def __hash__(self) -> int:
        return hash((self.family, self._json))

    def __repr__(self) -> str:
        return f"Task({self.family!r}, {self._json})"


def by_value(data: Any) -> Hashable:
    """A key that is equal for equal JSON data: 1 and 1.0 are, 0.0 and -0.0, not 1 and true."""
    if isinstance(data, Mapping):
        return "mapping", frozenset((name, by_value(value)) for name, value in data.items())
    if isinstance(data, list | tuple):
        return "list", tuple(by_value(value) for value in data)
    return isinstance(data, bool), data


def _keys(tasks: Sequence[Task] | None) -> list[Hashable]:
    return [(task.family, by_value(task.parameters)) for task in tasks or ()]


class TaskDistribution(ABC):
    """Something that tasks can be drawn from and made into environments.

    Attributes:
        observation_space: Space of one environment's observations, the same for every task.
        action_space: Space of one environment's actions, the same for every task.
        max_episode_steps: Horizon; environments truncate there.
        tasks_per_vec: How many tasks the rollout engine should step together for best speed.
        observable_parameters: Names of task parameters that the observation shows on purpose. The
            validator takes any other that it can read from first observations for a leak.
    """

    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    max_episode_steps: int
    tasks_per_vec: int = 1
    observable_parameters: Sequence[str] = ()

    @abstractmethod
    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws tasks; every random number comes from ``rng``."""

    @abstractmethod
    def make_env(self, task: Task, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """Builds the environment of one task."""

    @property
    def tasks(self) -> Sequence[Task] | None:
        """All tasks, if there are finitely many."""
        return None

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> bool:
        """Moves an environment made by :meth:`make_env` to another task, if it can be moved.

        Returns:
            Whether ``env`` now is an environment of ``task``. Where it is not (the default), a new
            one is built; override this where building one is slow.
        """
        del env, task
        return False

    def make_vec(
        self, tasks: Sequence[Task], num_envs_per_task: int
    ) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
        """Builds one vector environment holding ``num_envs_per_task`` copies of each task.

        Rows are task-major. Rows whose episode has ended wait, unstepped, for the next ``reset``.
        If the result has a method ``set_tasks(tasks)``, it is kept and moved to the next tasks.
        A family that can step many worlds at once overrides this.
        """
        return EpisodeVectorEnv(
            tasks,
            num_envs_per_task,
            make_env=self.make_env,
            retask=self.retask,
            observation_space=self.observation_space,
            action_space=self.action_space,
        )

    def describe(self) -> dict[str, Any]:
        """What identifies this distribution, as JSON data; goes into the split manifest."""
        return {"type": type(self).__name__, "max_episode_steps": self.max_episode_steps}


class FiniteTaskDistribution(TaskDistribution):
    """A distribution over a fixed list of tasks, spread evenly over their families.

    Args:
        tasks: The tasks; at least one, no two equal.
        replace: Whether the same task may be drawn twice in one sample.

    Raises:
        TaskError: If ``tasks`` is empty or holds a task twice.
    """

    def __init__(self, tasks: Sequence[Task], *, replace: bool = False) -> None:
        if not tasks:
            raise TaskError("tasks: got none; a finite distribution needs at least one.")
        if len(set(_keys(tasks))) < len(tasks):
            raise TaskError("tasks: the same task is listed twice; tasks must be distinct.")
        self._tasks = tuple(tasks)
        self.replace = replace

    @property
    def tasks(self) -> Sequence[Task]:
        """All tasks, in a fixed order."""
        return self._tasks

    @cached_property
    def families(self) -> dict[str, tuple[Task, ...]]:
        """The tasks by family, in order of first appearance."""
        groups: dict[str, list[Task]] = {}
        for task in self._tasks:
            groups.setdefault(task.family, []).append(task)
        return {family: tuple(group) for family, group in groups.items()}

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws tasks so that the families' counts differ by at most one.

        Raises:
            ConfigError: If drawing without replacement and a family has too few tasks.
        """
        if num_tasks < 1:
            raise ConfigError(f"num_tasks: got {num_tasks}; must be at least 1.")
        families = list(self.families.values())
        counts = np.full(len(families), num_tasks // len(families))
        counts[rng.permutation(len(families))[: num_tasks % len(families)]] += 1
        drawn: list[Task] = []
        for group, count in zip(families, counts, strict=True):
            if count > len(group) and not self.replace:
                raise ConfigError(
                    f"num_tasks: got {num_tasks}, which takes {count} tasks of {group[0].family}; "
                    f"without replacement at most {len(group)} are there. "
                    "Ask for fewer, or for replace=True."
                )
            chosen = rng.choice(len(group), size=count, replace=self.replace)
            drawn.extend(group[index] for index in chosen)
        return drawn

    def describe(self) -> dict[str, Any]:
        """Adds the digests of every task to the description."""
        digests = {name: [task.digest for task in group] for name, group in self.families.items()}
        return {**super().describe(), "tasks": digests}


@dataclass(frozen=True)
class Benchmark:
    """A training and a test distribution that share no task, unless it is said that they do.

    Attributes:
        name: What the command line and the reports call it, e.g. ``"ml1/reach-v3"``.
        train: Tasks to learn from.
        test: Held-out tasks, or ``None`` where the benchmark has no such split.
        seed: What the split was derived from.
        settings: Everything else that the tasks depend on (reward version, ...), as JSON data.
        shares_tasks: Test tasks are also trained on, as where there are only two. The manifest
            then says so (``"disjoint": false``), and so does ``metarl evaluate``.

    Raises:
        SplitError: If a task is in both distributions and ``shares_tasks`` is false, or the other
            way round.
    """

    name: str
    train: TaskDistribution
    test: TaskDistribution | None
    seed: int
    settings: Mapping[str, Any]
    shares_tasks: bool = False

    def __post_init__(self) -> None:
        test = (None if self.test is None else self.test.tasks) or ()
        trained_on = set(_keys(self.train.tasks))
        shared = [task for task, key in zip(test, _keys(test), strict=True) if key in trained_on]
        if self.shares_tasks and not shared:
            raise SplitError(f"{self.name}: shares_tasks is true, but no task is known as shared.")
        if shared and not self.shares_tasks:
            raise SplitError(
                f"{self.name}: {len(shared)} tasks are in both train and test, e.g. {shared[0]!r}"
            )

    def manifest(self) -> dict[str, Any]:
        """Says exactly which tasks this benchmark holds, and under which versions.

        Returns:
            JSON data with the digests of every finite task, the outcome of the disjointness check
            (``None`` where tasks are drawn from a continuum, so that digests can't tell), the
            versions that the tasks' behaviour depends on, and a digest of all of this.
        """
        finite = None not in (self.train.tasks, None if self.test is None else self.test.tasks)
        content: dict[str, Any] = {
            "benchmark": self.name,
            "seed": self.seed,
            "settings": dict(self.settings),
            "train": self.train.describe(),
            "test": None if self.test is None else self.test.describe(),
            # Overlap is refused at construction, so what is finite is disjoint unless it says not.
            "disjoint": not self.shares_tasks if finite else None,
            "versions": {name: version(name) for name in ("gymnasium", "metaworld", "mujoco")},
        }
        canonical = json.dumps(content, sort_keys=True, allow_nan=False)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return {**json.loads(json.dumps(content)), "digest": digest}


def check_manifest(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Checks that a saved manifest describes the benchmark at hand.

    Raises:
        ManifestMismatchError: Naming each entry that differs, with both values.
    """
    if saved.get("digest") == current.get("digest"):
        return
    differences = _differences(saved, current, path="")
    if not differences:
        differences = [f"digest: saved {saved.get('digest')!r}, now {current.get('digest')!r}"]
    listed = "\n".join(differences[:8]) + ("\n..." if len(differences) > 8 else "")
    raise ManifestMismatchError(f"saved run and benchmark differ:\n{listed}")


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()


def _differences(saved: Any, current: Any, path: str) -> list[str]:
    if isinstance(saved, Mapping) and isinstance(current, Mapping):
        found: list[str] = []
        own = set() if path else {"digest"}  # of all the rest
        for key in sorted({*saved, *current} - own):
            below = f"{path}.{key}" if path else str(key)
            found += _differences(saved.get(key, _ABSENT), current.get(key, _ABSENT), below)
        return found
    if saved == current:
        return []
    if isinstance(saved, list) and isinstance(current, list):
        before, now = ({json.dumps(item) for item in items} for items in (saved, current))
        return [
            f"{path}: {len(before ^ now)} entries differ"
            if before != now
            else f"{path}: the same entries, in another order or number"
        ]
    return [f"{path}: saved {saved!r}, now {current!r}"]
