from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchopt import linear_solve
from torchopt.diff.implicit import custom_root

from metarl.adaptation import AdaptationState
from metarl.agents.adapters import GradientAdapter, IMAMLAdapter
from metarl.losses import ratio_loss
from metarl.types import Params, Trajectories
from tests.synthetic import POLICIES, experience, flat, small_policy, unflat

kinds = pytest.mark.parametrize("kind", POLICIES)
STRENGTH = 30.0


def problem(kind: str, **settings: int) -> tuple[IMAMLAdapter, Params, Trajectories]:
    policy = small_policy(kind)
    adapter = IMAMLAdapter(policy, STRENGTH, learn_strength=True, **settings).double()
    support = experience(policy, policy.params(), num_tasks=1, num_episodes=10)
    return adapter, policy.params(), support


def optimality(adapter: IMAMLAdapter, phi: Tensor, centre: Tensor, support: Trajectories) -> Tensor:
    """Gradient of the proximal problem, ``[n]``."""
    like = adapter.policy.params()
    loss = ratio_loss(adapter.policy, unflat(phi, like), support)
    (slope,) = torch.autograd.grad(loss, phi, create_graph=True)
    strength: Tensor = adapter.log_strength.exp()
    return slope + strength * (phi - centre)


@kinds
def test_solves_the_proximal_problem(kind: str) -> None:
    adapter, params, support = problem(kind, num_gradient_steps=60)
    phi = flat(adapter.adapt(AdaptationState(params), support).params).requires_grad_()
    assert (phi - flat(params)).norm() > 1e-3
    assert optimality(adapter, phi, flat(params), support).norm() < 1e-8


@kinds
def test_the_first_step_of_the_solver_is_maml_s(kind: str) -> None:
    adapter, params, support = problem(kind, num_gradient_steps=1)
    strength = adapter.log_strength.exp().item()
    plain = GradientAdapter(adapter.policy, 1 / strength)
    state = AdaptationState(params)
    torch.testing.assert_close(
        flat(adapter.adapt(state, support).params), flat(plain.adapt(state, support).params)
    )


def slopes_of(end: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    weights = torch.linspace(-1, 2, len(end), dtype=end.dtype)
    return list(torch.autograd.grad(end @ weights.sin(), inputs))


@pytest.mark.filterwarnings("ignore:We've integrated functorch:FutureWarning")  # TorchOpt's
@kinds
def test_derivative_equals_torchopt_s_implicit_one(kind: str) -> None:
    adapter, params, support = problem(kind, num_gradient_steps=60, cg_iterations=60)
    names = list(params)

    def residual(phi: tuple[Tensor, ...], centre: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        slopes = torch.func.grad(
            lambda own: ratio_loss(adapter.policy, dict(zip(names, own, strict=True)), support)
        )(phi)
        strength = adapter.log_strength.exp().detach()
        return tuple(s + strength * (p - c) for s, p, c in zip(slopes, phi, centre, strict=True))

    @custom_root(residual, argnums=1, solve=linear_solve.solve_normal_cg(maxiter=500, rtol=1e-14))
    def solve(phi: tuple[Tensor, ...], centre: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        start = dict(zip(names, (c.detach() for c in centre), strict=True))
        end = adapter.adapt(AdaptationState(start), support).params
        return tuple(value.requires_grad_() for value in end.values())

    leaves = {name: value.requires_grad_() for name, value in params.items()}
    centre = tuple(leaves.values())
    theirs = slopes_of(torch.cat([v.reshape(-1) for v in solve(centre, centre)]), list(centre))
    end = adapter.adapt(AdaptationState(leaves), support, create_graph=True).params
    for one, other in zip(slopes_of(flat(end), list(centre)), theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


@kinds
def test_more_iterations_bring_the_derivative_closer(kind: str) -> None:
    def slopes(cg_iterations: int) -> Tensor:
        adapter, params, support = problem(kind, num_gradient_steps=60, cg_iterations=cg_iterations)
        leaves = {name: value.requires_grad_() for name, value in params.items()}
        end = adapter.adapt(AdaptationState(leaves), support, create_graph=True).params
        return flat(dict(enumerate(slopes_of(flat(end), list(leaves.values())))))

    exact = slopes(60)
    errors = [(slopes(n) - exact).norm().item() for n in (1, 3, 8)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


def test_the_strength_is_learned_only_if_asked_for() -> None:
    policy = small_policy("gaussian")
    learned = [
        IMAMLAdapter(policy, 2.0, learn_strength=learn).log_strength.requires_grad
        for learn in (False, True)
    ]
    assert learned == [False, True]
