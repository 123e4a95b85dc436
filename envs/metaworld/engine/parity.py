"""Compares the batched engine with Meta-World's own environments, bit for bit."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.policies import ENV_POLICY_MAP

from .reset_cache import ResetCache, WorldTask
from .spec import INFO_KEYS
from .worlds import Worlds

Policy = Literal["random", "expert"]


@dataclass(frozen=True)
class ParityReport:
    """The outcome of a comparison.

    Attributes:
        env_name: The task.
        steps: Environment steps compared, all worlds together.
        mismatches: How often each quantity differed; empty if the engine is exact.
        first: The first difference in words, or None.
        successes: Steps with the success flag set, to show that the rewards' rare branches ran.
        grasps: Steps with the grasp flag set.
    """

    env_name: str
    steps: int
    mismatches: dict[str, int]
    first: str | None
    successes: int
    grasps: int

    @property
    def exact(self) -> bool:
        """Whether every value was equal."""
        return not self.mismatches


def sample_tasks(
    env_name: str, num_tasks: int, seed: int, *, partially_observable: bool
) -> list[WorldTask]:
    """Draws tasks as Meta-World does, from a generator of its own."""
    return _draw_tasks(
        env_name, ALL_V3_ENVIRONMENTS[env_name](), num_tasks, seed, partially_observable
    )


def _draw_tasks(
    env_name: str, env: Any, num_tasks: int, seed: int, partially_observable: bool
) -> list[WorldTask]:
    env._freeze_rand_vec = False
    env._set_task_called = True
    env.seeded_rand_vec = True
    env.seed(seed)
    tasks = []
    for _ in range(num_tasks):
        env.reset()
        rand_vec = tuple(env._last_rand_vec.tolist())
        tasks.append(WorldTask(env_name, rand_vec, partially_observable))
    return tasks


def check_parity(
    env_name: str,
    *,
    num_goals: int = 3,
    episodes: int = 2,
    steps: int = 500,
    action_dtype: npt.DTypeLike = np.float32,
    policy: Policy = "random",
    noise: float = 0.1,
    partially_observable: bool = False,
    seed: int = 0,
    cache: ResetCache | None = None,
) -> ParityReport:
    """Steps the engine and Meta-World side by side and compares everything they return.

    Goals change places between episodes, so every world is also reset to a task that another
    world has played.

    Args:
        env_name: The task.
        num_goals: Worlds, each with a goal.
        episodes: Episodes per world.
        steps: Steps per episode, at most 500.
        action_dtype: Precision of the actions, which changes the bits of some rewards.
        policy: Uniform actions (some beyond the bounds), or Meta-World's scripted expert.
        noise: Standard deviation of the noise on the expert's actions; every other world plays
            without noise.
        partially_observable: Whether the goal is hidden.
        seed: Of goals and actions.
        cache: Reset cache to share between comparisons.

    Returns:
        The report.
    """
    rng = np.random.default_rng(seed)
    cache = cache or ResetCache()
    references: list[Any] = [ALL_V3_ENVIRONMENTS[env_name]() for _ in range(num_goals)]
    tasks = _draw_tasks(env_name, references[0], num_goals, seed, partially_observable)
    worlds = Worlds(num_goals, cache)
    expert = ENV_POLICY_MAP[env_name]()
    log = _Log()

    for episode in range(episodes):
        tasks = tasks[-1:] + tasks[:-1] if episode else tasks
        worlds.set_tasks(range(num_goals), tasks)
        obs = worlds.reset()
        for i, (env, task) in enumerate(zip(references, tasks, strict=True)):
            env.set_task(task.to_metaworld())
            log.compare("reset obs", env.reset()[0], obs[i], f"episode {episode}, world {i}")

        for t in range(steps):
            if policy == "expert":
                with warnings.catch_warnings():
                    # "Constant(s) may be too high", of some experts' gains.
                    warnings.simplefilter("ignore", UserWarning)
                    actions = np.stack([expert.get_action(row) for row in obs])
                actions[::2] += noise * rng.standard_normal((len(actions[::2]), 4))
            else:
                actions = rng.uniform(-1.2, 1.2, size=(num_goals, 4))
            actions = actions.astype(action_dtype)
            batch = worlds.step(actions)
            obs = batch.obs
            for i, env in enumerate(references):
                where = f"episode {episode}, step {t}, world {i}"
                expected_obs, reward, _, _, info = env.step(actions[i])
                log.compare("obs", expected_obs, obs[i], where)
                log.compare("reward", reward, batch.reward[i], where)
                for key in INFO_KEYS:
                    log.compare(f"info[{key!r}]", info[key], batch.info[key][i], where)
            log.successes += int(batch.info["success"].sum())
            log.grasps += int(batch.info["grasp_success"].sum())

    return ParityReport(
        env_name,
        num_goals * episodes * steps,
        dict(log.mismatches),
        log.first,
        log.successes,
        log.grasps,
    )


class _Log:
    """Counts differences and remembers the first."""

    def __init__(self) -> None:
        self.mismatches: Counter[str] = Counter()
        self.first: str | None = None
        self.successes = 0
        self.grasps = 0

    def compare(self, name: str, expected: Any, actual: Any, where: str) -> None:
        if np.array_equal(expected, actual):
            return
        self.mismatches[name] += 1
        if self.first is None:
            self.first = f"{name} at {where}: Meta-World {expected!r}, engine {actual!r}"
