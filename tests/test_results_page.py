"""`docs/results.md` is what the cards in `results/` give, whichever cards there are."""

import copy
import functools
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from metarl.evaluation.cards import UpstreamRow, card_bytes, card_json, read_card
from tests.evaluation.cards.made_up import CONTROL, MAML, SEVEN, card, choosing, family

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "docs" / "results.md.jinja"
PUBLISHED = ROOT / "results" / "published.yaml"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import results_page

    return results_page


@pytest.fixture
def published(script: ModuleType) -> ModuleType:
    import published

    return published


@pytest.fixture
def figures(script: ModuleType):
    from card_figures import CardFigures

    data = made_up_card()
    data["variants"]["MAML"]["success_final"] = {
        "per_seed": [[0.1, 0.82], [0.1, 0.88], [0.06, 0.8]],
        "all": [
            {"mean": 0.0867, "low": 0.05, "high": 0.13},
            {"mean": 0.8333, "low": 0.77, "high": 0.89},
        ],
    }
    return CardFigures({"ml1-reach": data})


@functools.cache
def _card() -> dict:
    return card_json(card())


def made_up_card() -> dict:
    """One that may be changed."""
    return copy.deepcopy(_card())


def write(folder: Path, name: str, benchmark: str, **further) -> dict:
    data = card_json(card(**further)) if further else made_up_card()
    data |= {"benchmark": benchmark, "title": f"{name}: made up"}
    folder.mkdir(exist_ok=True)
    shutil.copy(PUBLISHED, folder)
    (folder / f"{name}.json").write_bytes(card_bytes(data))
    return data


def section(page: str, heading: str) -> str:
    return page.partition(f"\n{heading}\n")[2].partition("\n## ")[0]


def test_the_page_is_what_the_cards_give(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["results_page.py", "--check"])
    assert script.main() == 0, capsys.readouterr().out


def test_a_page_that_was_changed_by_hand_is_noticed(script, monkeypatch, tmp_path, capsys):
    page = tmp_path / "results.md"
    monkeypatch.setattr(script, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["results_page.py", "--check"])
    assert script.main() == 1  # there is none
    monkeypatch.setattr(sys, "argv", ["results_page.py"])
    assert script.main() == 0
    page.write_text(page.read_text().replace("83 %", "93 %").replace("-7.2", "-3.2"))
    monkeypatch.setattr(sys, "argv", ["results_page.py", "--check"])
    assert script.main() == 1
    assert "isn't what the cards give" in capsys.readouterr().out


def test_no_figure_is_typed_into_the_template():
    words = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", TEMPLATE.read_text(), flags=re.DOTALL)
    for allowed in ("95 % intervals", "2-D", "ML10", "ML1", "ML25", "ML45"):
        words = words.replace(allowed, "")
    assert re.findall(r"\S*\d\S*", words) == []


def test_every_committed_card_has_its_section():
    page = (ROOT / "docs" / "results.md").read_text()
    for path in (ROOT / "results").glob("*.json"):
        data = read_card(path)
        found = section(page, f"### {data['title']}")
        assert data["manifest"] in found
        assert all(f"    {command}\n" in found for command in data["commands"])
        assert all(f"{name} {number}" in found for name, number in data["versions"].items())
        assert "environment steps each" in found


def test_sections_are_those_of_the_cards_in_their_order(script, tmp_path):
    for name, benchmark in (
        *(("own-suite", "own"), ("ml10", "ml10"), ("ml1-push", "ml1/push-v3")),
        *(("navigation", "navigation"), ("halfcheetah-vel", "halfcheetah-vel")),
    ):
        write(tmp_path, name, benchmark)
    page = script.results_page(tmp_path, TEMPLATE)
    assert re.findall(r"^### (.*): made up$", page, re.MULTILINE) == [
        *("navigation", "halfcheetah-vel", "ml1-push", "ml10", "own-suite")
    ]
    without_card = section(page, "## Published figures of problems without a card")
    assert "### Meta-World ML45" in without_card
    assert "### Meta-World ML10" not in without_card
    assert "arXiv 2511.12383" in section(page, "### Published figures: Meta-World ML10")


def test_every_number_follows_its_card(script, tmp_path):
    data = write(tmp_path, "ml1-reach", "ml1/reach-v3")
    before = script.results_page(tmp_path, TEMPLATE)
    assert "0.4321" not in before
    data["variants"]["MAML"]["success_final"]["all"][1] = {"mean": 0.43, "low": 0.12, "high": 0.78}
    (tmp_path / "ml1-reach.json").write_text(json.dumps(data))
    page = script.results_page(tmp_path, TEMPLATE)
    assert "43 [12, 78]" in section(page, "### ml1-reach: made up")
    assert "43 % [12, 78]" in section(page, "## What was learned")
    assert "43 % [12, 78]" in section(page, "## Problem by problem")
    assert "43 % [12, 78]" in section(page, "# Results")


@pytest.mark.parametrize(
    ("ends", "headline"),
    [
        ((0.05, 0.3), "On ML1 reach meta-learning shows after one step"),
        ((-0.05, 0.3), "On ML1 reach most of the gain is fine-tuning"),
        ((-0.3, -0.05), "On ML1 reach most of the gain is fine-tuning"),
    ],
)
def test_verdicts_follow_the_card(script, tmp_path, ends, headline):
    write(tmp_path, "ml1-reach", "ml1/reach-v3")
    data = json.loads((tmp_path / "ml1-reach.json").read_text())
    for comparison in data["comparisons"]:
        for line in comparison["lines"]:
            line["difference"] = {"mean": sum(ends) / 2, "low": ends[0], "high": ends[1]}
    (tmp_path / "ml1-reach.json").write_text(json.dumps(data))
    told = section(script.results_page(tmp_path, TEMPLATE), "## Problem by problem")
    assert f"**{headline}" in told
    assert told.count("**On ML1 reach") == 1


@pytest.mark.parametrize(
    ("name", "ends", "headline"),
    [
        ("ml25", (0.05, 0.3), "On ML25 meta-learning is ahead of its control.**"),
        ("ml45", (-0.3, -0.05), "On ML45 the control is ahead.**"),
        ("ml45", (-0.3, 0.05), "On ML45 MAML and its control aren't told apart.**"),
        ("halfcheetah-vel", (-0.3, -0.05), "At HalfCheetah's velocities the control is ahead.**"),
    ],
)
def test_verdicts_of_larger_sets_and_of_velocities_follow_the_card(
    script, tmp_path, name, ends, headline
):
    data = write(tmp_path, name, name)
    for line in data["comparisons"][0]["lines"]:
        line["difference"] = {"mean": sum(ends) / 2, "low": ends[0], "high": ends[1]}
    (tmp_path / f"{name}.json").write_bytes(card_bytes(data))
    told = section(script.results_page(tmp_path, TEMPLATE), "## Problem by problem")
    assert f"**{headline}" in " ".join(told.split())


@pytest.mark.parametrize(("mean", "beaten"), [(0.3, ["MAML"]), (-0.3, [])])
def test_methods_that_beat_their_control(figures, mean, beaten):
    for comparison in figures.cards["ml1-reach"]["comparisons"]:
        for line in comparison["lines"]:
            line["difference"] = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
    assert figures.beaten("ml1-reach", "control", -1) == beaten


def test_pictures_are_shown_where_there_are_any(script, tmp_path):
    write(tmp_path, "navigation", "navigation")
    (tmp_path / "navigation.png").touch()
    page = script.results_page(tmp_path, TEMPLATE)
    assert "](../results/navigation.png)" in page
    assert "navigation-training.png" not in page
    (tmp_path / "navigation-training.png").touch()
    assert "](../results/navigation-training.png)" in script.results_page(tmp_path, TEMPLATE)


def test_further_evaluations_are_small_tables(script, tmp_path):
    write(
        *(tmp_path, "ml10", "ml10"),
        extra={"New goals of the training families": {"MAML": MAML, "control": CONTROL}},
        upstream={"By metaworld's own function": [UpstreamRow("MAML", 1, 0.27, 0)]},
    )
    page = section(script.results_page(tmp_path, TEMPLATE), "### ml10: made up")
    further = page.partition("#### New goals of the training families")[2]
    assert "| MAML less control | return |" in further
    assert "| MAML | 0 | 1 | 27 |" in further.partition("#### By metaworld's own function")[2]


def test_what_holds_where_each_run_chose_its_step_size_is_told(script, tmp_path):
    """As the intervals say, in the overview, beside what failed, and in what was learned."""
    from card_figures import OWN_RATE

    own = {
        "ml1-push": {"MAML": choosing(0.1, 0.05), "control": choosing(0.01, 0.01, gain=9.0)},
        "ml1-reach": {"MAML": choosing(0.1, 0.1, gain=9.0), "control": choosing(0.05, 0.01)},
        "ml1-door-open": {"MAML": choosing(0.1, 0.1), "control": choosing(0.01, 0.01)},
    }
    for name, entries in own.items():
        write(tmp_path, name, f"ml1/{name[4:]}-v3", extra={OWN_RATE: entries})
    page = script.results_page(tmp_path, TEMPLATE)
    told = " ".join(section(page, "## Problem by problem").split())
    assert (
        "MAML's return is above its control's on reach, below it on push, and not told apart on "
        "door-open.** The step size was chosen for each run on training tasks, among those that "
        "its card names. After the last step, on door-open MAML (adapted at 0.1) is at a return of "
    ) in told
    assert "on push MAML (adapted at 0.05 and 0.1) is at a return of" in told
    assert "on reach MAML (adapted at 0.1) is at a return of" in told
    overview = page.partition("\n## ")[0]
    assert "| control before |" in overview
    assert overview.count("| MAML, 2 seeds, own step sizes |") == 3
    failed = section(page, "## What failed")
    told = dict(re.findall(r"- \*\*ml1-(.*): made up\*\*\n((?:  - .*\n)+)", failed))
    own = "Each at the step size that suits it best, MAML"
    assert re.search(f"{own} is worse than the control in .*return after", told["push"])
    assert re.search(f"{own} isn't shown better than the control in .*return", told["door-open"])
    assert not re.search(f"{own} .*return", told["reach"])


def test_the_summary_sorts_problems_by_their_verdicts(script, tmp_path):
    """At one step size for both, and with each run at its own."""
    from card_figures import OWN_RATE

    own = {
        "navigation": {"MAML": choosing(0.1, 0.1, gain=9.0), "control": choosing(0.05, 0.01)},
        "ml1-push": {"MAML": choosing(0.1, 0.05), "control": choosing(0.01, 0.01, gain=9.0)},
        "ml10": {"MAML": choosing(0.1, 0.1), "control": choosing(0.01, 0.01)},
    }
    for name, entries in own.items():
        data = write(tmp_path, name, name.replace("-", "/"), extra={OWN_RATE: entries})
        for line in data["comparisons"][0]["lines"]:
            sign = -1 if name == "ml10" else 1
            low, high = sorted((sign * 0.1, sign * 0.3))
            line["difference"] = {"mean": sign * 0.2, "low": low, "high": high}
        (tmp_path / f"{name}.json").write_bytes(card_bytes(data))
    learned = " ".join(
        section(script.results_page(tmp_path, TEMPLATE), "## What was learned").split()
    )
    assert (
        "trained with, is above its control's on navigation and push, below it on ML10. That"
        in learned
    )
    assert (
        "MAML's return is above its control's on navigation, below it on push, and not told apart "
        "on ML10."
    ) in learned


def test_what_failed_is_told_from_the_cards(script, tmp_path):
    entries = {**family(**SEVEN), "control": CONTROL}
    reasons = {"none": "it stands still."}
    write(tmp_path, "navigation-family", "navigation", entries=entries, reasons=reasons)
    write(tmp_path, "ml1-push", "ml1/push-v3", entries={"MAML": MAML})
    data = write(tmp_path, "ml1-reach", "ml1/reach-v3")
    for line in data["comparisons"][0]["lines"]:
        line["difference"] = {"mean": -0.2, "low": -0.3, "high": -0.1}
    for value in data["variants"]["MAML"]["success_final"]["all"]:
        value["mean"] = 0.1
    (tmp_path / "ml1-reach.json").write_bytes(card_bytes(data))
    failed = section(script.results_page(tmp_path, TEMPLATE), "## What failed")
    told = dict(re.findall(r"- \*\*(.*): made up\*\*\n((?:  - .*\n)+)", failed))
    assert "  - **none** fails to adapt: it stands still.\n" in told["navigation-family"]
    assert "  - No control" in told["ml1-push"]
    assert (
        "  - MAML is worse than the control in success at the last step after 1 step; return after "
        "1 step.\n"
    ) in told["ml1-reach"]
    assert "No method's success after the last step is above 10 %." in told["ml1-reach"]


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


def test_published_figures_have_a_source_and_second_hand_ones_say_so(published):
    problems = published.load_published(PUBLISHED)
    found = [one for problem in problems.values() for one in problem.figures]
    assert all(re.search(r"arXiv \d{4}\.\d{4,5}|GitHub", one.source) for one in found)
    assert all(one.protocol and one.shown for one in found)
    assert {one.cited.endswith("(second-hand)") for one in found if not one.read} == {True}
    assert not any("second-hand" in one.cited for one in found if one.read)
    (finn,) = [one for one in problems["navigation"].figures if "context" in one.method]
    assert finn.shown == "before -42.42; 1 step -13.90; 2 steps -5.17; 3 steps -3.18"


@pytest.mark.parametrize(
    "entry",
    [
        "{problem: chess, method: m, figures: {}, protocol: p, source: s, read: true}",
        "{problem: ml10, method: m, figures: {}, protocol: p, source: s}",
        "{problem: ml10, method: m, figures: {}, protocol: p, source: s, read: true, rumour: 1}",
    ],
)
def test_a_published_figure_that_lacks_something_is_refused(published, tmp_path, entry):
    path = tmp_path / "published.yaml"
    problems = "problems: {ml10: {title: ML10, benchmarks: [ml10], differs: none}}"
    path.write_text(f"{problems}\nfigures: [{entry}]\n")
    with pytest.raises(ValueError, match=r"published\.yaml"):
        published.load_published(path)


def test_further_evaluations_are_looked_up_by_title(script):
    from card_figures import CardFigures

    rates = [UpstreamRow("MAML", 1, 0.2, 0), UpstreamRow("MAML", 1, 0.4, 1)]
    extra = {"New goals": {"MAML": MAML, "control": CONTROL}}
    data = card_json(card(extra=extra, upstream={"Theirs": rates}))
    data["variants"]["MAML"]["families"] = {
        "reach-v3": {"success_final": [{"mean": 0.5, "low": 0.25, "high": 0.75}]}
    }
    figures = CardFigures({"ml10": data})
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
