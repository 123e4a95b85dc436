from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from metarl.errors import EvaluationError
from metarl.evaluation import Evaluation
from metarl.evaluation.report import Group, Method, Report, read_trace, write_report
from tests.evaluation.report.made_up import IMPROVING, ORACLE, evaluation, facts, methods

VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """What a page is made of; raises where tags don't match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """PNG files have tests of their own, and take most of the time."""
    monkeypatch.setattr("metarl.evaluation.report.page.png", lambda _: b"PNG")


UPSTREAM = {
    "adaptation_steps": 1,
    "success_rate": 0.9,
    "explanation": "It counts quick episodes first.",
}


def written(folder: Path, *groups: Group, **changes: Any) -> tuple[Page, Path, str]:
    report = Report(
        **{
            "title": "Adaptation",
            "groups": groups or (Group(methods()),),
            "command": "metarl report runs/nav",
            **changes,
        }
    )
    path = write_report(report, folder / "report.html")
    text = path.read_text()
    return Page(text), path, text


def test_the_page_needs_no_network_and_its_files_are_there(tmp_path: Path) -> None:
    page, path, text = written(tmp_path)
    assert not re.search(r"(src|href|url\()\s*=?\s*[\"']?\s*(https?:)?//", text)
    assert "@import" not in text
    assert not page.all("link")
    assert not page.all("img")
    assert "default-src 'none'" in text
    links = [attrs["href"] or "" for attrs in page.all("a")]
    files_linked = [link for link in links if not link.startswith("#")]
    assert len(files_linked) == 3 * len(page.all("svg"))
    assert all((path.parent / link).stat().st_size > 0 for link in files_linked)
    assert len(set(files_linked)) == len(files_linked)


def test_the_page_says_what_was_measured(tmp_path: Path) -> None:
    run = facts(upstream=UPSTREAM)
    group = Group([Method("MAML", [IMPROVING], [run], methods()[0].trace), *methods()[1:]])
    page, _, _ = written(tmp_path, group)
    for words in (
        "25 → 50 → 50",
        "Each adaptation step learns from 5 episodes with sampled actions",
        "What meta-learning was worth",
        "Adapting gains the control 42 %",
        "oracle, sees the goal",
        "It counts quick episodes first.",
        "90 % by metaworld.evaluation",
        "tasks are drawn from a continuum",
        "0123abcd",
        "torch",
        "2.13.0",
        "metarl train maml --benchmark navigation",
        "metarl report runs/nav",
        "Inside adaptation",
        "Profile of return, after 2 steps",
        "Optimality gap: how far success at the last step falls short of 100 %.",
        "goal 0.3, -0.4",
    ):
        assert words in page.text, words


def test_the_page_says_so_where_nothing_is_held_out(tmp_path: Path) -> None:
    shared = evaluation([[0.0] * 4, [1.0] * 4], shares_tasks=True)
    page, _, _ = written(tmp_path, Group([Method("MAML", [shared], [facts()])]))
    assert "Nothing is held out" in page.text
    assert "held-out" not in page.text


def facts_of_split(folder: Path, disjoint: bool | None) -> str:
    run = facts(manifest={**facts().manifest, "disjoint": disjoint})
    page, _, _ = written(folder, Group([Method("MAML", [IMPROVING], [run])]))
    return page.text.partition("trained onNavigationTasks")[2].partition("manifest")[0]


@pytest.mark.parametrize(
    ("disjoint", "overlap"),
    [
        (True, "checked: no task is in both"),
        (False, "test tasks are trained on"),
        (None, "tasks are drawn from a continuum"),
    ],
)
def test_the_page_says_whether_splits_overlap(
    tmp_path: Path, disjoint: bool | None, overlap: str
) -> None:
    said = facts_of_split(tmp_path, disjoint)
    assert "tested onNavigationTasks" in said
    assert "held out" not in said
    assert f"overlap{overlap}" in said


@pytest.mark.parametrize(
    ("split", "called"), [("test", "held-out"), ("train", "training"), ("other", "new")]
)
def test_tasks_are_called_what_they_are(tmp_path: Path, split: str, called: str) -> None:
    own = evaluation([[0.0] * 4, [1.0] * 4], split=split)
    group = Group([Method("MAML", [own], [facts()])])
    page, _, _ = written(tmp_path, group, group)
    for words in (
        f"navigation, {called} tasks",
        f"{called.capitalize()} tasks before adaptation",
        f"each mark is one {called} goal",
    ):
        assert words in page.text
    for other in {"held-out", "training", "new"} - {called}:
        assert f"navigation, {other} tasks" not in page.text
        assert f"one {other} goal" not in page.text


@pytest.mark.parametrize(
    ("own", "control", "words"),
    [
        ([100, 100], [100, 100], "on the same tasks for as many steps, but without adaptation"),
        (
            [1000, 900],
            [2000, 900],
            "for 900 and 2,000 environment steps (MAML: 900 and 1,000), but",
        ),
        ([100, 100], [None, 100], "on the same tasks, but without adaptation"),
        ([None, None], [100, 100], "on the same tasks, but without adaptation"),
    ],
)
def test_the_page_says_how_long_the_control_was_trained(
    tmp_path: Path, own: list[int | None], control: list[int | None], words: str
) -> None:
    def runs(numbers: list[int | None]) -> list[Evaluation]:
        return [
            evaluation([[0.0] * 4, [1.0] * 4], subject={"seed": i, "num_timesteps": number})
            for i, number in enumerate(numbers)
        ]

    group = Group([Method("MAML", runs(own), [facts()] * 2), Method("pretrained", runs(control))])
    page, _, _ = written(tmp_path, group)
    assert words in " ".join(page.text.split())


def test_parts_without_content_are_left_out(tmp_path: Path) -> None:
    group = Group([Method("MAML", [ORACLE], [facts(metrics={})])])
    page, _, _ = written(tmp_path, group)
    assert "Inside adaptation" not in page.text
    assert "Learning curves" not in page.text
    assert "metaworld.evaluation" not in page.text


def test_without_the_control_the_page_says_what_is_not_known(tmp_path: Path) -> None:
    page, _, _ = written(tmp_path, Group(methods()[:1]))
    assert "not yet what meta-learning was worth" in page.text


def test_every_group_is_a_section_and_no_id_is_there_twice(tmp_path: Path) -> None:
    page, _, _ = written(tmp_path, Group(methods()), Group(methods()))
    assert len(page.all("section")) == 2
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [(attrs["href"] or "")[1:] for attrs in page.all("a") if "#" in (attrs["href"] or "")]
    assert set(targets) <= set(ids)
    named = [name for attrs in page.all("svg") for name in (attrs["aria-labelledby"] or "").split()]
    assert set(named) <= set(ids)


def test_what_users_write_is_escaped(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>&'
    run = facts(path=evil, commands=[evil], versions={"platform": evil})
    group = Group([Method(evil, [IMPROVING], [run], methods()[0].trace)])
    page, path, text = written(tmp_path, group, title=evil, command=evil)
    assert len(page.all("script")) == 1
    assert "alert(" in page.text
    assert "<script>alert" not in text
    assert {file.suffix for file in (path.parent / "report-figures").iterdir()} == {
        ".png",
        ".svg",
        ".csv",
    }


def test_tables_can_be_read_and_sorted(tmp_path: Path) -> None:
    page, _, text = written(tmp_path)
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
    assert "aria-sort" in text
    assert page.all("html")[0]["lang"] == "en"
    assert [attrs for attrs in page.all("meta") if attrs.get("name") == "viewport"]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def themes(name: str) -> list[dict[str, str]]:
    """The colours of a style sheet, light and dark."""
    text = (files("metarl.evaluation.report") / "templates" / name).read_text()
    light, dark = text.split("prefers-color-scheme:dark", 1)
    variables = re.compile(r"--([\w]+):(#[0-9a-f]+)")
    return [dict(variables.findall(light)), dict(variables.findall(dark))]


@pytest.mark.parametrize("index", [0, 1], ids=["light", "dark"])
def test_contrast_is_that_of_wcag_aa(index: int) -> None:
    page, figures = themes("page.css")[index], themes("figures.css")[index]
    for name in ("ink", "faint", "link", "good", "bad"):
        for ground in ("paper", "ground"):
            assert contrast(page[name], page[ground]) >= 4.5, (name, ground)
    assert contrast(page["ink"], page["code"]) >= 4.5
    for name in ("ink", "faint"):
        assert contrast(figures[name], figures["paper"]) >= 4.5, name
    for number in range(6):
        assert contrast(figures[f"c{number}"], figures["paper"]) >= 3.0, number


def test_traces_are_read_from_the_evaluation_s_folder(tmp_path: Path) -> None:
    assert read_trace(tmp_path) == ()
    (tmp_path / "trace.json").write_text(
        '{"steps": [{"task": "abc", "step": 1, "loss": 0.5, "loss_after": 0.4, "gradient_norm": 2,'
        ' "kl": 0.1, "relative_change": {"network.0": 0.01}}]}'
    )
    (line,) = read_trace(tmp_path)
    assert (line.task, line.step, line.gradient_norm) == ("abc", 1, 2.0)
    assert line.relative_change == {"network.0": 0.01}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "3",
        "{}",
        "[]",
        '{"steps": [{"task": "abc"}]}',
        '{"steps": [3]}',
        '{"steps": [{"task": "a", "step": 1, "loss": NaN, "loss_after": 0.4, "gradient_norm": 2,'
        ' "kl": 0.1, "relative_change": {}}]}',
    ],
)
def test_damaged_traces_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "trace.json").write_text(content)
    with pytest.raises(EvaluationError, match=r"trace.json"):
        read_trace(tmp_path)
