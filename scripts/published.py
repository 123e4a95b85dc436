"""Published figures, as `results/published.yaml` holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Figures:
    """What one source says of one method.

    Attributes:
        method: As the source calls it.
        figures: What was measured, and its value.
        protocol: How it was measured, in words.
        source: Authors, place, arXiv id.
        read: Whether it was read in the source itself, rather than in a summary of it.
    """

    method: str
    figures: Mapping[str, str | float]
    protocol: str
    source: str
    read: bool

    @property
    def shown(self) -> str:
        """The figures in one line."""
        return "; ".join(f"{name} {value}" for name, value in self.figures.items())

    @property
    def cited(self) -> str:
        """The source, called second-hand where it is."""
        return self.source if self.read else f"{self.source} (second-hand)"


@dataclass(frozen=True)
class Problem:
    """A problem that others published figures for.

    Attributes:
        title: Heading.
        benchmarks: Names of ours that are the same problem.
        differs: What differs from how we measure.
        figures: By source and method.
    """

    title: str
    benchmarks: Sequence[str]
    differs: str
    figures: list[Figures] = field(default_factory=list)


def load_published(path: Path) -> dict[str, Problem]:
    """Reads the file.

    Raises:
        ValueError: If an entry has an unknown problem, or lacks a field or has one too many.
    """
    data = yaml.safe_load(path.read_text())
    try:
        problems = {name: Problem(**content) for name, content in data["problems"].items()}
        for entry in data["figures"]:
            problems[entry.pop("problem")].figures.append(Figures(**entry))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    return problems
