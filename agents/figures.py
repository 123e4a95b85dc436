"""What an iteration of training says of itself, in numbers."""

from __future__ import annotations

import torch

from metarl.trace import TraceStep
from metarl.types import Trajectories


def summary(phase: str, trajectories: Trajectories) -> dict[str, float]:
    """Mean return and success over tasks and the episodes that count, named after the phase."""
    counted = trajectories.counted
    figures = {f"{phase}/return": trajectories.returns[counted].mean().item()}
    for name in ("success_any", "success_final"):
        flags: torch.Tensor | None = getattr(trajectories, name)
        if flags is not None:
            figures[f"{phase}/{name}"] = flags[counted].float().mean().item()
    return figures


def inner_figures(step: TraceStep) -> dict[str, float]:
    """What an inner step did."""
    changes = step.relative_change.values()
    return {
        "inner/loss_change": step.loss_after - step.loss,
        "inner/gradient_norm": step.gradient_norm,
        "inner/kl": step.kl,
        "inner/relative_change": sum(changes) / len(changes),
    }
