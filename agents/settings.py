"""Settings that every gradient-based meta-RL agent shares."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from metarl.config import Config

MAX_WEIGHTS = 10**8
"""Between hidden layers; a slip of the keyboard, or a hostile file, must not fill the memory."""


class MetaPolicyGradientConfig(Config):
    """Policy, experience, inner loop and outer step.

    An agent's own settings are these with its paper's defaults, and whatever else its adapter has.
    """

    hidden_sizes: tuple[Annotated[int, Field(ge=1, le=2**14)], ...] = Field(
        default=(64, 64), max_length=16, description="Units of each hidden layer."
    )
    init_std: float = Field(default=1.0, gt=0, description="Initial standard deviation of actions.")
    num_inner_steps: int = Field(
        default=1, ge=1, description="Adaptation steps that training unrolls."
    )
    inner_loss: Literal["ratio", "dice", "log_prob", "clip"] = Field(
        default="ratio",
        description=(
            "Inner loss: ratio (low-variance curvature), dice (unbiased curvature with gamma 1, "
            "more variance), clip (PPO's), log_prob (a biased Hessian, for comparison only)."
        ),
    )
    later_step_scale: float = Field(
        default=0.5,
        gt=0,
        description="Adaptation steps beyond num_inner_steps are this much as long.",
    )
    meta_batch_size: int = Field(default=20, ge=1, le=10**5, description="Tasks per iteration.")
    episodes_per_task: int = Field(
        default=10, ge=1, le=10**5, description="Episodes per task, before and after."
    )
    gamma: float = Field(default=0.99, ge=0, le=1, description="Discount factor.")
    gae_lambda: float = Field(default=1.0, ge=0, le=1, description="Trace decay of advantages.")
    max_skipped_updates: int = Field(
        default=10,
        ge=1,
        description=(
            "Training ends when so many updates in a row were skipped because a number wasn't "
            "finite."
        ),
    )
    outer: Literal["trpo", "ppo", "gradient"] = Field(
        default="trpo",
        description="Outer step: trust region, clipped surrogate over epochs, or one plain step.",
    )
    max_kl: float = Field(default=0.01, gt=0, description="trpo: radius of the trust region, nats.")
    cg_iterations: int = Field(default=10, ge=1, description="trpo: conjugate gradient iterations.")
    cg_damping: float = Field(default=1e-5, ge=0, description="trpo: conjugate gradient damping.")
    backtrack_ratio: float = Field(
        default=0.8, gt=0, lt=1, description="trpo: line search shrink factor."
    )
    max_backtracks: int = Field(default=15, ge=1, description="trpo: line search tries.")
    fisher_stride: int = Field(
        default=4, ge=1, description="trpo: Fisher products use every n-th query step; 1 uses all."
    )
    fisher_support_stride: int = Field(
        default=1, ge=1, description="trpo: the same for support steps, in the Jacobian."
    )
    outer_lr: float = Field(default=1e-3, gt=0, description="ppo, gradient: learning rate.")
    optimizer: str = Field(default="Adam", description="ppo, gradient: a class of torch.optim.")
    max_grad_norm: float | None = Field(
        default=None, gt=0, description="ppo, gradient: longer gradients are cut to this."
    )
    num_epochs: int = Field(default=5, ge=1, description="ppo: steps on the same experience.")
    clip_range: float = Field(
        default=0.3, gt=0, description="ppo: ratios are clipped to 1 +- this."
    )
    inner_kl_coef: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the penalty on how far the policy before adaptation moves (ProMP).",
    )
    sampling_coef: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the credit that support episodes get for the query return (E-MAML).",
    )

    @model_validator(mode="after")
    def _whole_episodes_for_dice(self) -> Self:
        if self.inner_loss == "dice" and self.fisher_support_stride > 1:
            raise ValueError(
                f"fisher_support_stride: got {self.fisher_support_stride}; must be 1 with "
                "inner_loss dice, whose terms need every step of an episode"
            )
        return self

    @model_validator(mode="after")
    def _tasks_to_compare_for_credit(self) -> Self:
        if self.sampling_coef > 0 and self.meta_batch_size < 2:
            raise ValueError(
                f"meta_batch_size: got {self.meta_batch_size}; must be at least 2 with a "
                "sampling_coef, because credit is what sets a task apart from the others"
            )
        return self

    @field_validator("hidden_sizes")
    @classmethod
    def _check_hidden_sizes(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        weights = sum(a * b for a, b in pairwise(sizes))
        if weights > MAX_WEIGHTS:
            raise ValueError(f"that makes {weights} weights; allowed: {MAX_WEIGHTS}")
        return sizes


class GradientInnerConfig(MetaPolicyGradientConfig):
    """The same for agents whose inner step is a gradient step at a fixed rate."""

    inner_lr: float = Field(
        default=0.1, ge=0, description="Inner step size; 0 trains without adaptation (the control)."
    )
    adaptation_lr: float | None = Field(
        default=None, ge=0, description="Inner step size after training; by default inner_lr."
    )

    def rate(self, *, testing: bool) -> float:
        """The inner step size in training, or after it."""
        own = self.adaptation_lr if testing else None
        return self.inner_lr if own is None else own
