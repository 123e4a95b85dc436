"""The Fisher product, against the divergence's Hessian by double backward."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian
from torch.distributions import kl_divergence

from metarl.objective import MetaObjective
from metarl.types import Params
from tests.objective.problem import Problem, as_plain_distribution, divergence, inner_steps, kinds
from tests.synthetic import flat, perturbed, unflat


def as_matrix(objective: MetaObjective, meta_params: Params) -> Tensor:
    product = objective.fisher_product(meta_params)
    units = torch.eye(flat(meta_params).numel(), dtype=torch.float64)
    return torch.stack([flat(product(unflat(unit, meta_params))) for unit in units], dim=1)


@kinds
@inner_steps
def test_fisher_product_is_the_divergence_s_hessian(kind: str, num_steps: int) -> None:
    problem = Problem(kind, num_steps)
    matrix = hessian(lambda vector: divergence(problem, vector), flat(problem.meta_params))
    product = problem.objective().fisher_product(problem.meta_params)
    for seed in range(3):
        vector = perturbed(problem.meta_params, 1.0, seed=seed)
        expected = matrix @ flat(vector)
        assert expected.norm() > 1e-2
        torch.testing.assert_close(flat(product(vector)), expected, rtol=1e-8, atol=1e-10)


@kinds
def test_fisher_product_predicts_the_divergence_of_a_small_step(kind: str) -> None:
    problem = Problem(kind)
    direction = flat(perturbed(problem.meta_params, 1.0)) - flat(problem.meta_params)
    product = problem.objective().fisher_product(problem.meta_params)
    curvature = direction @ flat(product(unflat(direction, problem.meta_params)))
    for sign in (1, -1):
        step = sign * 1e-4 * direction
        moved = unflat(flat(problem.meta_params) + step, problem.meta_params)
        _, kl = problem.objective().evaluate(moved)
        assert kl == pytest.approx(0.5e-8 * curvature.item(), rel=1e-2)


@kinds
@inner_steps
def test_fisher_matrix_is_symmetric_and_positive_semidefinite(kind: str, num_steps: int) -> None:
    problem = Problem(kind, num_steps)
    matrix = as_matrix(problem.objective(), problem.meta_params)
    torch.testing.assert_close(matrix, matrix.T, rtol=1e-10, atol=1e-12)
    eigenvalues = torch.linalg.eigvalsh(matrix)
    assert eigenvalues.min() > -1e-10 * eigenvalues.max()
    assert eigenvalues.max() > 1e-2


@kinds
def test_fisher_product_can_be_taken_again(kind: str) -> None:
    problem = Problem(kind)
    product = problem.objective().fisher_product(problem.meta_params)
    vector = perturbed(problem.meta_params, 1.0)
    first, again = product(vector), product(vector)
    assert all(torch.equal(value, again[name]) for name, value in first.items())


@kinds
@pytest.mark.parametrize("stride", [2, 3])
def test_fisher_stride_uses_every_nth_step(kind: str, stride: int) -> None:
    problem = Problem(kind)
    rows = [tuple(r) for r in problem.query.mask.nonzero().tolist() if r[2] % stride == 0]
    matrix = hessian(lambda v: divergence(problem, v, rows), flat(problem.meta_params))
    strided = as_matrix(problem.objective(fisher_stride=stride), problem.meta_params)
    torch.testing.assert_close(strided, matrix, rtol=1e-8, atol=1e-10)


@kinds
def test_fisher_stride_changes_nothing_where_all_steps_are_alike(kind: str) -> None:
    problem = Problem(kind, ragged=False, horizon=8)
    problem.query.observations.copy_(problem.query.observations[:, :, :1].clone())
    every = as_matrix(problem.objective(fisher_stride=1), problem.meta_params)
    fourth = as_matrix(problem.objective(fisher_stride=4), problem.meta_params)
    torch.testing.assert_close(fourth, every)


@kinds
@inner_steps
def test_support_stride_keeps_the_values_and_samples_the_jacobian(
    kind: str, num_steps: int
) -> None:
    problem = Problem(kind, num_steps, ragged=False)
    strided = problem.objective(fisher_support_stride=2)
    matrix = as_matrix(strided, problem.meta_params)
    exact = as_matrix(problem.objective(), problem.meta_params)
    assert (matrix - exact).norm() > 1e-3 * exact.norm()
    torch.testing.assert_close(matrix, matrix.T, rtol=1e-10, atol=1e-12)

    def sampled(vector: Tensor) -> Tensor:
        """The divergence as a function whose first derivative is that of every other step."""
        meta_params = unflat(vector, problem.meta_params)
        total = torch.zeros((), dtype=torch.float64)
        for task in range(2):
            own = [support.task(task) for support in problem.supports]
            value = problem.learner.adapt(problem.meta_params, own).params
            here = problem.learner.start(problem.meta_params)
            state = problem.learner.start(meta_params)
            for support in own:
                # Linear in the difference, so that no further derivative of the sample enters.
                rough_here = problem.learner.adapt_step(
                    problem.meta_params, here, support.every(2)
                ).params
                here = problem.learner.adapt_step(problem.meta_params, here, support)
                rough = problem.learner.adapt_step(
                    meta_params, state, support.every(2), create_graph=True
                )
                moved = {
                    name: here.params[name] + rough.params[name] - rough_here[name]
                    for name in rough.params
                }
                state = replace(rough, params=moved)
            query = problem.query.task(task)
            now, _ = problem.policy.with_params(state.params, query.observations)
            p, q = (as_plain_distribution(problem.policy, d) for d in (query.dist_params, now))
            assert value.keys() == state.params.keys()
            total = total + kl_divergence(p, q).sum() / query.mask.sum() / 2
        return total

    expected = hessian(sampled, flat(problem.meta_params))
    torch.testing.assert_close(matrix, expected, rtol=1e-7, atol=1e-9)


@kinds
def test_support_stride_changes_nothing_where_all_steps_are_alike(kind: str) -> None:
    problem = Problem(kind, ragged=False, horizon=8)
    (support,) = problem.supports
    for name in ("observations", "actions", "log_probs", "dist_params", "advantages"):
        getattr(support, name).copy_(getattr(support, name)[:, :, :1].clone())
    every = as_matrix(problem.objective(), problem.meta_params)
    fourth = as_matrix(problem.objective(fisher_support_stride=4), problem.meta_params)
    torch.testing.assert_close(fourth, every)
