"""What the meta-objective comes to, and what makes no difference to it."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import kl_divergence

from metarl.objective import MetaObjective
from tests.objective.problem import Problem, divergence, kinds
from tests.synthetic import flat, padded, perturbed


@kinds
def test_terms_equal_their_formulas(kind: str) -> None:
    problem = Problem(kind, num_steps=2, ragged=False)
    meta_params = perturbed(problem.meta_params, 0.1)
    policy, query = problem.policy, problem.query
    rewards = (query.rewards.sum(-1)).mean(-1)
    credit = (rewards - rewards.mean()) / (rewards.std() + 1e-8)
    clipped = divergence = sampling = torch.zeros(())
    for task in range(2):
        state = problem.learner.start(meta_params)
        for support in problem.supports:
            own = support.task(task)
            dist_params, _ = policy.with_params(state.params, own.observations)
            log_probs = policy.distribution(dist_params).log_prob(own.actions)
            divergence = divergence + kl_divergence(
                policy.distribution(own.dist_params), policy.distribution(dist_params)
            ).mean() / (2 * len(problem.supports))
            ratios = (log_probs - own.log_probs).exp()
            sampling = sampling - credit[task] * ratios.mean() / (2 * len(problem.supports))
            state = problem.learner.adapt_step(meta_params, state, own)
        own = query.task(task)
        dist_params, _ = policy.with_params(state.params, own.observations)
        ratios = (policy.distribution(dist_params).log_prob(own.actions) - own.log_probs).exp()
        gained = torch.minimum(ratios * own.advantages, ratios.clamp(0.95, 1.05) * own.advantages)
        clipped = clipped - gained.mean() / 2
    loss, _ = problem.objective(clip_range=0.05, inner_kl_coef=0.3, sampling_coef=0.6).evaluate(
        meta_params
    )
    expected = clipped + 0.3 * divergence + 0.6 * sampling
    assert loss == pytest.approx(expected.item(), rel=1e-10)
    assert min(abs(divergence), abs(sampling)) > 1e-4


@kinds
def test_with_one_task_there_is_no_one_to_share_credit_with(kind: str) -> None:
    problem = Problem(kind)
    objective = MetaObjective(
        problem.learner,
        [support.task(0) for support in problem.supports],
        problem.query.task(0),
        sampling_coef=1.0,
    )
    plain = MetaObjective(
        problem.learner, [support.task(0) for support in problem.supports], problem.query.task(0)
    )
    assert objective.evaluate(problem.meta_params) == plain.evaluate(problem.meta_params)


@kinds
@pytest.mark.parametrize("fill", [0.0, 1.5])
def test_padding_changes_nothing(kind: str, fill: float) -> None:
    problem, longer = Problem(kind, 2), Problem(kind, 2)
    longer.supports = [padded(support, 3, fill=fill) for support in longer.supports]
    longer.query = padded(longer.query, 2, fill=fill)
    meta_params = perturbed(problem.meta_params, 0.1)
    plain, other = problem.objective(), longer.objective()
    assert other.evaluate(meta_params) == pytest.approx(plain.evaluate(meta_params), rel=1e-12)
    loss, gradient = plain.gradient(meta_params)
    other_loss, other_gradient = other.gradient(meta_params)
    assert other_loss == pytest.approx(loss, rel=1e-12)
    torch.testing.assert_close(flat(other_gradient), flat(gradient))
    vector = perturbed(problem.meta_params, 1.0)
    torch.testing.assert_close(
        flat(other.fisher_product(problem.meta_params)(vector)),
        flat(plain.fisher_product(problem.meta_params)(vector)),
    )


@kinds
def test_tasks_count_equally_however_many_steps_they_have(kind: str) -> None:
    problem = Problem(kind)
    meta_params = perturbed(problem.meta_params, 0.1)
    alone = [
        MetaObjective(
            problem.learner, [s.task(i) for s in problem.supports], problem.query.task(i)
        ).evaluate(meta_params)
        for i in range(2)
    ]
    loss, kl = problem.objective().evaluate(meta_params)
    assert loss == pytest.approx((alone[0][0] + alone[1][0]) / 2, rel=1e-12)
    assert kl == pytest.approx((alone[0][1] + alone[1][1]) / 2, rel=1e-12)


@kinds
def test_divergence_is_zero_at_the_old_parameters_and_positive_elsewhere(kind: str) -> None:
    problem = Problem(kind)
    assert problem.objective().evaluate(problem.meta_params)[1] == pytest.approx(0, abs=1e-12)
    assert problem.objective().evaluate(perturbed(problem.meta_params, 0.1))[1] > 1e-4


@kinds
def test_divergence_is_from_the_old_policy_to_the_new(kind: str) -> None:
    problem = Problem(kind)
    meta_params = perturbed(problem.meta_params, 0.1)
    expected = divergence(problem, flat(meta_params).requires_grad_())
    assert problem.objective().evaluate(meta_params)[1] == pytest.approx(expected.item(), rel=1e-10)


@kinds
def test_the_number_of_threads_changes_no_bit(kind: str) -> None:
    problem = Problem(kind, 2)
    vector = perturbed(problem.meta_params, 1.0)
    results = []
    for num_threads in (1, 2, 3):
        objective = problem.objective(num_threads=num_threads, sampling_coef=0.5)
        _, gradient = objective.gradient(problem.meta_params)
        image = objective.fisher_product(problem.meta_params)(vector)
        results.append((objective.evaluate(problem.meta_params), flat(gradient), flat(image)))
    for evaluated, gradient, image in results[1:]:
        assert evaluated == results[0][0]
        assert torch.equal(gradient, results[0][1])
        assert torch.equal(image, results[0][2])


@kinds
def test_nothing_given_is_changed(kind: str) -> None:
    problem = Problem(kind, 2)
    before = {name: value.clone() for name, value in problem.meta_params.items()}
    objective = problem.objective()
    objective.evaluate(problem.meta_params)
    objective.gradient(problem.meta_params)
    objective.fisher_product(problem.meta_params)(before)
    for name, value in problem.meta_params.items():
        assert torch.equal(value, before[name])
        assert not value.requires_grad
        assert value.grad is None
    assert all(parameter.grad is None for parameter in problem.learner.parameters())
