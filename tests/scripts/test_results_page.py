"""`docs/results.md` is what the cards in `results/` give, whichever cards there are."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from metarl.evaluation.cards import UpstreamRow, card_bytes, card_json, read_card
from tests.evaluation.cards.made_up import CONTROL, MAML, SEVEN, card, card_data, choosing, family

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "docs" / "results.md.jinja"
PUBLISHED = ROOT / "results" / "published.yaml"


@pytest.fixture
def maker(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("results_page")


def write(folder: Path, name: str, benchmark: str, **further) -> dict:
    data = card_json(card(**further)) if further else card_data()
    data |= {"benchmark": benchmark, "title": f"{name}: made up"}
    folder.mkdir(exist_ok=True)
    shutil.copy(PUBLISHED, folder)
    (folder / f"{name}.json").write_bytes(card_bytes(data))
    return data


def section(page: str, heading: str) -> str:
    return page.partition(f"\n{heading}\n")[2].partition("\n## ")[0]


def test_the_page_is_what_the_cards_give(maker, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["results_page.py", "--check"])
    assert maker.main() == 0, capsys.readouterr().out


def test_a_page_that_was_changed_by_hand_is_noticed(maker, monkeypatch, tmp_path, capsys):
    page = tmp_path / "results.md"
    monkeypatch.setattr(maker, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["results_page.py", "--check"])
    assert maker.main() == 1  # there is none
    monkeypatch.setattr(sys, "argv", ["results_page.py"])
    assert maker.main() == 0
    page.write_text(page.read_text().replace("83 %", "93 %").replace("-7.2", "-3.2"))
    monkeypatch.setattr(sys, "argv", ["results_page.py", "--check"])
    assert maker.main() == 1
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


def test_sections_are_those_of_the_cards_in_their_order(maker, tmp_path):
    for name, benchmark in (
        *(("own-suite", "own"), ("ml10", "ml10"), ("ml1-push", "ml1/push-v3")),
        *(("navigation", "navigation"), ("halfcheetah-vel", "halfcheetah-vel")),
    ):
        write(tmp_path, name, benchmark)
    page = maker.results_page(tmp_path, TEMPLATE)
    assert re.findall(r"^### (.*): made up$", page, re.MULTILINE) == [
        *("navigation", "halfcheetah-vel", "ml1-push", "ml10", "own-suite")
    ]
    without_card = section(page, "## Published figures of problems without a card")
    assert "### Meta-World ML45" in without_card
    assert "### Meta-World ML10" not in without_card
    assert "arXiv 2511.12383" in section(page, "### Published figures: Meta-World ML10")


def test_every_number_follows_its_card(maker, tmp_path):
    data = write(tmp_path, "ml1-reach", "ml1/reach-v3")
    before = maker.results_page(tmp_path, TEMPLATE)
    assert "0.4321" not in before
    data["variants"]["MAML"]["success_final"]["all"][1] = {"mean": 0.43, "low": 0.12, "high": 0.78}
    (tmp_path / "ml1-reach.json").write_text(json.dumps(data))
    page = maker.results_page(tmp_path, TEMPLATE)
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
def test_verdicts_follow_the_card(maker, tmp_path, ends, headline):
    write(tmp_path, "ml1-reach", "ml1/reach-v3")
    data = json.loads((tmp_path / "ml1-reach.json").read_text())
    for comparison in data["comparisons"]:
        for line in comparison["lines"]:
            line["difference"] = {"mean": sum(ends) / 2, "low": ends[0], "high": ends[1]}
    (tmp_path / "ml1-reach.json").write_text(json.dumps(data))
    told = section(maker.results_page(tmp_path, TEMPLATE), "## Problem by problem")
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
    maker, tmp_path, name, ends, headline
):
    data = write(tmp_path, name, name)
    for line in data["comparisons"][0]["lines"]:
        line["difference"] = {"mean": sum(ends) / 2, "low": ends[0], "high": ends[1]}
    (tmp_path / f"{name}.json").write_bytes(card_bytes(data))
    told = section(maker.results_page(tmp_path, TEMPLATE), "## Problem by problem")
    assert f"**{headline}" in " ".join(told.split())


def test_pictures_are_shown_where_there_are_any(maker, tmp_path):
    write(tmp_path, "navigation", "navigation")
    (tmp_path / "navigation.png").touch()
    page = maker.results_page(tmp_path, TEMPLATE)
    assert "](../results/navigation.png)" in page
    assert "navigation-training.png" not in page
    (tmp_path / "navigation-training.png").touch()
    assert "](../results/navigation-training.png)" in maker.results_page(tmp_path, TEMPLATE)


def test_further_evaluations_are_small_tables(maker, tmp_path):
    write(
        *(tmp_path, "ml10", "ml10"),
        extra={"New goals of the training families": {"MAML": MAML, "control": CONTROL}},
        upstream={"By metaworld's own function": [UpstreamRow("MAML", 1, 0.27, 0)]},
    )
    page = section(maker.results_page(tmp_path, TEMPLATE), "### ml10: made up")
    further = page.partition("#### New goals of the training families")[2]
    assert "| MAML less control | return |" in further
    assert "| MAML | 0 | 1 | 27 |" in further.partition("#### By metaworld's own function")[2]


def test_what_holds_where_each_run_chose_its_step_size_is_told(maker, tmp_path):
    """As the intervals say, in the overview, beside what failed, and in what was learned."""
    from card_figures import OWN_RATE

    own = {
        "ml1-push": {"MAML": choosing(0.1, 0.05), "control": choosing(0.01, 0.01, gain=9.0)},
        "ml1-reach": {"MAML": choosing(0.1, 0.1, gain=9.0), "control": choosing(0.05, 0.01)},
        "ml1-door-open": {"MAML": choosing(0.1, 0.1), "control": choosing(0.01, 0.01)},
    }
    for name, entries in own.items():
        write(tmp_path, name, f"ml1/{name[4:]}-v3", extra={OWN_RATE: entries})
    page = maker.results_page(tmp_path, TEMPLATE)
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


def test_the_summary_sorts_problems_by_their_verdicts(maker, tmp_path):
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
        section(maker.results_page(tmp_path, TEMPLATE), "## What was learned").split()
    )
    assert (
        "trained with, is above its control's on navigation and push, below it on ML10. That"
        in learned
    )
    assert (
        "MAML's return is above its control's on navigation, below it on push, and not told apart "
        "on ML10."
    ) in learned


def test_what_failed_is_told_from_the_cards(maker, tmp_path):
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
    failed = section(maker.results_page(tmp_path, TEMPLATE), "## What failed")
    told = dict(re.findall(r"- \*\*(.*): made up\*\*\n((?:  - .*\n)+)", failed))
    assert "  - **none** fails to adapt: it stands still.\n" in told["navigation-family"]
    assert "  - No control" in told["ml1-push"]
    assert (
        "  - MAML is worse than the control in success at the last step after 1 step; return after "
        "1 step.\n"
    ) in told["ml1-reach"]
    assert "No method's success after the last step is above 10 %." in told["ml1-reach"]
