"""From settings and run folders to benchmarks and agents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.envs import make_benchmark
from metarl.errors import ConfigError
from metarl.recipes.settings import AnyAgent, check_name, settings_of
from metarl.runs import RunFolder
from metarl.tasks import Benchmark, TaskDistribution


def load_run(
    path: str | Path, *, checkpoint: str = "latest", num_workers: int = 0, device: str = "cpu"
) -> AnyAgent:
    """Loads a checkpoint of a run folder, on the benchmark that the run names.

    Args:
        path: The run folder.
        checkpoint: ``latest``, ``best``, or an iteration. Where the latest is damaged, the newest
            that is whole is taken, with a warning.
        num_workers: Processes that collect experience.
        device: Where updates are computed.

    Raises:
        CheckpointError: If the folder isn't a run's, or holds no such checkpoint.
        ManifestMismatchError: If the benchmark isn't the one that the run was trained on.
    """
    run = RunFolder(path)
    agent_type, settings = settings_of(run)
    folder = run.checkpoint(checkpoint)
    return agent_type.load(
        folder, benchmark_of(settings.model_dump()), num_workers=num_workers, device=device
    )


def benchmark_of(config: Mapping[str, Any]) -> Benchmark:
    """Builds the benchmark that a run's settings name."""
    check_name(config["benchmark"])
    settings = {}
    if config["max_episode_steps"] is not None:
        settings["max_episode_steps"] = config["max_episode_steps"]
    return make_benchmark(config["benchmark"], seed=config["benchmark_seed"], **settings)


def with_horizon(run: Path, max_episode_steps: int) -> Benchmark:
    """Builds the benchmark of a run with another horizon.

    Raises:
        CheckpointError: If the folder isn't a run's.
    """
    return benchmark_of({**RunFolder(run).config(), "max_episode_steps": max_episode_steps})


def new_goals(config: Mapping[str, Any], benchmark: Benchmark) -> TaskDistribution:
    """Tasks of the families trained on that training never saw: those of the next benchmark seed.

    What a benchmark such as ML10 holds out is whole families; this tells how far the policy
    generalises within those that it knows.

    Args:
        config: The run's settings.
        benchmark: The benchmark that they name.

    Raises:
        ConfigError: If another seed gives the same tasks, or there are infinitely many.
    """
    seed = config["benchmark_seed"] + 1
    horizon = benchmark.train.max_episode_steps
    other = benchmark_of({**config, "benchmark_seed": seed, "max_episode_steps": horizon}).train
    trained = benchmark.train.tasks
    if other.tasks is None or trained is None:
        raise ConfigError(
            f"split: got 'new-goals'; {benchmark.name} has infinitely many, all of them new: use "
            "test."
        )
    if {task.digest for task in other.tasks} & {task.digest for task in trained}:
        raise ConfigError(
            f"split: got 'new-goals'; {benchmark.name} has the same tasks under every seed."
        )
    return other
