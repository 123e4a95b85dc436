"""Writes docs/results.md from the result cards, the published figures and the page's template.

Usage: .venv/bin/python scripts/results_page.py [--check]

No figure of ours is typed: prose takes every one of them from results/*.json through the functions
of card_figures.py. With --check nothing is written; the exit code says whether the page is what
would be written.
"""

from __future__ import annotations

import argparse
import inspect
import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from card_figures import OWN_RATE, CardFigures
from published import Problem, load_published

from metarl.evaluation.cards import page, read_card, tables
from metarl.evaluation.cards.fields import FIELDS, fields_of
from metarl.evaluation.cards.members import is_family

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "results.md"
TEMPLATE = ROOT / "docs" / "results.md.jinja"
RESULTS = ROOT / "results"

UNSOLVED = 0.2
"""A success rate below which a problem counts as one that isn't solved."""

SOLVED = 0.5
"""One below which a problem's training tasks count as mostly unsolved."""

ORDER = ("navigation", "halfcheetah", "ml1-", "ml10", "ml25", "ml45")
"""Beginnings of the cards' names, in the order of the page; other cards follow."""


@dataclass(frozen=True)
class Section:
    """A card on the page.

    Attributes:
        name: Of the card's files.
        data: Of the card.
        pictures: Addresses from the page, by what they show.
    """

    name: str
    data: Mapping[str, Any]
    pictures: Mapping[str, str]


@dataclass(frozen=True)
class Group:
    """Cards of one benchmark.

    Attributes:
        title: Heading.
        sections: One per card.
        problem: What others published; None for nothing.
    """

    title: str
    sections: list[Section]
    problem: Problem | None


def main() -> int:
    """Writes or checks the page."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    options = parser.parse_args()
    text = results_page(RESULTS, TEMPLATE)
    if not options.check:
        PAGE.write_text(text)
        print(f"results: {PAGE}")
        return 0
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    print(f"{PAGE} isn't what the cards give; run scripts/results_page.py")
    return 1


def results_page(results: Path, template: Path) -> str:
    """The page.

    Args:
        results: Folder with the cards, their pictures and `published.yaml`.
        template: Of the page.
    """
    cards = {path.stem: read_card(path) for path in sorted(results.glob("*.json"), key=_place)}
    problems = load_published(results / "published.yaml")
    figures = CardFigures(cards)
    groups = _groups(cards, problems, results)
    covered = [group.problem for group in groups]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["filled"] = _filled
    lookups = inspect.getmembers(figures, inspect.ismethod)
    environment.globals.update(
        {name: method for name, method in lookups if not name.startswith("_")},
        main_table=_lines(tables.main_table),
        family_table=_lines(tables.family_table),
        family_caption=page.FAMILY_CAPTION,
        worth_table=_lines(tables.worth_table),
        extra_tables=_lines(page.extra_lines),
        protocol_sentence=page.protocol_sentence,
        training_sentence=page.training_sentence,
        rise_sentence=page.rise_sentence,
        intervals_sentence=page.intervals_sentence,
        provenance_sentence=page.provenance_sentence,
        failing_sentences=page.failing_sentences,
        own_rate=OWN_RATE,
        solved=SOLVED,
        listed=_listed,
        fields_of=fields_of,
        field_heading=lambda field: FIELDS[field].heading,
        is_family=is_family,
    )
    return environment.get_template(template.name).render(
        cards=cards,
        groups=groups,
        without_card=[one for one in problems.values() if one not in covered and one.figures],
        overview=list(_overview(figures)),
        shortfalls=list(_shortfalls(figures)),
    )


def _filled(text: str) -> str:
    """Paragraphs broken anew, as numbers change their lengths."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    return "\n\n".join(
        textwrap.fill(one, 100, break_long_words=False, break_on_hyphens=False)
        for one in paragraphs
        if one
    )


def _listed(words: Sequence[str]) -> str:
    *most, last = ("", *words)
    return f"{', '.join(most[1:])} and {last}" if most[1:] else last


def _place(path: Path) -> tuple[int, str]:
    places = [place for place, name in enumerate(ORDER) if path.stem.startswith(name)]
    return (places[0] if places else len(ORDER), path.stem)


def _lines(make: Any) -> Any:
    return lambda *arguments: "\n".join(make(*arguments))


def _groups(
    cards: Mapping[str, Mapping[str, Any]], problems: Mapping[str, Problem], results: Path
) -> list[Group]:
    groups: dict[str, Group] = {}
    for name, data in cards.items():
        benchmark = data["benchmark"]
        problem = next((one for one in problems.values() if benchmark in one.benchmarks), None)
        title = problem.title if problem else data["title"].partition(":")[0]
        group = groups.setdefault(benchmark, Group(title, [], problem))
        pictures = {
            what: f"../results/{name}{ending}.png"
            for what, ending in (("before and after adaptation", ""), ("training", "-training"))
            if (results / f"{name}{ending}.png").exists()
        }
        group.sections.append(Section(name, data, pictures))
    return list(groups.values())


def _overview(figures: CardFigures) -> Iterator[list[str]]:
    """Rows: card, method, quantity; before, after one and the last step, it and its control."""
    for name, data in figures.cards.items():
        if is_family(data):
            continue
        field = figures.main_field(name)
        own_rate = figures.further(name, OWN_RATE)
        for place in (name, own_rate) if figures.has(own_rate) else (name,):
            for label in figures.methods(place):
                how = ", own step sizes" if place == own_rate else ""
                row = [
                    f"[{data['title'].partition(':')[0]}](../results/{name}.md)",
                    f"{label}, {figures.seeds(place, label)}{how}",
                    FIELDS[field].label.partition(",")[0],
                    *(figures.shown(place, label, step, field) for step in (0, 1, -1)),
                ]
                controls = figures.controls(place)
                its = [
                    figures.shown(place, one, step, field)
                    for one in controls[:1]
                    for step in (0, 1, -1)
                ]
                yield [*row, *(its or ["none"] * 3)]


def _shortfalls(figures: CardFigures) -> Iterator[tuple[str, list[str]]]:
    """A card's title, and a sentence for all that it leaves undecided or decides against itself."""
    for name, data in figures.cards.items():
        if sentences := [*_weaknesses(figures, name), *_not_better(figures, name)]:
            yield data["title"], sentences


def _weaknesses(figures: CardFigures, name: str) -> Iterator[str]:
    data = figures.card(name)
    if not figures.controls(name):
        yield "No control, so how much of the gain is fine-tuning isn't known."
    if all(len(variant["seeds"]) == 1 for variant in data["variants"].values()):
        yield "One seed; others may do otherwise."
    yield from page.failing_sentences(data)
    field = figures.main_field(name)
    if field == "success_final":
        best = max(figures.estimate(name, one, -1, field).mean for one in figures.methods(name))
        if best < UNSOLVED:
            yield f"No method's success after the last step is above {100 * best:.0f} %."


def _not_better(figures: CardFigures, name: str) -> Iterator[str]:
    """Sentences on the methods that a control isn't worse than, by one step size and their own."""
    if is_family(figures.card(name)):
        field = figures.main_field(name)
        for control in figures.controls(name):
            quantity = FIELDS[field].label.partition(",")[0]
            for outcome, told in (("worse", "Worse"), ("undecided", "Not shown better")):
                methods = figures.methods(name)
                if found := [
                    one
                    for one in methods
                    if figures.outcome(name, one, control, -1, field) == outcome
                ]:
                    yield f"{told} than the {control} in {quantity}: {_listed(found)}."
        return
    own_rate = figures.further(name, OWN_RATE)
    for place in (name, own_rate) if figures.has(own_rate) else (name,):
        how = "Each at the step size that suits it best, " if place == own_rate else ""
        for label, control in itertools.product(figures.methods(place), figures.controls(place)):
            worse = _steps_with("worse", figures, place, label, control)
            undecided = _steps_with("undecided", figures, place, label, control)
            if worse:
                yield f"{how}{label} is worse than the {control} in {worse}."
            if undecided:
                yield f"{how}{label} isn't shown better than the {control} in {undecided}."


def _steps_with(outcome: str, figures: CardFigures, place: str, label: str, control: str) -> str:
    """The quantities and steps in which a method compares so: ``return after 1 and 2 steps``."""
    data = figures.card(place)
    found = []
    for field in fields_of(data):
        if field == "success_any":  # told beside success at the last step, and less strict
            continue
        steps = [
            step
            for step in range(1, data["protocol"]["num_adaptation_steps"] + 1)
            if figures.outcome(place, label, control, step, field) == outcome
        ]
        if steps:
            after = f"{_listed([str(step) for step in steps])} step{'s' * (steps != [1])}"
            found.append(f"{FIELDS[field].label.partition(',')[0]} after {after}")
    return "; ".join(found)


if __name__ == "__main__":
    raise SystemExit(main())
