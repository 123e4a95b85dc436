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
    call, actions, space = context.player.call, context.actions(), vec.single_observation_space
    seeds: Any = [SEED, SEED + 1] * 2
    result: Any = call("raising-reset", "make_vec's reset", partial(vec.reset, seed=seeds))
    observations = [flatten_observations(space, result[0])]
    rewards = [np.zeros(4)]
    for action in actions:
        take = partial(vec.step, np.stack([action] * 4))
        result = call("raising-step", "make_vec's step", take)
        observations.append(flatten_observations(space, result[0]))
        rewards.append(np.asarray(result[1], dtype=np.float64))
    for row, seed in enumerate(seeds):
        task = tasks[row // 2]
        alone = context.player.play_new(task, seed, actions)
        for step, reward in enumerate([0.0, *map(float, alone.rewards)]):
            expected = spaces.flatten(space, alone.observations[step])
            where = f"row {row} ({task!r}, seed {seed}) at step {step}"
            if not _close(observations[step][row], expected):
                return f"{where} has another observation than that of make_env"
            if not _close(rewards[step][row], reward):
                return f"{where} has reward {rewards[step][row]}, not {reward} as that of make_env"
    return None


def _close(one: Any, other: Any) -> bool:
    return np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
