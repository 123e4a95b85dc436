"""Result cards: a result, and what is needed to believe and to repeat it, as JSON and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from metarl.errors import EvaluationError
from metarl.evaluation.comparison import compare
from metarl.evaluation.result import Evaluation
from metarl.evaluation.sampling import Over, fixed_tasks_note, intervals_over
from metarl.evaluation.statistics import Estimate
from metarl.evaluation.summary import score_matrix, summarise
from metarl.evaluation.tables import count

FIELDS = {
    "success_final": ("success at the last step, %", 100.0, 0),
    "success_any": ("success at any step, %", 100.0, 0),
    "episode_return": ("return", 1.0, 1),
}


@dataclass(frozen=True)
class CardEntry:
    """One method on a card.

    Attributes:
        evaluations: One per seed.
        seeds: Of training, in the same order.
        settings: Of the algorithm.
        training_steps: Environment steps of training, per seed; 0 for what isn't trained.
        seconds_per_iteration: Median over all iterations of all seeds, if known.
        training_seconds: Of all seeds together, if known.
    """

    evaluations: Sequence[Evaluation]
    seeds: Sequence[int]
    settings: Mapping[str, Any] = field(default_factory=dict)
    training_steps: int = 0
    seconds_per_iteration: float | None = None
    training_seconds: float | None = None


@dataclass(frozen=True)
class Card:
    """What a card says.

    Attributes:
        title: Heading.
        commands: What to run to get the same again.
        entries: Methods by label, the one that the card is about first.
        versions: Versions of packages.
        hardware: Platform and number of cores.
        notes: Further sentences.
    """

    title: str
    commands: Sequence[str]
    entries: Mapping[str, CardEntry]
    versions: Mapping[str, str]
    hardware: Mapping[str, Any]
    notes: Sequence[str] = ()


def card_json(card: Card) -> dict[str, Any]:
    """The card as JSON data.

    Raises:
        EvaluationError: If an entry has no evaluation.
        ManifestMismatchError: If the seeds of an entry were evaluated on different tasks.
    """
    if not card.entries or not all(entry.evaluations for entry in card.entries.values()):
        raise EvaluationError("card: got an entry without an evaluation; each needs at least one.")
    first = next(iter(card.entries.values())).evaluations[0]
    header = first.header.to_json()
    return {
        "title": card.title,
        "commands": list(card.commands),
        "benchmark": header["benchmark"],
        "split": header["split"],
        "protocol": {
            **header["protocol"],
            "num_tasks": len(first.tasks),
            "max_episode_steps": header["max_episode_steps"],
        },
        "manifest": header["manifest"],
        "shares_tasks": header["shares_tasks"],
        "versions": dict(card.versions),
        "hardware": dict(card.hardware),
        "notes": list(card.notes),
        "variants": {label: _entry_json(entry) for label, entry in card.entries.items()},
        "comparisons": _comparisons(card),
    }


def card_markdown(data: Mapping[str, Any], picture: str | None = None) -> str:
    """The card as a page.

    Args:
        data: Of :func:`card_json`.
        picture: Address of the adaptation curves, beside the page.
    """
    protocol = data["protocol"]
    steps = range(protocol["num_adaptation_steps"] + 1)
    acting = "the mean action" if protocol["evaluation_actions"] == "mean" else "sampled actions"
    lines = [
        f"# {data['title']}",
        "",
        *(f"    {command}" for command in data["commands"]),
        "",
        f"Evaluated on {protocol['num_tasks']} {data['split']} tasks of {data['benchmark']}, "
        f"horizon {protocol['max_episode_steps']}, after {_listed(list(steps))} adaptation steps. "
        f"Each step learns from {count(protocol['adaptation_episodes'], 'episode')} with sampled "
        f"actions; results are by {acting}, {count(protocol['evaluation_episodes'], 'episode')} "
        "per task.",
        *(["Nothing is held out: its test tasks are trained on."] if data["shares_tasks"] else []),
        *(f"\n{note}" for note in data["notes"]),
        "",
    ]
    if picture is not None:
        lines += [f"![adaptation curves]({picture})", ""]
    headings = ["before", *(count(step, "step") for step in steps[1:])]
    for name, (label, scale, digits) in FIELDS.items():
        if all(variant[name] is None for variant in data["variants"].values()):
            continue
        lines += [
            f"## {label[0].upper()}{label[1:]}",
            "",
            f"| | seed | {' | '.join(headings)} |",
            f"| --- | --- |{' --- |' * len(headings)}",
        ]
        for variant, content in data["variants"].items():
            if content[name] is None:
                continue
            for seed, means in zip(content["seeds"], content[name]["per_seed"], strict=True):
                cells = [f"{scale * mean:.{digits}f}" for mean in means]
                lines.append(_row(variant, seed, cells, len(headings)))
            cells = [_cell(value, scale, digits) for value in content[name]["all"]]
            lines.append(_row(f"**{variant}**", "all", cells, len(headings)))
        lines.append("")
    for comparison in data["comparisons"]:
        lines += _comparison_lines(comparison)
    return "\n".join([*lines, *_closing(data), ""])


def _entry_json(entry: CardEntry) -> dict[str, Any]:
    summaries = summarise(entry.evaluations)
    figures: dict[str, Any] = {}
    for name in FIELDS:
        matrices = [
            score_matrix(entry.evaluations, name, line.adaptation_step) for line in summaries
        ]
        estimates = [getattr(line, name) for line in summaries]
        if any(value is None for value in estimates):
            figures[name] = None
            continue
        figures[name] = {
            "per_seed": [
                [float(scores[run].mean()) for scores in matrices if scores is not None]
                for run in range(len(entry.evaluations))
            ],
            "all": [asdict(value) for value in estimates],
        }
    return {
        "seeds": list(entry.seeds),
        "intervals_over": intervals_over(entry.evaluations),
        "settings": dict(entry.settings),
        "training_steps": entry.training_steps,
        "median_seconds_per_iteration": entry.seconds_per_iteration,
        "training_seconds": entry.training_seconds,
        "evaluation_seconds": sum(each.header.seconds for each in entry.evaluations),
        **figures,
        "gain": [None if line.gain is None else asdict(line.gain) for line in summaries],
        "share_worse": [
            None if line.share_worse is None else asdict(line.share_worse) for line in summaries
        ],
    }


def _comparisons(card: Card) -> list[dict[str, Any]]:
    """The first entry against each other one that adapts as it does."""
    (label, own), *others = card.entries.items()
    steps = own.evaluations[0].steps
    return [
        {
            "labels": [label, other],
            "lines": [
                {key: value for key, value in asdict(line).items() if key != "per_task"}
                for line in compare(own.evaluations, entry.evaluations, (label, other)).lines
            ],
        }
        for other, entry in others
        if entry.evaluations[0].steps == steps
    ]


def _comparison_lines(comparison: Mapping[str, Any]) -> list[str]:
    first, second = comparison["labels"]
    lines = [
        f"## {first} against {second}",
        "",
        f"| steps | | difference | P({first} better) |",
        "| --- | --- | --- | --- |",
    ]
    for line in comparison["lines"]:
        label, scale, digits = FIELDS[line["field"]]
        lines.append(
            f"| {line['adaptation_step']} | {label} | {_cell(line['difference'], scale, digits)} "
            f"| {_cell(line['probability'], 1.0, 2)} |"
        )
    return [*lines, ""]


def _closing(data: Mapping[str, Any]) -> list[str]:
    variants = data["variants"]
    packages = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    hardware = ", ".join(f"{name} {value}" for name, value in data["hardware"].items())
    training = "; ".join(
        f"{label}: {count(len(content['seeds']), 'seed')}, {content['training_steps']:,} "
        f"environment steps each{_seconds(content)}"
        for label, content in variants.items()
        if content["training_steps"]
    )
    return [
        *_intervals([content["intervals_over"] for content in variants.values()]),
        "",
        f"Training: {training}." if training else "Training: none.",
        "",
        f"Split manifest: `{data['manifest']}`. Hardware: {hardware}. Versions: {packages}.",
    ]


def _intervals(kinds: Sequence[Over]) -> list[str]:
    """What the card's intervals are, or why there are none."""
    made = (
        "Rates: Korn and Graubard's; returns and differences: stratified bootstrap, stretched for"
    )
    if note := fixed_tasks_note(kinds):
        some = set(kinds) != {"nothing"}
        return [note, *(["", f"Intervals: 95 %. {made} few seeds and episodes."] if some else [])]
    over = (
        "over seeds and tasks, families given"
        if "runs and tasks" in kinds
        else "over tasks; they say nothing of seeds that were not run"
    )
    return [f"Intervals: 95 %, {over}. {made} few seeds and tasks."]


def _seconds(content: Mapping[str, Any]) -> str:
    median = content["median_seconds_per_iteration"]
    return "" if median is None else f", {median:.1f} s per iteration (median)"


def _row(label: str, seed: object, cells: Sequence[str], width: int) -> str:
    filled = [*cells, *["-"] * (width - len(cells))]
    return f"| {label} | {seed} | {' | '.join(filled)} |"


def _cell(value: Mapping[str, float], scale: float, digits: int) -> str:
    found = Estimate(**value).scaled(scale)
    ends = [f"{end:.{digits}f}" for end in found.ends or ()]
    return f"{found.mean:.{digits}f}" + (f" [{', '.join(ends)}]" if ends else "")


def _listed(numbers: Sequence[int]) -> str:
    *most, last = (str(number) for number in numbers)
    return f"{', '.join(most)} and {last}" if most else last
