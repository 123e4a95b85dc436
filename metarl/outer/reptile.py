"""Reptile: move the initialisation toward where adaptation ends (Nichol et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metarl.outer.gradient import GradientDescent
from metarl.outer.step import Objective, OuterStep
from metarl.types import Params


class Reptile(OuterStep):
    """``phi + outer_lr * mean_i (U(phi, D_i) - phi)`` (Nichol et al. 2018, algorithm 2).

    ``U(phi, D_i)`` are task ``i``'s parameters after all of its experience. No gradient is taken
    through the adaptation; the displacement takes the place of one, with its sign turned, so that
    any optimiser can be used (their section 3 names Adam). ``SGD`` interpolates.

    Args:
        optimizer: Name of a class in :mod:`torch.optim`.
        outer_lr: Its learning rate; with ``SGD``, the fraction of the way.
        **settings: Further arguments of :class:`~metarl.outer.GradientDescent`.

    Raises:
        ConfigError: If there is no such optimiser, or it doesn't take these settings.
    """

    def __init__(self, optimizer: str = "SGD", *, outer_lr: float = 1.0, **settings: Any) -> None:
        self.descent = GradientDescent(optimizer, lr=outer_lr, **settings)

    def step(self, meta_params: Params, objective: Objective) -> tuple[Params, dict[str, float]]:
        """Moves by one step of the optimiser; ``gradient_norm`` is the displacement's length."""
        return self.descent.step(meta_params, _Displacement(objective))

    def state(self) -> Params:
        """The optimiser's moments."""
        return self.descent.state()

    def load_state(self, state: Params) -> None:
        """Takes back the moments."""
        self.descent.load_state(state)


@dataclass(frozen=True)
class _Displacement:
    """The objective, with the way back from the adapted parameters as its gradient."""

    objective: Objective

    def evaluate(self, meta_params: Params) -> tuple[float, float]:
        return self.objective.evaluate(meta_params)

    def gradient(self, meta_params: Params) -> tuple[float, Params]:
        loss, _ = self.objective.evaluate(meta_params)
        displacement = self.objective.displacement(meta_params)
        return loss, {name: -value for name, value in displacement.items()}

    def displacement(self, meta_params: Params) -> Params:
        return self.objective.displacement(meta_params)

    def fisher_product(self, meta_params: Params) -> Callable[[Params], Params]:
        return self.objective.fisher_product(meta_params)
