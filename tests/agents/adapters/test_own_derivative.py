from __future__ import annotations

import pytest
import torch
from torch import Tensor

from metarl.agents.adapters.own_derivative import Jacobian, with_jacobian
from metarl.objective import MetaObjective
from tests.agents.adapters.cases import CASES, Problem
from tests.synthetic import flat, perturbed

A = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]], dtype=torch.float64)
B = torch.tensor([[2.0], [-1.0]], dtype=torch.float64)


class Linear(Jacobian):
    def pullback(self, u: Tensor) -> tuple[Tensor, ...]:
        return A.T @ u, B.T @ u

    def pushforward(self, *v: Tensor) -> Tensor:
        return A @ v[0] + B @ v[1]


def attached(x: Tensor, y: Tensor) -> Tensor:
    return with_jacobian(A @ x + B @ y, (x, y), Linear())


def inputs() -> tuple[Tensor, Tensor]:
    x = torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.4], dtype=torch.float64, requires_grad=True)
    return x, y


def test_value_and_gradient_are_those_given() -> None:
    x, y = inputs()
    end = attached(x, y)
    assert torch.equal(end, A @ x + B @ y)
    assert torch.autograd.gradcheck(attached, (x, y))


def test_a_gauss_newton_product_goes_through_both_maps() -> None:
    x, y = inputs()
    end = attached(x, y)
    u = torch.zeros_like(end, requires_grad=True)
    pulled = torch.autograd.grad(end, (x, y), u, create_graph=True)
    directions = (torch.tensor([1.0, -1.0, 2.0]).double(), torch.tensor([0.5]).double())
    (pushed,) = torch.autograd.grad(pulled, u, directions)
    torch.testing.assert_close(pushed, A @ directions[0] + B @ directions[1])


def test_the_hessian_of_what_follows_is_pulled_back() -> None:
    hessian = torch.autograd.functional.hessian(
        lambda x: (attached(x, torch.zeros(1, dtype=torch.float64)) ** 2).sum() / 2, inputs()[0]
    )
    torch.testing.assert_close(hessian, A.T @ A)


@pytest.mark.parametrize("name", ["hypergradient", "imaml"])
def test_products_run_the_policy_in_several_threads_at_once(name: str) -> None:
    (case,) = [case for case in CASES if case.name == name]
    problem = Problem(case, "gaussian")
    vector = perturbed(problem.meta_params, 1.0)
    images = []
    for num_threads in (1, 2):
        objective = MetaObjective(
            problem.learner, problem.supports, problem.query, num_threads=num_threads
        )
        product = objective.fisher_product(problem.meta_params)
        images += [flat(product(vector)) for _ in range(5)]
    assert all(torch.equal(image, images[0]) for image in images)
