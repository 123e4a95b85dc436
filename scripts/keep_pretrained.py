"""Puts policies of trained recipes into the package, to be loaded by name.

Usage: .venv/bin/python scripts/keep_pretrained.py ml1-reach MAML [--runs DIR]

Of the seeds it takes the one whose training ended best: the highest return after adaptation
on the training tasks of the last iterations. The run must have been evaluated.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
from recipe_runs import ROOT, run_folder

from metarl.cli.resuming import run_name
from metarl.recipes import load_recipe, recipe_names
from metarl.recipes.pretrained import PRETRAINED
from metarl.runs import RunFolder

LAST_ITERATIONS = 5
FILES = ("config.yaml", "manifest.json", "versions.json")
EVALUATION = ("rows.csv", "evaluation.json", "summary.json")


def main() -> None:
    """Chooses the run, copies what is needed of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=recipe_names())
    parser.add_argument("variant")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="where runs lie")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    folders = [run_folder(recipe, options.variant, seed, options.runs) for seed in recipe.seeds]
    best = max(folders, key=return_in_the_end)
    target = PRETRAINED / run_name(recipe.name, options.variant)
    shutil.rmtree(target, ignore_errors=True)
    for name in (*FILES, *(f"evaluation/test/{name}" for name in EVALUATION)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(best / name, target / name)
    checkpoint = RunFolder(best).latest_checkpoint()
    shutil.copytree(checkpoint, target / "checkpoints" / checkpoint.name)
    print(f"{best.name} -> {target.relative_to(ROOT)}")


def return_in_the_end(run: Path) -> float:
    """Mean return after adaptation over the last iterations of training."""
    with (run / "metrics.csv").open(newline="") as file:
        returns = [float(line["post/return"]) for line in csv.DictReader(file)]
    return float(np.mean(returns[-LAST_ITERATIONS:]))


if __name__ == "__main__":
    main()
