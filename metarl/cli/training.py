"""`metarl train`."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import numpy as np
from pydantic import Field, create_model

from metarl.agent import Agent
from metarl.agents import MetaPolicyGradient
from metarl.cli.loading import benchmark_of, check_name
from metarl.cli.output import ERR, say
from metarl.config import Config
from metarl.display import LiveDisplay
from metarl.runs import RunFolder, RunRecorder

AnyAgent: TypeAlias = MetaPolicyGradient[Any]


class RunConfig(Config):
    """Settings of a training run, whatever the algorithm."""

    benchmark: str = Field(
        description="What to train on: a name that `metarl tasks` lists, or module:NAME."
    )
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
    device: str = Field(default="cpu", description="Where updates are computed: cpu, cuda, cuda:1.")
    run: Path | None = Field(default=None, description="Run folder; by default named in runs/.")
    checkpoint_every: int = Field(default=10, ge=1, description="Iterations between checkpoints.")


def config_type(agent_type: type[AnyAgent]) -> type[RunConfig]:
    """The settings of a run of this agent: the run's own, and the agent's under ``agent``."""
    inner = agent_type.config_type
    made: type[RunConfig] = create_model(
        f"Train{agent_type.__name__}",
        __base__=RunConfig,
        __doc__=RunConfig.__doc__,
        agent=(inner, Field(default=inner(), description="Settings of the algorithm.")),
    )
    return made


def training_command(agent_type: type[AnyAgent]) -> Callable[..., int]:
    """The command ``metarl train <algorithm>``."""

    def command(settings: Any) -> int:
        return _train_from_settings(agent_type, settings)

    summary = (agent_type.__doc__ or "").splitlines()[0]
    command.__doc__ = f"""Meta-train a policy with {summary}

    Writes a run folder with settings, split manifest, metrics and checkpoints. Ctrl-C ends after
    the iteration under way, with a checkpoint.

    Example: metarl train {agent_type.algorithm} --benchmark ml1/reach-v3 --max-episode-steps 150
    """
    command.__annotations__ = {"settings": config_type(agent_type), "return": int}
    return command


def _train_from_settings(agent_type: type[AnyAgent], settings: Any) -> int:
    check_name(settings.benchmark)
    algorithm = agent_type.algorithm
    default = f"{re.sub('[/:]', '-', settings.benchmark)}-{algorithm}-seed{settings.seed}"
    run = RunFolder(settings.run or Path("runs") / default)
    run.check_free()
    benchmark = benchmark_of(settings.model_dump())
    agent = agent_type(
        benchmark,
        seed=settings.seed,
        num_workers=settings.num_workers,
        device=settings.device,
        **settings.agent.model_dump(),
    )
    config = {"algorithm": algorithm, **settings.model_dump(mode="json", exclude={"run"})}
    RunFolder.create(run.path, config, benchmark.manifest())
    say(_forecast(agent, settings.total_timesteps))
    say(f"run folder: {run.path}")
    return train(agent, run, settings.total_timesteps, settings.checkpoint_every)


def train(agent: AnyAgent, run: RunFolder, total_timesteps: int, checkpoint_every: int) -> int:
    """Trains with records and a live display; the first Ctrl-C or SIGTERM ends it cleanly.

    Returns:
        0, or 128 plus the signal's number.
    """
    if not run.checkpoints():
        run.save_checkpoint(agent)
    recorder = RunRecorder(run, agent.iteration, checkpoint_every)
    display = LiveDisplay(total_timesteps, agent.num_timesteps, ERR)
    with _GracefulStop() as stop, agent, display:
        agent.learn(total_timesteps, callback=[recorder, display, stop])
        checkpoint = run.save_checkpoint(agent)
    recorder.close()
    if stop.received is not None:
        say(f"stopped after iteration {agent.iteration}; checkpoint: {checkpoint}", ERR)
        return 128 + stop.received
    say(f"done: {agent.num_timesteps:,} steps; checkpoint: {checkpoint}")
    say(f"next: metarl evaluate {run.path}")
    return 0


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
        ERR.print("finishing this iteration, then saving; once more to leave at once")


def _forecast(agent: AnyAgent, total_timesteps: int) -> str:
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
    seconds = iterations * per_iteration * per_step / cores
    duration = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    return (
        f"{iterations} iterations of {per_iteration:,} steps: about {duration} of simulation on "
        f"{cores} cores ({1e6 * per_step:.0f} us a step), plus the updates"
    )
