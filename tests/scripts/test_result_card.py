"""Which runs a card is made of, and how its script ends."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from metarl.errors import UnknownNameError


@pytest.fixture
def card(script, recipe, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = script("result_card")
    monkeypatch.setattr(module, "load_recipe", lambda _: recipe)
    return module


@pytest.fixture
def ask(card, monkeypatch: pytest.MonkeyPatch, tmp_path):
    """Calls the script; gives the runs that it trains and what it puts on the card."""

    def run(*arguments: str, code: int = 0):
        trained, written = [], []

        def train(recipe, variant, seed, runs, workers) -> int:
            trained.append((variant, seed))
            return code

        def write(recipe, folders, workers, command) -> Path:
            written.append({label: [one.name for one in f] for label, f in folders.items()})
            written.append(command)
            return Path("card.md")

        monkeypatch.setattr(card, "train_or_resume", train)
        monkeypatch.setattr(card, "write_card", write)
        words = ["result_card.py", "navigation", "--runs", str(tmp_path), *arguments]
        monkeypatch.setattr(sys, "argv", words)
        assert card.main() == 0
        return trained, written

    return run


def test_a_card_is_of_all_variants_each_with_its_seeds(ask):
    trained, (folders, command) = ask()
    assert trained == [("MAML", 0), ("MAML", 1), ("Inner rate 0", 5)]
    assert folders == {
        "MAML": ["navigation-maml-seed0", "navigation-maml-seed1"],
        "Inner rate 0": ["navigation-inner-rate-0-seed5"],
    }
    assert command == "python scripts/result_card.py navigation"


def test_variants_and_seeds_can_be_chosen(ask):
    trained, (folders, command) = ask("--variants", "maml", "--seeds", "3", "4")
    assert trained == [("MAML", 3), ("MAML", 4)]
    assert list(folders) == ["MAML"]
    assert command == "python scripts/result_card.py navigation --variants maml --seeds 3 4"
    with pytest.raises(UnknownNameError, match="variant: unknown name 'promp'"):
        ask("--variants", "promp")


def test_training_may_be_all(ask):
    trained, written = ask("--train-only")
    assert len(trained) == 3
    assert written == []


@pytest.mark.parametrize(("code", "ended"), [(2, 2), (130, "interrupted; call again to go on")])
def test_the_script_ends_where_a_run_does(ask, code, ended):
    with pytest.raises(SystemExit) as leaving:
        ask(code=code)
    assert leaving.value.code == ended


def test_its_evaluations_are_those_that_the_recipe_names(card, recipe, monkeypatch, tmp_path):
    """In the order of the card: the one at chosen step sizes comes before other splits."""
    recipe = recipe.model_copy(
        update={"adaptation_lrs": (0.1, 0.5), "extra": ("new-goals",), "num_extra_tasks": 7}
    )
    evaluated, made = [], []

    def evaluate_run(run, protocol, split, workers, name="") -> int:
        evaluated.append((split, name, protocol.num_tasks, protocol.adaptation_lrs))
        return 0

    def make_card(*_, extra, **__) -> None:
        made.extend(extra.items())

    monkeypatch.setattr(card, "evaluate_run", evaluate_run)
    monkeypatch.setattr(card, "entry_of", lambda runs, split="test": (split, runs))
    monkeypatch.setattr(card, "make_card", make_card)
    monkeypatch.setattr(card, "save_card", lambda *_: Path("card.md"))
    runs = [tmp_path / "a"]
    card.write_card(recipe, {"MAML": runs}, 2, "command")
    assert evaluated == [
        ("test", "", None, None),
        ("test", "own-rate", None, (0.1, 0.5)),
        ("new-goals", "", 7, None),
    ]
    assert made == [
        ("Each run adapted at the step size that suits it best", {"MAML": ("own-rate", runs)}),
        ("Families trained on, goals that training never saw", {"MAML": ("new-goals", runs)}),
    ]
