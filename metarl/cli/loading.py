"""From a run folder back to its benchmark and agent."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metarl.agents import ALGORITHMS, MetaPolicyGradient
from metarl.envs import make_benchmark
from metarl.envs.discovery import is_reference
from metarl.envs.registry import check_benchmark_name
from metarl.errors import CheckpointError, EvaluationError
from metarl.evaluation import Evaluation
from metarl.runs import RunFolder
from metarl.tasks import Benchmark


def load_run(path: Path, *, num_workers: int = 0, device: str = "cpu") -> MetaPolicyGradient[Any]:
    """Loads the newest checkpoint of a run folder, on the benchmark that the run names.

    Raises:
        CheckpointError: If the folder isn't a run's, or holds no checkpoint.
        ManifestMismatchError: If the benchmark isn't the one that the run was trained on.
    """
    run = RunFolder(path)
    config = run.config()
    checkpoint = run.latest_checkpoint()
    try:
        benchmark = benchmark_of(config)
        algorithm = config["algorithm"]
    except KeyError as error:
        raise CheckpointError(f"{path / 'config.yaml'}: lacks {error}") from None
    if algorithm not in ALGORITHMS:
        raise CheckpointError(
            f"{path / 'config.yaml'}: algorithm: got {algorithm!r}; known: {', '.join(ALGORITHMS)}."
        )
    return ALGORITHMS[algorithm].load(checkpoint, benchmark, num_workers=num_workers, device=device)


def check_name(name: str) -> None:
    """Checks a benchmark's name; ``module:NAME`` may be in the current folder.

    Raises:
        ConfigError: If it leads to nothing.
    """
    here = str(Path.cwd())
    if is_reference(name) and here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    check_benchmark_name(name)


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
