"""Runs the quickstart and its control over three seeds and writes the result card.

Usage: .venv/bin/python scripts/quickstart_card.py [--runs DIR]. Runs that are trained already are
only evaluated. Writes results/ml1-reach.md, .json and .png.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from quickstart import CONTROL_SETTINGS, MAML_SETTINGS, ROOT, evaluate_run, train_or_resume
from rich.console import Console
from scipy.stats import bootstrap

from metarl.evaluation import Evaluation, EvaluationRow
from metarl.evaluation.figures import adaptation_figure

SEEDS = (0, 1, 2)
VARIANTS = {
    "MAML": ("quickstart", MAML_SETTINGS),
    "control": ("quickstart-control", CONTROL_SETTINGS),
}
FIELDS = {"success_final": "success at the last step", "success_any": "success at any step"}


def main() -> None:
    """Trains what isn't trained, evaluates, writes the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    found: dict[str, list[Evaluation]] = {}
    folder = options.runs
    for label, (name, settings) in VARIANTS.items():
        for seed in SEEDS:
            folder = options.runs / f"{name}-seed{seed}"
            if train_or_resume(folder, seed, options.workers, settings, Console()):
                raise SystemExit(f"{folder}: training was interrupted")
            evaluation = evaluate_run(folder, options.workers)
            evaluation.save(folder / "evaluation" / "test")
            found.setdefault(label, []).append(evaluation)
    manifest = json.loads((folder / "manifest.json").read_text())
    versions = json.loads((folder / "versions.json").read_text())
    write_card(found, manifest["digest"], versions)


def write_card(
    found: dict[str, list[Evaluation]], manifest_digest: str, versions: dict[str, Any]
) -> None:
    """Writes the card as JSON, as Markdown and as a picture."""
    rows = [
        {
            "variant": label,
            "seed": seed,
            "adaptation_step": step,
            "return": float(evaluation.per_task("episode_return", step).mean()),
            **{name: float(evaluation.per_task(name, step).mean()) for name in FIELDS},
        }
        for label, evaluations in found.items()
        for seed, evaluation in zip(SEEDS, evaluations, strict=True)
        for step in evaluation.steps
    ]
    intervals = {
        label: {
            name: [interval_over_goals(evaluations, name, step) for step in evaluations[0].steps]
            for name in FIELDS
        }
        for label, evaluations in found.items()
    }
    card = {
        "command": "python scripts/quickstart_card.py",
        "protocol": found["MAML"][0].protocol,
        "seeds": list(SEEDS),
        "manifest": manifest_digest,
        "versions": versions["packages"],
        "settings": {"MAML": MAML_SETTINGS, "control": CONTROL_SETTINGS},
        "rows": rows,
        "intervals": intervals,
    }
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    (results / "ml1-reach.json").write_text(json.dumps(card, indent=2) + "\n")
    (results / "ml1-reach.md").write_text(as_markdown(card))
    pooled = {label: pool(evaluations) for label, evaluations in found.items()}
    (results / "ml1-reach.png").write_bytes(adaptation_figure(pooled))


def interval_over_goals(evaluations: list[Evaluation], field: str, step: int) -> dict[str, float]:
    """Mean over seeds and goals, with a 95 % bootstrap interval that resamples goals per seed."""
    samples = [evaluation.per_task(field, step) for evaluation in evaluations]
    interval = bootstrap(
        samples,
        lambda *parts, axis: np.mean([part.mean(axis=axis) for part in parts], axis=0),
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    mean = float(np.mean([sample.mean() for sample in samples]))
    return {"mean": mean, "low": float(interval.low), "high": float(interval.high)}


def pool(evaluations: list[Evaluation]) -> Evaluation:
    """All seeds' rows as one evaluation, every (seed, goal) a task of its own."""
    rows: list[EvaluationRow] = []
    for number, evaluation in enumerate(evaluations):
        offset = 1000 * number
        rows += [
            EvaluationRow(**{**vars(row), "task_index": row.task_index + offset})
            for row in evaluation.rows
        ]
    protocol = {**evaluations[0].protocol, "benchmark": "ml1/reach-v3, 3 seeds"}
    return Evaluation(rows, protocol | {"num_tasks": len({row.task_index for row in rows})})


def as_markdown(card: dict[str, Any]) -> str:
    """The card as a page."""
    protocol = card["protocol"]
    lines = [
        "# ML1 reach-v3: MAML-TRPO and its control",
        "",
        f"Made by `{card['command']}` (three times `scripts/quickstart --control --seed S`).",
        "",
        f"Held out: all {protocol['num_tasks']} test goals, horizon "
        f"{protocol['max_episode_steps']}. Each adaptation step uses "
        f"{protocol['adaptation_episodes']} episodes with sampled actions; results are by the mean "
        "action, one episode per goal (the simulation is deterministic). 1.26 M environment steps "
        "of training per run. The control is the same training with inner learning rate 0, adapted "
        "the same way at test. Training tasks, test tasks and seeds are those of the manifest "
        f"`{card['manifest'][:16]}`.",
        "",
        "![adaptation curves](ml1-reach.png)",
        "",
    ]
    for name, label in FIELDS.items():
        lines += [
            f"## {label.capitalize()}, % of held-out goals",
            "",
            "| | seed | before | 1 step | 2 steps |",
            "| --- | --- | --- | --- | --- |",
        ]
        for variant in VARIANTS:
            for seed in card["seeds"]:
                cells = [
                    f"{100 * row[name]:.0f}"
                    for row in card["rows"]
                    if row["variant"] == variant and row["seed"] == seed
                ]
                lines.append(f"| {variant} | {seed} | {' | '.join(cells)} |")
            cells = [
                f"{100 * cell['mean']:.0f} [{100 * cell['low']:.0f}, {100 * cell['high']:.0f}]"
                for cell in card["intervals"][variant][name]
            ]
            lines.append(f"| **{variant}** | all | {' | '.join(cells)} |")
        lines.append("")
    packages = ", ".join(f"{name} {number}" for name, number in card["versions"].items())
    lines += [
        "Intervals: 95 %, bootstrap over goals within each seed; they say nothing about seeds not "
        "run.",
        "",
        f"Versions: {packages}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
