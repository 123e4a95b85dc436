"""A tabular MDP so small that expectations are sums over every trajectory there is."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian
from torch.nn.functional import one_hot

from metarl.policies import CategoricalMLPPolicy
from metarl.types import Trajectories
from tests.synthetic import flat, unflat

NUM_STATES = 2
NUM_ACTIONS = 2


class TabularMDP:
    """Random dynamics and rewards; a softmax policy; every trajectory of ``horizon`` steps.

    The policy's parameters are one vector ``theta``, that all derivatives are taken in. The
    discount is part of the rewards, ``r_t := gamma^t r_t`` (Rothfuss et al. 2019, section 3).
    """

    def __init__(self, horizon: int, seed: int = 0, gamma: float = 1.0) -> None:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.horizon = horizon
        self.discounts = gamma ** torch.arange(horizon, dtype=torch.float64)
        self.start = normal(NUM_STATES).softmax(-1)
        self.dynamics = (2 * normal(NUM_STATES, NUM_ACTIONS, NUM_STATES)).softmax(-1)
        self.rewards = 2 * normal(NUM_STATES, NUM_ACTIONS)
        # Without hidden layers, one-hot states make this a table of logits (and a shared bias).
        self.policy = CategoricalMLPPolicy(NUM_STATES, NUM_ACTIONS, ()).double()
        self.names = self.policy.params()
        self.theta = normal(flat(self.names).numel())
        self.states = torch.tensor(list(itertools.product(range(NUM_STATES), repeat=horizon)))
        self.actions = torch.tensor(list(itertools.product(range(NUM_ACTIONS), repeat=horizon)))
        num_states, num_actions = len(self.states), len(self.actions)
        self.states = self.states.repeat_interleave(num_actions, dim=0)
        self.actions = self.actions.repeat(num_states, 1)

    def log_policy(self, theta: Tensor) -> Tensor:
        """``log pi(a | s)``, ``[NUM_STATES, NUM_ACTIONS]``."""
        rows = torch.eye(NUM_STATES, dtype=torch.float64)
        logits, _ = self.policy.with_params(unflat(theta, self.names), rows)
        return logits.log_softmax(-1)

    def probabilities(self, theta: Tensor) -> Tensor:
        """Probability of each trajectory, ``[N]``."""
        states, actions = self.states, self.actions
        moves = self.dynamics[states[:, :-1], actions[:, :-1], states[:, 1:]].prod(-1)
        chosen = self.log_policy(theta)[states, actions].sum(-1).exp()
        return self.start[states[:, 0]] * moves * chosen

    def rewards_to_go(self) -> Tensor:
        """``sum_{t' >= t} gamma^t' r_t'``, ``[N, horizon]``."""
        rewards = self.discounts * self.rewards[self.states, self.actions]
        return rewards.flip(-1).cumsum(-1).flip(-1)

    def returns_to_go(self) -> Tensor:
        """``sum_{t' >= t} gamma^(t' - t) r_t'``, as advantages have them, ``[N, horizon]``."""
        return self.rewards_to_go() / self.discounts

    def expected_return(self, theta: Tensor) -> Tensor:
        """``J(theta)``, exactly."""
        return (self.probabilities(theta) * self.rewards_to_go()[:, 0]).sum()

    def action_values(self, theta: Tensor) -> Tensor:
        """``Q_t(s, a)`` by backward recursion, ``[horizon, NUM_STATES, NUM_ACTIONS]``."""
        *earlier, last = self.discounts
        values = [last * self.rewards]
        for discount in reversed(earlier):
            state_values = (self.log_policy(theta).exp() * values[0]).sum(-1)
            values.insert(0, discount * self.rewards + self.dynamics @ state_values)
        return torch.stack(values)

    def hessian_terms(self) -> tuple[Tensor, Tensor, Tensor]:
        """``H1``, ``H2`` and ``H12`` of Rothfuss et al. (2019), section 5, by their definitions.

        With ``R_t`` the reward to go: ``H1 = E[sum_t grad log pi_t (grad log pi_t)^T R_t]``,
        ``H2 = E[sum_t grad^2 log pi_t R_t]``, ``H12 = E[sum_t grad log pi_t (grad Q_t)^T]``.
        """
        states, actions = self.states, self.actions
        weights = self.probabilities(self.theta)[:, None]
        score = jacobian(self.log_policy, self.theta)[states, actions]
        curvature = torch.stack(
            [
                hessian(lambda theta, s=s, a=a: self.log_policy(theta)[s, a], self.theta)
                for s in range(NUM_STATES)
                for a in range(NUM_ACTIONS)
            ]
        )[states * NUM_ACTIONS + actions]
        slope = jacobian(self.action_values, self.theta)[
            torch.arange(self.horizon), states, actions
        ]
        weighted = weights * self.rewards_to_go()
        h1 = torch.einsum("nt,ntd,nte->de", weighted, score, score)
        h2 = torch.einsum("nt,ntde->de", weighted, curvature)
        h12 = torch.einsum("nt,ntd,nte->de", weights.expand_as(weighted), score, slope)
        return h1, h2, h12

    def trajectory(self, index: int, advantages: Tensor) -> Trajectories:
        """One trajectory, as the policy at ``theta`` has sampled it."""
        states, actions = self.states[index], self.actions[index]
        shape = (1, 1, self.horizon)
        logits = self.log_policy(self.theta)[states]
        observations = one_hot(states, NUM_STATES).double()
        return Trajectories(
            observations=observations.view(*shape, -1),
            actions=actions.view(shape),
            rewards=self.rewards[states, actions].view(shape),
            log_probs=logits[torch.arange(self.horizon), actions].view(shape),
            dist_params=logits.view(*shape, -1),
            mask=torch.ones(shape, dtype=torch.bool),
            terminated=torch.ones(1, 1, dtype=torch.bool),
            truncated=torch.zeros(1, 1, dtype=torch.bool),
            last_observations=observations[-1].view(1, 1, -1),
            success=None,
            unstable=torch.zeros(1, 1, dtype=torch.bool),
            advantages=advantages.view(shape),
        )
