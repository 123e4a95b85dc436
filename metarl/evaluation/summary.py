"""Statistics of an evaluation, or of several runs' on the same tasks, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metarl.errors import EvaluationError, ManifestMismatchError
from metarl.evaluation.sampling import RunScores, Sampling
from metarl.evaluation.statistics import Estimate, interquartile_mean, mean, optimality_gap
from metarl.evaluation.variation import Scores

if TYPE_CHECKING:
    from metarl.evaluation.result import Evaluation


@dataclass(frozen=True)
class StepSummary:
    """Results after a number of adaptation steps; rates are in [0, 1].

    Attributes:
        adaptation_step: The number.
        num_runs: Runs (training seeds).
        num_tasks: Tasks of each run.
        episode_return: Mean return.
        interquartile_return: Interquartile mean of the tasks' returns.
        success_any: Rate of success at any step; None if a family reports none.
        success_final: Rate of success at the last step; None likewise.
        optimality_gap: How far ``success_final`` falls short of 1; None likewise.
        gain: Mean return less that before adaptation; None for step 0.
        share_worse: Share of tasks whose return is lower than before adaptation; None for step 0.
    """

    adaptation_step: int
    num_runs: int
    num_tasks: int
    episode_return: Estimate
    interquartile_return: Estimate
    success_any: Estimate | None
    success_final: Estimate | None
    optimality_gap: Estimate | None
    gain: Estimate | None
    share_worse: Estimate | None


def summarise(evaluations: Sequence[Evaluation]) -> list[StepSummary]:
    """Statistics over runs and tasks, per adaptation step.

    Args:
        evaluations: One per run, of the same tasks under the same protocol.

    Raises:
        EvaluationError: If there is none, or they differ in protocol.
        ManifestMismatchError: If they differ in tasks.
    """
    check_comparable(evaluations)
    first = evaluations[0]
    sampling = Sampling.of(evaluations)
    before = RunScores.of(evaluations, "episode_return", 0)
    assert before is not None
    summaries = []
    for step in first.steps:
        returns = RunScores.of(evaluations, "episode_return", step)
        assert returns is not None
        gains = returns - before
        final = RunScores.of(evaluations, "success_final", step)
        at_any = RunScores.of(evaluations, "success_any", step)
        success_final = None if final is None else sampling.rate(final)
        gap = None if final is None or success_final is None else _gap(final, success_final)
        summaries.append(
            StepSummary(
                adaptation_step=step,
                num_runs=len(evaluations),
                num_tasks=len(first.tasks),
                episode_return=sampling.estimate(mean, returns),
                interquartile_return=sampling.estimate(interquartile_mean, returns),
                success_any=None if at_any is None else sampling.rate(at_any),
                success_final=success_final,
                optimality_gap=gap,
                gain=sampling.estimate(mean, gains) if step else None,
                share_worse=sampling.share(gains.means < 0) if step else None,
            )
        )
    return summaries


def score_matrix(evaluations: Sequence[Evaluation], field: str, step: int) -> Scores | None:
    """Scores ``[R, T]`` after ``step`` steps: each task's mean over its episodes, run by run.

    None if a family reports no success and ``field`` is a success.
    """
    found = RunScores.of(evaluations, field, step)
    return None if found is None else found.means


def check_comparable(evaluations: Sequence[Evaluation]) -> None:
    """Checks that evaluations are of the same tasks under the same protocol, random seeds apart.

    Raises:
        EvaluationError: If there is none, or they differ in protocol.
        ManifestMismatchError: If they differ in benchmark or tasks.
    """
    if not evaluations:
        raise EvaluationError("evaluations: got none; needs at least one.")
    first = evaluations[0]
    check_same_tasks(evaluations)
    for other in evaluations[1:]:
        ours, theirs = _conditions(first), _conditions(other)
        differing = [name for name, value in ours.items() if theirs[name] != value]
        if differing:
            raise EvaluationError(
                "evaluations differ in protocol: "
                + "; ".join(f"{name}: {ours[name]!r} and {theirs[name]!r}" for name in differing)
            )


def check_same_tasks(evaluations: Sequence[Evaluation]) -> None:
    """Checks that evaluations are of the same tasks, whatever their protocol.

    Raises:
        ManifestMismatchError: If they differ in benchmark or tasks.
    """
    first = evaluations[0]
    for other in evaluations[1:]:
        if other.header.manifest != first.header.manifest or other.tasks != first.tasks:
            raise ManifestMismatchError(
                f"evaluations are of different tasks: {_name(first)} and {_name(other)}"
            )


def _conditions(evaluation: Evaluation) -> dict[str, object]:
    """What two evaluations must share, beside their tasks."""
    chosen = evaluation.protocol.model_dump(exclude={"seed", "tasks", "num_tasks"})
    return {**chosen, "max_episode_steps": evaluation.header.max_episode_steps}


def _gap(scores: RunScores, success: Estimate) -> Estimate:
    """The optimality gap of success rates; none exceeds the target, so it mirrors their mean."""
    gap = float(optimality_gap(scores.means))
    return Estimate(gap, *((1.0 - end for end in reversed(success.ends)) if success.ends else ()))


def _name(evaluation: Evaluation) -> str:
    header = evaluation.header
    return (
        f"{len(header.tasks)} {header.split} tasks of {header.benchmark} "
        f"(manifest {header.manifest[:12]})"
    )
