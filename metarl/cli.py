"""The ``metarl`` command."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from pydantic import Field
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from metarl.agent import Agent
from metarl.agents.maml import MAML, MAMLConfig
from metarl.config import Config
from metarl.envs import BENCHMARKS, make_benchmark
from metarl.envs.registry import check_benchmark_name
from metarl.errors import CheckpointError, MetarlError
from metarl.evaluation import Evaluation, evaluate
from metarl.runs import RunFolder, RunRecorder
from metarl.tasks import Benchmark

_OUT = Console()
_ERR = Console(stderr=True)


class TrainMAML(Config):
    """Settings of the run."""

    benchmark: str = Field(description="What to train on; `metarl tasks` lists the names.")
    total_timesteps: int = Field(
        default=1_200_000,
        ge=1,
        description="Environment steps, before and after adaptation together.",
    )
    max_episode_steps: int | None = Field(
        default=None, ge=1, description="Horizon; by default the benchmark's own."
    )
    seed: int = Field(default=0, ge=0, description="Seed of the training run.")
    benchmark_seed: int = Field(
        default=0,
        ge=0,
        description="Seed of the benchmark's goals, and so of the train/test split.",
    )
    num_workers: int = Field(
        default=os.cpu_count() or 1,
        ge=0,
        description="Processes that collect experience; the result is the same for any number.",
    )
    run: Path | None = Field(default=None, description="Run folder; by default named in runs/.")
    checkpoint_every: int = Field(default=10, ge=1, description="Iterations between checkpoints.")
    maml: tyro.conf.OmitArgPrefixes[MAMLConfig] = Field(
        default=MAMLConfig(), description="Settings of the algorithm."
    )


def train_maml(settings: tyro.conf.OmitArgPrefixes[TrainMAML]) -> int:
    """Meta-train a policy with MAML-TRPO (Finn et al. 2017).

    Writes a run folder with settings, split manifest, metrics and checkpoints. Ctrl-C ends after
    the iteration under way, with a checkpoint.

    Example: metarl train maml --benchmark ml1/reach-v3 --max-episode-steps 150 --inner-lr 0.05
    """
    check_benchmark_name(settings.benchmark)
    default = f"{settings.benchmark.replace('/', '-')}-maml-seed{settings.seed}"
    run = RunFolder(settings.run or Path("runs") / default)
    run.check_free()
    benchmark = _benchmark(settings.model_dump())
    agent = MAML(
        benchmark,
        seed=settings.seed,
        num_workers=settings.num_workers,
        **settings.maml.model_dump(),
    )
    config = {"algorithm": agent.algorithm, **settings.model_dump(mode="json", exclude={"run"})}
    RunFolder.create(run.path, config, benchmark.manifest())
    _OUT.print(_forecast(agent, settings.total_timesteps), highlight=False)
    _OUT.print(f"run folder: {run.path}", highlight=False)
    return train(agent, run, settings.total_timesteps, settings.checkpoint_every)


def train(agent: MAML, run: RunFolder, total_timesteps: int, checkpoint_every: int) -> int:
    """Trains with records and a live display; the first Ctrl-C or SIGTERM ends it cleanly.

    Returns:
        0, or 128 plus the signal's number.
    """
    if not run.checkpoints():
        run.save_checkpoint(agent)
    recorder = RunRecorder(run, agent.iteration, checkpoint_every)
    with _GracefulStop() as stop, agent:
        agent.learn(total_timesteps, callback=[recorder, stop], progress_bar=True)
        checkpoint = run.save_checkpoint(agent)
    recorder.close()
    if stop.received is not None:
        _ERR.print(f"stopped after iteration {agent.iteration}; checkpoint: {checkpoint}")
        return 128 + stop.received
    _OUT.print(f"done: {agent.num_timesteps:,} steps; checkpoint: {checkpoint}", highlight=False)
    _OUT.print(f"next: metarl evaluate {run.path}", highlight=False)
    return 0


def evaluate_run(
    run: Annotated[Path, tyro.conf.Positional],
    num_adaptation_steps: int = 2,
    adaptation_episodes: int = 10,
    evaluation_episodes: int = 1,
    num_tasks: int | None = None,
    split: Literal["test", "train"] = "test",
    seed: int = 0,
    num_workers: int = os.cpu_count() or 1,
) -> int:
    """Evaluate a run's newest checkpoint on held-out tasks, before and after adaptation.

    Prints a table and writes RUN/evaluation/<split>/: episodes.csv, summary.json, adaptation.png.

    Args:
        run: The run folder.
        num_adaptation_steps: Results are given after 0, 1, ... this many steps.
        adaptation_episodes: Episodes of experience before each step.
        evaluation_episodes: Episodes counted per task and step.
        num_tasks: Tasks to evaluate on; by default all.
        split: Held-out tasks, or those trained on.
        seed: Seed of the evaluation's randomness.
        num_workers: Processes that collect experience.
    """
    agent = load_run(run)
    benchmark = agent.benchmark
    with Progress(console=_ERR, transient=True) as bar:
        line = bar.add_task("evaluating")
        evaluation = evaluate(
            agent,
            benchmark.test if split == "test" else benchmark.train,
            num_tasks=num_tasks,
            num_adaptation_steps=num_adaptation_steps,
            adaptation_episodes=adaptation_episodes,
            evaluation_episodes=evaluation_episodes,
            seed=seed,
            num_workers=num_workers,
            progress=lambda done, total: bar.update(line, completed=done, total=total),
        )
    print_evaluation(evaluation, f"{benchmark.name}, {split} tasks, iteration {agent.iteration}")
    folder = evaluation.save(run / "evaluation" / split)
    _OUT.print(f"rows, summary and figure: {folder}", highlight=False)
    return 0


def load_run(path: Path, *, num_workers: int = 0) -> MAML:
    """Loads the newest checkpoint of a run folder, on the benchmark that the run names.

    Raises:
        CheckpointError: If the folder isn't a run's, or holds no checkpoint.
        ManifestMismatchError: If the benchmark isn't the one that the run was trained on.
    """
    run = RunFolder(path)
    config = run.config()
    checkpoint = run.latest_checkpoint()
    try:
        benchmark = _benchmark(config)
    except KeyError as error:
        raise CheckpointError(f"{path / 'config.yaml'}: lacks {error}") from None
    return MAML.load(checkpoint, benchmark, num_workers=num_workers)


def print_evaluation(evaluation: Evaluation, title: str) -> None:
    """Prints the summary of an evaluation."""
    _OUT.print(evaluation.table(title))
    _OUT.print("mean action; mean over tasks [95 % interval, bootstrap over tasks]", style="dim")


def list_tasks() -> int:
    """List the benchmarks, their families, and how many goals they hold."""
    table = Table(title="Benchmarks")
    for heading in ("--benchmark", "what", "train", "held out"):
        table.add_column(heading)
    for entry in BENCHMARKS:
        table.add_row(entry.name, entry.description, entry.train, entry.test)
    _OUT.print(table)
    families = sorted({family for entry in BENCHMARKS for family in entry.families})
    _OUT.print(f"<family> is one of {len(families)}:", " ".join(families), highlight=False)
    return 0


def _train_help() -> int:
    """Meta-train a policy: `metarl train maml --help`."""
    return main(["train", "--help"])


_ALGORITHMS: dict[str, Callable[..., int]] = {"maml": train_maml}
_COMMANDS: dict[str, Callable[..., int]] = {
    "train": _train_help,
    "evaluate": evaluate_run,
    "tasks": list_tasks,
}
_DESCRIPTION = (
    "Meta-reinforcement learning for robots: train policies that adapt, and measure on held-out "
    "tasks what adaptation is worth."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments == ["--version"]:
        _OUT.print(f"metarl {version('metarl')}", highlight=False)
        return 0
    training = arguments[:1] == ["train"]
    try:
        code: int = tyro.extras.subcommand_cli_from_dict(
            _ALGORITHMS if training else _COMMANDS,
            prog="metarl train" if training else "metarl",
            description=_DESCRIPTION,
            args=arguments[1:] if training else arguments,
            sort_subcommands=False,
        )
    except MetarlError as error:
        _ERR.print(f"[bold red]error:[/] {type(error).__name__}", highlight=False)
        _ERR.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return code


class _GracefulStop:
    """A callback that ends training after the iteration in which a signal came.

    The second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _GracefulStop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self, agent: Agent, figures: Mapping[str, float]) -> bool:
        del agent, figures
        return self.received is None

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
        _ERR.print("finishing this iteration, then saving; once more to leave at once")


def _benchmark(config: Mapping[str, Any]) -> Benchmark:
    settings = {}
    if config["max_episode_steps"] is not None:
        settings["max_episode_steps"] = config["max_episode_steps"]
    return make_benchmark(config["benchmark"], seed=config["benchmark_seed"], **settings)


def _forecast(agent: MAML, total_timesteps: int) -> str:
    """One line on what a run will take, from a short trial of the environment."""
    train = agent.benchmark.train
    tasks = train.sample(1, np.random.default_rng(0))
    rows, steps = agent.config.episodes_per_task, 25
    vec = train.make_vec(tasks, rows)
    began = time.perf_counter()
    vec.reset()
    resetting = time.perf_counter() - began
    actions = np.stack([train.action_space.sample() for _ in range(rows)])
    began = time.perf_counter()
    for _ in range(min(steps, train.max_episode_steps)):
        vec.step(actions)
    stepping = (time.perf_counter() - began) / min(steps, train.max_episode_steps)
    vec.close()
    per_step = (stepping + resetting / train.max_episode_steps) / rows
    per_iteration = agent.timesteps_per_iteration
    iterations = -(-total_timesteps // per_iteration)
    cores = min(max(1, agent.num_workers), os.cpu_count() or 1)
    minutes = iterations * per_iteration * per_step / cores / 60
    return (
        f"{iterations} iterations of {per_iteration:,} steps; simulation takes about "
        f"{minutes:.1f} min ({1e6 * per_step:.0f} us a step, {cores} cores), updates come on top"
    )


if __name__ == "__main__":
    sys.exit(main())
