"""Tasks as records: drawn from the seed, distinct, fit to travel."""

from __future__ import annotations

import json
import pickle

import cloudpickle

from metarl.errors import describe_error
from metarl.tasks import Task
from metarl.testing.task_distribution.context import NUM_TASKS, Context
from metarl.testing.task_distribution.findings import Finding
from metarl.testing.task_distribution.shared_state import ProcessState


def check_sampling(context: Context) -> list[Finding]:
    """Equal generators give equal tasks, and nothing else is drawn from."""
    before = ProcessState()
    first, again = (context.sample(NUM_TASKS, context.stream.child(0)) for _ in range(2))
    touched = before.changed_generators()
    context.tasks = list(dict.fromkeys(first))
    if first != again:
        source = f"; it draws from {', '.join(touched)}" if touched else ""
        what = f"sample({len(first)}, rng) gives other tasks from an equal rng{source}"
        return [Finding("unseeded-sampling", what)]
    return [Finding("global-state", f"sample changes {name}") for name in touched]


def check_tasks(context: Context) -> list[Finding]:
    """Tasks differ, and survive pickle and JSON."""
    found = []
    for task in context.tasks[:2]:
        if trouble := _travel_trouble(task):
            found.append(Finding("unpicklable-task", f"{task!r} {trouble}"))
            break
    if len(context.tasks) < 2:
        what = f"{NUM_TASKS} draws gave one task: {context.tasks[0]!r}"
        found.append(Finding("equal-tasks", what))
    return found


def check_sending(context: Context) -> list[Finding]:
    """A copy of the distribution, such as workers get, draws the same tasks."""
    stream = context.stream.child(0)
    try:
        clone = pickle.loads(cloudpickle.dumps(context.distribution))  # noqa: S301 - our own
        drawn = clone.sample(len(context.sample(NUM_TASKS, stream)), stream.numpy())
    except Exception as error:  # noqa: BLE001 - whatever an object's own pickling raises
        what = f"copying it raises {describe_error(error)}"
        return [Finding("unpicklable-distribution", what)]
    if list(dict.fromkeys(drawn)) != context.tasks and not context.found("unseeded-sampling"):
        what = "its copy draws other tasks from an equal rng"
        return [Finding("unpicklable-distribution", what)]
    return []


def _travel_trouble(task: Task) -> str | None:
    """Why a task doesn't survive pickle and JSON, or None."""
    for name in ("pickle", "JSON"):
        try:
            copied = (
                pickle.loads(pickle.dumps(task))  # noqa: S301 - what was just written
                if name == "pickle"
                else Task.from_json(json.loads(json.dumps(task.to_json())))
            )
        except Exception as error:  # noqa: BLE001 - whatever an object's own pickling raises
            return f"doesn't survive {name}: {describe_error(error)}"
        if (copied.family, copied.parameters) != (task.family, task.parameters):
            return f"comes out of {name} as {copied!r}"
        if name == "pickle" and (copied != task or hash(copied) != hash(task)):
            return f"comes out of {name} unequal to itself"
    return None
