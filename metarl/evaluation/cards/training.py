"""Learning curves: what a run recorded while it trained, thinned to what a picture can show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

COLUMNS = {
    "episode_return": "return",
    "success_final": "success_final",
    "success_any": "success_any",
}
"""Names in a run's metrics, where ``pre/`` or ``post/`` stands before them."""

NUM_POINTS = 100
DIGITS = 5


@dataclass(frozen=True)
class TrainingCurve:
    """One run's training tasks, by sampled actions, before and after adaptation.

    Attributes:
        environment_steps: Where the points lie, ``P`` numbers.
        before: Quantity by name (``"episode_return"``, ``"success_final"``, ``"success_any"``),
            ``P`` numbers each, None where nothing was recorded. Without what was never recorded.
        after: The same after adaptation.
    """

    environment_steps: Sequence[float]
    before: Mapping[str, Sequence[float | None]]
    after: Mapping[str, Sequence[float | None]]

    def to_json(self) -> dict[str, Any]:
        """The curve as plain JSON data."""
        return {
            "environment_steps": list(self.environment_steps),
            "before": {name: list(values) for name, values in self.before.items()},
            "after": {name: list(values) for name, values in self.after.items()},
        }


def thinned(
    metrics: Mapping[str, Sequence[float]], num_points: int = NUM_POINTS
) -> TrainingCurve | None:
    """A run's learning curve, each point the mean over equally many iterations.

    But for the last, which may be of fewer. Points of unlike stretches would be unlike in noise
    too, and look as if training had grown unsteady.

    Args:
        metrics: Columns of the run's metrics, NaN where a line has no number.
        num_points: Points at most.

    Returns:
        None if the run recorded no return.
    """
    steps = np.asarray(metrics.get("timesteps", ()), dtype=np.float64)
    length = math.ceil(len(steps) / num_points) or 1
    stretches = [slice(start, start + length) for start in range(0, len(steps), length)]
    before, after = (
        {
            name: [_mean(np.asarray(metrics[f"{phase}/{column}"])[own]) for own in stretches]
            for name, column in COLUMNS.items()
            if np.isfinite(metrics.get(f"{phase}/{column}", ())).any()
        }
        for phase in ("pre", "post")
    )
    if not before and not after:
        return None
    return TrainingCurve([round(float(steps[own].mean())) for own in stretches], before, after)


def level(curve: Mapping[str, Any], phase: str, share: float) -> float | None:
    """The return that a run had reached on training tasks.

    Args:
        curve: Of :meth:`TrainingCurve.to_json`.
        phase: ``"before"`` or ``"after"`` adaptation.
        share: Of training that was done by then, in (0, 1]; the mean is over the tenth before.

    Returns:
        None if nothing was recorded there.
    """
    values = curve[phase].get("episode_return", ())
    end = max(1, round(share * len(values)))
    own = values[max(0, end - math.ceil(len(values) / 10)) : end]
    known = [value for value in own if value is not None]
    return fmean(known) if known else None


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(f"{finite.mean():.{DIGITS}g}") if len(finite) else None
