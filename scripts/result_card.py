"""Runs a recipe over three seeds and writes its result card.

Usage: .venv/bin/python scripts/result_card.py ml1-reach [--runs DIR] [--workers N]

Runs that are trained already are only evaluated. Writes results/NAME.md, .json and .png.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from recipes import (
    CORES,
    RECIPES,
    ROOT,
    SEEDS,
    Recipe,
    evaluate_run,
    run_folder,
    train_or_resume,
)
from rich.console import Console
from scipy.stats import bootstrap

from metarl.evaluation import Evaluation
from metarl.evaluation.figures import adaptation_figure

FIELDS = {
    "success_final": ("success at the last step, %", 100.0, 0),
    "success_any": ("success at any step, %", 100.0, 0),
    "episode_return": ("return", 1.0, 1),
}


def main() -> None:
    """Trains what isn't trained, evaluates, writes the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--workers", type=int, default=CORES)
    options = parser.parse_args()
    recipe = RECIPES[options.recipe]
    found: dict[str, list[Evaluation]] = {}
    for variant in recipe.variants:
        for seed in SEEDS:
            where = (recipe, variant, seed, options.runs, options.workers)
            if train_or_resume(*where, Console()):
                raise SystemExit("training was interrupted; call again to go on")
            found.setdefault(variant, []).append(evaluate_run(*where))
    write_card(recipe, found, options.runs)


def write_card(recipe: Recipe, found: dict[str, list[Evaluation]], runs: Path) -> None:
    """Writes the card as JSON, as Markdown and as a picture."""
    folders = {v: [run_folder(recipe, v, seed, runs) for seed in SEEDS] for v in recipe.variants}
    a_run = next(iter(folders.values()))[0]
    card = {
        "command": f"python scripts/result_card.py {recipe.name}",
        "protocol": protocol_of(next(iter(found.values()))[0]),
        "training_steps": recipe.total_timesteps,
        "seeds": list(SEEDS),
        "manifest": json.loads((a_run / "manifest.json").read_text())["digest"],
        "versions": json.loads((a_run / "versions.json").read_text())["packages"],
        "variants": {
            variant: {
                "settings": settings,
                "median_seconds_per_iteration": seconds_per_iteration(folders[variant]),
                **{field: figures(found[variant], field) for field in FIELDS},
            }
            for variant, settings in recipe.variants.items()
        },
    }
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    (results / f"{recipe.name}.json").write_text(json.dumps(card, indent=2) + "\n")
    (results / f"{recipe.name}.md").write_text(as_markdown(recipe, card))
    (results / f"{recipe.name}.png").write_bytes(adaptation_figure(found))


def protocol_of(evaluation: Evaluation) -> dict[str, Any]:
    """The protocol and what the benchmark adds to it."""
    header = evaluation.header
    return {
        "benchmark": header.benchmark,
        **header.protocol.model_dump(mode="json"),
        "num_tasks": len(header.tasks),
        "max_episode_steps": header.max_episode_steps,
    }


def figures(evaluations: list[Evaluation], field: str) -> dict[str, Any] | None:
    """One quantity per seed and adaptation step, and its mean over seeds with an interval.

    The interval (95 %, percentile bootstrap) resamples tasks within each seed.
    """
    steps = evaluations[0].steps
    samples = [[evaluation.per_task(field, step) for evaluation in evaluations] for step in steps]
    if samples[0][0] is None:
        return None
    return {
        "per_seed": [
            [float(part.mean()) for part in parts] for parts in zip(*samples, strict=True)
        ],
        "all": [interval(parts) for parts in samples],
    }


def interval(parts: list[np.ndarray]) -> dict[str, float]:
    """Mean of the seeds' means, with its interval."""

    def mean_of_means(*resampled: np.ndarray, axis: int) -> np.ndarray:
        return np.mean([part.mean(axis=axis) for part in resampled], axis=0)

    found = bootstrap(
        parts,
        mean_of_means,
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    mean = float(np.mean([part.mean() for part in parts]))
    return {"mean": mean, "low": float(found.low), "high": float(found.high)}


def seconds_per_iteration(folders: list[Path]) -> float:
    """Median over all iterations of all seeds, as the runs recorded it."""
    seconds = []
    for folder in folders:
        with (folder / "metrics.csv").open(newline="") as file:
            seconds += [float(line["time/iteration_s"]) for line in csv.DictReader(file)]
    return float(np.median(seconds))


def as_markdown(recipe: Recipe, card: dict[str, Any]) -> str:
    """The card as a page."""
    protocol = card["protocol"]
    lines = [
        f"# {recipe.title}",
        "",
        f"Made by `{card['command']}`: {len(card['seeds'])} seeds, {card['training_steps']:,} "
        "environment steps of training each.",
        "",
        f"Evaluated on {protocol['num_tasks']} held-out tasks, horizon "
        f"{protocol['max_episode_steps']}, after 0, 1 and 2 adaptation steps. Each step learns "
        f"from {protocol['adaptation_episodes']} episodes with sampled actions, the second at half "
        "the rate; results are by the mean action, one episode per task (the environment is "
        "deterministic). The control is the same training with inner learning rate 0, adapted the "
        "same way: what it gains is fine-tuning, and only what MAML gains beyond it is due to "
        "meta-learning.",
        "",
        f"![adaptation curves]({recipe.name}.png)",
        "",
    ]
    for field, (label, scale, digits) in FIELDS.items():
        lines += [
            f"## {label[0].upper()}{label[1:]}",
            "",
            "| | seed | before | 1 step | 2 steps |",
            "| --- | --- | --- | --- | --- |",
        ]
        for variant, content in card["variants"].items():
            for seed, means in zip(card["seeds"], content[field]["per_seed"], strict=True):
                cells = " | ".join(f"{scale * mean:.{digits}f}" for mean in means)
                lines.append(f"| {variant} | {seed} | {cells} |")
            cells = " | ".join(
                f"{scale * cell['mean']:.{digits}f} "
                f"[{scale * cell['low']:.{digits}f}, {scale * cell['high']:.{digits}f}]"
                for cell in content[field]["all"]
            )
            lines.append(f"| **{variant}** | all | {cells} |")
        lines.append("")
    packages = ", ".join(f"{name} {number}" for name, number in card["versions"].items())
    seconds = ", ".join(
        f"{variant} {content['median_seconds_per_iteration']:.1f} s"
        for variant, content in card["variants"].items()
    )
    return "\n".join(
        [
            *lines,
            "Intervals: 95 %, bootstrap over tasks within each seed; they say nothing of seeds "
            "that were not run.",
            "",
            f"Time per iteration (median, on a shared machine): {seconds}.",
            "",
            f"Split manifest: `{card['manifest']}`. Versions: {packages}.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
