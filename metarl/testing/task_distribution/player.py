"""Plays episodes that may fail or hang, and records them for comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces

from metarl.errors import describe_error
from metarl.spaces import clip_actions
from metarl.tasks import Task, TaskDistribution
from metarl.testing.deadline import TookTooLongError, time_limit
from metarl.testing.task_distribution.findings import Finding

Result = TypeVar("Result")

INFO_KEYS = ("success", "sim_unstable")
"""The flags of ``info`` that rollouts read."""


class FaultError(Exception):
    """A fault that leaves nothing to go on with.

    Args:
        code: Its kind.
        what: What was seen.
    """

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.finding = Finding(code, what)


class OutOfTimeError(Exception):
    """The time for all checks is over."""


@dataclass
class Trace:
    """One episode, or its beginning.

    Attributes:
        observations: After the reset and after each step.
        rewards: Of each step.
        flags: ``(terminated, truncated)`` of each step.
        seconds: Of each step.
        successes: Whether each step reported success.
        instabilities: Whether each step reported that the simulation diverged.
    """

    observations: list[Any] = field(default_factory=list)
    rewards: list[Any] = field(default_factory=list)
    flags: list[tuple[Any, Any]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    successes: list[bool] = field(default_factory=list)
    instabilities: list[bool] = field(default_factory=list)

    @property
    def unstable(self) -> bool:
        """Whether the environment said that its simulation diverged."""
        return any(self.instabilities)

    @property
    def ended(self) -> bool:
        """Whether the episode reached its end."""
        return bool(self.flags) and bool(self.flags[-1][0] or self.flags[-1][1])

    def difference(self, other: Trace, *, tolerance: float = 0.0) -> str | None:
        """Says in words where two episodes first differ, or returns None."""
        if not same(self.observations[0], other.observations[0], tolerance):
            return f"the reset ({differing(self.observations[0], other.observations[0])})"
        for step in range(min(len(self.rewards), len(other.rewards))):
            own, others = self.observations[step + 1], other.observations[step + 1]
            if not same(own, others, tolerance):
                return f"step {step + 1} (observation: {differing(own, others)})"
            if not same(self.rewards[step], other.rewards[step], tolerance):
                return f"step {step + 1} (reward: {self.rewards[step]} and {other.rewards[step]})"
            if self.flags[step] != other.flags[step]:
                return f"step {step + 1} (flags: {self.flags[step]} and {other.flags[step]})"
        if len(self.rewards) != len(other.rewards):
            return f"step {1 + min(len(self.rewards), len(other.rewards))} (one had ended)"
        return None


class Player:
    """Makes and plays environments of a distribution, each call under a time limit.

    Args:
        distribution: Where environments come from.
        seconds: For everything together.
        call_seconds: For one call into an environment.
    """

    def __init__(self, distribution: TaskDistribution, seconds: float, call_seconds: float) -> None:
        self.distribution = distribution
        self.call_seconds = call_seconds
        self._until = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """Time left for all checks together."""
        return self._until - time.monotonic()

    def call(self, code: str, doing: str, function: Callable[[], Result]) -> Result:
        """Calls into code that isn't ours.

        Raises:
            FaultError: Of kind ``code`` if it raises, ``hangs`` if it takes too long.
            OutOfTimeError: If the time for all is over already.
        """
        if self.seconds_left <= 0:
            raise OutOfTimeError
        try:
            with time_limit(self.call_seconds):
                return function()
        except TookTooLongError:
            seconds = self.call_seconds
            raise FaultError("hangs", f"{doing} hadn't returned after {seconds:g} s") from None
        except Exception as error:
            raise FaultError(code, f"{doing} raises {describe_error(error)}") from error

    def make(self, task: Task) -> gymnasium.Env[Any, Any]:
        """Builds an environment."""
        return self.call(
            "raising-make-env", f"make_env({task!r})", lambda: self.distribution.make_env(task)
        )

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> gymnasium.Env[Any, Any]:
        """Moves an environment to a task, or replaces it, as rollouts do."""
        moved = self.call(
            "raising-make-env", f"retask to {task!r}", lambda: self.distribution.retask(env, task)
        )
        if moved:
            return env
        env.close()
        return self.make(task)

    def reset(self, env: gymnasium.Env[Any, Any], seed: int) -> Any:
        """Resets; returns the observation."""
        result = self.call("raising-reset", f"reset(seed={seed})", lambda: env.reset(seed=seed))
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            raise FaultError("wrong-result", f"reset returns {_short(result)}")
        return result[0]

    def step(self, env: gymnasium.Env[Any, Any], action: Any, trace: Trace) -> None:
        """Takes a step and records it."""
        number = len(trace.rewards) + 1
        began = time.perf_counter()
        result = self.call("raising-step", f"step {number}", lambda: env.step(action))
        seconds = time.perf_counter() - began
        if not (isinstance(result, tuple) and len(result) == 5 and isinstance(result[4], dict)):
            raise FaultError("wrong-result", f"step {number} returns {_short(result)}")
        observation, reward, terminated, truncated, info = result
        try:
            float(reward)
        except (TypeError, ValueError):
            raise FaultError("wrong-result", f"step {number}: the reward is {reward!r}") from None
        trace.observations.append(kept(observation))
        trace.rewards.append(reward)
        trace.flags.append((terminated, truncated))
        trace.seconds.append(seconds)
        for key, kept_flags in zip(INFO_KEYS, (trace.successes, trace.instabilities), strict=True):
            kept_flags.append(bool(info.get(key, False)))

    def play(self, env: gymnasium.Env[Any, Any], seed: int, actions: Sequence[Any]) -> Trace:
        """Plays until the episode or the actions end."""
        trace = Trace([kept(self.reset(env, seed))])
        for action in actions:
            self.step(env, action, trace)
            if trace.ended:
                break
        return trace

    def play_new(self, task: Task, seed: int, actions: Sequence[Any]) -> Trace:
        """Plays in an environment of its own."""
        env = self.make(task)
        try:
            return self.play(env, seed, actions)
        finally:
            env.close()


def exploratory_actions(
    space: spaces.Space[Any], num_steps: int, rng: np.random.Generator
) -> list[Any]:
    """Actions as an untrained policy samples them: standard normal, clipped, or uniform."""
    if isinstance(space, spaces.Discrete):
        indices = rng.integers(int(space.n), size=num_steps)
        return list(clip_actions(space, indices))
    assert space.shape is not None
    return list(clip_actions(space, rng.standard_normal((num_steps, *space.shape))))


def kept(observation: Any) -> Any:
    """A copy: environments may hand out the same array at every step."""
    if isinstance(observation, dict):
        return {key: kept(value) for key, value in observation.items()}
    if isinstance(observation, tuple):
        return tuple(kept(value) for value in observation)
    return observation.copy() if isinstance(observation, np.ndarray) else observation


def same(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Whether two observations (or rewards) are equal; not-a-number equals itself."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k], tolerance) for k in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other, [tolerance] * len(one)))
    a, b = np.asarray(one), np.asarray(other)
    if a.shape != b.shape or a.dtype.kind not in "fiub" or b.dtype.kind not in "fiub":
        return a.shape == b.shape and bool(np.all(a == b))
    return np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def differing(one: Any, other: Any) -> str:
    """Says in a few words where two observations differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        key = next(key for key in one if not same(one[key], other[key]))
        return f"{key}: {differing(one[key], other[key])}"
    a, b = np.asarray(one), np.asarray(other)
    if a.shape != b.shape:
        return f"shapes {a.shape} and {b.shape}"
    if not a.shape:
        return f"{a} and {b}"
    index = np.unravel_index(int(np.argmax(~(a == b))), a.shape)
    where = ", ".join(map(str, index))
    return f"[{where}] is {a[index]} and {b[index]}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
