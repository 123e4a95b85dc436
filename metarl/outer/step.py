"""What an outer step is, and what it needs to know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from metarl.errors import CheckpointError
from metarl.types import Params


class Objective(Protocol):
    """What an outer step needs to know of the meta-objective."""

    def evaluate(self, meta_params: Params) -> tuple[float, float]:
        """Loss and KL divergence from the old policies."""
        ...

    def gradient(self, meta_params: Params) -> tuple[float, Params]:
        """Loss and its gradient."""
        ...

    def fisher_product(self, meta_params: Params) -> Callable[[Params], Params]:
        """Product of the KL divergence's Hessian with a vector, at ``meta_params``."""
        ...

    def displacement(self, meta_params: Params) -> Params:
        """How far adaptation moves the initialisation, on average."""
        ...


class OuterStep(ABC):
    """One update rule for meta-parameters."""

    @abstractmethod
    def step(self, meta_params: Params, objective: Objective) -> tuple[Params, dict[str, float]]:
        """Returns the next meta-parameters, and figures that say how the step went."""

    def state(self) -> Params:
        """What the rule carries from step to step (moments of Adam), to be saved; often nothing."""
        return {}

    def load_state(self, state: Params) -> None:
        """Takes back what :meth:`state` gave.

        Raises:
            CheckpointError: If it isn't this rule's.
        """
        if state:
            raise CheckpointError(
                f"outer step: {type(self).__name__} carries no state, got {', '.join(state)}"
            )
