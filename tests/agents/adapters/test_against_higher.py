"""Updates and meta-gradients against ``higher``, on the same network and data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import higher
import pytest
import torch
from torch import Tensor

from metarl.objective import MetaObjective
from metarl.types import Params
from tests.agents.adapters.cases import CASES, QUERY_LENGTHS, SUPPORT_LENGTHS, Case, Problem
from tests.reference import ReferencePolicy
from tests.synthetic import POLICIES, perturbed

INNER_LR = 0.4
BY_NAME = {case.name: case for case in CASES}

kinds = pytest.mark.parametrize("kind", POLICIES)
inner_steps = pytest.mark.parametrize("num_steps", [1, 2])
cases = pytest.mark.parametrize(
    "case", [BY_NAME[name] for name in ("maml", "anil", "boil", "meta-sgd")], ids=lambda c: c.name
)


class Reference:
    """The same meta-learner in terms of ``higher``."""

    def __init__(self, case: Case, kind: str, meta_params: Params) -> None:
        self.net = ReferencePolicy(kind, meta_params)
        head = {"policy.log_std", "policy.network.2.weight", "policy.network.2.bias"}
        moving = {
            "anil": head & self.net.by_name.keys(),
            "boil": self.net.by_name.keys() - head,
        }.get(case.name, self.net.by_name.keys())
        self.rates = {
            name.replace("adapter.rates.", "policy.").replace("/", "."): value.requires_grad_()
            for name, value in meta_params.items()
            if name.startswith("adapter.rates.")
        } or {name: torch.tensor(INNER_LR, dtype=torch.float64) for name in moving}
        groups = [{"params": [self.net.by_name[name]]} for name in self.rates]
        self.optimiser = torch.optim.SGD(groups, lr=1.0)

    @contextmanager
    def inner_loop(self) -> Iterator[tuple[torch.nn.Module, higher.optim.DifferentiableOptimizer]]:
        with higher.innerloop_ctx(
            self.net,
            self.optimiser,
            copy_initial_weights=False,
            override={"lr": list(self.rates.values())},
        ) as loop:
            yield loop

    def meta_parameters(self) -> Params:
        learned = {
            "adapter.rates." + name.removeprefix("policy.").replace(".", "/"): rate
            for name, rate in self.rates.items()
            if rate.requires_grad
        }
        return self.net.by_name | learned


@kinds
@inner_steps
@cases
def test_the_meta_gradient_equals_higher_s(case: Case, kind: str, num_steps: int) -> None:
    problem = Problem(case, kind, num_steps)
    meta_params = perturbed(problem.meta_params, 0.05)
    reference = Reference(case, kind, {name: v.clone() for name, v in meta_params.items()})
    total = torch.zeros((), dtype=torch.float64)
    for task in range(2):
        with reference.inner_loop() as (net, optimiser):
            for support in problem.supports:
                optimiser.step(net(support, task, SUPPORT_LENGTHS))
            total = total + net(problem.query, task, QUERY_LENGTHS) / 2
    learned = reference.meta_parameters()
    slopes = torch.autograd.grad(total, list(learned.values()))

    objective = MetaObjective(problem.learner, problem.supports, problem.query)
    loss, gradient = objective.gradient(meta_params)
    assert loss == pytest.approx(total.item(), rel=1e-12)
    assert gradient.keys() == learned.keys()
    for name, slope in zip(learned, slopes, strict=True):
        assert slope.abs().max() > 1e-6
        torch.testing.assert_close(gradient[name], slope, rtol=1e-9, atol=1e-12)


@kinds
@inner_steps
def test_reptile_s_displacement_equals_higher_s(kind: str, num_steps: int) -> None:
    problem = Problem(BY_NAME["maml"], kind, num_steps)
    meta_params = perturbed(problem.meta_params, 0.05)
    reference = Reference(BY_NAME["maml"], kind, meta_params)
    start = {name: value.detach().clone() for name, value in reference.net.by_name.items()}
    name_of = {value: name for name, value in reference.net.by_name.items()}
    order = [name_of[value] for value in reference.net.parameters()]
    moved: dict[str, Tensor] = {name: torch.zeros_like(value) for name, value in start.items()}
    for task in range(2):
        with reference.inner_loop() as (net, optimiser):
            for support in problem.supports:
                optimiser.step(net(support, task, SUPPORT_LENGTHS))
            optimiser.step(net(problem.query, task, QUERY_LENGTHS))
            for name, value in zip(order, net.parameters(), strict=True):
                moved[name] += (value.detach() - start[name]) / 2

    objective = MetaObjective(problem.learner, problem.supports, problem.query)
    displacement = objective.displacement(meta_params)
    for name, value in moved.items():
        torch.testing.assert_close(displacement[name], value, rtol=1e-10, atol=1e-13)
