import numpy as np

from metarl.evaluation.cards import CardEntry, UpstreamRow, card_json, card_markdown
from tests.evaluation.cards.made_up import (
    CONTROL,
    EXPERT,
    MAML,
    SEVEN,
    card,
    choosing,
    family,
    runs,
)
from tests.evaluation.stubs import made_up


def section(page: str, heading: str) -> str:
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_page_shows_every_number():
    data = card_json(card())
    page = card_markdown(data, "card.png", "card-training.png")
    assert page.startswith("# A title\n\n    metarl train maml --benchmark made-up\n")
    assert "![before and after adaptation](card.png)" in page
    assert "![training](card-training.png)" in page
    assert "\nA note.\n" in page
    value = data["variants"]["MAML"]["episode_return"]["all"][1]
    assert f"{value['mean']:.1f} [{value['low']:.1f}, {value['high']:.1f}] |" in page
    assert "| expert | 0 |" in page
    assert "## MAML against control" in page
    assert "Intervals: 95 %, over seeds and tasks" in page
    assert (
        "Training: 3 seeds of 9,000 environment steps each: MAML (1.2 s, 512 MiB); 2 seeds of"
        in page
    )
    assert f"Split manifest: `{'0' * 64}`. Hardware: platform Linux, cores 2." in page


def test_whether_a_method_was_still_learning_is_told():
    """By the mean over seeds of the tenth before each of two points of training."""
    # A return of twice the number of the iteration, in points of three: 163 to 189, 226 to 250.
    data = card_json(card())
    told = "after three quarters of training and at its end: MAML 352.0 and 477.8.\n"
    assert told in card_markdown(data)
    for curve in data["variants"]["MAML"]["training"]:
        curve["after"]["episode_return"] = [None] * 100
    assert "three quarters" not in card_markdown(data)
    many = {**family(**SEVEN), "control": CONTROL}
    assert "three quarters" not in card_markdown(card_json(card(many)))


def test_one_table_has_a_row_per_method_and_the_gain():
    data = card_json(card())
    lines = [line for line in section(card_markdown(data), "Return").splitlines() if line]
    assert lines[0] == "| | before | 1 step | gain (1 step) |"
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| MAML", "| control", "| expert"]
    gain = data["variants"]["MAML"]["gain"][1]
    assert lines[2].endswith(f"| {gain['mean']:.1f} [{gain['low']:.1f}, {gain['high']:.1f}] |")
    assert lines[4].endswith("| - | - |")


def test_every_table_row_has_as_many_cells_as_its_heading():
    further = {
        "extra": {"New goals": {"MAML": MAML}},
        "upstream": {"Theirs": [UpstreamRow("MAML", 1, 0.25)]},
    }
    for entries in (None, {**family(**SEVEN), "control": CONTROL}):
        for block in card_markdown(card_json(card(entries, **further))).split("\n\n"):
            rows = [line for line in block.splitlines() if line.startswith("|")]
            assert len({line.count("|") for line in rows}) <= 1


def test_one_seed_says_that_it_says_nothing_of_others():
    page = card_markdown(card_json(card({"MAML": CardEntry(runs(1), [0])})))
    assert "over tasks; they say nothing of seeds that were not run" in page
    assert "Training: none." in page


def test_a_single_run_beside_several_is_named():
    page = card_markdown(card_json(card()))
    assert "families given. Intervals of a single run (expert) are over tasks alone, and so" in page
    assert "a single run" not in card_markdown(card_json(card({"MAML": MAML})))


def test_a_family_without_success_has_no_table_of_it():
    plain = CardEntry([made_up(np.arange(10.0).reshape(5, 2, 1))], [0])
    page = card_markdown(card_json(card({"MAML": plain})))
    assert "## Return" in page
    assert "uccess" not in page


def test_step_sizes_that_were_chosen_are_told_seed_by_seed():
    entries = {"MAML": choosing(0.1, 0.05), "control": choosing(0.01, 0.01)}
    data = card_json(card(extra={"Own rates": entries}))
    found = section(card_markdown(data), "Own rates")
    assert "step sizes 0.01, 0.05, 0.1 which gave the highest return after the last step" in found
    assert "seed by seed: MAML 0.1, 0.05; control 0.01, 0.01." in found
    assert "step sizes" not in card_markdown(card_json(card()))


def test_further_evaluations_follow_under_their_titles():
    page = card_markdown(
        card_json(
            card(
                extra={"New goals": {"MAML": MAML, "control": CONTROL}},
                upstream={"By metaworld": [UpstreamRow("MAML", 1, 0.251, 0)]},
            )
        )
    )
    found = section(page, "New goals")
    assert "Evaluated on 10 test tasks of made-up, horizon 150, after 0 and 1" in found
    assert "| MAML less control | return | " in found
    assert "| MAML | 0 | 1 | 25 |" in section(page, "By metaworld")


def test_a_large_family_is_one_table_with_the_gain_the_best_first():
    data = card_json(card({"MAML": MAML, **family(**SEVEN)}))
    page = card_markdown(data)
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings[0] == "## Return"
    rows = section(page, "Return").strip().splitlines()[2:]
    assert [row.split(" | ")[0][2:] for row in rows] == [
        *("best", "good", "fair", "MAML", "weak", "none", "worse")
    ]
    assert "## MAML against best" not in page


def test_of_a_large_family_every_member_is_compared_with_the_control():
    data = card_json(card({**family(**SEVEN), "control": CONTROL, "expert": EXPERT}))
    rows = section(card_markdown(data), "Against control after 1 step, return").strip().splitlines()
    assert rows[0] == "| | less control | P(better than control) |"
    assert [row.split(" | ")[0][2:] for row in rows[2:]] == list(SEVEN)
    (own,) = [one for one in data["comparisons"] if one["labels"] == ["good", "control"]]
    (line,) = [
        line
        for line in own["lines"]
        if (line["field"], line["adaptation_step"]) == ("episode_return", 1)
    ]
    assert rows[3].startswith(f"| good | {line['difference']['mean']:.1f} [")


def test_members_that_fail_to_adapt_are_named_with_the_reason():
    entries = {"MAML": MAML, **family(**SEVEN), "control": CONTROL}
    page = card_markdown(card_json(card(entries, reasons={"none": "its step is too short."})))
    assert section(page, "What fails to adapt").strip().splitlines() == [
        "- **weak** fails to adapt: no reason is known.",
        "- **none** fails to adapt: its step is too short.",
        "- **worse** fails to adapt: no reason is known.",
    ]


def test_of_few_methods_only_those_with_a_reason_fail_others_arent_shown_to_adapt():
    few = family(best=12.0, weak=2.5, none=0.0, worse=-4.0)
    data = card_json(card(few, reasons={"worse": "it diverges.", "best": "no."}))
    gain = data["variants"]["none"]["gain"][1]
    shown = f"{gain['mean']:.1f} [{gain['low']:.1f}, {gain['high']:.1f}]"
    # The weak one gains less than a third of the best, which of few methods says little.
    assert section(card_markdown(data), "What isn't shown to adapt").strip().splitlines() == [
        f"- **none**: isn't shown to gain ({shown}).",
        "- **worse** fails to adapt: it diverges.",
    ]
    assert "to adapt" not in card_markdown(card_json(card({"MAML": MAML})))


def exhaustive(count: int, episodes: int) -> CardEntry:
    returns = np.random.default_rng(5).normal(size=(count, 2, 2, episodes))
    both = [made_up(one, one > 0, exhaustive=True, seed=i) for i, one in enumerate(returns)]
    return CardEntry(both, list(range(count)))


def test_tasks_that_are_all_there_are_have_intervals_over_seeds():
    data = card_json(card({"MAML": exhaustive(3, 1), "control": exhaustive(3, 1)}))
    assert data["variants"]["MAML"]["intervals_over"] == "runs"
    page = card_markdown(data)
    assert "These tasks are all there are, so they are no sample: intervals are over train" in page
    assert "95 %. Rates" in page
    assert "over tasks" not in page


def test_one_seed_and_one_episode_of_all_tasks_there_are_has_no_interval():
    data = card_json(card({"MAML": exhaustive(1, 1), "control": exhaustive(1, 1)}))
    page = card_markdown(data)
    assert "there is nothing to take an interval from" in page
    assert "Intervals: 95 %" not in page
    assert not [line for line in page.splitlines() if line.startswith("|") and "[" in line]


def test_one_seed_of_all_tasks_there_are_has_intervals_over_episodes():
    page = card_markdown(card_json(card({"MAML": exhaustive(1, 20)})))
    assert "with one seed, intervals are over the episodes of each task; they say nothing" in page
    assert "[" in next(line for line in page.splitlines() if line.startswith("| MAML"))
