"""Acts in tasks before adaptation and after each step of it, and counts every episode."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from metarl.agent import Agent
from metarl.evaluation.protocol import EvaluationProtocol
from metarl.evaluation.rows import EvaluationRow
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from metarl.tasks import Task, TaskDistribution
from metarl.types import Trajectories


def measure(
    agent: Agent,
    distribution: TaskDistribution,
    tasks: Sequence[Task],
    protocol: EvaluationProtocol,
    stream: Stream,
    *,
    num_workers: int,
    progress: Callable[[int], None],
) -> list[EvaluationRow]:
    """One row per (task, adaptation step, episode).

    Args:
        agent: The agent; it isn't changed.
        distribution: Where the tasks' environments come from.
        tasks: The tasks.
        protocol: Steps, episodes and actions.
        stream: Root of the randomness.
        num_workers: Worker processes; the rows are the same for any number.
        progress: Called with the number of rollouts that have been finished since it was called
            last; there are :func:`num_rollouts` in all.

    Raises:
        NonFiniteError: If an environment returns a number that isn't finite.
    """
    policies = [agent.unadapted()] * len(tasks)
    rows: list[EvaluationRow] = []
    with RolloutEngine(distribution, policies[0].policy, num_workers=num_workers) as engine:

        def roll_out(episodes: int, path: Stream, *, deterministic: bool) -> Trajectories:
            return engine.collect(
                tasks,
                [policy.params for policy in policies],
                path,
                num_episodes=episodes,
                deterministic=deterministic,
                progress=progress,
            )

        for step in range(protocol.num_adaptation_steps + 1):
            if step > 0:
                support = roll_out(
                    protocol.adaptation_episodes, stream.child(1, step), deterministic=False
                )
                policies = [
                    agent.adapt_step(policy, support.task(index))
                    for index, policy in enumerate(policies)
                ]
            outcome = roll_out(
                protocol.evaluation_episodes,
                stream.child(2, step),
                deterministic=protocol.evaluation_actions == "mean",
            )
            rows += rows_of(tasks, step, outcome)
    return rows


def num_rollouts(num_tasks: int, protocol: EvaluationProtocol) -> int:
    """Rollouts of :func:`measure`, a rollout being one task's episodes at one step."""
    return num_tasks * (2 * protocol.num_adaptation_steps + 1)


def rows_of(tasks: Sequence[Task], step: int, outcome: Trajectories) -> list[EvaluationRow]:
    """Rows of the episodes ``[T, E]`` that were counted after ``step`` adaptation steps."""
    any_success, final_success = outcome.success_any, outcome.success_final
    return [
        EvaluationRow(
            task_index=index,
            family=task.family,
            task=task.digest,
            adaptation_step=step,
            episode=episode,
            length=int(outcome.lengths[index, episode]),
            episode_return=float(outcome.returns[index, episode]),
            success_any=None if any_success is None else bool(any_success[index, episode]),
            success_final=None if final_success is None else bool(final_success[index, episode]),
            unstable=bool(outcome.unstable[index, episode]),
        )
        for index, task in enumerate(tasks)
        for episode in range(outcome.rewards.shape[1])
    ]
