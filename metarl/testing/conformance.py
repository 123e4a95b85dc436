"""What a check of somebody's own part brings to light."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Check = Callable[[Any], list[str]]
"""Takes what is checked, and returns what is wrong with it."""


@dataclass
class Conformance:
    """Whether a part keeps its contract.

    Attributes:
        checks: What was checked, each with the faults found.
    """

    checks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    @property
    def faults(self) -> list[str]:
        """All faults, each with the name of its check."""
        return [f"{name}: {fault}" for name, found in self.checks.items() for fault in found]

    def __str__(self) -> str:
        lines = [
            f"{'failed' if found else 'passed'}: {name}" for name, found in self.checks.items()
        ]
        return "\n".join([*lines, *self.faults])


def run_checks(subject: Any, checks: Mapping[str, Check]) -> Conformance:
    """Runs checks one after another; one that raises has found a fault."""
    report = Conformance()
    for name, check in checks.items():
        try:
            report.checks[name] = check(subject)
        except Exception as error:  # noqa: BLE001 - code of others may raise anything
            where = traceback.extract_tb(error.__traceback__)[-1]
            report.checks[name] = [
                f"raised {type(error).__name__}: {error} ({where.filename}:{where.lineno})"
            ]
    return report
