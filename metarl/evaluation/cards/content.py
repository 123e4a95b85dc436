"""What goes onto a result card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metarl.evaluation.cards.training import TrainingCurve
from metarl.evaluation.result import Evaluation


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
        peak_memory_mib: Largest memory that training took, workers apart, if known.
        training: Learning curve of each seed, in the order of ``seeds``; empty if unknown.
    """

    evaluations: Sequence[Evaluation]
    seeds: Sequence[int]
    settings: Mapping[str, Any] = field(default_factory=dict)
    training_steps: int = 0
    seconds_per_iteration: float | None = None
    training_seconds: float | None = None
    peak_memory_mib: float | None = None
    training: Sequence[TrainingCurve] = ()


@dataclass(frozen=True)
class UpstreamRow:
    """A success rate as Meta-World's own procedure counts it: one number, no interval.

    Attributes:
        label: Method.
        adaptation_steps: Adaptation steps before it.
        rate: Success rate, in [0, 1].
        seed: Of training, if it is one seed's.
    """

    label: str
    adaptation_steps: int
    rate: float
    seed: int | None = None


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
        extra: Further evaluations by title, each with its methods by label; they may be of other
            tasks and under other protocols than the card's own.
        upstream: Rates by Meta-World's own procedure, by title.
        reasons: Why methods failed to adapt, by label.
    """

    title: str
    commands: Sequence[str]
    entries: Mapping[str, CardEntry]
    versions: Mapping[str, str]
    hardware: Mapping[str, Any]
    notes: Sequence[str] = ()
    extra: Mapping[str, Mapping[str, CardEntry]] = field(default_factory=dict)
    upstream: Mapping[str, Sequence[UpstreamRow]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
