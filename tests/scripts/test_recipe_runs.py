"""Runs of a recipe are gone on with, never removed, and evaluated where that isn't done."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from metarl.errors import RunChangedError, UnknownNameError
from metarl.evaluation import EvaluationProtocol
from metarl.evaluation.upstream import UpstreamResult
from tests.evaluation.stubs import made_up

PROTOCOL = made_up([[[0.0], [1.0]]] * 4).protocol


@pytest.fixture
def runs(script) -> ModuleType:
    return script("recipe_runs")


@pytest.fixture
def called(runs, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the `metarl` command is called with; it does nothing."""
    calls: list[list[str]] = []
    monkeypatch.setattr(runs, "main", lambda words: calls.append(words) or 0)
    return calls


def test_what_is_not_there_is_trained(runs, called, recipe, tmp_path):
    assert runs.train_or_resume(recipe, "MAML", 7, tmp_path, 2) == 0
    assert called == [
        [
            *("train", "--recipe", "navigation", "--variant", "MAML", "--seed", "7"),
            *("--run", str(tmp_path / "navigation-maml-seed7"), "--num-workers", "2"),
        ]
    ]


def test_a_folder_that_is_no_run_is_left_alone(runs, recipe, tmp_path, capsys):
    notes = tmp_path / "navigation-maml-seed0" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    assert runs.train_or_resume(recipe, "MAML", 0, tmp_path, 0) == 2
    assert "RunExistsError" in capsys.readouterr().err
    assert notes.read_text() == "mine"


@pytest.mark.parametrize("checkpoints", [(), (3,)])
def test_a_run_that_is_begun_is_gone_on_with(
    runs, called, recipe, make_run, monkeypatch, checkpoints
):
    path = make_run("navigation-maml-seed0", checkpoints=checkpoints)
    monkeypatch.setattr(runs, "load_run", lambda _: SimpleNamespace(num_timesteps=999))
    assert runs.train_or_resume(recipe, "MAML", 0, path.parent, 2) == 0
    steps = ["--total-timesteps", "1000"]
    assert called == [["train", "--resume", str(path), *steps, "--num-workers", "2"]]
    assert (path / "config.yaml").exists()


def test_a_run_at_its_end_is_left_as_it_is(runs, called, recipe, make_run, monkeypatch):
    path = make_run("navigation-maml-seed0")
    monkeypatch.setattr(runs, "load_run", lambda _: SimpleNamespace(num_timesteps=1000))
    assert runs.train_or_resume(recipe, "MAML", 0, path.parent, 2) == 0
    assert called == []


@pytest.mark.parametrize("checkpoints", [(), (3,)])
def test_a_run_with_other_settings_is_refused(runs, called, recipe, make_run, checkpoints):
    path = make_run("navigation-maml-seed0", "Inner rate 0", checkpoints=checkpoints)
    with pytest.raises(RunChangedError, match="other settings than the recipe's"):
        runs.train_or_resume(recipe, "MAML", 0, path.parent, 2)
    assert called == []
    assert path.exists()


def test_an_evaluation_of_the_newest_checkpoint_is_kept(runs, called, make_run):
    path = make_run("run", evaluated=True)
    assert runs.evaluate_run(path, PROTOCOL, "test", 2) == 0
    assert called == []
    runs.evaluate_run(path, PROTOCOL, "train", 2)
    runs.evaluate_run(path, PROTOCOL.model_copy(update={"seed": 1}), "test", 2)
    gone_on = make_run("gone-on", checkpoints=(3, 4), evaluated=True)
    runs.evaluate_run(gone_on, PROTOCOL, "test", 2)
    runs.evaluate_run(make_run("other"), PROTOCOL, "test", 2)
    assert [words[1] for words in called] == [
        *(str(path), str(path), str(gone_on), str(path.parent / "other"))
    ]


def test_an_evaluation_is_asked_for_as_the_command_takes_it(runs, called, make_run):
    protocol = EvaluationProtocol(tasks=("push-v3", "a b"), num_adaptation_steps=1)
    runs.evaluate_run(make_run("run"), protocol, "new-goals", 2)
    (words,) = called
    assert words[2:] == [
        *("--num-workers", "2", "--split", "new-goals"),
        *("--tasks", "push-v3", "a b", "--num-adaptation-steps", "1"),
    ]


def test_an_evaluation_may_have_a_name_of_its_own(runs, called, make_run):
    path = make_run("run", evaluated=True)
    protocol = PROTOCOL.model_copy(update={"adaptation_lrs": (0.1, 0.5)})
    runs.evaluate_run(path, protocol, "test", 2, "own-rate")
    (words,) = called
    folder = path / "evaluation" / "own-rate"
    assert words[2:] == [
        *("--num-workers", "2", "--split", "test", "--output", str(folder)),
        *("--num-adaptation-steps", "1", "--adaptation-lrs", "0.1", "0.5"),
    ]
    made_up([[[0.0], [1.0]]] * 4, adaptation_lrs=(0.1, 0.5)).save(folder)
    runs.evaluate_run(path, protocol, "test", 2, "own-rate")
    assert len(called) == 1


def test_the_upstream_rate_is_kept_until_the_run_goes_on(runs, monkeypatch, tmp_path):
    agent, asked = SimpleNamespace(iteration=3), []

    def ask(path: Path, agent, protocol) -> UpstreamResult:
        asked.append((agent.iteration, protocol.num_adaptation_steps))
        return UpstreamResult(0.25 * len(asked), 0.0, {}, 1, 1, 10, 3, 10)

    monkeypatch.setattr(runs, "load_run", lambda _: agent)
    monkeypatch.setattr(runs, "run_as_upstream", ask)
    assert [runs.upstream_rate(tmp_path, 1) for _ in range(2)] == [0.25, 0.25]
    assert runs.upstream_rate(tmp_path, 2) == 0.5
    agent.iteration = 4
    assert runs.upstream_rate(tmp_path, 1) == 0.75
    assert asked == [(3, 1), (3, 2), (4, 1)]


def test_variants_are_named_as_metarl_train_takes_them(runs, recipe):
    assert runs.variant_named(recipe, "maml") == "MAML"
    assert runs.variant_named(recipe, "inner Rate 0") == "Inner rate 0"
    with pytest.raises(UnknownNameError, match="variant: unknown name 'mamel'; did you mean maml"):
        runs.variant_named(recipe, "mamel")


def test_a_variant_may_have_seeds_of_its_own(runs, recipe):
    assert runs.seeds_of(recipe, "MAML") == (0, 1)
    assert runs.seeds_of(recipe, "Inner rate 0") == (5,)


def test_an_error_that_a_user_can_meet_is_told_without_a_traceback(runs, capsys):
    def refused() -> int:
        raise RunChangedError("runs/a: was trained with other settings.")

    assert runs.exit_code_of(refused) == 2
    assert capsys.readouterr().err == (
        "error: RunChangedError\nruns/a: was trained with other settings.\n"
    )
    assert runs.exit_code_of(lambda: 130) == 130
