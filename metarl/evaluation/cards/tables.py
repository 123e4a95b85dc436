"""Tables of a card in Markdown; they serve the card's own page and pages about several cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from metarl.evaluation.cards.fields import FIELDS, PROBABILITY
from metarl.evaluation.cards.members import WITHOUT_META_LEARNING, gain_of, is_family, ordered
from metarl.evaluation.tables import count


def main_table(results: Mapping[str, Any], field: str) -> list[str]:
    """One row per method: a quantity before adaptation and after each step, with intervals.

    The return's table also has the gain, which is that after the last step over no adaptation.

    Args:
        results: A card, or one of its extra evaluations.
        field: Name of the quantity.
    """
    shown = FIELDS[field]
    headings = _headings(results)
    gains = [gain_of(variant) for variant in results["variants"].values()]
    with_gain = field == "episode_return" and any(gain is not None for gain in gains)
    rows = []
    for label in ordered(results):
        variant = results["variants"][label]
        if variant[field] is None:
            continue
        cells = _filled([shown.cell(value) for value in variant[field]["all"]], len(headings))
        gain = [shown.cell(gain_of(variant))] if with_gain else []
        rows.append([label, *cells, *gain])
    last = [f"gain ({headings[-1]})"] if with_gain else []
    return table(["", *headings, *last], rows)


def seed_table(results: Mapping[str, Any], field: str) -> list[str]:
    """One row per method and seed: its mean before adaptation and after each step."""
    shown = FIELDS[field]
    headings = _headings(results)
    rows = []
    for label in ordered(results):
        variant = results["variants"][label]
        if variant[field] is None:
            continue
        for seed, means in zip(variant["seeds"], variant[field]["per_seed"], strict=True):
            cells = _filled([shown.show(mean) for mean in means], len(headings))
            rows.append([label, str(seed), *cells])
    return table(["", "seed", *headings], rows)


def family_table(results: Mapping[str, Any]) -> list[str]:
    """Success at the last step (return where there is none) of each family; empty if it's one."""
    headings = _headings(results)
    rows = []
    families = next(iter(results["variants"].values())).get("families", {})
    for family in families:
        for label in ordered(results):
            for field, values in results["variants"][label]["families"].get(family, {}).items():
                cells = _filled([FIELDS[field].cell(value) for value in values], len(headings))
                rows.append([family, label, *cells])
    return table(["", "", *headings], rows) if rows else []


def comparison_table(comparison: Mapping[str, Any]) -> list[str]:
    """One method against another, after every number of steps."""
    first, _ = comparison["labels"]
    rows = [
        [
            str(line["adaptation_step"]),
            FIELDS[line["field"]].label,
            FIELDS[line["field"]].cell(line["difference"]),
            PROBABILITY.cell(line["probability"]),
        ]
        for line in comparison["lines"]
    ]
    return table(["steps", "", "difference", f"P({first} better)"], rows)


def worth_table(results: Mapping[str, Any], fields: Iterable[str]) -> list[str]:
    """What methods are better by than the controls, after each step: one row per quantity."""
    headings = _headings(results)[1:]
    rows = []
    for comparison in results["comparisons"]:
        first, second = comparison["labels"]
        if second not in WITHOUT_META_LEARNING:
            continue
        for field in fields:
            cells = [
                FIELDS[field].cell(line["difference"])
                for line in comparison["lines"]
                if line["field"] == field and line["adaptation_step"]
            ]
            if cells:
                rows.append([f"{first} less {second}", FIELDS[field].label, *cells])
    return table(["", "", *headings], rows) if rows else []


def against_one_table(results: Mapping[str, Any], field: str, other: str) -> list[str]:
    """Every method against one after the last step."""
    lines = {
        comparison["labels"][0]: comparison["lines"]
        for comparison in results["comparisons"]
        if comparison["labels"][1] == other
    }
    last = results["protocol"]["num_adaptation_steps"]
    rows = [
        [label, FIELDS[field].cell(line["difference"]), PROBABILITY.cell(line["probability"])]
        for label in ordered(results)
        for line in lines.get(label, ())
        if (line["field"], line["adaptation_step"]) == (field, last)
    ]
    return table(["", f"less {other}", f"P(better than {other})"], rows)


def comparison_lines(results: Mapping[str, Any], fields: Iterable[str], level: int) -> list[str]:
    """Comparisons with headings: a table for each pair; of many methods, against the control."""
    mark = "#" * level
    lines: list[str] = []
    if is_family(results):
        for control in (one for one in WITHOUT_META_LEARNING if one in results["variants"]):
            for field in fields:
                what = f"after {_headings(results)[-1]}, {FIELDS[field].label}"
                lines += [f"{mark} Against {control} {what}", ""]
                lines += [*against_one_table(results, field, control), ""]
        return lines
    for comparison in results["comparisons"]:
        first, second = comparison["labels"]
        lines += [f"{mark} {first} against {second}", "", *comparison_table(comparison), ""]
    return lines


def upstream_table(rates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rates by Meta-World's own procedure."""
    rows = [
        [
            row["label"],
            "all" if row["seed"] is None else str(row["seed"]),
            str(row["adaptation_steps"]),
            FIELDS["success_any"].show(row["rate"]),
        ]
        for row in rates
    ]
    return table(["", "seed", "steps", "success, %"], rows)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return [
        "|" + "".join(f" {heading} |" if heading else " |" for heading in headings),
        f"|{' --- |' * len(headings)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _headings(results: Mapping[str, Any]) -> list[str]:
    steps = range(1, results["protocol"]["num_adaptation_steps"] + 1)
    return ["before", *(count(step, "step") for step in steps)]


def _filled(cells: Sequence[str], width: int) -> list[str]:
    return [*cells, *["-"] * (width - len(cells))]
