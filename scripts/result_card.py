"""Runs a recipe over its seeds and writes its result card.

Usage: .venv/bin/python scripts/result_card.py ml1-reach [--runs DIR] [--workers N]
           [--variants MAML control] [--seeds 0 1]

Runs that are there are gone on with, evaluations that are there are kept. Writes
results/NAME.md, .json and pictures; with --train-only it stops before the card.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from recipe_runs import CORES, ROOT, evaluate_run, run_folder, train_or_resume

from metarl.cli.cards import entry_of, make_card, save_card
from metarl.recipes import load_recipe, recipe_names


def main() -> None:
    """Trains what isn't trained, evaluates, writes the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=recipe_names())
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="where runs lie")
    parser.add_argument("--workers", type=int, default=CORES, help="processes")
    parser.add_argument("--variants", nargs="+", help="only these")
    parser.add_argument("--seeds", nargs="+", type=int, help="other seeds than the recipe's")
    parser.add_argument("--train-only", action="store_true", help="no evaluation, no card")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    seeds = options.seeds or recipe.seeds
    entries = {}
    for variant in options.variants or recipe.variants:
        folders = [run_folder(recipe, variant, seed, options.runs) for seed in seeds]
        for seed, folder in zip(seeds, folders, strict=True):
            stopped = train_or_resume(recipe, variant, seed, options.runs, options.workers)
            if not (stopped or options.train_only):
                stopped = evaluate_run(folder, recipe.evaluation, "test", options.workers)
            if stopped:
                raise SystemExit("interrupted; call again to go on")
        if not options.train_only:
            entries[variant] = entry_of(folders)
    if entries:
        command = f"python scripts/result_card.py {recipe.name}"
        card = make_card(recipe.title, [command], entries, folders[0], [recipe.note])
        print(save_card(card, ROOT / "results" / recipe.name))


if __name__ == "__main__":
    main()
