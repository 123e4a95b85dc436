"""What others published is read with its source, or refused."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

PUBLISHED = Path(__file__).parents[2] / "results" / "published.yaml"


@pytest.fixture
def published(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("published")


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
