"""The evaluation protocol: held-out tasks, before adaptation and after each step of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from metarl.agent import Agent
from metarl.errors import ConfigError
from metarl.evaluation.result import Evaluation, EvaluationRow
from metarl.rollouts import RolloutEngine
from metarl.seeding import Purpose, Stream
from metarl.tasks import Task, TaskDistribution
from metarl.types import Trajectories

NUM_SAMPLED_TASKS = 40
"""Tasks drawn for an evaluation where there are infinitely many."""


def evaluate(
    agent: Agent,
    distribution: TaskDistribution | None = None,
    *,
    num_tasks: int | None = None,
    num_adaptation_steps: int = 2,
    adaptation_episodes: int = 10,
    evaluation_episodes: int = 1,
    seed: int = 0,
    num_workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measures what adaptation is worth, task by task.

    For each task: act by the mean action before adaptation; then, ``num_adaptation_steps`` times,
    collect ``adaptation_episodes`` episodes with sampled actions, adapt, and act by the mean action
    again. Every task counts the same number of episodes, each to its own end: an episode is never
    cut short by success, nor left out because others ended first. (``metaworld.evaluation`` does
    both, and overstates success: on ten environments of one family, a true rate of 0.1 reads
    0.49.)

    Args:
        agent: The agent; it isn't changed.
        distribution: Tasks to evaluate on, by default the held-out ones of the agent's benchmark.
        num_tasks: How many tasks; by default all, or 40 where there are infinitely many.
        num_adaptation_steps: ``K``; results are given after 0, 1, ..., K steps.
        adaptation_episodes: Episodes of experience before each step.
        evaluation_episodes: Episodes counted per task and step. More than one only helps where the
            environment itself is random.
        seed: Root of the randomness of this evaluation.
        num_workers: Worker processes; the rows are the same for any number.
        progress: Called with the rollouts done so far and in all, a rollout being one task's
            episodes at one step.

    Returns:
        One row per (task, adaptation step, episode), and what is computed from them.

    Raises:
        ConfigError: If a number is out of range, or there are no held-out tasks.
    """
    _check(
        num_adaptation_steps=(num_adaptation_steps, 0),
        adaptation_episodes=(adaptation_episodes, 1),
        evaluation_episodes=(evaluation_episodes, 1),
        seed=(seed, 0),
    )
    if distribution is None:
        distribution = agent.benchmark.test
    if distribution is None:
        raise ConfigError(
            f"distribution: benchmark {agent.benchmark.name!r} holds no test tasks; give one."
        )
    stream = Stream(seed).child(Purpose.EVALUATION)
    tasks = _choose_tasks(distribution, num_tasks, stream.child(0))
    total = len(tasks) * (2 * num_adaptation_steps + 1)
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

        for step in range(num_adaptation_steps + 1):
            if step > 0:
                support = roll_out(adaptation_episodes, stream.child(1, step), deterministic=False)
                policies = [
                    agent.adapt_step(policy, support.task(index))
                    for index, policy in enumerate(policies)
                ]
            outcome = roll_out(evaluation_episodes, stream.child(2, step), deterministic=True)
            rows += _rows(tasks, step, outcome)
    return Evaluation(
        rows,
        protocol={
            "benchmark": agent.benchmark.name,
            "shares_tasks": agent.benchmark.shares_tasks,
            "num_tasks": len(tasks),
            "num_adaptation_steps": num_adaptation_steps,
            "adaptation_episodes": adaptation_episodes,
            "evaluation_episodes": evaluation_episodes,
            "max_episode_steps": distribution.max_episode_steps,
            "seed": seed,
        },
    )


def _check(**least: tuple[int, int]) -> None:
    for name, (value, minimum) in least.items():
        if value < minimum:
            raise ConfigError(f"{name}: got {value}; must be at least {minimum}.")


def _choose_tasks(
    distribution: TaskDistribution, num_tasks: int | None, stream: Stream
) -> Sequence[Task]:
    if num_tasks is not None and num_tasks < 1:
        raise ConfigError(f"num_tasks: got {num_tasks}; must be at least 1.")
    everything = distribution.tasks
    if num_tasks is None and everything is not None:
        return everything
    return distribution.sample(num_tasks or NUM_SAMPLED_TASKS, stream.numpy())


def _rows(tasks: Sequence[Task], step: int, outcome: Trajectories) -> list[EvaluationRow]:
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
