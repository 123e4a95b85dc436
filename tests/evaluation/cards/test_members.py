from metarl.evaluation.cards import card_json
from metarl.evaluation.cards.members import failing, is_family, ordered
from tests.evaluation.cards.made_up import CONTROL, EXPERT, SEVEN, card, family


def test_an_interval_that_includes_zero_or_a_gain_below_a_third_of_the_best_is_a_failure():
    data = card_json(card(family(**SEVEN)))
    gain = {label: variant["gain"][1] for label, variant in data["variants"].items()}
    assert gain["weak"]["low"] > 0  # it is the third that it falls short of
    assert failing(data) == ["weak", "none", "worse"]
    assert failing(card_json(card(family(weak=2.5, none=0.0)))) == ["none"]


def test_controls_neither_fail_nor_set_the_standard():
    entries = {**family(MAML=3.0), "control": family(control=0.0)["control"], "expert": EXPERT}
    assert failing(card_json(card(entries))) == []
    entries["pretrained"] = family(pretrained=30.0)["pretrained"]
    assert failing(card_json(card(entries))) == []


def test_few_methods_keep_their_order():
    few = card_json(card(family(one=1.0, two=2.0)))
    assert not is_family(few)
    assert ordered(few) == ["one", "two"]


def test_what_does_not_adapt_comes_last():
    many = card_json(card({"expert": EXPERT, **family(**SEVEN), "control": CONTROL}))
    assert is_family(many)
    assert ordered(many)[0] == "best"
    assert ordered(many)[-1] == "expert"
