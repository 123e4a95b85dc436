"""The meta-objective: how good adapted parameters are, as a function of the meta-parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from metarl.adaptation import AdaptationState, MetaLearner
from metarl.losses import (
    advantages_of,
    clipped_surrogate,
    evaluate_actions,
    importance_ratios,
    masked_mean,
)
from metarl.types import Params, Trajectories


class MetaObjective:
    """Mean over tasks of the surrogate loss after adaptation, and its trust region.

    For task ``i`` with support sets ``D_i`` and query set ``Q_i``, the adapted parameters are
    ``U(theta, D_i)`` and

    ``loss(theta) = -mean_i mean_{Q_i} [ pi_U(a|s) / pi_old(a|s) * A ]``
    ``kl(theta)   =  mean_i mean_{Q_i} KL( pi_old(.|s) || pi_U(.|s) )``

    where ``pi_old`` is the adapted policy that collected ``Q_i`` (Finn et al. 2017, equation 4 with
    the surrogate of Schulman et al. 2015). Work and memory are those of one task at a time.

    Two terms may be added, each with its own coefficient: ProMP's penalty on how far the policies
    before each inner step have moved from those that collected the support sets,

    ``inner_kl_coef * mean_i mean_k mean_{D_ik} KL( pi_old,k || pi_theta,k )``

    (Rothfuss et al. 2019, equation 13), and E-MAML's credit to the support set's sampling for what
    came of it,

    ``-sampling_coef * mean_i mean_k mean_{D_ik} [ pi_theta,k(a|s) / pi_old,k(a|s) ] * R_i``

    (Stadie et al. 2018, section 3; Rothfuss et al. 2019, formulation I). ``R_i`` is the task's mean
    query return, standardised over the batch, where the papers take the return itself: a constant
    offset changes nothing in expectation, and the coefficient keeps its meaning across problems.

    Args:
        learner: Policy and adapter.
        supports: Support sets in the order of the inner steps, each ``[M, E, S, ...]`` with
            advantages.
        query: Experience after adaptation, ``[M, E, S, ...]`` with advantages.
        fisher_stride: The Fisher product uses every ``fisher_stride``-th step of the query set.
        clip_range: Clips the query surrogate's ratios as PPO does; ``None`` leaves them.
        inner_kl_coef: Weight of ProMP's penalty.
        sampling_coef: Weight of E-MAML's sampling term.
    """

    def __init__(
        self,
        learner: MetaLearner,
        supports: Sequence[Trajectories],
        query: Trajectories,
        *,
        fisher_stride: int = 1,
        clip_range: float | None = None,
        inner_kl_coef: float = 0.0,
        sampling_coef: float = 0.0,
    ) -> None:
        self.learner = learner
        self.num_tasks = query.num_tasks
        self._supports = [[support.task(i) for support in supports] for i in range(self.num_tasks)]
        self._queries = [query.task(i) for i in range(self.num_tasks)]
        self._fisher_stride = fisher_stride
        self._clip_range = clip_range
        self._inner_kl_coef = inner_kl_coef
        self._sampling_coef = sampling_coef
        self._credits = _standardised(query.returns.mean(dim=-1))

    def evaluate(self, meta_params: Params) -> tuple[float, float]:
        """Returns loss and KL divergence at ``meta_params``."""
        loss = kl = 0.0
        for task in range(self.num_tasks):
            states = self._unroll(meta_params, task)
            with torch.no_grad():
                task_loss, task_kl = self._loss_and_kl(states, task)
            loss += task_loss.item() / self.num_tasks
            kl += task_kl.item() / self.num_tasks
        return loss, kl

    def gradient(self, meta_params: Params) -> tuple[float, Params]:
        """Returns the loss and its gradient, through the adaptation, at ``meta_params``."""
        leaves = _leaves(meta_params)
        total = {name: torch.zeros_like(value) for name, value in leaves.items()}
        loss = 0.0
        for task in range(self.num_tasks):
            states = self._unroll(leaves, task, create_graph=True)
            task_loss, _ = self._loss_and_kl(states, task)
            gradients = torch.autograd.grad(
                task_loss / self.num_tasks,
                list(leaves.values()),
                allow_unused=True,
                materialize_grads=True,
            )
            for name, gradient in zip(leaves, gradients, strict=True):
                total[name] += gradient
            loss += task_loss.item() / self.num_tasks
        return loss, total

    def fisher_product(self, meta_params: Params) -> Callable[[Params], Params]:
        """Returns the map ``v -> H v`` with ``H`` the Hessian of the KL divergence.

        At the parameters that collected the query set the KL divergence has a minimum, so its
        Hessian is exactly ``J^T F J``: ``J`` the Jacobian of the distribution parameters through
        the adaptation, ``F`` their Fisher information (Gauss-Newton form). Both products with
        ``J`` run on graphs built once here and kept for all calls.
        """
        leaves = _leaves(meta_params)
        names = list(leaves)
        products = [
            self._task_fisher_product(leaves, self._supports[task], self._queries[task])
            for task in range(self.num_tasks)
        ]

        def product(vector: Params) -> Params:
            total = {name: torch.zeros_like(value) for name, value in vector.items()}
            for task_product in products:
                for name, value in zip(names, task_product(vector), strict=True):
                    total[name] += value / self.num_tasks
            return total

        return product

    def _task_fisher_product(
        self, leaves: Params, supports: Sequence[Trajectories], query: Trajectories
    ) -> Callable[[Params], Sequence[Tensor]]:
        adapted = self.learner.adapt(leaves, supports, create_graph=True)
        stride = self._fisher_stride
        state = query.initial_state
        rows = slice(None) if state is not None else slice(None, None, stride)
        dist_params, _ = self.learner.policy.with_params(
            adapted.params, query.observations[:, :, rows], state
        )
        weights = query.mask[:, :, rows].to(dist_params.dtype)
        weights = (weights / weights.sum()).unsqueeze(-1)
        inputs = list(leaves.values())
        # J^T u is linear in u; differentiating it with respect to u gives J v.
        u = torch.zeros_like(dist_params, requires_grad=True)
        transposed = torch.autograd.grad(
            dist_params, inputs, u, create_graph=True, allow_unused=True, materialize_grads=True
        )
        fisher = self._fisher_of_distribution(dist_params.detach())

        def product(vector: Params) -> Sequence[Tensor]:
            (jvp,) = torch.autograd.grad(
                transposed, u, [vector[name] for name in leaves], retain_graph=True
            )
            return torch.autograd.grad(
                dist_params,
                inputs,
                weights * fisher(jvp),
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )

        return product

    def _fisher_of_distribution(self, dist_params: Tensor) -> Callable[[Tensor], Tensor]:
        """The map ``x -> F x``, ``F`` the Hessian of ``KL(p || q)`` in the parameters of ``q``."""
        distribution = self.learner.policy.distribution
        q = dist_params.clone().requires_grad_()
        divergence = kl_divergence(distribution(dist_params), distribution(q)).sum()
        (slope,) = torch.autograd.grad(divergence, q, create_graph=True)
        return lambda x: torch.autograd.grad(slope, q, x, retain_graph=True)[0]

    def _unroll(
        self, meta_params: Params, task: int, *, create_graph: bool = False
    ) -> list[AdaptationState]:
        """The states before the first inner step, after it, ..., after the last."""
        states = [self.learner.start(meta_params)]
        for support in self._supports[task]:
            states.append(
                self.learner.adapt_step(meta_params, states[-1], support, create_graph=create_graph)
            )
        return states

    def _loss_and_kl(self, states: Sequence[AdaptationState], task: int) -> tuple[Tensor, Tensor]:
        *before, adapted = states
        query = self._queries[task]
        ratios, divergence = self._moved(adapted, query)
        if self._clip_range is None:
            loss = -masked_mean(ratios * advantages_of(query), query.mask)
        else:
            loss = masked_mean(clipped_surrogate(ratios, query, self._clip_range), query.mask)
        if self._inner_kl_coef or self._sampling_coef:
            for state, support in zip(before, self._supports[task], strict=True):
                inner_ratios, inner_divergence = self._moved(state, support)
                penalty = self._inner_kl_coef * masked_mean(inner_divergence, support.mask)
                credit = self._sampling_coef * self._credits[task]
                sampling = -credit * masked_mean(inner_ratios, support.mask)
                loss = loss + (penalty + sampling) / len(before)
        return loss, masked_mean(divergence, query.mask)

    def _moved(self, state: AdaptationState, data: Trajectories) -> tuple[Tensor, Tensor]:
        """How the policy differs from the one that collected the data, ``[1, E, S]`` each.

        Returns:
            Importance ratios and KL divergences.
        """
        policy = self.learner.policy
        dist_params, log_probs = evaluate_actions(policy, state.params, data)
        divergence = kl_divergence(
            policy.distribution(data.dist_params), policy.distribution(dist_params)
        )
        return importance_ratios(log_probs, data), divergence


def _standardised(values: Tensor) -> Tensor:
    if len(values) < 2:
        return torch.zeros_like(values)
    return (values - values.mean()) / (values.std() + 1e-8)


def _leaves(params: Params) -> Params:
    return {name: value.detach().requires_grad_() for name, value in params.items()}
