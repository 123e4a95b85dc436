"""`metarl oracle`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import tyro

from metarl.agents.sb3 import SB3Agent
from metarl.cli.loading import evaluation_folder, load_evaluation
from metarl.cli.output import OUT, counting, say
from metarl.display import LiveDisplay
from metarl.envs.goal_observable import goal_observable
from metarl.errors import ConfigError, EvaluationError
from metarl.evaluation import Evaluation, evaluate
from metarl.evaluation.tables import summary_table
from metarl.recipes.loading import load_run, with_horizon
from metarl.tasks import Benchmark

NAME = "oracle"
Algorithm: TypeAlias = Literal["ppo", "sac"]


def evaluate_oracle(
    run: Annotated[Path, tyro.conf.Positional],
    algorithm: Algorithm = "ppo",
    total_timesteps: int | None = None,
    split: Literal["test", "train"] = "test",
    seed: int = 0,
    num_workers: int = os.cpu_count() or 1,
) -> int:
    """Train an oracle that sees the goal, and evaluate it on the tasks of a run's evaluation.

    The oracle is Stable-Baselines3's PPO or SAC on the run's training tasks, their goal part of the
    observation. It isn't adapted: what it reaches on the held-out tasks is what adaptation can hope
    for. Call `metarl evaluate RUN` before. The policy goes into RUN/oracle-<algorithm>/, where a
    later call finds it; the rows go into RUN/evaluation/<split>/controls/oracle/.

    Args:
        run: The run folder.
        algorithm: PPO, or SAC: fewer environment steps, but slower ones.
        total_timesteps: Environment steps of its training; by default as many as the run had.
        split: Which of the run's evaluations it stands beside.
        seed: Seed of its training.
        num_workers: Processes for the evaluation.
    """
    if total_timesteps is not None and total_timesteps < 1:
        raise ConfigError(f"total_timesteps: got {total_timesteps}; must be at least 1.")
    agent = load_run(run)
    beside = load_evaluation(run, split)
    steps = agent.num_timesteps if total_timesteps is None else total_timesteps
    oracle = trained_oracle(run, agent.benchmark, steps, algorithm, seed)
    evaluation = oracle_control(run, oracle, beside, split, num_workers)
    OUT.print(summary_table({"": [evaluation]}, f"{beside.header.benchmark}, oracle"))
    say(f"rows and summary: {evaluation.save(evaluation_folder(run, split, NAME))}")
    return 0


def saved_oracle(
    run: Path, benchmark: Benchmark, total_timesteps: int, algorithm: Algorithm = "ppo"
) -> SB3Agent | None:
    """The oracle that a run has already; None if it has none.

    Args:
        run: The run's folder.
        benchmark: The run's.
        total_timesteps: Environment steps that its training must have had, at least.
        algorithm: PPO or SAC.

    Raises:
        ConfigError: If it has fewer steps.
        CheckpointError: If it is damaged.
        TaskError: If the tasks hold no numbers that could be seen.
    """
    folder, seen = _folder(run, algorithm), goal_observable(benchmark)
    if not folder.exists():
        return None
    saved = SB3Agent.load(folder, seen)
    if saved.num_timesteps < total_timesteps:
        raise ConfigError(
            f"total_timesteps: {folder} holds an oracle of {saved.num_timesteps:,} steps, "
            f"asked for {total_timesteps:,}; remove it to train another."
        )
    return saved


def trained_oracle(
    run: Path,
    benchmark: Benchmark,
    total_timesteps: int,
    algorithm: Algorithm = "ppo",
    seed: int = 0,
) -> SB3Agent:
    """The oracle that a run has already, or one that is trained now and kept.

    Args:
        run: The run's folder.
        benchmark: The run's.
        total_timesteps: Environment steps of its training, at least.
        algorithm: PPO or SAC.
        seed: Seed of a training now.

    Raises:
        ConfigError: If there is one of fewer steps.
        CheckpointError: If it is damaged.
        TaskError: If the tasks hold no numbers that could be seen.
    """
    saved = saved_oracle(run, benchmark, total_timesteps, algorithm)
    if saved is not None:
        return saved
    folder = _folder(run, algorithm)
    oracle = SB3Agent(goal_observable(benchmark), seed=seed, algorithm=algorithm)
    say(f"training {algorithm.upper()} for {total_timesteps:,} steps, the goal in sight: {folder}")
    with oracle, LiveDisplay(total_timesteps) as display:
        oracle.learn(total_timesteps, callback=display)
        oracle.save(folder)
    return oracle


def oracle_control(
    run: Path, oracle: SB3Agent, beside: Evaluation, split: str, num_workers: int
) -> Evaluation:
    """The oracle's rows on the tasks of an evaluation, by its protocol.

    Args:
        run: The run's folder.
        oracle: The oracle.
        beside: The run's evaluation.
        split: Which tasks these are.
        num_workers: Processes.

    Raises:
        EvaluationError: If the benchmark's tasks are others by now.
    """
    benchmark = oracle.benchmark
    if beside.header.max_episode_steps != benchmark.train.max_episode_steps:
        benchmark = goal_observable(with_horizon(run, beside.header.max_episode_steps))
    with counting("evaluating the oracle") as progress:
        evaluation = evaluate(
            oracle,
            benchmark.test if split == "test" else benchmark.train,
            beside.protocol.without_adaptation(),
            num_workers=num_workers,
            progress=progress,
        )
    return _as_control(evaluation, beside, oracle.config.algorithm)


def _folder(run: Path, algorithm: str) -> Path:
    return run / f"oracle-{algorithm}"


def _as_control(evaluation: Evaluation, beside: Evaluation, algorithm: str) -> Evaluation:
    """The oracle's rows under the header of the evaluation that they stand beside.

    Raises:
        EvaluationError: If the tasks aren't the same.
    """
    if evaluation.tasks != beside.tasks:
        raise EvaluationError(
            f"{NAME}: the run's evaluation is of other tasks than its benchmark gives now; "
            "evaluate it again."
        )
    header = replace(
        evaluation.header,
        benchmark=beside.header.benchmark,
        split=beside.header.split,
        manifest=beside.header.manifest,
        subject={**evaluation.header.subject, "algorithm": f"{algorithm}, goal observed"},
    )
    return Evaluation(evaluation.rows, header)
