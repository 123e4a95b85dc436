"""Numbers of result cards as text."""

from collections.abc import Callable
from types import ModuleType

import pytest

from metarl.evaluation.cards import UpstreamRow, card_json
from tests.evaluation.cards.made_up import CONTROL, MAML, card, card_data


@pytest.fixture
def figures(script: Callable[[str], ModuleType]):
    data = card_data()
    data["variants"]["MAML"]["success_final"] = {
        "per_seed": [[0.1, 0.82], [0.1, 0.88], [0.06, 0.8]],
        "all": [
            {"mean": 0.0867, "low": 0.05, "high": 0.13},
            {"mean": 0.8333, "low": 0.77, "high": 0.89},
        ],
    }
    return script("card_figures").CardFigures({"ml1-reach": data})


@pytest.mark.parametrize(("mean", "beaten"), [(0.3, ["MAML"]), (-0.3, [])])
def test_methods_that_beat_their_control(figures, mean, beaten):
    for comparison in figures.cards["ml1-reach"]["comparisons"]:
        for line in comparison["lines"]:
            line["difference"] = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
    assert figures.beaten("ml1-reach", "control", -1) == beaten


def test_prose_takes_its_numbers_from_the_cards(figures):
    reach = ("ml1-reach", "MAML")
    assert figures.rate(*reach, 1) == "83 % [77, 89]"
    assert figures.per_seed(*reach, 1) == "82, 88 and 80 %"
    assert figures.lowest(*reach, 1) == "80 %"
    assert figures.seeds(*reach) == "3 seeds"
    assert figures.env_steps(*reach) == "0.009 million"
    assert figures.seconds(*reach) == "1.2 s"
    assert figures.memory(*reach) == "512 MiB"
    assert figures.tasks("ml1-reach") == "10 tasks"
    assert figures.rate(*reach, -1) == figures.rate(*reach, 1)
    # Of 250 iterations the last 25: their number, less the mean level of three seeds.
    assert float(figures.training_gain(*reach, 1.0)) == pytest.approx(237.5, abs=1)
    assert figures.has("ml1-reach", "MAML", "control")
    assert not figures.has("ml1-reach", "LEO")
    assert not figures.has("ml10")


def test_differences_are_those_of_the_card_either_way_round(figures):
    line = next(
        line
        for line in figures.card("ml1-reach")["comparisons"][0]["lines"]
        if (line["field"], line["adaptation_step"]) == ("episode_return", 1)
    )
    line["difference"] = {"mean": 7.5, "low": 5.9, "high": 9.0}
    asked = (1, "episode_return")
    assert figures.difference("ml1-reach", "MAML", "control", *asked) == "+7.5 [+5.9, +9.0]"
    assert figures.difference("ml1-reach", "control", "MAML", *asked) == "-7.5 [-9.0, -5.9]"
    assert figures.outcome("ml1-reach", "MAML", "control", *asked) == "better"
    assert figures.outcome("ml1-reach", "control", "MAML", *asked) == "worse"
    line["difference"]["low"] = -1.0
    assert figures.outcome("ml1-reach", "MAML", "control", *asked) == "undecided"
    points = figures.difference("ml1-reach", "MAML", "control", 1)
    assert " points [" in points


def test_quantities_that_disagree_are_told(figures):
    found = {"success_final": 0.2, "success_any": 0.2, "episode_return": 0.2}

    def overall() -> str:
        for comparison in figures.cards["ml1-reach"]["comparisons"]:
            for line in comparison["lines"]:
                mean = found[line["field"]]
                line["difference"] = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
        return figures.overall("ml1-reach", "MAML", "control", -1)

    assert overall() == "better"
    found["episode_return"] = 0.0
    assert overall() == "undecided"
    found["episode_return"] = -0.2
    assert overall() == "mixed"


def test_where_a_card_compares_nothing_intervals_decide(figures):
    figures.card("ml1-reach")["comparisons"] = []
    its = figures.variant("ml1-reach", "control")
    its["success_final"]["all"][1] = {"mean": 0.6, "low": 0.5, "high": 0.7}
    assert figures.outcome("ml1-reach", "MAML", "control", 1) == "better"
    assert figures.apart("ml1-reach", "MAML", "control", 1)
    its["success_final"]["all"][1]["high"] = 0.8
    assert figures.outcome("ml1-reach", "MAML", "control", 1) == "undecided"
    assert not figures.apart("ml1-reach", "MAML", "control", 1)
    with pytest.raises(LookupError, match="doesn't compare MAML with control"):
        figures.difference("ml1-reach", "MAML", "control", 1)


def test_a_number_that_is_not_there_is_an_error(figures):
    for ask, told in (
        (lambda: figures.rate("ml1-rich", "MAML", 1), "there are ml1-reach"),
        (lambda: figures.rate("ml1-reach", "LEO", 1), "it has MAML, control, expert"),
        (lambda: figures.rate("ml1-reach", "MAML", 2), "got step 2; it has 2"),
        (lambda: figures.gain("ml1-reach", "MAML", 0), "knows no gain after step 0"),
        (lambda: figures.seconds("ml1-reach", "control"), "knows no time"),
        (lambda: figures.memory("ml1-reach", "control"), "knows no memory"),
        (lambda: figures.training_gain("ml1-reach", "control", 1.0), "no learning curve"),
    ):
        with pytest.raises(LookupError, match=told):
            ask()


def test_further_evaluations_are_looked_up_by_title(script):
    rates = [UpstreamRow("MAML", 1, 0.2, 0), UpstreamRow("MAML", 1, 0.4, 1)]
    extra = {"New goals": {"MAML": MAML, "control": CONTROL}}
    data = card_json(card(extra=extra, upstream={"Theirs": rates}))
    data["variants"]["MAML"]["families"] = {
        "reach-v3": {"success_final": [{"mean": 0.5, "low": 0.25, "high": 0.75}]}
    }
    figures = script("card_figures").CardFigures({"ml10": data})
    goals = figures.further("ml10", "New goals")
    assert figures.ret(goals, "MAML", 1) == figures.ret("ml10", "MAML", 1)
    assert figures.outcome(goals, "MAML", "control", 1, "episode_return") == "better"
    assert figures.upstream("ml10", "MAML", 1) == "30 %"
    assert figures.has_upstream("ml10", "MAML")
    assert not figures.has_upstream("ml10", "MAML", "control")
    assert figures.has(goals, "MAML", "control")
    assert not figures.has(goals, "ProMP")
    assert not figures.has(figures.further("ml10", "Old goals"))
    assert not figures.has(figures.further("ml45", "New goals"))
    assert not figures.has_upstream("ml45", "MAML")
    assert figures.of_family("ml10", "reach-v3", "MAML", 0) == "50 % [25, 75]"
    for lookup in (
        lambda: figures.rate(figures.further("ml10", "Old goals"), "MAML", 1),
        lambda: figures.upstream("ml10", "control", 1),
        lambda: figures.of_family("ml10", "push-v3", "MAML", 0),
    ):
        with pytest.raises(LookupError, match="ml10"):
            lookup()
