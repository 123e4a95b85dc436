"""From settings and run folders to benchmarks and agents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.cli.settings import AnyAgent, check_name, settings_of
from metarl.envs import make_benchmark
from metarl.errors import EvaluationError
from metarl.evaluation import Evaluation
from metarl.runs import RunFolder
from metarl.tasks import Benchmark


def load_run(
    path: Path, *, checkpoint: str = "latest", num_workers: int = 0, device: str = "cpu"
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


def load_evaluation(run: Path, split: str = "test", control: str = "") -> Evaluation:
    """Loads what `metarl evaluate` wrote into a run folder.

    Args:
        run: The run folder.
        split: Held-out tasks (``"test"``), or those trained on (``"train"``).
        control: Name of a control, for its rows instead of the run's.

    Raises:
        EvaluationError: If the run isn't evaluated, or its rows are damaged.
    """
    folder = evaluation_folder(run, split, control)
    if not folder.is_dir():
        raise EvaluationError(f"{run}: isn't evaluated; first `metarl evaluate {run}`.")
    return Evaluation.load(folder)


def evaluation_folder(run: Path, split: str = "test", control: str = "") -> Path:
    """Where the rows of a run lie, or those of one of its controls."""
    folder = run / "evaluation" / split
    return folder / "controls" / control if control else folder
