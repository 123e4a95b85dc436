"""What the report calls things."""

from __future__ import annotations

from metarl.evaluation.result import EvaluationHeader

FIELDS = {
    "success_final": ("success at the last step", 100.0),
    "success_any": ("success at any step", 100.0),
    "episode_return": ("return", 1.0),
}
"""Quantities of an evaluation: label and scale."""

CONTROLS = {
    "pretrained": "pretrained, no meta-learning",
    "untrained": "random initialisation",
    "expert": "scripted expert, sees the goal",
    "oracle": "oracle, sees the goal",
}


def display(label: str) -> str:
    """A method's name in legends and tables."""
    return CONTROLS.get(label, label)


def kept_apart(header: EvaluationHeader) -> str:
    """What tasks are called: held-out ones, those that were trained on, or new ones beside both."""
    if header.split == "other":
        return "new"
    return "held-out" if header.split == "test" and not header.shares_tasks else "training"


def slug(text: str) -> str:
    """Text as part of a file's name."""
    return "".join(letter if letter.isalnum() else "-" for letter in text).strip("-").lower()


def after(step: int) -> str:
    """When, in words."""
    return "before adaptation" if step == 0 else f"after {step} step{'s' if step > 1 else ''}"
