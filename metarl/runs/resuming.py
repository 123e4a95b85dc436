"""Going on with a run that was stopped or killed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from metarl.agent import Agent
from metarl.errors import ManifestMismatchError, RunChangedError
from metarl.runs.folder import RunFolder, iteration_of
from metarl.runs.metrics import read_metrics
from metarl.tasks import Benchmark

LOG = logging.getLogger(__name__)

AgentT = TypeVar("AgentT", bound=Agent)


def resume(
    run: RunFolder,
    agent_type: type[AgentT],
    benchmark: Benchmark,
    *,
    accept_changes: bool = False,
    **arguments: Any,
) -> AgentT:
    """Loads the newest checkpoint that is whole, and makes the folder ready to go on from there.

    What follows has the bits that the run would have had if it had never stopped, whatever
    ``num_workers`` was and is. Example::

        run = RunFolder("runs/mine")
        with run.lock():
            agent = resume(run, MAML, benchmark, num_workers=4)
            with RunRecorder(run, agent.iteration) as recorder, agent:
                agent.learn(1_000_000, callback=recorder)
                recorder.finish(agent)

    Args:
        run: The run folder; the caller holds its lock.
        agent_type: The agent's class; its ``load`` takes ``accept_changes``, if that is to be set.
        benchmark: The tasks.
        accept_changes: Whether to go on where versions, benchmark or settings are others than those
            that the run was begun with; the run's history then says which.
        **arguments: Further arguments of ``agent_type.load``.

    Raises:
        CheckpointError: If there is no checkpoint that is whole, or the table of metrics is
            damaged.
        RunChangedError: If other versions of the packages are installed, or settings differ.
        ManifestMismatchError: If the benchmark is another.
    """
    changes = run.version_changes()
    if changes and not accept_changes:
        raise RunChangedError("the run was begun with other versions:\n" + "\n".join(changes))
    read_metrics(run.path / "metrics.csv")  # it will be continued, so a fault is told now
    path = run.latest_checkpoint()
    load: Callable[..., AgentT] = agent_type.load
    try:
        agent = load(path, benchmark, **arguments)
    except (ManifestMismatchError, RunChangedError) as error:
        if not accept_changes:
            raise
        changes += str(error).splitlines()[1:]
        agent = load(path, benchmark, accept_changes=True, **arguments)
    run.prepare(iteration_of(path))
    run.history.add("resumed", iteration=agent.iteration, changes=changes)
    if changes:
        LOG.warning("going on although the run has changed: %s", "; ".join(changes))
    return agent
