"""`metarl train`."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from metarl.cli.output import ERR, say, warnings_go_to
from metarl.cli.stopping import GracefulStop
from metarl.config import check
from metarl.display import LiveDisplay
from metarl.recipes.loading import benchmark_of
from metarl.recipes.settings import AnyAgent, config_type, written_settings
from metarl.runs import OnDiskError, RunFolder, RunRecorder


def training_command(agent_type: type[AnyAgent]) -> Callable[..., Callable[[], int]]:
    """The command ``metarl train <algorithm>``; it gives what is then to be done.

    Its settings may have been made while checks were put off.
    """

    def command(settings: Any) -> Callable[[], int]:
        return lambda: train_from_settings(agent_type, check(settings))

    summary = (agent_type.__doc__ or "").splitlines()[0]
    command.__doc__ = f"""Meta-train a policy with {summary}

    Writes a run folder with settings, split manifest, metrics and checkpoints. Ctrl-C finishes the
    job at hand and leaves a checkpoint; `metarl train --resume RUN` goes on from there.

    Example: metarl train {agent_type.algorithm} --benchmark ml1/reach-v3 --max-episode-steps 150
    """
    command.__annotations__ = {"settings": config_type(agent_type), "return": Callable[[], int]}
    return command


def train_from_settings(agent_type: type[AnyAgent], settings: Any, name: str | None = None) -> int:
    """Begins a run and trains to its end.

    Args:
        agent_type: The algorithm.
        settings: Of the run.
        name: Of its folder, less the seed, where the settings give no path.
    """
    default = name or f"{re.sub('[/:]', '-', settings.benchmark)}-{agent_type.algorithm}"
    folder = settings.run or Path("runs") / f"{default}-seed{settings.seed}"
    run = RunFolder(folder, settings.retention)
    run.check_free()  # before the agent is made, which may take a while
    agent = make_agent(agent_type, settings)
    with run.begin(written_settings(agent_type, settings), agent.benchmark.manifest()):
        run.history.add("begun")
        say(_forecast(agent, settings.total_timesteps))
        say(f"run folder: {run.path}")
        return train(
            agent,
            run,
            settings.total_timesteps,
            settings.checkpoint_every,
            settings.on_disk_error,
        )


def make_agent(agent_type: type[AnyAgent], settings: Any) -> AnyAgent:
    """A new agent with these settings."""
    return agent_type(
        benchmark_of(settings.model_dump()),
        seed=settings.seed,
        num_workers=settings.num_workers,
        worker_timeout=settings.worker_timeout,
        device=settings.device,
        **settings.agent.model_dump(),
    )


def train(
    agent: AnyAgent,
    run: RunFolder,
    total_timesteps: int,
    checkpoint_every: int = 1,
    on_disk_error: OnDiskError = "retry",
) -> int:
    """Trains with records and a live display; the first Ctrl-C or SIGTERM ends it cleanly.

    The caller holds the run's lock.

    Returns:
        0, or 128 plus the signal's number.
    """
    recorder = RunRecorder(run, agent.iteration, checkpoint_every, on_disk_error)
    display = LiveDisplay(total_timesteps, agent.num_timesteps, ERR)
    with GracefulStop(agent) as stop, recorder, warnings_go_to(partial(_remember, run)), agent:
        if not run.checkpoints():
            run.save_checkpoint(agent)
        with display:
            agent.learn(total_timesteps, callback=[recorder, display])
        checkpoint = recorder.finish(agent)
        stopped = stop.received is not None
        run.history.add("stopped" if stopped else "done", iteration=agent.iteration)
    if stop.received is not None:
        say(f"stopped after iteration {agent.iteration}; checkpoint: {checkpoint}", ERR)
        say(f"to go on: metarl train --resume {shlex.quote(str(run.path))}", ERR)
        return 128 + stop.received
    say(f"done: {agent.num_timesteps:,} steps; checkpoint: {checkpoint}")
    say(f"next: metarl evaluate {shlex.quote(str(run.path))}")
    return 0


def _remember(run: RunFolder, message: str) -> None:
    with suppress(OSError):  # it has been printed, and may be about the disk itself
        run.history.add("warning", message=message)


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
