import numpy as np

from metarl.evaluation.cards import CardEntry, card_json, card_markdown
from metarl.evaluation.cards.fields import FIELDS
from metarl.evaluation.cards.tables import family_table, main_table, worth_table
from tests.evaluation.cards.made_up import MAML, card
from tests.evaluation.stubs import made_up


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


def test_several_families_have_a_table_of_their_own():
    families = ["reach"] * 5 + ["push"] * 5
    success = np.zeros((10, 2, 1))
    success[:5, 1] = 1  # reach is learnt, push never
    own = [made_up(success, success > 0, families=families, seed=seed) for seed in (0, 1)]
    data = card_json(card({"MAML": CardEntry(own, [0, 1])}))
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in family_table(data)]
    assert rows[0] == ["", "", "before", "1 step"]
    assert [row[:2] for row in rows[2:]] == [["reach", "MAML"], ["push", "MAML"]]
    assert [[cell.partition(" ")[0] for cell in row[2:]] for row in rows[2:]] == [
        ["0", "100"],
        ["0", "0"],
    ]
    assert "## Family by family" in card_markdown(data)
    assert family_table(card_json(card({"MAML": MAML}))) == []


def test_families_without_success_show_their_return():
    returns = np.arange(20.0).reshape(10, 2, 1)
    own = [made_up(returns, families=["walk"] * 5 + ["run"] * 5)]
    rows = family_table(card_json(card({"MAML": CardEntry(own, [0])})))
    assert rows[2].startswith("| walk | MAML | 4.0 [")
