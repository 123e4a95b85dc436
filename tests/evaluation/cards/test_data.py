import json

import numpy as np
import pytest

from metarl.errors import CheckpointError, EvaluationError, ManifestMismatchError
from metarl.evaluation.cards import (
    CardEntry,
    UpstreamRow,
    card_bytes,
    card_json,
    card_markdown,
    read_card,
)
from metarl.evaluation.summary import summarise
from tests.evaluation.cards.made_up import CONTROL, EXPERT, MAML, card, runs
from tests.evaluation.stubs import made_up


def test_the_data_hold_what_is_needed_to_believe_and_to_repeat():
    data = card_json(card())
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["commands"] == ["metarl train maml --benchmark made-up"]
    assert data["manifest"] == "0" * 64
    assert data["versions"] == {"metarl": "0.1.0", "torch": "2.13.0"}
    assert data["hardware"] == {"platform": "Linux", "cores": 2}
    assert data["protocol"]["num_tasks"] == 10
    maml = data["variants"]["MAML"]
    assert (maml["seeds"], maml["training_steps"]) == ([0, 1, 2], 9000)
    assert (maml["median_seconds_per_iteration"], maml["training_seconds"]) == (1.25, 33.0)
    assert (maml["peak_memory_mib"], maml["evaluation_seconds"]) == (512.3, 4.5)


def test_numbers_are_per_seed_and_of_all_seeds_with_their_intervals():
    found = card_json(card())["variants"]["MAML"]["episode_return"]
    for seed, evaluation in enumerate(MAML.evaluations):
        means = [evaluation.per_task("episode_return", step).mean() for step in (0, 1)]
        assert found["per_seed"][seed] == pytest.approx(means)
    for value, line in zip(found["all"], summarise(MAML.evaluations), strict=True):
        assert (value["mean"], value["low"], value["high"]) == (
            line.episode_return.mean,
            line.episode_return.low,
            line.episode_return.high,
        )


def test_the_first_method_is_compared_with_those_that_adapt_as_it_does():
    (comparison,) = card_json(card())["comparisons"]
    assert comparison["labels"] == ["MAML", "control"]
    assert [line["adaptation_step"] for line in comparison["lines"]] == [0, 0, 0, 1, 1, 1]


def test_further_methods_are_compared_with_the_controls():
    entries = {"MAML": MAML, "control": CONTROL, "ProMP": CardEntry(runs(2, 3.0), [0, 1])}
    labels = [comparison["labels"] for comparison in card_json(card(entries))["comparisons"]]
    assert labels == [["MAML", "control"], ["MAML", "ProMP"], ["ProMP", "control"]]


def test_every_seed_has_its_learning_curve():
    variants = card_json(card())["variants"]
    assert [curve["before"]["episode_return"][0] for curve in variants["MAML"]["training"]] == [
        2.0,
        3.0,
        4.0,
    ]
    assert variants["control"]["training"] == []


def test_further_evaluations_have_their_own_protocol_methods_and_comparison():
    other = {"MAML": CardEntry(runs(2, 3.0, steps=3), [0, 1]), "control": CardEntry(runs(1), [0])}
    (found,) = card_json(card(extra={"Training families": other}))["extra"]
    assert found["title"] == "Training families"
    assert found["protocol"]["num_adaptation_steps"] == 2
    assert found["manifest"] == "0" * 64
    assert found["variants"]["MAML"]["seeds"] == [0, 1]
    assert len(found["variants"]["MAML"]["success_final"]["all"]) == 3
    assert found["comparisons"] == []  # they don't adapt alike
    alike = {"MAML": MAML, "control": CONTROL}
    (found,) = card_json(card(extra={"New goals": alike}))["extra"]
    assert found["comparisons"][0]["labels"] == ["MAML", "control"]
    assert found["variants"]["MAML"]["training"] == []  # the card has these curves already


def test_rates_by_another_procedure_are_plain_rows():
    rows = [UpstreamRow("MAML", 1, 0.25, seed=3), UpstreamRow("MAML", 1, 0.5)]
    (found,) = card_json(card(upstream={"By metaworld.evaluation": rows}))["extra"]
    assert found == {
        "title": "By metaworld.evaluation",
        "rates": [
            {"label": "MAML", "adaptation_steps": 1, "rate": 0.25, "seed": 3},
            {"label": "MAML", "adaptation_steps": 1, "rate": 0.5, "seed": None},
        ],
    }


def test_a_reason_for_a_method_that_is_not_there_is_refused():
    with pytest.raises(EvaluationError, match=r"reasons: got \['LEO'\]"):
        card_json(card(reasons={"LEO": "never told"}))


@pytest.mark.parametrize("change", [{"manifest": "f" * 64}, {"families": ["other"] * 10}])
def test_methods_on_different_tasks_are_refused_though_nothing_compares_them(change):
    """The expert takes no step, so that it is compared with none."""
    returns = np.zeros((10, 1, 1))
    expert = CardEntry([made_up(returns, returns > 0, **change)], [0])
    mixed = {"MAML": MAML, "expert": expert}
    for faulty in (card(mixed), card(extra={"New goals": mixed})):
        with pytest.raises(ManifestMismatchError, match="evaluations are of different tasks: 10"):
            card_json(faulty)
    card_json(card({"MAML": MAML, "expert": EXPERT}))


@pytest.mark.parametrize("entries", [{}, {"MAML": CardEntry([], [])}])
def test_a_card_of_nothing_is_refused(entries):
    with pytest.raises(EvaluationError, match="card: got an entry without an evaluation"):
        card_json(card(entries))


def test_the_file_has_each_list_of_numbers_on_one_line(tmp_path):
    data = card_json(card())
    data["notes"].append("[\\n 1, 2]")
    content = card_bytes(data)
    assert json.loads(content) == data
    longest = data["variants"]["MAML"]["training"][0]["environment_steps"]
    assert f'"environment_steps": {longest}' in content.decode()
    (tmp_path / "card.json").write_bytes(content)
    assert read_card(tmp_path / "card.json") == data


def test_a_card_from_before_curves_and_further_evaluations_is_read(tmp_path):
    data = card_json(card())
    for name in ("extra", "reasons", "shares_tasks"):
        del data[name]
    for variant in data["variants"].values():
        del variant["training"], variant["families"], variant["peak_memory_mib"]
    (tmp_path / "card.json").write_text(json.dumps(data))
    found = read_card(tmp_path / "card.json")
    assert found["extra"] == []
    assert found["variants"]["MAML"]["training"] == []
    assert card_markdown(found).startswith("# A title")


def test_what_is_no_card_is_refused(tmp_path):
    path = tmp_path / "card.json"
    path.write_text('{"title": "of something else"}')
    with pytest.raises(EvaluationError, match="is no result card"):
        read_card(path)
    with pytest.raises(CheckpointError, match="no such file"):
        read_card(tmp_path / "none.json")
