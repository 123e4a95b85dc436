"""Many environments at once behave as single ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from metarl.spaces import flatten_observations
from metarl.tasks import Task
from metarl.testing.task_distribution.context import SEED, Context
from metarl.testing.task_distribution.findings import Finding
from metarl.testing.task_distribution.player import INFO_KEYS, Trace

TOLERANCE = 1e-5
"""Relative and absolute: a batch may add up in another order, in float32."""


def check_vectors(context: Context) -> list[Finding]:
    """Rows of ``make_vec`` behave as environments do, before and after ``set_tasks``."""
    context.require_reproducible()
    context.require_shapes()
    call = context.player.call
    tasks = [context.tasks[0], context.tasks[-1]]
    make = partial(context.distribution.make_vec, tasks, 2)
    vec = call("raising-make-env", "make_vec", make)
    try:
        what = _row_trouble(context, vec, tasks)
        move = getattr(vec, "set_tasks", None)
        if what is None and move is not None:
            call("raising-make-env", "set_tasks", partial(move, tasks[::-1]))
            what = _row_trouble(context, vec, tasks[::-1])
            what = what and f"after set_tasks, {what}"
    finally:
        vec.close()
    return [] if what is None else [Finding("vector-differs", what)]


def _row_trouble(
    context: Context, vec: gymnasium.vector.VectorEnv[Any, Any, Any], tasks: Sequence[Task]
) -> str | None:
    """Where the first row differs from its environment, or None. Two rows a task."""
    call, space = context.player.call, vec.single_observation_space
    seeds: Any = [SEED, SEED + 1] * 2
    actions = context.actions()
    alone = [
        context.player.play_new(tasks[row // 2], seed, actions) for row, seed in enumerate(seeds)
    ]
    result: Any = call("raising-reset", "make_vec's reset", partial(vec.reset, seed=seeds))
    observations = flatten_observations(space, result[0])
    for step in range(1 + max(len(trace.rewards) for trace in alone)):
        if step > 0:
            take = partial(vec.step, np.stack([actions[step - 1]] * 4))
            result = call("raising-step", "make_vec's step", take)
            observations = flatten_observations(space, result[0])
        for row, (seed, trace) in enumerate(zip(seeds, alone, strict=True)):
            where = f"row {row} ({tasks[row // 2]!r}, seed {seed}) at step {step}"
            what = _observation_trouble(observations[row], trace, step, space)
            if step > 0:
                what = what or _step_trouble(result, row, trace, step)
            if what is not None:
                return f"{where} {what}"
    return None


def _observation_trouble(
    observation: Any, trace: Trace, step: int, space: spaces.Space[Any]
) -> str | None:
    """What is wrong with a row's observation, flattened; after its end it keeps the last one."""
    over = step > len(trace.rewards)
    if _close(observation, spaces.flatten(space, trace.observations[-1 if over else step])):
        return None
    return (
        "has another observation than its last, though its episode is over"
        if over
        else "has another observation than that of make_env"
    )


def _step_trouble(result: Any, row: int, trace: Trace, step: int) -> str | None:
    """What is wrong with the rest of a step's answer; after its end a row's reward is 0."""
    reward = float(result[1][row])
    if step > len(trace.rewards):
        return None if reward == 0 else f"has reward {reward}, though its episode is over"
    expected = float(trace.rewards[step - 1])
    if not _close(reward, expected):
        return f"has reward {reward}, not {expected} as that of make_env"
    names = ("terminated", "truncated", *INFO_KEYS)
    known = (*trace.flags[step - 1], trace.successes[step - 1], trace.instabilities[step - 1])
    found = (result[2][row], result[3][row], *(_info(result[4], row, key) for key in INFO_KEYS))
    for name, value, own in zip(names, found, known, strict=True):
        if bool(value) != bool(own):
            return f"has {name} {bool(value)}, not {bool(own)} as that of make_env"
    return None


def _info(infos: Any, row: int, key: str) -> bool:
    """A row's flag; by Gymnasium's custom, ``_key`` says which rows have it."""
    if key not in infos or not np.broadcast_to(infos.get(f"_{key}", True), len(infos[key]))[row]:
        return False
    return bool(infos[key][row])


def _close(one: Any, other: Any) -> bool:
    return np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
