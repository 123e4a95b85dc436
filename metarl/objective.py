"""The meta-objective: how good adapted parameters are, as a function of the meta-parameters."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from metarl.adaptation import AdaptationState, MetaLearner
from metarl.errors import ConfigError, NonFiniteError
from metarl.losses import (
    advantages_of,
    clipped_surrogate,
    evaluate_actions,
    importance_ratios,
    masked_mean,
)
from metarl.policies import Policy
from metarl.threads import map_in_threads
from metarl.types import Params, Trajectories

Result = TypeVar("Result")


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

    (Stadie et al. 2018; Rothfuss et al. 2019, section 3, formulation II, equation 3; MAML's
    objective, which has no such term, is their formulation I, equation 4). Means over steps and
    episodes stand where the papers have sums. ``R_i`` is the task's mean query return, standardised
    over the batch, where the papers take the return itself: a constant offset changes nothing in
    expectation, and the coefficient keeps its meaning across problems.

    Args:
        learner: Policy and adapter.
        supports: Support sets in the order of the inner steps, each ``[M, E, S, ...]`` with
            advantages.
        query: Experience after adaptation, ``[M, E, S, ...]`` with advantages.
        fisher_stride: The Fisher product uses every ``fisher_stride``-th step of the query set.
        fisher_support_stride: The same for the support sets, in the adaptation's Jacobian. The
            parameters before and after each inner step are those that all of its support set leads
            to; within a step, a rule that descends several times (iMAML, the hypergradient rule,
            LEO) is differentiated where the sample leads it.
        clip_range: Clips the query surrogate's ratios as PPO does; ``None`` leaves them.
        inner_kl_coef: Weight of ProMP's penalty.
        sampling_coef: Weight of E-MAML's sampling term.
        num_threads: Tasks that are worked on at once. The result's bits don't depend on it.
    """

    def __init__(
        self,
        learner: MetaLearner,
        supports: Sequence[Trajectories],
        query: Trajectories,
        *,
        fisher_stride: int = 1,
        fisher_support_stride: int = 1,
        clip_range: float | None = None,
        inner_kl_coef: float = 0.0,
        sampling_coef: float = 0.0,
        num_threads: int = 1,
    ) -> None:
        # A module runs under one set of parameters at a time, so that each thread has its own.
        self._learners = [learner, *(copy.deepcopy(learner) for _ in range(num_threads - 1))]
        self.num_tasks = query.num_tasks
        self._supports = [[support.task(i) for support in supports] for i in range(self.num_tasks)]
        self._queries = [query.task(i) for i in range(self.num_tasks)]
        self._fisher_stride = fisher_stride
        self._fisher_support_stride = fisher_support_stride
        self._clip_range = clip_range
        self._inner_kl_coef = inner_kl_coef
        self._sampling_coef = sampling_coef
        episodes = query.counted.sum(dim=-1).clamp(min=1)
        self._credits = _standardised(query.returns.sum(dim=-1) / episodes)

    def evaluate(self, meta_params: Params) -> tuple[float, float]:
        """Returns loss and KL divergence at ``meta_params``."""

        def work(learner: MetaLearner, task: int) -> tuple[float, float]:
            states = self._unroll(learner, meta_params, task)
            with torch.no_grad():
                loss, kl = self._loss_and_kl(learner, states, task)
            return loss.item(), kl.item()

        losses, kls = zip(*self._per_task(work), strict=True)
        return self._mean(losses), self._mean(kls)

    def gradient(self, meta_params: Params) -> tuple[float, Params]:
        """Returns the loss and its gradient, through the adaptation, at ``meta_params``.

        Raises:
            NonFiniteError: Naming the first task whose loss or gradient isn't finite.
        """
        leaves = _leaves(meta_params)
        inputs = list(leaves.values())

        def work(learner: MetaLearner, task: int) -> tuple[float, Sequence[Tensor]]:
            states = self._unroll(learner, leaves, task, create_graph=True)
            loss, _ = self._loss_and_kl(learner, states, task)
            return loss.item(), torch.autograd.grad(
                loss / self.num_tasks, inputs, allow_unused=True, materialize_grads=True
            )

        losses, gradients = zip(*self._per_task(work), strict=True)
        for task, (loss, own) in enumerate(zip(losses, gradients, strict=True)):
            if not (math.isfinite(loss) and all(torch.isfinite(one).all() for one in own)):
                raise NonFiniteError("loss or gradient: isn't finite", task_index=task)
        return self._mean(losses), dict(zip(leaves, _total(gradients), strict=True))

    def displacement(self, meta_params: Params) -> Params:
        """Returns the mean over tasks of how far adaptation moves the initialisation.

        The query set, collected by the parameters that the support sets led to, is the support set
        of one more step: with ``K`` support sets, parameters move ``K + 1`` steps.

        Raises:
            ConfigError: If anything else than the initialisation is to be learned.
        """
        others = sorted(name for name in meta_params if not name.startswith("policy."))
        if others:
            raise ConfigError(
                f"outer: a displacement moves policy.* only, but {', '.join(others)} are learned; "
                "take another outer step, or an adapter that learns nothing of its own."
            )

        def work(learner: MetaLearner, task: int) -> list[Tensor]:
            data = [*self._supports[task], self._queries[task]]
            adapted = learner.adapt(meta_params, data).params
            return [
                (adapted[name.removeprefix("policy.")] - value) / self.num_tasks
                for name, value in meta_params.items()
            ]

        return dict(zip(meta_params, _total(self._per_task(work)), strict=True))

    def fisher_product(self, meta_params: Params) -> Callable[[Params], Params]:
        """Returns the map ``v -> H v`` with ``H`` the Hessian of the KL divergence.

        At the parameters that collected the query set the KL divergence has a minimum, so its
        Hessian is exactly ``J^T F J``: ``J`` the Jacobian of the distribution parameters through
        the adaptation, ``F`` their Fisher information (Gauss-Newton form). Both products with
        ``J`` run on graphs built once here and kept for all calls.
        """
        leaves = _leaves(meta_params)
        products = self._per_task(
            lambda learner, task: self._task_fisher_product(learner, leaves, task)
        )

        def product(vector: Params) -> Params:
            images = self._per_task(
                lambda _, task: [image / self.num_tasks for image in products[task](vector)]
            )
            return dict(zip(leaves, _total(images), strict=True))

        return product

    def _mean(self, values: Sequence[float]) -> float:
        return sum(value / self.num_tasks for value in values)

    def _per_task(self, work: Callable[[MetaLearner, int], Result]) -> list[Result]:
        return map_in_threads(work, self._learners, range(self.num_tasks))

    def _task_fisher_product(
        self, learner: MetaLearner, leaves: Params, task: int
    ) -> Callable[[Params], Sequence[Tensor]]:
        adapted = self._adapt_for_fisher(learner, leaves, task)
        query = self._queries[task].every(self._fisher_stride)
        dist_params, _ = learner.policy.with_params(
            adapted.params, query.observations, query.initial_state
        )
        weights = query.mask.to(dist_params.dtype)
        weights = (weights / weights.sum().clamp(min=1)).unsqueeze(-1)
        inputs = list(leaves.values())
        # J^T u is linear in u; differentiating it with respect to u gives J v.
        u = torch.zeros_like(dist_params, requires_grad=True)
        transposed = torch.autograd.grad(
            dist_params, inputs, u, create_graph=True, allow_unused=True, materialize_grads=True
        )
        fisher = _fisher_of_distribution(learner.policy, dist_params.detach())

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

    def _adapt_for_fisher(self, learner: MetaLearner, leaves: Params, task: int) -> AdaptationState:
        """Adapts with the values of all support steps, and the Jacobian of every n-th."""
        stride = self._fisher_support_stride
        if stride == 1:
            return learner.adapt(leaves, self._supports[task], create_graph=True)
        state = learner.start(leaves)
        for support in self._supports[task]:
            exact = learner.adapt_step(_detached(leaves), state.detached(), support)
            rough = learner.adapt_step(leaves, state, support.every(stride), create_graph=True)
            state = AdaptationState(
                _value_of(exact.params, slope_of=rough.params),
                rough.step,
                _value_of(exact.memory, slope_of=rough.memory),
            )
        return state

    def _unroll(
        self, learner: MetaLearner, meta_params: Params, task: int, *, create_graph: bool = False
    ) -> list[AdaptationState]:
        """The states before the first inner step, after it, ..., after the last."""
        states = [learner.start(meta_params)]
        for support in self._supports[task]:
            states.append(
                learner.adapt_step(meta_params, states[-1], support, create_graph=create_graph)
            )
        return states

    def _loss_and_kl(
        self, learner: MetaLearner, states: Sequence[AdaptationState], task: int
    ) -> tuple[Tensor, Tensor]:
        *before, adapted = states
        query = self._queries[task]
        ratios, divergence = _moved(learner.policy, adapted, query)
        if self._clip_range is None:
            loss = -masked_mean(ratios * advantages_of(query), query.mask)
        else:
            loss = masked_mean(clipped_surrogate(ratios, query, self._clip_range), query.mask)
        if self._inner_kl_coef or self._sampling_coef:
            for state, support in zip(before, self._supports[task], strict=True):
                inner_ratios, inner_divergence = _moved(learner.policy, state, support)
                penalty = self._inner_kl_coef * masked_mean(inner_divergence, support.mask)
                credit = self._sampling_coef * self._credits[task]
                sampling = -credit * masked_mean(inner_ratios, support.mask)
                loss = loss + (penalty + sampling) / len(before)
        return loss, masked_mean(divergence, query.mask)


def _moved(policy: Policy, state: AdaptationState, data: Trajectories) -> tuple[Tensor, Tensor]:
    """How the policy differs from the one that collected the data, ``[1, E, S]`` each.

    Returns:
        Importance ratios and KL divergences.
    """
    dist_params, log_probs = evaluate_actions(policy, state.params, data)
    divergence = kl_divergence(
        policy.distribution(data.dist_params), policy.distribution(dist_params)
    )
    return importance_ratios(log_probs, data), divergence


def _fisher_of_distribution(policy: Policy, dist_params: Tensor) -> Callable[[Tensor], Tensor]:
    """The map ``x -> F x``, ``F`` the Hessian of ``KL(p || q)`` in the parameters of ``q``."""
    q = dist_params.clone().requires_grad_()
    divergence = kl_divergence(policy.distribution(dist_params), policy.distribution(q)).sum()
    (slope,) = torch.autograd.grad(divergence, q, create_graph=True)
    return lambda x: torch.autograd.grad(slope, q, x, retain_graph=True)[0]


def _total(per_task: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Sum over tasks, in their order, of each tensor."""
    total = [tensor.clone() for tensor in per_task[0]]
    for tensors in per_task[1:]:
        for sum_, tensor in zip(total, tensors, strict=True):
            sum_ += tensor
    return total


def _standardised(values: Tensor) -> Tensor:
    if len(values) < 2:
        return torch.zeros_like(values)
    return (values - values.mean()) / (values.std() + 1e-8)


def _value_of(exact: Params, *, slope_of: Params) -> Params:
    return {name: value + (exact[name] - value).detach() for name, value in slope_of.items()}


def _detached(params: Params) -> Params:
    return {name: value.detach() for name, value in params.items()}


def _leaves(params: Params) -> Params:
    return {name: value.detach().requires_grad_() for name, value in params.items()}
