"""Runs an evaluation: held-out tasks, before adaptation and after each step of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from metarl.agent import Agent
from metarl.errors import ConfigError, UnknownNameError
from metarl.evaluation.best_rate import RateSearch
from metarl.evaluation.measuring import measure, num_rollouts
from metarl.evaluation.protocol import NUM_SAMPLED_TASKS, EvaluationProtocol, resolve_protocol
from metarl.evaluation.result import Evaluation, EvaluationHeader
from metarl.seeding import Purpose, Stream
from metarl.tasks import Benchmark, Task, TaskDistribution

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
        ConfigError: If a setting is out of range, there are no held-out tasks, or a step size is to
            be chosen for adaptation that has none.
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
    search = RateSearch.of(agent, protocol, stream.child(3, 0))
    total = num_rollouts(len(tasks), protocol) + (search.num_rollouts if search else 0)
    done = 0

    def count(finished: int) -> None:
        nonlocal done
        done += finished
        if progress is not None:
            progress(done, total)

    rate: dict[str, Any] = {}
    if search is not None:
        choice = search.choose(stream.child(3, 1), num_workers=num_workers, progress=count)
        agent = choice.agent
        rate = {"adaptation_lr": choice.rate, "training_returns": list(choice.returns)}
    rows = measure(
        agent, distribution, tasks, protocol, stream, num_workers=num_workers, progress=count
    )
    subject = {
        "algorithm": getattr(agent, "algorithm", type(agent).__name__),
        "seed": agent.seed,
        "iteration": agent.iteration,
        "num_timesteps": agent.num_timesteps,
        **rate,
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
