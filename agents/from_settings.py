"""From an agent's settings to the parts that they name."""

from __future__ import annotations

from collections.abc import Sequence

from metarl.adaptation import MetaLearner
from metarl.objective import MetaObjective
from metarl.outer import TRPO, GradientDescent, OuterStep
from metarl.types import Trajectories

from .settings import MetaPolicyGradientConfig


def outer_step(config: MetaPolicyGradientConfig) -> OuterStep:
    """The outer step."""
    if config.outer == "trpo":
        return TRPO(
            max_kl=config.max_kl,
            cg_iterations=config.cg_iterations,
            cg_damping=config.cg_damping,
            backtrack_ratio=config.backtrack_ratio,
            max_backtracks=config.max_backtracks,
        )
    return GradientDescent(
        config.optimizer,
        lr=config.outer_lr,
        num_epochs=config.num_epochs if config.outer == "ppo" else 1,
        max_grad_norm=config.max_grad_norm,
    )


def meta_objective(
    config: MetaPolicyGradientConfig,
    learner: MetaLearner,
    supports: Sequence[Trajectories],
    query: Trajectories,
    *,
    num_threads: int,
) -> MetaObjective:
    """What the outer step improves."""
    return MetaObjective(
        learner,
        supports,
        query,
        fisher_stride=config.fisher_stride,
        fisher_support_stride=config.fisher_support_stride,
        clip_range=config.clip_range if config.outer == "ppo" else None,
        inner_kl_coef=config.inner_kl_coef,
        sampling_coef=config.sampling_coef,
        num_threads=num_threads,
    )
