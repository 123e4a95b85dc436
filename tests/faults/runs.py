"""A tiny training run, and all that must be the same however often it was disturbed."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

ITERATIONS = 8
STEPS_PER_ITERATION = 3 * 2 * 6 * 2


def tiny_run(run: Path, *further: object, workers: int = 0) -> list[object]:
    """Arguments of the command that begins it."""
    return [
        *("train", "maml", "--benchmark", "navigation", "--max-episode-steps", 6, "--run", run),
        *("--meta-batch-size", 3, "--episodes-per-task", 2, "--hidden-sizes", 4),
        *("--total-timesteps", ITERATIONS * STEPS_PER_ITERATION, "--num-workers", workers),
        *further,
    ]


def resumed(run: Path, workers: int = 0) -> list[object]:
    """Arguments of the command that goes on with it."""
    return ["train", "--resume", run, "--num-workers", workers]


@dataclass(frozen=True)
class Outcome:
    """Parameters to the bit, state (from which random streams follow), figures, what is kept."""

    tensors: bytes
    state: str
    metrics: list[dict[str, str]]
    checkpoints: list[str]
    marks: object
    config: object


def outcome_of(run: Path) -> Outcome:
    newest = max((run / "checkpoints").glob("iteration-*"))
    with (run / "metrics.csv").open(newline="") as file:
        rows = [
            {k: value for k, value in row.items() if not k.startswith(("time/", "memory/"))}
            for row in csv.DictReader(file)
        ]
    config = yaml.safe_load((run / "config.yaml").read_text())
    return Outcome(
        tensors=(newest / "params.safetensors").read_bytes(),
        state=(newest / "state.json").read_text(),
        metrics=rows,
        checkpoints=sorted(path.name for path in (run / "checkpoints").iterdir()),
        marks=json.loads((run / "checkpoints.json").read_text()),
        config={name: value for name, value in config.items() if "worker" not in name},
    )


def left_over(run: Path) -> list[str]:
    """Names of hidden files, which only a killed writer leaves."""
    return [str(path) for path in run.rglob(".*")]
