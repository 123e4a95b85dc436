"""Whole episodes: do they fit their spaces, are rewards finite, do they end, how fast are they?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from metarl.testing.task_distribution.context import SEED, Context
from metarl.testing.task_distribution.findings import Finding
from metarl.testing.task_distribution.player import FaultError, Trace, exploratory_actions
from metarl.testing.task_distribution.shared_state import ProcessState

NUM_EPISODES = 3
MIN_TIMED_STEPS = 3
SLOW_STEP = 0.02
"""Seconds above which a step is called slow: fewer than 50 steps a second."""


def check_spaces(context: Context) -> list[Finding]:
    """The declared spaces are those of every environment, and a policy can be built for them."""
    declared = context.distribution
    if not isinstance(declared.action_space, spaces.Box | spaces.Discrete):
        raise FaultError("unsupported-space", f"action_space is {declared.action_space!r}")
    space = declared.observation_space
    if not (isinstance(space, spaces.Space) and space.is_np_flattenable):
        raise FaultError("unsupported-space", f"observation_space is {space!r}")
    horizon = declared.max_episode_steps
    if not isinstance(horizon, int) or horizon < 1:
        raise FaultError("no-horizon", f"max_episode_steps is {horizon!r}")
    for task in context.tasks:
        env = context.player.make(task)
        context.example = env.unwrapped
        env.close()
        for name in ("observation_space", "action_space"):
            own, shared = getattr(env, name), getattr(declared, name)
            if own != shared:
                what = f"{name} of {task!r} is {own}, the distribution's is {shared}"
                raise FaultError("spaces-differ", what)
    return []


def check_episodes(context: Context) -> list[Finding]:
    """Plays up to three whole episodes in one environment."""
    before = ProcessState()
    env = context.player.make(context.tasks[0])
    share = context.player.seconds_left / 4 / NUM_EPISODES
    traces: list[Trace] = []
    try:
        for number in range(NUM_EPISODES):
            rng = context.stream.child(1, number).numpy()
            actions = exploratory_actions(env.action_space, context.horizon, rng)
            traces.append(_play_for(context, env, SEED + number, actions, share))
            if not _whole(traces[-1], context.horizon):
                break
        _measure(context, env, traces)
    finally:
        env.close()
    found = _content_faults(env.observation_space, traces)
    found += _horizon_faults([t for t in traces if _whole(t, context.horizon)], context.horizon)
    context.touched = before.changed_generators()
    settings = before.changed_settings()
    found += [Finding("global-state", f"an episode changes {name}") for name in settings]
    if context.step_seconds > SLOW_STEP:
        milliseconds, minutes = context.step_seconds * 1e3, _iteration_seconds(context) / 60
        what = (
            f"a step takes {milliseconds:.0f} ms; an iteration of 20 tasks x 10 episodes, before "
            f"and after adaptation, {minutes:.0f} min on one core"
        )
        found.append(Finding("slow-step", what))
    return found


def _whole(trace: Trace, horizon: int) -> bool:
    return trace.ended or len(trace.rewards) == horizon


def _play_for(
    context: Context,
    env: gymnasium.Env[Any, Any],
    seed: int,
    actions: Sequence[Any],
    seconds: float,
) -> Trace:
    trace = context.player.play(env, seed, [])
    until = context.player.seconds_left - seconds
    for action in actions:
        context.player.step(env, action, trace)
        late = context.player.seconds_left < until and len(trace.rewards) >= MIN_TIMED_STEPS
        if trace.ended or late:
            break
    return trace


def _measure(context: Context, env: gymnasium.Env[Any, Any], traces: Sequence[Trace]) -> None:
    step = statistics.median(second for trace in traces for second in trace.seconds)
    before = context.player.seconds_left
    context.player.reset(env, SEED)
    figures = context.report.figures
    figures["milliseconds per step"] = 1e3 * step
    figures["milliseconds per reset"] = 1e3 * (before - context.player.seconds_left)
    figures["steps per second"] = 1 / step
    figures["minutes per iteration of 20 tasks x 10 episodes"] = _iteration_seconds(context) / 60


def _iteration_seconds(context: Context) -> float:
    """Simulation of 20 tasks x 10 episodes, before and after adaptation, on one core."""
    figures = context.report.figures
    milliseconds = context.horizon * figures["milliseconds per step"]
    return 20 * 10 * 2 * (milliseconds + figures["milliseconds per reset"]) / 1e3


def _horizon_faults(traces: Sequence[Trace], horizon: int) -> list[Finding]:
    for trace in traces:
        if not trace.ended:
            what = f"an episode hasn't ended at max_episode_steps ({horizon})"
            return [Finding("endless-episode", what)]
        terminated, length = trace.flags[-1][0], len(trace.rewards)
        if length < horizon and not terminated and not trace.unstable:
            what = f"truncated after {length} steps; max_episode_steps is {horizon}"
            return [Finding("early-truncation", what)]
    ends = [(len(trace.rewards), bool(t), bool(c)) for trace in traces for t, c in trace.flags[-1:]]
    if len(ends) > 1 and set(ends) == {(horizon, True, False)}:
        what = f"every episode says terminated at max_episode_steps ({horizon})"
        return [Finding("time-limit-as-end", what)]
    return []


def _content_faults(space: spaces.Space[Any], traces: Sequence[Trace]) -> list[Finding]:
    """The first fault of each kind in what resets and steps returned."""
    found: dict[str, Finding] = {}
    for number, trace in enumerate(traces):
        for step, observation in enumerate(trace.observations):
            if fault := _observation_fault(space, observation):
                where = f"episode {number}, {f'step {step}' if step else 'reset'}"
                found.setdefault(fault[0], Finding(fault[0], f"{where}: {fault[1]}"))
        for step, (reward, flags) in enumerate(zip(trace.rewards, trace.flags, strict=True), 1):
            where = f"episode {number}, step {step}"
            if not np.isfinite(float(reward)):
                what = f"{where}: the reward is {reward}"
                found.setdefault("reward-not-finite", Finding("reward-not-finite", what))
            if not all(isinstance(flag, bool | np.bool_) for flag in flags):
                what = f"{where}: terminated and truncated are {flags}, not bool"
                found.setdefault("wrong-result", Finding("wrong-result", what))
    return list(found.values())


def _observation_fault(space: spaces.Space[Any], value: Any) -> tuple[str, str] | None:
    """Kind and description of the first way in which a value isn't of the space."""
    if isinstance(space, spaces.Box):
        return _array_fault(space, value)
    if isinstance(space, spaces.Dict):
        held = list(value) if isinstance(value, dict) else None
        if held is None or sorted(held) != sorted(space):
            return "wrong-shape", f"holds {held}; the space holds {list(space)}"
        parts = [(key, space[key], value[key]) for key in space]
    elif isinstance(space, spaces.Tuple):
        if not isinstance(value, tuple) or len(value) != len(space):
            return "wrong-shape", f"is no tuple of {len(space)}"
        parts = [(str(i), *pair) for i, pair in enumerate(zip(space, value, strict=True))]
    else:
        return None if space.contains(value) else ("outside-space", f"{value!r} isn't in {space}")
    for key, part, item in parts:
        if fault := _observation_fault(part, item):
            return fault[0], f"{key}: {fault[1]}"
    return None


def _array_fault(space: spaces.Box, value: Any) -> tuple[str, str] | None:
    array = np.asarray(value)
    if array.shape != space.shape:
        return "wrong-shape", f"shape {array.shape}; the space's is {space.shape}"
    if not isinstance(value, np.ndarray | np.generic) or array.dtype != space.dtype:
        return (
            "wrong-dtype",
            f"{type(value).__name__} of {array.dtype}; the space's is {space.dtype}",
        )
    if not np.isfinite(array).all():
        return "observation-not-finite", f"holds {array[~np.isfinite(array)][0]}"
    outside = (array < space.low) | (array > space.high)
    if outside.any():
        index = np.unravel_index(int(np.argmax(outside)), outside.shape)
        bounds = f"{space.low[index]} to {space.high[index]}"
        return "outside-space", f"{list(map(int, index))} is {array[index]}, not in {bounds}"
    return None
