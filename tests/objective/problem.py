"""A meta-learner with one iteration's data, small enough for numbers by other means."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Normal, kl_divergence

from metarl.adaptation import MetaLearner
from metarl.agents.adapters.gradient import GradientAdapter
from metarl.losses import Loss, ratio_loss
from metarl.objective import MetaObjective
from metarl.policies import Policy
from metarl.types import Trajectories
from tests.synthetic import POLICIES, experience, small_policy, unflat

INNER_LR = 0.4
SUPPORT_LENGTHS = torch.tensor([[4, 1, 3], [2, 4, 4]])
QUERY_LENGTHS = torch.tensor([[3, 4, 2], [1, 1, 4]])

kinds = pytest.mark.parametrize("kind", POLICIES)
inner_steps = pytest.mark.parametrize("num_steps", [1, 2])


class Problem:
    """A meta-learner and one iteration's data, sampled as the algorithm samples it.

    Support set ``k`` stems from each task's parameters after ``k`` steps, the query set from those
    after the last.
    """

    def __init__(
        self,
        kind: str,
        num_steps: int = 1,
        *,
        first_order: bool = False,
        loss: Loss = ratio_loss,
        ragged: bool = True,
        horizon: int = 4,
    ) -> None:
        self.policy = small_policy(kind)
        adapter = GradientAdapter(self.policy, INNER_LR, loss=loss, first_order=first_order)
        self.learner = MetaLearner(self.policy, adapter)
        self.meta_params = self.learner.meta_params()
        self.supports: list[Trajectories] = []
        for step in range(num_steps + 1):
            params = [
                self.learner.adapt(self.meta_params, [s.task(i) for s in self.supports]).params
                for i in range(2)
            ]
            lengths = SUPPORT_LENGTHS if step < num_steps else QUERY_LENGTHS
            self.supports.append(
                experience(
                    self.policy,
                    params,
                    lengths=lengths if ragged else None,
                    horizon=horizon,
                    seed=step,
                )
            )
        self.query = self.supports.pop()

    def objective(self, **settings: float | None) -> MetaObjective:
        return MetaObjective(self.learner, self.supports, self.query, **settings)


def divergence(
    problem: Problem,
    vector: Tensor,
    rows: Sequence[tuple[int, int, int]] | None = None,
) -> Tensor:
    """Divergence as a differentiable function of the meta-parameters, step by step.

    Args:
        rows: Which (task, episode, step) to average over; by default all that took place.
    """
    if rows is None:
        rows = [tuple(row) for row in problem.query.mask.nonzero().tolist()]
    meta_params = unflat(vector, problem.meta_params)
    total = torch.zeros((), dtype=torch.float64)
    for task in range(2):
        supports = [support.task(task) for support in problem.supports]
        adapted = problem.learner.adapt(meta_params, supports, create_graph=True).params
        own = [row for row in rows if row[0] == task]
        for row in own:
            now, _ = problem.policy.with_params(adapted, problem.query.observations[row])
            old = problem.query.dist_params[row]
            p, q = (as_plain_distribution(problem.policy, d) for d in (old, now))
            total = total + kl_divergence(p, q).sum() / len(own) / 2
    return total


def as_plain_distribution(policy: Policy, dist_params: Tensor) -> Normal | Categorical:
    if policy.num_dist_params == 3:
        return Categorical(logits=dist_params)
    mean, log_std = dist_params.chunk(2, dim=-1)
    return Normal(mean, log_std.exp())
