"""Descent on the meta-gradient by any of PyTorch's optimisers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from metarl.errors import CheckpointError, ConfigError
from metarl.outer.step import Objective, OuterStep
from metarl.types import Params


class GradientDescent(OuterStep):
    """One or several steps of an optimiser on the same experience.

    With one epoch, this is the plain policy gradient; with several on an objective whose ratios are
    clipped, PPO's outer step (ProMP, Rothfuss et al. 2019, algorithm 1). All experience enters each
    epoch: there are no mini-batches, because the adaptation of a task needs its whole support set.

    Args:
        optimizer: Name of a class in :mod:`torch.optim`.
        lr: Its learning rate.
        num_epochs: Steps per iteration.
        max_grad_norm: Longer gradients are cut to this length; ``None`` leaves them.
        **settings: Further arguments of the optimiser, such as ``momentum``.

    Raises:
        ConfigError: If there is no such optimiser, it doesn't take these settings, or it can't be
            used here: it takes no dense gradients or no vectors, or has moments of another shape
            than their parameter's, which a checkpoint doesn't hold.
    """

    def __init__(
        self,
        optimizer: str = "Adam",
        *,
        lr: float = 1e-3,
        num_epochs: int = 1,
        max_grad_norm: float | None = None,
        **settings: Any,
    ) -> None:
        self.optimizer = optimizer
        self.lr = lr
        self.num_epochs = num_epochs
        self.max_grad_norm = max_grad_norm
        self.settings = settings
        self._leaves: Params = {}
        self._optimiser: torch.optim.Optimizer | None = None
        self._restored: Params = {}
        self._moments = self._tried()  # now, so that bad settings show at once

    def step(self, meta_params: Params, objective: Objective) -> tuple[Params, dict[str, float]]:
        """Takes ``num_epochs`` steps down the objective's gradient."""
        optimiser = self._optimiser_for(meta_params)
        norms, losses = [], []
        for _ in range(self.num_epochs):
            loss, gradient = objective.gradient(self._leaves)
            for name, leaf in self._leaves.items():
                leaf.grad = gradient[name].detach()
            norms.append(self._clip())
            losses.append(loss)
            optimiser.step()
        after = {name: leaf.detach().clone() for name, leaf in self._leaves.items()}
        loss_after, kl = objective.evaluate(after)
        return after, {
            "loss_before": losses[0],
            "loss_after": loss_after,
            "gradient_norm": norms[0],
            "kl": kl,
        }

    def state(self) -> Params:
        """The optimiser's moments, by parameter: ``<name>:<moment>``."""
        if self._optimiser is None:
            return dict(self._restored)
        moments = self._optimiser.state_dict()["state"]
        return {
            f"{name}:{key}": value.detach().clone()
            for index, name in enumerate(self._leaves)
            for key, value in moments.get(index, {}).items()
            if isinstance(value, Tensor)
        }

    def load_state(self, state: Params) -> None:
        """Takes back the moments; they enter the optimiser with the next step.

        Raises:
            CheckpointError: If they are another optimiser's.
        """
        found: dict[str, set[str]] = {}
        for path in state:
            name, _, key = path.rpartition(":")
            found.setdefault(name, set()).add(key)
        for name, keys in found.items():
            if keys != self._moments:
                raise CheckpointError(
                    f"outer step: moments of {name}: got {', '.join(sorted(keys))}; "
                    f"{self.optimizer} has {', '.join(sorted(self._moments)) or 'none'}"
                )
        self._restored = dict(state)
        self._optimiser = None

    def _optimiser_for(self, meta_params: Params) -> torch.optim.Optimizer:
        if self._optimiser is None or self._leaves.keys() != meta_params.keys():
            self._leaves = {
                name: value.detach().clone().requires_grad_() for name, value in meta_params.items()
            }
            self._optimiser = self._make(list(self._leaves.values()))
            self._restore(self._optimiser)
        with torch.no_grad():
            for name, value in meta_params.items():
                self._leaves[name].copy_(value)
        return self._optimiser

    def _make(self, leaves: list[Tensor]) -> torch.optim.Optimizer:
        known = _optimisers()
        if self.optimizer not in known:
            raise ConfigError(
                f"optimizer: got {self.optimizer!r}; known: {', '.join(sorted(known))}."
            )
        try:
            return known[self.optimizer](leaves, lr=self.lr, **self.settings)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"optimizer: {self.optimizer}: {error}.") from None

    def _tried(self) -> set[str]:
        """Takes a step with a matrix and a vector, as a policy has them.

        Returns:
            The moments that each parameter then has, by name.

        Raises:
            ConfigError: If that fails, or leaves moments that a checkpoint can't hold.
        """
        leaves = [torch.zeros(shape, requires_grad=True) for shape in ((2, 3), (3,))]
        optimiser = self._make(leaves)
        for leaf in leaves:
            leaf.grad = torch.ones_like(leaf)
        try:
            optimiser.step()
        except RuntimeError as error:
            raise ConfigError(f"optimizer: {self.optimizer}: {error}.") from None
        moments: set[str] = set()
        for leaf in leaves:
            for key, value in optimiser.state[leaf].items():
                if not isinstance(value, Tensor):
                    continue
                moments.add(key)
                if value.shape not in (leaf.shape, ()):
                    raise ConfigError(
                        f"optimizer: {self.optimizer}: its {key} is {tuple(value.shape)} for a "
                        f"parameter of {tuple(leaf.shape)}; must have the parameter's shape or be "
                        "one number."
                    )
        return moments

    def _restore(self, optimiser: torch.optim.Optimizer) -> None:
        if not self._restored:
            return
        moments: dict[int, dict[str, Tensor]] = {}
        indices = {name: index for index, name in enumerate(self._leaves)}
        for path, value in self._restored.items():
            name, _, key = path.rpartition(":")
            if name not in indices:
                raise CheckpointError(f"outer step: moment of an unknown parameter: {path}")
            moments.setdefault(indices[name], {})[key] = value
        if missing := [name for name, index in indices.items() if index not in moments]:
            raise CheckpointError(f"outer step: no moments of {', '.join(missing)}")
        optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
        self._restored = {}

    def _clip(self) -> float:
        limit = float("inf") if self.max_grad_norm is None else self.max_grad_norm
        return torch.nn.utils.clip_grad_norm_(self._leaves.values(), limit).item()


def _optimisers() -> dict[str, Callable[..., torch.optim.Optimizer]]:
    """PyTorch's optimisers by name, but for LBFGS, which can't take single steps."""
    return {
        name: value
        for name, value in vars(torch.optim).items()
        if inspect.isclass(value)
        and issubclass(value, torch.optim.Optimizer)
        and value not in (torch.optim.Optimizer, torch.optim.LBFGS)
    }
