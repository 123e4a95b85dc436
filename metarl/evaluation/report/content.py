"""What a report is made from. Whoever has run folders reads them into these records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metarl.errors import CheckpointError, EvaluationError, ManifestMismatchError
from metarl.evaluation.result import Evaluation
from metarl.evaluation.summary import check_comparable
from metarl.storage import read_json

TRACE = "trace.json"
NUMBERS = ("loss", "loss_after", "gradient_norm", "kl")


@dataclass(frozen=True)
class TraceLine:
    """One step of one task's adaptation.

    Attributes:
        task: Which task, by digest or number.
        step: Adaptation steps taken, this one included: 1, 2, ...
        loss: Inner loss before the step.
        loss_after: The same after it, on the same experience.
        gradient_norm: Norm of its gradient.
        kl: Divergence of the policy after the step from that before adaptation (nats).
        relative_change: Per layer, norm of its change since before adaptation over its norm then.
    """

    task: str
    step: int
    loss: float
    loss_after: float
    gradient_norm: float
    kl: float
    relative_change: Mapping[str, float]


def read_trace(folder: Path) -> tuple[TraceLine, ...]:
    """Reads ``trace.json`` of an evaluation's folder.

    It is an object; its ``steps`` are objects with TraceLine's fields.

    Returns:
        Its lines; none if there is no such file.

    Raises:
        EvaluationError: If the file isn't that.
    """
    path = folder / TRACE
    if not path.exists():
        return ()
    try:
        lines = tuple(_trace_line(line) for line in read_json(path)["steps"])
    except (CheckpointError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise EvaluationError(f"{path}: is no trace of adaptation: {error!r}") from None
    return lines


def _trace_line(line: Mapping[str, Any]) -> TraceLine:
    numbers = {name: float(line[name]) for name in NUMBERS}
    change = {str(name): float(value) for name, value in line["relative_change"].items()}
    for name, value in {**numbers, **change}.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}")
    return TraceLine(str(line["task"]), int(line["step"]), relative_change=change, **numbers)


@dataclass(frozen=True)
class RunFacts:
    """One run beside its evaluation.

    Attributes:
        path: Its folder, as the user named it.
        config: Its settings.
        manifest: Its split manifest.
        versions: Packages and machine.
        metrics: Columns of its table of metrics, a number per iteration; NaN where it is missing.
        commands: What to run to get it again, evaluation included.
        upstream: What ``metaworld.evaluation`` said, if it was asked.
    """

    path: str
    config: Mapping[str, Any]
    manifest: Mapping[str, Any]
    versions: Mapping[str, Any]
    metrics: Mapping[str, Sequence[float]]
    commands: Sequence[str]
    upstream: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Method:
    """What is evaluated under one label: a method's runs, or a control.

    Attributes:
        label: What tables and legends call it.
        evaluations: One per run (training seed).
        runs: Facts of these runs; none for a control.
        trace: What adaptation did inside, over all runs.
    """

    label: str
    evaluations: Sequence[Evaluation]
    runs: Sequence[RunFacts] = ()
    trace: Sequence[TraceLine] = ()

    @property
    def is_control(self) -> bool:
        """Whether it only stands beside the others."""
        return not self.runs


@dataclass(frozen=True)
class Group:
    """Methods on the same tasks under the same protocol.

    Attributes:
        methods: Those that the report is about first, then the controls.

    Raises:
        EvaluationError: If there is no method, or protocols differ. A control may have fewer
            adaptation steps, and fewer episodes.
        ManifestMismatchError: If tasks differ.
    """

    methods: Sequence[Method]

    def __post_init__(self) -> None:
        if not self.methods or self.methods[0].is_control:
            raise EvaluationError("report: got no run; needs at least one beside its controls.")
        check_comparable([each.evaluations[0] for each in self.methods if not each.is_control])
        for method in self.methods:
            check_comparable(method.evaluations)
            if method.evaluations[0].tasks != self.first.tasks:
                raise ManifestMismatchError(
                    f"report: {method.label} was evaluated on other tasks than "
                    f"{self.methods[0].label}; evaluate both again."
                )

    @property
    def first(self) -> Evaluation:
        """The evaluation whose header speaks for all."""
        return self.methods[0].evaluations[0]


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: Its heading.
        groups: One per set of tasks.
        command: What was run to write it.
        made: When, as text.
    """

    title: str
    groups: Sequence[Group]
    command: str
    made: str = ""
    notes: Sequence[str] = field(default_factory=tuple)
