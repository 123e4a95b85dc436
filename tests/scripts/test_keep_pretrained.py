"""A policy goes into the package whole, or what is there stays."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from metarl.errors import CheckpointError, EvaluationError, MetarlError, UnknownNameError
from metarl.evaluation import Evaluation
from metarl.runs import RunFolder

GOOD, BAD = (-9.0, 1.0, 1.0, 1.0, 1.0, 1.0), (9.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def keeping(script, recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    module = script("keep_pretrained")
    monkeypatch.setattr(module, "load_recipe", lambda _: recipe)
    monkeypatch.setattr(module, "PRETRAINED", tmp_path / "package" / "pretrained")
    (tmp_path / "package" / "pretrained" / "navigation-maml").mkdir(parents=True)
    (tmp_path / "package" / "pretrained" / "navigation-maml" / "kept").touch()
    return module


@pytest.fixture
def keep(keeping, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Calls the script; gives the folder that the policy goes into."""

    def run(variant: str) -> Path:
        words = ["keep_pretrained.py", "navigation", variant, "--runs", str(tmp_path / "runs")]
        monkeypatch.setattr(sys, "argv", words)
        assert keeping.main() == 0
        (folder,) = {own for own in keeping.PRETRAINED.iterdir() if not (own / "kept").exists()}
        return folder

    return run


def test_the_seed_that_ended_best_replaces_what_was_there(keep, keeping, make_run):
    make_run("navigation-maml-seed0", returns=BAD, evaluated=True)
    make_run("navigation-maml-seed1", returns=GOOD, evaluated=True)
    folder = keep("maml")
    assert folder.name == "navigation-maml"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        *("config.yaml", "manifest.json", "versions.json"),
        *(f"evaluation/test/{name}" for name in ("rows.csv", "evaluation.json", "summary.json")),
        *(
            f"checkpoints/iteration-000003/{name}"
            for name in ("params.safetensors", "state.json", "sha256.json")
        ),
    }
    Evaluation.load(folder / "evaluation" / "test")
    RunFolder(folder).latest_checkpoint()
    assert list(keeping.PRETRAINED.parent.iterdir()) == [keeping.PRETRAINED]


def test_what_is_kept_says_the_same_without_indentation(keep, make_run):
    run = make_run("navigation-maml-seed1", returns=GOOD, evaluated=True)
    make_run("navigation-maml-seed0", returns=BAD, evaluated=True)
    folder = keep("maml")
    kept = [path for path in folder.rglob("*.json") if "checkpoints" not in path.parts]
    assert len(kept) == 4
    for path in kept:
        written = (run / path.relative_to(folder)).read_text()
        assert json.loads(path.read_text()) == json.loads(written)
        assert path.read_text().count("\n") == 1 < written.count("\n")


def test_the_best_of_a_variants_own_seeds_is_taken(keep, make_run):
    make_run("navigation-inner-rate-0-seed5", "Inner rate 0", returns=BAD, evaluated=True)
    assert keep("Inner rate 0").name == "navigation-inner-rate-0"


def test_the_last_iterations_decide(keeping, make_run):
    assert keeping.return_in_the_end(make_run("a", returns=GOOD)) == 1.0
    assert keeping.return_in_the_end(make_run("b", returns=BAD)) == 0.0


@pytest.mark.parametrize(
    ("run", "variant", "error", "told"),
    [
        ({"returns": GOOD}, "MAML", EvaluationError, "isn't evaluated"),
        (
            {"returns": GOOD, "checkpoints": (3, 4), "evaluated": True},
            *("MAML", EvaluationError, "went on since its evaluation"),
        ),
        ({"returns": GOOD, "checkpoints": ()}, "MAML", CheckpointError, "holds no checkpoint"),
        ({"evaluated": True}, "MAML", CheckpointError, "recorded no return after adaptation"),
        ({"returns": GOOD, "evaluated": True}, "ANIL", UnknownNameError, "unknown name 'anil'"),
    ],
)
def test_what_is_there_stays_where_the_run_is_not_fit(
    keep, keeping, make_run, run, variant: str, error: type[MetarlError], told: str
):
    for seed in (0, 1):
        make_run(f"navigation-maml-seed{seed}", **run)
    with pytest.raises(error, match=told):
        keep(variant)
    assert (keeping.PRETRAINED / "navigation-maml" / "kept").exists()
    assert list(keeping.PRETRAINED.parent.iterdir()) == [keeping.PRETRAINED]


def test_what_is_there_stays_where_a_copy_fails(keep, keeping, make_run):
    for seed in (0, 1):
        path = make_run(f"navigation-maml-seed{seed}", returns=GOOD, evaluated=True)
        (path / "evaluation" / "test" / "summary.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"summary\.json"):
        keep("MAML")
    assert (keeping.PRETRAINED / "navigation-maml" / "kept").exists()
