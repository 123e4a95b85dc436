"""A result card's page in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from metarl.evaluation.cards.fields import FIELDS, fields_of
from metarl.evaluation.cards.members import (
    WITHOUT_META_LEARNING,
    failing,
    gain_of,
    is_family,
)
from metarl.evaluation.cards.tables import (
    comparison_lines,
    family_table,
    main_table,
    seed_table,
    upstream_table,
    worth_table,
)
from metarl.evaluation.cards.training import level
from metarl.evaluation.sampling import Over, fixed_tasks_note, single_runs_note
from metarl.evaluation.tables import count


def card_markdown(
    data: Mapping[str, Any], picture: str | None = None, training_picture: str | None = None
) -> str:
    """The card as a page.

    Args:
        data: Of :func:`~metarl.evaluation.cards.card_json`.
        picture: Address of the adaptation picture, beside the page.
        training_picture: Address of the learning curves.
    """
    fields = _fields(data)
    lines = [
        f"# {data['title']}",
        "",
        *(f"    {command}" for command in data["commands"]),
        "",
        protocol_sentence(data),
        *(f"\n{note}" for note in data["notes"]),
        "",
    ]
    if picture is not None:
        lines += [f"![before and after adaptation]({picture})", ""]
    for field in fields:
        lines += [f"## {FIELDS[field].heading}", "", *main_table(data, field), ""]
    if families := family_table(data):
        lines += ["## Family by family", "", FAMILY_CAPTION, "", *families, ""]
    lines += _failing_lines(data)
    lines += comparison_lines(data, fields, level=2)
    for extra in data.get("extra", ()):
        lines += extra_lines(extra, level=2)
    if training_picture is not None:
        controlled = any(label in WITHOUT_META_LEARNING for label in data["variants"])
        caption = TRAINING_CAPTION + (CONTROLS_CURVE if controlled else "")
        lines += ["## Training", "", caption, "", f"![training]({training_picture})", ""]
    lines += ["## Seed by seed", ""]
    for field in fields:
        lines += [f"{FIELDS[field].heading}:", "", *seed_table(data, field), ""]
    lines += [intervals_sentence(data), "", f"Training: {training_sentence(data)}", ""]
    if rise := rise_sentence(data):
        lines += [rise, ""]
    return "\n".join([*lines, provenance_sentence(data), ""])


FAMILY_CAPTION = "Success at the last step, %, or return where a family reports no success:"
TRAINING_CAPTION = (
    "Training tasks, by sampled actions, each point the mean over a stretch of iterations: not the "
    "evaluation above."
)
CONTROLS_CURVE = " A control doesn't adapt while it trains: before and after are one policy."


def protocol_sentence(results: Mapping[str, Any]) -> str:
    """How a card, or one of its extra evaluations, was evaluated."""
    protocol = results["protocol"]
    steps = range(protocol["num_adaptation_steps"] + 1)
    acting = "the mean action" if protocol["evaluation_actions"] == "mean" else "sampled actions"
    held_out = (
        ""
        if not results["shares_tasks"] or results["split"] != "test"
        else ("\nNothing is held out: its test tasks are trained on.")
    )
    return (
        f"Evaluated on {count(protocol['num_tasks'], results['split'] + ' task')} of "
        f"{results['benchmark']}, horizon {protocol['max_episode_steps']}, after "
        f"{_listed(list(steps))} adaptation steps. Each step learns from "
        f"{count(protocol['adaptation_episodes'], 'episode')} with sampled actions; results are by "
        f"{acting}, {count(protocol['evaluation_episodes'], 'episode')} per task."
        f"{_chosen_rates(results)}{held_out}"
    )


def _chosen_rates(results: Mapping[str, Any]) -> str:
    """Which step sizes the policies chose; nothing where there was no choice."""
    rates = results["protocol"].get("adaptation_lrs")
    if rates is None:
        return ""
    chosen = "; ".join(
        f"{label} {', '.join(f'{rate:g}' for rate in content['adaptation_lrs'])}"
        for label, content in results["variants"].items()
    )
    left = " (0 leaves it as it is)" if 0 in rates else ""
    return (
        f" Each run is adapted at that of the step sizes {', '.join(f'{rate:g}' for rate in rates)}"
        f"{left} which gave the highest return after the last step on training tasks; seed by "
        f"seed: {chosen}."
    )


def extra_lines(extra: Mapping[str, Any], level: int) -> list[str]:
    """An extra evaluation under a heading, as tables."""
    lines = [f"{'#' * level} {extra['title']}", ""]
    if "rates" in extra:
        return [*lines, *upstream_table(extra["rates"]), ""]
    lines += [protocol_sentence(extra), ""]
    for field in _fields(extra):
        lines += [f"{FIELDS[field].heading}:", "", *main_table(extra, field), ""]
    if families := family_table(extra):
        lines += [FAMILY_CAPTION, "", *families, ""]
    if worth := worth_table(extra, _fields(extra)):
        lines += ["Beyond the control:", "", *worth, ""]
    return lines


def failing_sentences(data: Mapping[str, Any]) -> list[str]:
    """A sentence for each method that fails to adapt, with the reason that the card gives.

    On a card of few methods an interval over one seed or two tasks may include 0 for lack of data:
    of a method without a reason the sentence says no more than that.
    """
    reasons = data.get("reasons", {})
    sentences = []
    for label in failing(data):
        gain = gain_of(data["variants"][label])
        if is_family(data) or label in reasons:
            reason = reasons.get(label, "no reason is known.")
            sentences.append(f"**{label}** fails to adapt: {reason}")
        elif gain is not None and gain["low"] is not None and gain["low"] <= 0:
            shown = FIELDS["episode_return"].cell(gain)
            told = "adapting makes it worse" if gain["high"] < 0 else "isn't shown to gain"
            sentences.append(f"**{label}**: {told} ({shown}).")
    return sentences


def intervals_sentence(data: Mapping[str, Any]) -> str:
    """What a card's intervals are over, or why there are none."""
    if "intervals" in data:
        return str(data["intervals"])
    by_label: dict[str, Over] = {
        label: content["intervals_over"] for label, content in data["variants"].items()
    }
    kinds = set(by_label.values())
    made = (
        "Rates: Korn and Graubard's; returns and differences: stratified bootstrap, stretched for"
    )
    if note := fixed_tasks_note(kinds):
        return (
            note
            if kinds == {"nothing"}
            else f"{note} They are of 95 %. {made} few seeds and episodes."
        )
    over = (
        "over seeds and tasks, families given"
        if "runs and tasks" in kinds
        else "over tasks; they say nothing of seeds that were not run"
    )
    mixed = single_runs_note(by_label)
    return f"Intervals: 95 %, {over}. {f'{mixed} ' if mixed else ''}{made} few seeds and tasks."


def training_sentence(data: Mapping[str, Any]) -> str:
    """How long the methods were trained, and what that took; those trained alike together."""
    alike: dict[tuple[int, int], list[str]] = {}
    for label, content in data["variants"].items():
        if content["training_steps"]:
            key = (len(content["seeds"]), content["training_steps"])
            cost = _cost(content)
            alike.setdefault(key, []).append(f"{label} ({cost})" if cost else label)
    parts = [
        f"{count(seeds, 'seed')} of {steps:,} environment steps each: {', '.join(labels)}"
        for (seeds, steps), labels in alike.items()
    ]
    if not parts:
        return "none."
    known = any(_cost(content) for content in data["variants"].values())
    told = " In brackets: median time of an iteration, and peak memory (workers apart) where known."
    return f"{'; '.join(parts)}.{told if known else ''}"


def rise_sentence(data: Mapping[str, Any]) -> str:
    """Whether methods were still learning when training ended; nothing where it isn't known.

    Of many methods it would be a list, which the learning curves show better.
    """
    parts = []
    for label, content in data["variants"].items():
        levels = [
            [level(curve, "after", share) for curve in content["training"]] for share in (0.75, 1)
        ]
        known = [[value for value in values if value is not None] for values in levels]
        if all(known):
            earlier, last = (FIELDS["episode_return"].show(fmean(values)) for values in known)
            unadapted = " (not adapted while it trains)" if label in WITHOUT_META_LEARNING else ""
            parts.append(f"{label}{unadapted} {earlier} and {last}")
    if not parts or is_family(data):
        return ""
    return (
        "Return after adaptation on training tasks, by sampled actions, after three quarters of "
        f"training and at its end: {'; '.join(parts)}."
    )


def provenance_sentence(data: Mapping[str, Any]) -> str:
    """Split manifest, hardware, versions."""
    packages = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    hardware = ", ".join(f"{name} {value}" for name, value in data["hardware"].items())
    return (
        f"Split manifest: `{data['manifest']}`."
        f"{f' Hardware: {hardware}.' if hardware else ''} Versions: {packages}."
    )


def _failing_lines(data: Mapping[str, Any]) -> list[str]:
    sentences = failing_sentences(data)
    heading = "What fails to adapt" if is_family(data) else "What isn't shown to adapt"
    return [f"## {heading}", "", *(f"- {one}" for one in sentences), ""] if sentences else []


def _fields(results: Mapping[str, Any]) -> Sequence[str]:
    """Of many methods the return comes first, whose table has the gain."""
    found = fields_of(results)
    return found[::-1] if is_family(results) else found


def _cost(content: Mapping[str, Any]) -> str:
    seconds, memory = content["median_seconds_per_iteration"], content["peak_memory_mib"]
    told = [] if seconds is None else [f"{seconds:.1f} s"]
    return ", ".join([*told, *([] if memory is None else [f"{memory:,.0f} MiB"])])


def _listed(numbers: Sequence[int]) -> str:
    *most, last = (str(number) for number in numbers)
    return f"{', '.join(most)} and {last}" if most else last
