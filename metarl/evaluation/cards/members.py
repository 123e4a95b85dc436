"""Cards of many methods: their order, and which of them fail to adapt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metarl.evaluation.statistics import Estimate

MANY = 6
"""More methods than these are shown row by row instead of as curves over one another."""

CONTROLS = ("control", "pretrained", "untrained", "expert", "oracle")
"""Labels of what stands beside the methods for comparison."""

WITHOUT_META_LEARNING = ("control", "pretrained")
"""Controls that tell what meta-learning was worth."""

SHARE_OF_BEST = 1 / 3


def is_family(results: Mapping[str, Any]) -> bool:
    """Whether a card has too many methods for curves over one another."""
    return len(results["variants"]) > MANY


def gain_of(variant: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return after the last adaptation step less that before, with its interval; None without."""
    gains = variant["gain"]
    found: Mapping[str, Any] | None = gains[-1] if gains else None
    return found


def ordered(results: Mapping[str, Any]) -> list[str]:
    """Labels as they are shown: of many methods the one that gains most first, else as given."""
    variants = results["variants"]
    if not is_family(results):
        return list(variants)

    def place(label: str) -> float:
        gain = gain_of(variants[label])
        return float("inf") if gain is None else -Estimate(**gain).mean

    return sorted(variants, key=place)


def failing(results: Mapping[str, Any]) -> list[str]:
    """Labels of the methods that fail to adapt, controls apart.

    One does whose gain's interval includes 0 (or lies below it), or whose gain is below a third of
    the best method's.
    """
    gains = {
        label: Estimate(**gain)
        for label in ordered(results)
        if label not in CONTROLS and (gain := gain_of(results["variants"][label])) is not None
    }
    best = max((gain.mean for gain in gains.values()), default=0.0)
    return [
        label
        for label, gain in gains.items()
        if (gain.low is not None and gain.low <= 0) or gain.mean < SHARE_OF_BEST * best
    ]
