"""One task and one seed give one episode: again, elsewhere, afterwards and beside others."""

from __future__ import annotations

import contextlib

from metarl.testing.task_distribution.context import Context
from metarl.testing.task_distribution.findings import Finding
from metarl.testing.task_distribution.shared_state import ProcessState, SharedVariables


def check_seeding(context: Context) -> list[Finding]:
    """In one environment, the same seed and actions give the same episode twice."""
    process, task, actions = ProcessState(), context.tasks[0], context.actions()
    env = context.player.make(task)
    try:
        shared = SharedVariables(context.distribution, [context.example])
        first, again = context.play(env, actions), context.play(env, actions)
    finally:
        env.close()
    touched = sorted({*context.touched, *process.changed_generators()})
    if (where := first.difference(again)) is None:
        return [
            Finding("global-state", f"an episode changes {name}, which others draw from")
            for name in touched
        ]
    context.reproducible = False
    what = f"two episodes with one seed and the same actions differ at {where}"
    if touched:
        return [Finding(_unseeded(where), f"{what}; it draws from {', '.join(touched)}")]
    if changed := shared.changed():
        shared.restore()
        if context.play_new(task, actions).difference(first) is None:
            names = ", ".join(changed)
            return [Finding("global-state", f"{what}, because episodes change {names}")]
    if context.play_new(task, actions).difference(context.play_new(task, actions)) is None:
        return [Finding("stale-state", f"{what}; in new environments they are equal")]
    return [Finding(_unseeded(where), what)]


def _unseeded(where: str) -> str:
    return "unseeded-reset" if where.startswith("the reset") else "unseeded-step"


def check_restoration(context: Context) -> list[Finding]:
    """A task is what it was: made a second time, after another task, moved there and back."""
    context.require_reproducible()
    found = _restoration_faults(context)
    context.reproducible = not found
    return found


def _restoration_faults(context: Context) -> list[Finding]:
    one, other, actions = context.tasks[0], context.tasks[-1], context.actions()
    shared = SharedVariables(context.distribution, [context.example])
    first = context.play_new(one, actions)
    if where := first.difference(context.play_new(one, actions)):
        what = f"two environments of one task differ at {where}"
        changed = shared.changed()
        shared.restore()
        if changed and first.difference(context.play_new(one, actions)) is None:
            what = f"{what}, because making one changes {', '.join(changed)}"
            return [Finding("task-not-restored", what)]
        return [Finding("unseeded-constructor", what)]
    context.play_new(other, actions)
    if where := first.difference(context.play_new(one, actions)):
        what = f"a task differs at {where} after an environment of another has been used"
        return [Finding("task-not-restored", what)]
    env = context.player.make(other)
    try:
        for task in (other, one, other, one):
            env = context.player.retask(env, task)
            trace = context.play(env, actions)
    finally:
        env.close()
    if where := first.difference(trace):
        what = f"an environment moved to another task and back differs at {where}"
        return [Finding("task-not-restored", what)]
    return []


def check_side_by_side(context: Context) -> list[Finding]:
    """Two tasks stepped in turn behave as each does alone."""
    context.require_reproducible()
    tasks, actions = (context.tasks[0], context.tasks[-1]), context.actions()
    alone = [context.play_new(task, actions) for task in tasks]
    with contextlib.ExitStack() as stack:
        envs = [context.player.make(task) for task in tasks]
        for env in envs:
            stack.callback(env.close)
        together = [context.play(env, []) for env in envs]
        for action in actions:
            for env, trace in zip(envs, together, strict=True):
                if not trace.ended:
                    context.player.step(env, action, trace)
    for task, own, beside in zip(tasks, alone, together, strict=True):
        if where := own.difference(beside):
            context.reproducible = False
            what = f"{task!r} differs at {where} when another environment is stepped in between"
            return [Finding("shared-state", what)]
    return []
