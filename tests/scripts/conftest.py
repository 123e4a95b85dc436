"""The scripts as modules, and what they find: a small recipe and runs of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from metarl.recipes import Recipe
from metarl.recipes.settings import written_settings
from metarl.runs import RunFolder
from metarl.storage import write_checkpoint
from tests.evaluation.stubs import made_up

ROOT = Path(__file__).parents[2]
ITERATION = 3
"""Of the evaluations that ``made_up`` makes."""

MakeRun = Callable[..., Path]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a script by its name."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module


@pytest.fixture
def recipe() -> Recipe:
    """The second variant has seeds of its own."""
    return Recipe(
        name="navigation",
        title="A small one",
        source="made up",
        why="for tests",
        time="none",
        memory="none",
        seeds=(0, 1),
        run={"benchmark": "navigation", "max_episode_steps": 6, "total_timesteps": 1000},
        variants={
            "MAML": {"algorithm": "maml", "agent": {"inner_lr": 0.1}},
            "Inner rate 0": {"algorithm": "maml", "agent": {"inner_lr": 0.0}, "seeds": [5]},
        },
    )


@pytest.fixture
def make_run(tmp_path: Path, recipe: Recipe) -> MakeRun:
    """Makes a run folder: begun, with checkpoints, metrics and an evaluation of iteration 3."""

    def make(
        name: str,
        variant: str = "MAML",
        *,
        checkpoints: tuple[int, ...] = (ITERATION,),
        returns: tuple[float, ...] = (),
        evaluated: bool = False,
    ) -> Path:
        path = tmp_path / "runs" / name
        RunFolder.create(path, written_settings(*recipe.settings(variant)), {"digest": "0"})
        for iteration in checkpoints:
            folder = path / "checkpoints" / f"iteration-{iteration:06d}"
            write_checkpoint(folder, {"weight": torch.zeros(1)}, {"iteration": iteration})
        if returns:
            lines = ["iteration,post/return", *(f"{i},{own}" for i, own in enumerate(returns))]
            (path / "metrics.csv").write_text("\n".join(lines) + "\n")
        if evaluated:
            made_up([[[0.0], [1.0]]] * 4).save(path / "evaluation" / "test")
        return path

    return make
