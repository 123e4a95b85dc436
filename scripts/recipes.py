"""Training runs whose results are in `results/`, each a set of variants over three seeds."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from metarl.agents import ALGORITHMS
from metarl.cli import load_run, train
from metarl.cli.evaluating import THIS_RUN, save_evaluation
from metarl.cli.output import counting
from metarl.envs import make_benchmark
from metarl.evaluation import Evaluation, evaluate
from metarl.runs import RunFolder

ROOT = Path(__file__).resolve().parent.parent
CORES = os.cpu_count() or 1
SEEDS = (0, 1, 2)


CONTROL_NOTE = (
    "The control is the same training with inner learning rate 0, adapted the same way: what it "
    "gains is fine-tuning, and only what MAML gains beyond it is due to meta-learning. The second "
    "adaptation step is at half the rate; the environment is deterministic, so that one episode "
    "per task tells all."
)


@dataclass(frozen=True)
class Variant:
    """One way to train.

    Attributes:
        algorithm: As `metarl train` names it.
        settings: What differs from its defaults.
    """

    algorithm: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """What to train, how long, and on what to evaluate.

    Attributes:
        name: Of the result card and the run folders.
        title: Heading of the result card.
        benchmark: As `metarl tasks` lists it.
        max_episode_steps: Horizon.
        iterations: Iterations of training.
        num_tasks: Held-out tasks to evaluate on; None for all.
        variants: Ways to train, by label. The control trains with inner learning rate 0 and
            adapts as the others do: what it gains is fine-tuning, not meta-learning.
        note: What a reader of the card should know.
    """

    name: str
    title: str
    benchmark: str
    max_episode_steps: int
    iterations: int
    num_tasks: int | None
    variants: dict[str, Variant]
    note: str = CONTROL_NOTE

    @property
    def total_timesteps(self) -> int:
        """Environment steps of a run: 20 tasks x 10 episodes, before and after adaptation."""
        return self.iterations * 20 * 10 * self.max_episode_steps * 2


def with_control(inner_lr: float, **settings: Any) -> dict[str, Variant]:
    """MAML and its control under the same settings."""
    common = {"meta_batch_size": 20, "episodes_per_task": 10, **settings}
    return {
        "MAML": Variant("maml", {"inner_lr": inner_lr, **common}),
        "control": Variant("maml", {"inner_lr": 0.0, "adaptation_lr": inner_lr, **common}),
    }


def whole_family() -> dict[str, Variant]:
    """Every agent under its own defaults, and MAML's control."""
    members = {kind.__name__: Variant(name, {}) for name, kind in ALGORITHMS.items()}
    return {**members, "control": with_control(0.1)["control"]}


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="ml1-reach",
            title="Meta-World ML1 reach-v3: MAML-TRPO and its control",
            benchmark="ml1/reach-v3",
            max_episode_steps=150,
            iterations=21,
            num_tasks=None,
            variants=with_control(0.05),
        ),
        Recipe(
            name="navigation",
            title="2-D navigation: MAML-TRPO and its control",
            benchmark="navigation",
            max_episode_steps=50,
            iterations=30,
            num_tasks=100,
            variants=with_control(0.1),
        ),
        Recipe(
            name="navigation-family",
            title="2-D navigation: the gradient-based family at equal environment steps",
            benchmark="navigation",
            max_episode_steps=50,
            iterations=30,
            num_tasks=100,
            variants=whole_family(),
            note=(
                "Each member under its own defaults (64 x 64 units, 20 tasks x 10 episodes, TRPO "
                "outside unless its paper or its adapter asks for another step); nobody's settings "
                "were searched. The control trains with inner learning rate 0 and adapts by plain "
                "gradient steps. The second adaptation step is at half the length where the rule "
                "has one."
            ),
        ),
    )
}

BENCHMARK_SEED = 10  # away from the seeds of training; ML1 tests on goals of seed + 1


def run_folder(recipe: Recipe, variant: str, seed: int, runs: Path) -> Path:
    """Where one run lies."""
    return runs / f"{recipe.name}-{variant.lower()}-seed{seed}"


def train_or_resume(
    recipe: Recipe, variant: str, seed: int, runs: Path, workers: int, console: Console
) -> int:
    """Trains one run, or what is left of it; returns the exit code."""
    path = run_folder(recipe, variant, seed, runs)
    run = RunFolder(path)
    if run.checkpoints():
        agent = load_run(path, num_workers=workers)
        if agent.num_timesteps >= recipe.total_timesteps:
            console.print(
                f"{path} is trained; remove it to train again", highlight=False, soft_wrap=True
            )
            return 0
        console.print(f"going on with {path}", highlight=False)
    else:
        shutil.rmtree(path, ignore_errors=True)  # interrupted before its first checkpoint
        benchmark = make_benchmark(
            recipe.benchmark, seed=BENCHMARK_SEED, max_episode_steps=recipe.max_episode_steps
        )
        algorithm, settings = recipe.variants[variant].algorithm, recipe.variants[variant].settings
        agent = ALGORITHMS[algorithm](benchmark, seed=seed, num_workers=workers, **settings)
        config = {
            "algorithm": algorithm,
            "benchmark": recipe.benchmark,
            "benchmark_seed": BENCHMARK_SEED,
            "max_episode_steps": recipe.max_episode_steps,
            "total_timesteps": recipe.total_timesteps,
            "seed": seed,
            "agent": agent.config.model_dump(mode="json"),
        }
        RunFolder.create(path, config, benchmark.manifest())
        console.print(
            f"meta-training on {recipe.benchmark}, {variant}, seed {seed}: {path}",
            highlight=False,
            soft_wrap=True,
        )
    return train(agent, run, recipe.total_timesteps, checkpoint_every=1)


def evaluate_run(recipe: Recipe, variant: str, seed: int, runs: Path, workers: int) -> Evaluation:
    """Evaluates one run on held-out tasks after 0, 1 and 2 adaptation steps, and saves that."""
    path = run_folder(recipe, variant, seed, runs)
    with counting("evaluating on held-out tasks") as progress:
        evaluation = evaluate(
            load_run(path),
            num_tasks=recipe.num_tasks,
            num_adaptation_steps=2,
            num_workers=workers,
            progress=progress,
        )
    save_evaluation({THIS_RUN: evaluation}, path / "evaluation" / "test")
    return evaluation
