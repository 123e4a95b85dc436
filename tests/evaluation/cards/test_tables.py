from metarl.evaluation.cards import card_json
from metarl.evaluation.cards.fields import FIELDS
from metarl.evaluation.cards.tables import main_table, worth_table
from tests.evaluation.cards.made_up import MAML, card


def test_what_methods_are_worth_over_the_controls_is_one_table():
    data = card_json(card())
    lines = worth_table(data, ["success_final", "episode_return"])
    assert lines[0] == "| | | 1 step |"
    assert lines[2].startswith("| MAML less control | success at the last step, % | ")
    (line,) = [
        line
        for line in data["comparisons"][0]["lines"]
        if (line["field"], line["adaptation_step"]) == ("episode_return", 1)
    ]
    assert lines[3].startswith(f"| MAML less control | return | {line['difference']['mean']:.1f} [")
    assert len(lines) == 4
    assert worth_table(card_json(card({"MAML": MAML})), ["episode_return"]) == []


def test_a_card_that_knows_no_gain_has_no_column_for_it():
    data = card_json(card())
    assert main_table(data, "episode_return")[0].endswith("| gain (1 step) |")
    for variant in data["variants"].values():
        variant["gain"] = [None, None]
    assert main_table(data, "episode_return")[0] == "| | before | 1 step |"


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert FIELDS["episode_return"].show(-0.04) == "0.0"
    assert FIELDS["success_final"].show(0.126) == "13"
