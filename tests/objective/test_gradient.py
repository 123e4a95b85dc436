"""The meta-gradient, against finite differences and TorchOpt's."""

from __future__ import annotations

import pytest
import torch
import torchopt
from torch import Tensor

from metarl.losses import Loss, log_prob_loss, ratio_loss
from metarl.objective import MetaObjective
from metarl.types import Params
from tests.objective.problem import (
    INNER_LR,
    QUERY_LENGTHS,
    SUPPORT_LENGTHS,
    Problem,
    inner_steps,
    kinds,
)
from tests.reference import ReferencePolicy
from tests.synthetic import flat, perturbed, unflat


def finite_differences(
    objective: MetaObjective, meta_params: Params, *, component: int, eps: float = 1e-5
) -> Tensor:
    """Central differences of the loss (component 0) or divergence (1) in every coordinate."""
    vector = flat(meta_params)

    def at(shifted: Tensor) -> float:
        return objective.evaluate(unflat(shifted, meta_params))[component]

    units = torch.eye(len(vector), dtype=vector.dtype) * eps
    return torch.tensor([(at(vector + u) - at(vector - u)) / (2 * eps) for u in units]).double()


@kinds
@inner_steps
@pytest.mark.parametrize("scale", [0.0, 0.1], ids=["at-old-parameters", "elsewhere"])
@pytest.mark.parametrize("loss", [ratio_loss, log_prob_loss])
def test_gradient_agrees_with_finite_differences(
    kind: str, num_steps: int, scale: float, loss: Loss
) -> None:
    problem = Problem(kind, num_steps, loss=loss)
    meta_params = perturbed(problem.meta_params, scale)
    _, gradient = problem.objective().gradient(meta_params)
    numeric = finite_differences(problem.objective(), meta_params, component=0)
    largest = numeric.abs().max().item()
    assert largest > 1e-3
    torch.testing.assert_close(flat(gradient), numeric, rtol=1e-5, atol=1e-8 * largest)


TERMS: dict[str, dict[str, float]] = {
    "clip": {"clip_range": 0.1},
    "inner-kl": {"inner_kl_coef": 0.7},
    "sampling": {"sampling_coef": 0.7},
    "all": {"clip_range": 0.1, "inner_kl_coef": 0.7, "sampling_coef": 0.7},
}


@kinds
@inner_steps
@pytest.mark.parametrize("settings", TERMS.values(), ids=TERMS.keys())
def test_gradient_with_every_term_agrees_with_finite_differences(
    kind: str, num_steps: int, settings: dict[str, float]
) -> None:
    problem = Problem(kind, num_steps)
    meta_params = perturbed(problem.meta_params, 0.1)
    loss, gradient = problem.objective(**settings).gradient(meta_params)
    plain_loss, plain = problem.objective().gradient(meta_params)
    assert abs(loss - plain_loss) > 1e-4
    assert (flat(gradient) - flat(plain)).norm() > 1e-3
    numeric = finite_differences(problem.objective(**settings), meta_params, component=0)
    torch.testing.assert_close(flat(gradient), numeric, rtol=1e-5, atol=1e-7)


@kinds
@inner_steps
def test_gradient_and_evaluate_agree_on_the_loss(kind: str, num_steps: int) -> None:
    problem = Problem(kind, num_steps)
    meta_params = perturbed(problem.meta_params, 0.1)
    loss, _ = problem.objective().gradient(meta_params)
    assert loss == pytest.approx(problem.objective().evaluate(meta_params)[0], rel=1e-12)


@kinds
@inner_steps
def test_gradient_equals_torchopt_s(kind: str, num_steps: int) -> None:
    problem = Problem(kind, num_steps)
    meta_params = perturbed(problem.meta_params, 0.1)
    net = ReferencePolicy(kind, meta_params)
    optimiser = torchopt.MetaSGD(net, lr=INNER_LR)
    initial = dict(net.by_name)
    start = torchopt.extract_state_dict(net, by="reference")
    optimiser_start = torchopt.extract_state_dict(optimiser, by="reference")
    total = torch.zeros((), dtype=torch.float64)
    for task in range(2):
        for support in problem.supports:
            optimiser.step(net(support, task, SUPPORT_LENGTHS))
        total = total + net(problem.query, task, QUERY_LENGTHS) / 2
        torchopt.recover_state_dict(net, start)
        torchopt.recover_state_dict(optimiser, optimiser_start)
    expected = dict(zip(initial, torch.autograd.grad(total, list(initial.values())), strict=True))

    loss, gradient = problem.objective().gradient(meta_params)
    assert loss == pytest.approx(total.item(), rel=1e-12)
    for name, value in expected.items():
        torch.testing.assert_close(gradient[name], value, rtol=1e-9, atol=1e-12)


@kinds
@inner_steps
def test_first_order_gradient_takes_the_inner_gradient_for_a_constant(
    kind: str, num_steps: int
) -> None:
    problem = Problem(kind, num_steps, first_order=True)
    meta_params = perturbed(problem.meta_params, 0.1)
    _, gradient = problem.objective().gradient(meta_params)
    expected = torch.zeros_like(flat(gradient))
    for task in range(2):
        supports = [support.task(task) for support in problem.supports]
        adapted = problem.learner.adapt(meta_params, supports).params
        adapted = {name: value.requires_grad_() for name, value in adapted.items()}
        loss = ratio_loss(problem.policy, adapted, problem.query.task(task))
        expected += flat(dict(enumerate(torch.autograd.grad(loss, list(adapted.values()))))) / 2
    torch.testing.assert_close(flat(gradient), expected, rtol=1e-10, atol=1e-12)


@kinds
@inner_steps
def test_first_order_gradient_differs_from_the_true_one(kind: str, num_steps: int) -> None:
    gradients = [
        flat(Problem(kind, num_steps, first_order=first_order).objective().gradient(params)[1])
        for first_order in (False, True)
        for params in [perturbed(Problem(kind, num_steps).meta_params, 0.1)]
    ]
    assert (gradients[0] - gradients[1]).norm() > 0.01 * gradients[0].norm()
