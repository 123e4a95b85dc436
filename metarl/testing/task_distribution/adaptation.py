"""What there is to adapt to: tasks differ where the agent can tell, and aren't given away."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from metarl.tasks import Task
from metarl.testing.task_distribution.context import SEED, Context, SkippedError
from metarl.testing.task_distribution.findings import Finding
from metarl.testing.task_distribution.leak import predict_parameters
from metarl.testing.task_distribution.player import exploratory_actions

MAX_STEPS, MAX_EPISODES = 20_000, 8
"""Of random exploration that looks for a reward difference: steps in all, episodes per task."""
MIN_DIFFERENCE = 1e-3
"""Of a reward between tasks, in standard deviations of the episode's rewards."""
MAX_RESETS, MIN_RESETS = 128, 32
"""From which the task is predicted: as time permits."""


def check_effects(context: Context) -> list[Finding]:
    """The same actions under several tasks: does anything differ, and do rewards?"""
    context.require_reproducible()
    context.require_two_tasks()
    if context.found("reward-not-finite"):
        raise SkippedError
    player, num_tasks, horizon = context.player, len(context.tasks), context.horizon
    affordable = int(min(MAX_STEPS, player.seconds_left / 2 / context.step_seconds))
    episodes = max(1, min(MAX_EPISODES, affordable // (num_tasks * horizon)))
    length = max(1, min(horizon, affordable // (num_tasks * episodes)))
    num_differing, alike, seen = 0, True, set()
    envs = [player.make(task) for task in context.tasks]
    try:
        for episode in range(episodes):
            rng = context.stream.child(2, episode).numpy()
            actions = exploratory_actions(context.distribution.action_space, length, rng)
            traces = [player.play(env, SEED + episode, actions) for env in envs]
            rewards = [[float(reward) for reward in trace.rewards] for trace in traces]
            num_differing += _differ(rewards)
            alike = alike and all(traces[0].difference(trace) is None for trace in traces)
            seen |= {reward for row in rewards for reward in row}
    finally:
        for env in envs:
            env.close()
    context.report.figures["share of episodes with a reward difference"] = num_differing / episodes
    if num_differing:
        return []
    what = f"{episodes} episodes of {length} random actions in {num_tasks} tasks"
    # Rewards that vary, yet never between tasks: those tasks don't reach the environment.
    if alike and len(seen) > 1:
        return [Finding("task-without-effect", f"{what} went the same way in every task")]
    return [Finding("no-reward-difference", f"{what} met the same rewards in every task")]


def _differ(rewards: list[list[float]]) -> bool:
    """Whether one episode's rewards differ between tasks, by more than a simulator's rounding."""
    if len({len(row) for row in rewards}) > 1:
        return True
    table = np.array(rewards)
    return bool(np.ptp(table, axis=0).max() > MIN_DIFFERENCE * table.std())


def check_hidden(context: Context) -> list[Finding]:
    """Tries to predict the task from the observation that a reset returns."""
    context.require_two_tasks()
    context.require_shapes()
    player, space = context.player, context.distribution.observation_space
    tasks = _many_tasks(context)
    observations: list[Any] = []
    until = player.seconds_left / 2
    env = player.make(tasks[0])
    try:
        for number, task in enumerate(tasks):
            if number >= MIN_RESETS and player.seconds_left < until:
                break
            env = player.retask(env, task)
            seed = int(context.stream.child(3, number).numpy().integers(2**31))
            observations.append(spaces.flatten(space, player.reset(env, seed)))
    finally:
        env.close()
    parameters = [task.parameters for task in tasks[: len(observations)]]
    rng = context.stream.child(4).numpy()
    predictions = predict_parameters(np.stack(observations), parameters, rng)
    for one in predictions[:5]:
        context.report.figures[f"R2 of {one.parameter} from reset observations"] = one.r2
    shown = tuple(context.distribution.observable_parameters)
    leaks = [one for one in predictions if one.leaks and not _is_part(one.parameter, shown)]
    if not leaks:
        return []
    listed = ", ".join(f"{one.parameter} (R2 {one.r2:.2f})" for one in leaks[:5])
    what = f"{listed}: predicted from the reset observations of {len(observations)} episodes"
    return [Finding("task-leak", what)]


def _many_tasks(context: Context) -> list[Task]:
    """One task per reset; where there are few tasks, each comes several times.

    Of many tasks none comes twice: a starting state that belongs to one task alone would give away
    everything about its twin, though it says nothing of other tasks.
    """
    drawn = list(dict.fromkeys(context.sample(MAX_RESETS, context.stream.child(5))))
    return drawn if len(drawn) >= MIN_RESETS else (drawn * MAX_RESETS)[:MAX_RESETS]


def _is_part(parameter: str, names: tuple[str, ...]) -> bool:
    """Whether a predicted number is one of some parameters, or part of one."""
    return any(
        parameter == name or parameter.startswith((f"{name}[", f"{name}.", f"{name}="))
        for name in names
    )
