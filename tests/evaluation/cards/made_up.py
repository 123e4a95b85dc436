"""Cards whose results are made up."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace
from typing import Any

import numpy as np

from metarl.evaluation import Evaluation
from metarl.evaluation.cards import Card, CardEntry, TrainingCurve, card_json, thinned
from tests.evaluation.stubs import made_up


def runs(count: int, gain: float = 0.0, steps: int = 2) -> list:
    rng = np.random.default_rng(round(100 * gain) + 1000)
    returns = 0.3 * rng.normal(size=(count, 10, steps, 1))
    returns[:, :, -1] += gain
    return [made_up(one, one > 0, seed=i) for i, one in enumerate(returns)]


def curve(iterations: int = 250, level: float = 0.0, *, success: bool = True) -> TrainingCurve:
    counts = np.arange(1.0, iterations + 1)
    metrics = {"timesteps": 1000 * counts, "pre/return": level + counts, "post/return": 2 * counts}
    if success:
        metrics |= {f"{phase}/success_final": counts / iterations for phase in ("pre", "post")}
    found = thinned(metrics)
    assert found is not None
    return found


MAML = CardEntry(
    runs(3, 5.0),
    [0, 1, 2],
    {"inner_lr": 0.1},
    9000,
    1.25,
    33.0,
    512.3,
    [curve(level=i) for i in range(3)],
)
CONTROL = CardEntry(runs(2, 1.0), [0, 1], {"inner_lr": 0.0}, 9000)
EXPERT = CardEntry(runs(1, 9.0, steps=1), [0])


def card(entries: dict[str, CardEntry] | None = None, **further: Any) -> Card:
    return Card(
        "A title",
        ["metarl train maml --benchmark made-up"],
        {"MAML": MAML, "control": CONTROL, "expert": EXPERT} if entries is None else entries,
        {"metarl": "0.1.0", "torch": "2.13.0"},
        {"platform": "Linux", "cores": 2},
        ["A note."],
        **further,
    )


@functools.cache
def _card_json() -> dict[str, Any]:
    return card_json(card())


def card_data() -> dict[str, Any]:
    """A card as it is written, which may be changed."""
    return copy.deepcopy(_card_json())


def choosing(*rates: float, gain: float = 0.0) -> CardEntry:
    """A method whose seeds chose these step sizes, with what adaptation gained at them."""
    found = []
    for seed, rate in enumerate(rates):
        returns = np.random.default_rng(seed).normal(size=(10, 2, 1))
        returns[:, 1] += gain
        one = made_up(returns, returns > 0, seed=seed, adaptation_lrs=(0.01, 0.05, 0.1))
        subject = {**one.header.subject, "adaptation_lr": rate}
        found.append(Evaluation(one.rows, replace(one.header, subject=subject)))
    return CardEntry(found, range(len(rates)))


def family(**gains: float) -> dict[str, CardEntry]:
    """A method for each gain, which the last adaptation step brings."""
    return {
        label: CardEntry(runs(2, gain), [0, 1], training=[curve(20), curve(25)])
        for label, gain in gains.items()
    }


SEVEN = {"best": 12.0, "good": 9.0, "fair": 6.0, "weak": 2.5, "none": 0.0, "worse": -4.0}
"""Gains of members of a family; with the control they are too many for curves."""
