"""Puts policies of trained recipes into the package, to be loaded by name.

Usage: .venv/bin/python scripts/keep_pretrained.py ml1-reach MAML [--runs DIR]

Of the seeds it takes the one whose training ended best: the highest return after adaptation
on the training tasks of the last iterations. The run must have been evaluated since it ended. What
the package held before is replaced at once, when all that replaces it is there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from recipe_runs import (
    ROOT,
    exit_code_of,
    is_of_newest_checkpoint,
    run_folder,
    seeds_of,
    variant_named,
)

from metarl.cli.loading import load_evaluation
from metarl.cli.metrics import read_metrics
from metarl.cli.resuming import run_name
from metarl.errors import CheckpointError, EvaluationError
from metarl.recipes import load_recipe, recipe_names
from metarl.recipes.pretrained import PRETRAINED
from metarl.runs import RunFolder

LAST_ITERATIONS = 5
FILES = ("config.yaml", "manifest.json", "versions.json")
EVALUATION = ("rows.csv", "evaluation.json", "summary.json")


def main() -> int:
    """Chooses the run, copies what is needed of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=recipe_names())
    parser.add_argument("variant")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="where runs lie")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    variant = variant_named(recipe, options.variant)
    seeds = seeds_of(recipe, variant)
    folders = [run_folder(recipe, variant, seed, options.runs) for seed in seeds]
    best = max(folders, key=return_in_the_end)
    target = PRETRAINED / run_name(recipe.name, variant)
    keep(best, target)
    print(f"{best.name} -> {target}")
    return 0


def keep(run: Path, target: Path) -> None:
    """Copies what is needed of a run to where a pretrained policy lies, or changes nothing there.

    Raises:
        CheckpointError: If the run has no whole checkpoint.
        EvaluationError: If it isn't evaluated, or has gone on since.
    """
    checkpoint = RunFolder(run).latest_checkpoint()
    if not is_of_newest_checkpoint(load_evaluation(run), run):
        raise EvaluationError(
            f"{run}: went on since its evaluation; first `metarl evaluate {run}`."
        )
    # Beside the folder of policies: whatever lies in that one counts as a policy.
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as temporary:
        new, old = Path(temporary, "new"), Path(temporary, "old")
        for name in (*FILES, *(f"evaluation/test/{name}" for name in EVALUATION)):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            if name.endswith(".json"):  # half of a large manifest is indentation
                data = json.loads((run / name).read_text())
                written = json.dumps(data, separators=(",", ":"))
                (new / name).write_text(f"{written}\n")
            else:
                shutil.copy(run / name, new / name)
        shutil.copytree(checkpoint, new / "checkpoints" / checkpoint.name)
        if target.exists():
            target.rename(old)
        new.rename(target)


def return_in_the_end(run: Path) -> float:
    """Mean return after adaptation over the last iterations of training.

    Raises:
        CheckpointError: If the run recorded none.
    """
    returns = read_metrics(run).get("post/return")
    if not returns:
        raise CheckpointError(f"{run}: recorded no return after adaptation; train it first.")
    return float(np.mean(returns[-LAST_ITERATIONS:]))


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
