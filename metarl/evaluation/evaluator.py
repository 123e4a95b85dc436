"""Runs an evaluation: held-out tasks, before adaptation and after each step of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from metarl.agent import Agent
from metarl.errors import ConfigError, UnknownNameError
from metarl.evaluation.protocol import NUM_SAMPLED_TASKS, EvaluationProtocol, resolve_protocol
from metarl.evaluation.result import Evaluation, EvaluationHeader
from metarl.evaluation.rows import EvaluationRow
from metarl.rollouts import RolloutEngine
from metarl.seeding import Purpose, Stream
from metarl.tasks import Benchmark, Task, TaskDistribution
from metarl.types import Trajectories

PACKAGES = ("metarl", "torch", "numpy", "gymnasium", "metaworld", "mujoco")


def evaluate(
    agent: Agent,
    distribution: TaskDistribution | None = None,
    protocol: EvaluationProtocol | str | None = None,
    *,
    num_workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Evaluation:
    """Measures what adaptation is worth, task by task.

    Every task counts the same number of episodes, each to its own end: an episode is never cut
    short by success, nor left out because others ended first. (``metaworld.evaluation`` does both,
    and overstates success: on ten environments of one family, with three episodes counted, a true
    rate of 0.1 reads 0.35 and one of 0.3 reads 0.84; see :mod:`metarl.evaluation.upstream`.)

    Args:
        agent: The agent; it isn't changed.
        distribution: Tasks to evaluate on, by default the held-out ones of the agent's benchmark.
        protocol: An :class:`EvaluationProtocol`, or the name of a preset.
        num_workers: Worker processes; the rows are the same for any number.
        progress: Called with the rollouts done so far and in all, a rollout being one task's
            episodes at one step.
        **settings: Fields of the protocol that replace the preset's or the default ones.

    Returns:
        One row per (task, adaptation step, episode), and what is computed from them.

    Raises:
        ConfigError: If a setting is out of range, or there are no held-out tasks.
        UnknownNameError: If a preset or a task is unknown.
        NonFiniteError: If an environment returns a number that isn't finite.
    """
    began = time.perf_counter()
    protocol = resolve_protocol(protocol, **settings)
    if distribution is None:
        distribution = agent.benchmark.test
    if distribution is None:
        raise ConfigError(
            f"distribution: benchmark {agent.benchmark.name!r} holds no test tasks; give one."
        )
    if protocol.max_episode_steps not in (None, distribution.max_episode_steps):
        raise ConfigError(
            f"max_episode_steps: got {protocol.max_episode_steps}; the tasks given have "
            f"{distribution.max_episode_steps}: make their benchmark with that setting."
        )
    stream = Stream(protocol.seed).child(Purpose.EVALUATION)
    tasks = choose_tasks(distribution, protocol, stream.child(0))
    total = len(tasks) * (2 * protocol.num_adaptation_steps + 1)
    done = 0

    def count(finished: int) -> None:
        nonlocal done
        done += finished
        if progress is not None:
            progress(done, total)

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
                progress=count,
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
    subject = {
        "algorithm": getattr(agent, "algorithm", type(agent).__name__),
        "seed": agent.seed,
        "iteration": agent.iteration,
        "num_timesteps": agent.num_timesteps,
    }
    seconds = time.perf_counter() - began
    return Evaluation(
        rows, make_header(agent, distribution, protocol, tasks, subject=subject, seconds=seconds)
    )


def choose_tasks(
    distribution: TaskDistribution, protocol: EvaluationProtocol, stream: Stream
) -> Sequence[Task]:
    """The tasks that a protocol names, or draws.

    Raises:
        UnknownNameError: If a task's family or digest isn't there.
        ConfigError: If tasks are named where there are infinitely many, or too many are asked for.
    """
    everything = distribution.tasks
    if protocol.tasks is None:
        if protocol.num_tasks is None and everything is not None:
            return everything
        return distribution.sample(protocol.num_tasks or NUM_SAMPLED_TASKS, stream.numpy())
    if everything is None:
        raise ConfigError(
            f"tasks: got {', '.join(protocol.tasks)}; of infinitely many tasks none can be named: "
            "use num_tasks."
        )
    names = {task.family for task in everything} | {task.digest for task in everything}
    for name in protocol.tasks:
        if name not in names:
            families = {task.family for task in everything}
            raise UnknownNameError("tasks", name, families)
    wanted = set(protocol.tasks)
    return [task for task in everything if wanted & {task.family, task.digest}]


def make_header(
    agent: Agent,
    distribution: TaskDistribution,
    protocol: EvaluationProtocol,
    tasks: Sequence[Task],
    *,
    subject: dict[str, Any],
    seconds: float,
) -> EvaluationHeader:
    """Says how rows were made."""
    benchmark = agent.benchmark
    splits = {id(benchmark.train): "train", id(benchmark.test): "test"}
    return EvaluationHeader(
        protocol=protocol,
        benchmark=benchmark.name,
        split=splits.get(id(distribution), "other"),
        max_episode_steps=distribution.max_episode_steps,
        tasks=tuple(tasks),
        manifest=benchmark.manifest()["digest"],
        shares_tasks=benchmark.shares_tasks,
        exhaustive=_all_there_are(benchmark, tasks),
        subject=subject,
        versions={name: version(name) for name in PACKAGES},
        seconds=seconds,
    )


def _all_there_are(benchmark: Benchmark, tasks: Sequence[Task]) -> bool:
    """Whether tasks are all that a benchmark trains on and all that it tests on, each once."""
    train, test = benchmark.train.tasks, None if benchmark.test is None else benchmark.test.tasks
    if train is None or test is None or len(set(tasks)) < len(tasks):
        return False
    return set(train) == set(test) == set(tasks)


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
