import json

import numpy as np
import pytest

from metarl.errors import EvaluationError
from metarl.evaluation.cards import Card, CardEntry, card_json, card_markdown
from metarl.evaluation.summary import summarise
from tests.evaluation.stubs import made_up

RNG = np.random.default_rng(0)


def runs(count: int, gain: float = 0.0, steps: int = 2) -> list:
    returns = RNG.normal(size=(count, 10, steps, 1))
    returns[:, :, -1] += gain
    return [made_up(one, one > 0, seed=i) for i, one in enumerate(returns)]


MAML = CardEntry(runs(3, 5.0), [0, 1, 2], {"inner_lr": 0.1}, 9000, 1.25, 33.0)
CONTROL = CardEntry(runs(2, 1.0), [0, 1], {"inner_lr": 0.0}, 9000)
EXPERT = CardEntry(runs(1, 9.0, steps=1), [0])


def card(**entries) -> Card:
    return Card(
        "A title",
        ["metarl train maml --benchmark made-up"],
        entries or {"MAML": MAML, "control": CONTROL, "expert": EXPERT},
        {"metarl": "0.1.0", "torch": "2.13.0"},
        {"platform": "Linux", "cores": 2},
        ["A note."],
    )


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
    assert maml["evaluation_seconds"] == 4.5


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


def test_the_page_shows_every_number():
    data = card_json(card())
    page = card_markdown(data, "card.png")
    assert page.startswith("# A title\n\n    metarl train maml --benchmark made-up\n")
    assert "![adaptation curves](card.png)" in page
    assert "\nA note.\n" in page
    value = data["variants"]["MAML"]["episode_return"]["all"][1]
    assert f"{value['mean']:.1f} [{value['low']:.1f}, {value['high']:.1f}] |" in page
    assert "| expert | 0 |" in page
    assert "## MAML against control" in page
    assert "Intervals: 95 %, over seeds and tasks" in page
    assert "MAML: 3 seeds, 9,000 environment steps each, 1.2 s per iteration (median)" in page
    assert f"Split manifest: `{'0' * 64}`. Hardware: platform Linux, cores 2." in page


def test_every_table_row_has_as_many_cells_as_its_heading():
    for block in card_markdown(card_json(card())).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows}) <= 1


def test_one_seed_says_that_it_says_nothing_of_others():
    page = card_markdown(card_json(card(MAML=CardEntry(runs(1), [0]))))
    assert "over tasks; they say nothing of seeds that were not run" in page
    assert "Training: none." in page


def test_a_family_without_success_has_no_table_of_it():
    plain = CardEntry([made_up(RNG.normal(size=(5, 2, 1)))], [0])
    page = card_markdown(card_json(card(MAML=plain)))
    assert "## Return" in page
    assert "uccess" not in page


@pytest.mark.parametrize("entries", [{}, {"MAML": CardEntry([], [])}])
def test_a_card_of_nothing_is_refused(entries):
    empty = Card("A title", [], entries, {}, {})
    with pytest.raises(EvaluationError, match="card: got an entry without an evaluation"):
        card_json(empty)


def exhaustive(count: int, episodes: int) -> CardEntry:
    returns = RNG.normal(size=(count, 2, 2, episodes))
    both = [made_up(one, one > 0, exhaustive=True, seed=i) for i, one in enumerate(returns)]
    return CardEntry(both, list(range(count)))


def test_tasks_that_are_all_there_are_have_intervals_over_seeds():
    data = card_json(card(MAML=exhaustive(3, 1), control=exhaustive(3, 1)))
    assert data["variants"]["MAML"]["intervals_over"] == "runs"
    page = card_markdown(data)
    assert "These tasks are all there are, so they are no sample: intervals are over train" in page
    assert "Intervals: 95 %. Rates" in page
    assert "over tasks" not in page


def test_one_seed_and_one_episode_of_all_tasks_there_are_has_no_interval():
    data = card_json(card(MAML=exhaustive(1, 1), control=exhaustive(1, 1)))
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    page = card_markdown(data)
    assert "there is nothing to take an interval from" in page
    assert "Intervals: 95 %" not in page
    assert not [line for line in page.splitlines() if line.startswith("|") and "[" in line]


def test_one_seed_of_all_tasks_there_are_has_intervals_over_episodes():
    page = card_markdown(card_json(card(MAML=exhaustive(1, 20))))
    assert "with one seed, intervals are over the episodes of each task; they say nothing" in page
    assert "[" in next(line for line in page.splitlines() if "**MAML**" in line)
