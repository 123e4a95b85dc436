"""Linear feature baseline, fitted to each task's own returns."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.returns import discounted_returns, generalised_advantages, standardise
from metarl.threads import torch_threads
from metarl.types import Trajectories


class LinearFeatureBaseline:
    """Least-squares value estimate from simple features (Duan et al. 2016, experiment setup).

    Features of a state at step ``t``: observation, its square, ``t/100`` with its square and cube,
    and 1. Solved by ridge regression in float64; constant features (there are many in Meta-World)
    make the normal equations singular, so the ridge grows tenfold until the solution is finite.

    Args:
        ridge: First ridge coefficient tried.
    """

    def __init__(self, ridge: float = 1e-5) -> None:
        self.ridge = ridge

    def fit_predict(
        self, observations: Tensor, last_observations: Tensor, returns: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fits one task's returns and predicts the values of its states.

        Args:
            observations: ``[E, S, O]``.
            last_observations: ``[E, O]``, what followed each episode's last step.
            returns: ``[E, S]``, the targets.
            mask: ``[E, S]`` bool.

        Returns:
            Values ``[E, S]`` and last values ``[E]``, in the dtype of ``returns``.
        """
        steps = torch.arange(observations.shape[1], device=observations.device)
        features = _features(observations, steps.expand(mask.shape))
        last_features = _features(last_observations, mask.sum(dim=-1))
        weights = self._solve(features[mask], returns[mask].double())
        values = (features @ weights).to(returns.dtype)
        return values, (last_features @ weights).to(returns.dtype)

    def _solve(self, features: Tensor, targets: Tensor) -> Tensor:
        gram = features.T @ features
        moment = features.T @ targets
        identity = torch.eye(gram.shape[0], dtype=gram.dtype, device=gram.device)
        ridge = self.ridge
        while True:
            factor, failed = torch.linalg.cholesky_ex(gram + ridge * identity)
            if not failed.item():
                weights = torch.cholesky_solve(moment.unsqueeze(-1), factor).squeeze(-1)
                if torch.isfinite(weights).all() or not torch.isfinite(moment).all():
                    return weights
            elif not torch.isfinite(gram).all():
                return torch.full_like(moment, torch.nan)
            ridge *= 10


def estimate_advantages(
    trajectories: Trajectories,
    baseline: LinearFeatureBaseline,
    *,
    gamma: float,
    gae_lambda: float,
) -> Trajectories:
    """Attaches standardised advantages, with a baseline fitted to each task by itself."""
    # Two threads add up in another order than one, which would show in the last bits.
    with torch_threads(1):
        returns = discounted_returns(trajectories.rewards, trajectories.mask, gamma)
        fits = [
            baseline.fit_predict(
                trajectories.observations[task],
                trajectories.last_observations[task],
                returns[task],
                trajectories.mask[task],
            )
            for task in range(trajectories.num_tasks)
        ]
        advantages = generalised_advantages(
            trajectories.rewards,
            torch.stack([values for values, _ in fits]),
            torch.stack([last_values for _, last_values in fits]),
            trajectories.terminated,
            trajectories.mask,
            gamma=gamma,
            gae_lambda=gae_lambda,
        )
        return trajectories.with_advantages(standardise(advantages, trajectories.mask))


def _features(observations: Tensor, steps: Tensor) -> Tensor:
    observations = observations.double()
    time = steps.double().unsqueeze(-1) / 100.0
    return torch.cat(
        [observations, observations**2, time, time**2, time**3, torch.ones_like(time)], dim=-1
    )
