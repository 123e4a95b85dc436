"""Runs of a recipe: trained or gone on with, evaluated, each where its name says."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from metarl.cli import main
from metarl.cli.loading import Split, evaluation_folder, load_evaluation
from metarl.cli.output import ERR, say
from metarl.cli.resuming import run_name
from metarl.cli.upstream import run_as_upstream
from metarl.errors import EvaluationError, MetarlError, RunChangedError, UnknownNameError
from metarl.evaluation import Evaluation
from metarl.evaluation.protocol import EvaluationProtocol
from metarl.recipes import Recipe, load_run
from metarl.runs import RunFolder
from metarl.storage import read_json, write_json

ROOT = Path(__file__).resolve().parent.parent
CORES = os.cpu_count() or 1


def exit_code_of(script: Callable[[], int]) -> int:
    """Runs a script; an error that a user can meet is told as the ``metarl`` command tells it."""
    try:
        return script()
    except MetarlError as error:
        told = [f"error: {type(error).__name__}", str(error), *getattr(error, "__notes__", [])]
        say("\n".join(told), ERR)
        return 2


def variant_named(recipe: Recipe, name: str) -> str:
    """A recipe's variant by its name, in capitals or not.

    Raises:
        UnknownNameError: If there is none.
    """
    names = {one.lower(): one for one in recipe.variants}
    if name.lower() not in names:
        raise UnknownNameError("variant", name.lower(), names)
    return names[name.lower()]


def seeds_of(recipe: Recipe, variant: str) -> tuple[int, ...]:
    """The seeds of a variant's runs: its own, or else the recipe's."""
    return recipe.variants[variant].seeds or recipe.seeds


def run_folder(recipe: Recipe, variant: str, seed: int, runs: Path) -> Path:
    """Where one run lies."""
    return runs / f"{run_name(recipe.name, variant)}-seed{seed}"


def train_or_resume(recipe: Recipe, variant: str, seed: int, runs: Path, workers: int) -> int:
    """Trains one run, or what is left of it; returns the exit code.

    Raises:
        RunChangedError: If there is a run with other settings in its place.
    """
    path = run_folder(recipe, variant, seed, runs)
    run = RunFolder(path)
    processes = ["--num-workers", str(workers)]
    if not (path / "config.yaml").exists():
        words = ["train", "--recipe", recipe.name, "--variant", variant, "--seed", str(seed)]
        return main([*words, "--run", str(path), *processes])
    if not recipe.agrees_with(run.config(), variant):
        raise RunChangedError(f"{path}: was trained with other settings than the recipe's.")
    _, settings = recipe.settings(variant)
    if run.checkpoints() and load_run(path).num_timesteps >= settings.total_timesteps:
        return 0
    steps = ["--total-timesteps", str(settings.total_timesteps)]
    return main(["train", "--resume", str(path), *steps, *processes])


def evaluate_run(
    path: Path, protocol: EvaluationProtocol, split: Split, workers: int, name: str = ""
) -> int:
    """Evaluates a run's newest checkpoint, if that isn't done already; returns the exit code.

    Args:
        path: The run's folder.
        protocol: How.
        split: On which tasks.
        workers: Processes.
        name: Of the evaluation in ``RUN/evaluation/``, if it isn't the split's.
    """
    try:
        done = load_evaluation(path, name or split)
    except EvaluationError:
        pass
    else:
        if done.protocol == protocol and is_of_newest_checkpoint(done, path):
            return 0
    words = ["evaluate", str(path), "--num-workers", str(workers), "--split", split]
    words += ["--output", str(evaluation_folder(path, name))] if name else []
    for name, value in protocol.model_dump(mode="json", exclude_defaults=True).items():
        values = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return main(words)


def upstream_rate(path: Path, steps: int) -> float:
    """What ``metaworld.evaluation`` says of a run after so many steps, by its own protocol.

    It is kept beside the run's evaluation, until the run goes on.
    """
    kept = path / "evaluation" / f"upstream-{steps}.json"
    agent = load_run(path)
    if kept.exists():
        result = read_json(kept)
        if result["iteration"] == agent.iteration:
            return float(result["success_rate"])
    protocol = EvaluationProtocol.preset("metaworld", num_adaptation_steps=steps)
    found = run_as_upstream(path, agent, protocol)
    write_json(kept, {"iteration": agent.iteration, **asdict(found)})
    return found.success_rate


def is_of_newest_checkpoint(evaluation: Evaluation, path: Path) -> bool:
    """Whether a run hasn't gone on since it was evaluated."""
    newest = RunFolder(path).latest_checkpoint().name
    return newest == f"iteration-{int(evaluation.header.subject['iteration']):06d}"
