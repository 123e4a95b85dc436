"""Runs a recipe over its seeds and writes its result card.

Usage: .venv/bin/python scripts/result_card.py ml1-reach [--runs DIR] [--workers N]
           [--variants MAML control] [--seeds 0 1]

Runs that are there are gone on with, evaluations that are there are kept. Writes
results/NAME.md, .json and pictures; with --train-only it stops before the card.
"""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import card_figures
from recipe_runs import (
    CORES,
    ROOT,
    evaluate_run,
    exit_code_of,
    run_folder,
    seeds_of,
    train_or_resume,
    upstream_rate,
    variant_named,
)

from metarl.cli.cards import entry_of, make_card, save_card
from metarl.evaluation.cards import UpstreamRow
from metarl.recipes import Recipe, load_recipe, recipe_names
from metarl.runs import RunFolder

SIGNALLED = 128
"""Exit codes above this are that and a signal's number."""

OWN_RATE = "own-rate"
"""An evaluation in which each run is adapted at the step size that suits it best."""

EXTRA = {
    OWN_RATE: card_figures.OWN_RATE,
    "train": "Families and goals trained on",
    "new-goals": "Families trained on, goals that training never saw",
}


def main() -> int:
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
    folders: dict[str, list[Path]] = {}
    for variant in [variant_named(recipe, one) for one in options.variants or recipe.variants]:
        seeds = options.seeds or seeds_of(recipe, variant)
        folders[variant] = [run_folder(recipe, variant, seed, options.runs) for seed in seeds]
        for seed in seeds:
            go_on(train_or_resume(recipe, variant, seed, options.runs, options.workers))
    if not options.train_only:
        words = ["python", "scripts/result_card.py", recipe.name]
        words += ["--variants", *options.variants] if options.variants else []
        words += ["--seeds", *map(str, options.seeds)] if options.seeds else []
        print(write_card(recipe, folders, options.workers, shlex.join(words)))
    return 0


def write_card(
    recipe: Recipe, folders: Mapping[str, Sequence[Path]], workers: int, command: str
) -> Path:
    """Evaluates the runs of each variant as the recipe says, and puts them on its card."""
    extra_protocol = recipe.evaluation.model_copy(update={"num_tasks": recipe.num_extra_tasks})
    own_rate = recipe.evaluation.model_copy(update={"adaptation_lrs": recipe.adaptation_lrs})
    extra = [OWN_RATE] if recipe.adaptation_lrs else []
    extra += [split for split in EXTRA if split in recipe.extra]
    for run in itertools.chain.from_iterable(folders.values()):
        go_on(evaluate_run(run, recipe.evaluation, "test", workers))
        if OWN_RATE in extra:
            go_on(evaluate_run(run, own_rate, "test", workers, OWN_RATE))
        for split in recipe.extra:
            go_on(evaluate_run(run, extra_protocol, split, workers))
    rates = [
        UpstreamRow(variant, step, upstream_rate(run, step), seed_of(run))
        for variant, runs in folders.items()
        for run in runs
        for step in recipe.upstream_steps
    ]
    card = make_card(
        recipe.title,
        [command],
        {variant: entry_of(runs) for variant, runs in folders.items()},
        next(iter(folders.values()))[0],
        [recipe.note] if recipe.note else [],
        extra={
            EXTRA[name]: {v: entry_of(runs, split=name) for v, runs in folders.items()}
            for name in extra
        },
        upstream={"metaworld.evaluation on the test families": rates} if rates else {},
        reasons=recipe.reasons,
    )
    return save_card(card, ROOT / "results" / recipe.name)


def go_on(code: int) -> None:
    """Ends the script where a training or evaluation was refused or interrupted."""
    if code > SIGNALLED:
        raise SystemExit("interrupted; call again to go on")
    if code:
        raise SystemExit(code)


def seed_of(run: Path) -> int:
    """The seed that a run's settings name."""
    return int(RunFolder(run).config()["seed"])


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
