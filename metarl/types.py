"""Frozen records that pass between the rooms, with the shape of every field.

Legend of axes: ``M`` tasks, ``E`` episodes per task, ``S`` steps (the horizon), ``O`` flattened
observation, ``A`` action, ``P`` parameters of the action distribution, ``H`` policy state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

Params: TypeAlias = dict[str, Tensor]
"""Named parameters of a policy or of a whole meta-learner."""

_PER_STEP = (
    "observations",
    "actions",
    "rewards",
    "log_probs",
    "dist_params",
    "mask",
    "success",
    "advantages",
)


@dataclass(frozen=True)
class Trajectories:
    """Experience of several tasks, padded to a common horizon.

    Attributes:
        observations: ``[M, E, S, O]``, what the policy saw before each step.
        actions: ``[M, E, S, A]`` (or ``[M, E, S]`` for discrete actions), as sampled, unclipped.
        rewards: ``[M, E, S]``.
        log_probs: ``[M, E, S]``, of ``actions`` under the policy that acted.
        dist_params: ``[M, E, S, P]``, parameters of the distribution that acted.
        mask: ``[M, E, S]`` bool, true where the step took place; padding is zero elsewhere.
        terminated: ``[M, E]`` bool, the episode reached a terminal state (nothing follows).
        truncated: ``[M, E]`` bool, the episode was cut off (its last state has a value).
        last_observations: ``[M, E, O]``, what followed the last step.
        success: ``[M, E, S]`` bool, or ``None`` where the family reports no success.
        unstable: ``[M, E]`` bool, the simulation diverged and the episode was cut there.
        advantages: ``[M, E, S]``, or ``None`` before they have been estimated.
        initial_state: ``[M, E, H]``, state of a recurrent policy at the start, or ``None``.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    log_probs: Tensor
    dist_params: Tensor
    mask: Tensor
    terminated: Tensor
    truncated: Tensor
    last_observations: Tensor
    success: Tensor | None
    unstable: Tensor
    advantages: Tensor | None = None
    initial_state: Tensor | None = None

    @property
    def num_tasks(self) -> int:
        """``M``."""
        return self.rewards.shape[0]

    @property
    def num_steps(self) -> int:
        """Environment steps that took place."""
        return int(self.mask.sum())

    @property
    def num_unstable(self) -> int:
        """Episodes that were cut because the simulation diverged."""
        return int(self.unstable.sum())

    @property
    def counted(self) -> Tensor:
        """Episodes that have valid steps, ``[M, E]`` bool."""
        return self.mask.any(dim=-1)

    @property
    def lengths(self) -> Tensor:
        """Steps of each episode, ``[M, E]``."""
        return self.mask.sum(dim=-1)

    @property
    def returns(self) -> Tensor:
        """Undiscounted return of each episode, ``[M, E]``, summed in float64."""
        return (self.rewards * self.mask).sum(dim=-1, dtype=torch.float64)

    @property
    def success_any(self) -> Tensor | None:
        """Whether the success flag was up at any step, ``[M, E]`` bool."""
        return None if self.success is None else (self.success & self.mask).any(dim=-1)

    @property
    def success_final(self) -> Tensor | None:
        """Whether the success flag was up at the last step, ``[M, E]`` bool."""
        if self.success is None:
            return None
        last = (self.lengths - 1).clamp(min=0).unsqueeze(-1)
        return (self.success & self.mask).gather(-1, last).squeeze(-1)

    def without_unstable(self) -> Trajectories:
        """Returns the same experience with unstable episodes masked out."""
        return replace(self, mask=self.mask & ~self.unstable.unsqueeze(-1))

    def task(self, index: int) -> Trajectories:
        """Returns the experience of one task, the task axis kept with length one."""
        return self._map(lambda tensor: tensor[index : index + 1])

    def every(self, stride: int) -> Trajectories:
        """Returns every ``stride``-th step of each episode, as a sample of the experience.

        A recurrent policy needs all steps, so that with an ``initial_state`` nothing is left out.
        """
        if stride == 1 or self.initial_state is not None:
            return self
        return replace(
            self,
            **{
                name: value[:, :, ::stride]
                for name in _PER_STEP
                if (value := getattr(self, name)) is not None
            },
        )

    def tasks(self, indices: Sequence[int]) -> Trajectories:
        """Returns the experience of some tasks."""
        return self._map(lambda tensor: tensor[list(indices)])

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Trajectories:
        """Returns a copy on ``device`` with floating-point fields as ``dtype``."""
        return self._map(
            lambda tensor: tensor.to(
                device=device, dtype=dtype if tensor.is_floating_point() else None
            )
        )

    def with_advantages(self, advantages: Tensor) -> Trajectories:
        """Returns the same experience with ``advantages`` attached."""
        return replace(self, advantages=advantages)

    def _map(self, function: Callable[[Tensor], Tensor]) -> Trajectories:
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        mapped: dict[str, Any] = {
            name: None if value is None else function(value) for name, value in values.items()
        }
        return Trajectories(**mapped)
