from metarl.evaluation.cards import CardEntry, card_json
from metarl.evaluation.cards.figures import members_figure, training_figure
from tests.evaluation.cards.made_up import CONTROL, MAML, SEVEN, card, curve, family, runs
from tests.evaluation.test_figures import pixels, texts


def words_of(entries: dict[str, CardEntry]) -> str:
    picture = training_figure(card_json(card(entries)), "svg")
    assert picture is not None
    return texts(picture)


def test_a_large_family_is_drawn_row_by_row():
    data = card_json(card({**family(**SEVEN), "control": CONTROL}))
    words = texts(members_figure(data, "svg"))
    assert all(label in words for label in [*SEVEN, "control"])
    assert "gain in return, 1 step over none" in words
    assert "after 1 step" in words
    assert words.index("worse") < words.index("best")  # from below
    assert pixels(members_figure(data)).shape[0] > 300


def test_more_members_make_the_picture_higher():
    few = card_json(card(family(**SEVEN)))
    many = card_json(card({**family(**SEVEN), **family(**{f"{name} 2": 1.0 for name in SEVEN})}))
    assert pixels(members_figure(many)).shape[0] > pixels(members_figure(few)).shape[0] + 200


def test_learning_curves_name_methods_and_phases():
    words = words_of({"MAML": MAML, "control": CONTROL})
    for word in ("before adaptation", "after adaptation", "million environment steps", "MAML"):
        assert word in words
    assert "success at the last step, %" in words
    assert "thin: seeds" in words
    assert "control" not in words  # nothing is known of its training


def test_what_was_not_recorded_has_no_panel():
    plain = CardEntry(runs(1), [0], training=[curve(success=False)])
    words = words_of({"MAML": plain})
    assert "success" not in words
    assert "thin" not in words  # one seed is its own mean


def test_seeds_of_different_length_are_drawn():
    entry = CardEntry(runs(2), [0, 1], training=[curve(40), curve(7)])
    assert "MAML" in words_of({"MAML": entry})


def test_of_a_large_family_every_member_has_a_panel():
    words = words_of({**family(**SEVEN), "again": family(again=1.0)["again"]})
    assert all(label in words for label in SEVEN)
    assert "before adaptation" not in words


def test_without_curves_there_is_no_picture():
    assert training_figure(card_json(card({"control": CONTROL}))) is None
