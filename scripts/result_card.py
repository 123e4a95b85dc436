"""Runs a recipe over three seeds and writes its result card.

Usage: .venv/bin/python scripts/result_card.py ml1-reach [--runs DIR] [--workers N]

Runs that are trained already are only evaluated. Writes results/NAME.md, .json and .png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from recipes import (
    CORES,
    RECIPES,
    ROOT,
    SEEDS,
    evaluate_run,
    run_folder,
    train_or_resume,
)
from rich.console import Console

from metarl.cli.cards import entry_of, make_card, save_card


def main() -> None:
    """Trains what isn't trained, evaluates, writes the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--workers", type=int, default=CORES)
    options = parser.parse_args()
    recipe = RECIPES[options.recipe]
    entries = {}
    for variant in recipe.variants:
        for seed in SEEDS:
            where = (recipe, variant, seed, options.runs, options.workers)
            if train_or_resume(*where, Console()):
                raise SystemExit("training was interrupted; call again to go on")
            evaluate_run(*where)
        folders = [run_folder(recipe, variant, seed, options.runs) for seed in SEEDS]
        entries[variant] = entry_of(folders)
    command = f"python scripts/result_card.py {recipe.name}"
    card = make_card(recipe.title, [command], entries, folders[0], [recipe.note])
    print(save_card(card, ROOT / "results" / recipe.name))


if __name__ == "__main__":
    main()
