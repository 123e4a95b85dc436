from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import TRPO as SB3TRPO
from sb3_contrib.common.utils import conjugate_gradient_solver
from torch import Tensor

from metarl.adaptation import MetaLearner
from metarl.agents.adapters.gradient import GradientAdapter
from metarl.errors import NonFiniteError
from metarl.objective import MetaObjective
from metarl.outer import TRPO
from metarl.outer.trpo import conjugate_gradient
from metarl.policies import make_mlp_policy
from metarl.types import Params, Trajectories
from tests.synthetic import POLICIES, experience, flat, small_policy, unflat


def positive_definite(size: int, seed: int) -> Tensor:
    """A symmetric matrix with eigenvalues from 1 to 5."""
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return basis @ torch.diag(torch.linspace(1, 5, size, dtype=torch.float64)) @ basis.T


def vector(size: int, seed: int) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("size", [1, 4, 25])
@pytest.mark.parametrize("seed", range(3))
def test_conjugate_gradient_solves_positive_definite_systems(size: int, seed: int) -> None:
    matrix, target = positive_definite(size, seed), vector(size, seed + 100)
    solution, residual = conjugate_gradient(lambda x: matrix @ x, target, 4 * size, tolerance=1e-20)
    torch.testing.assert_close(residual, target - matrix @ solution, rtol=0, atol=1e-9)
    torch.testing.assert_close(solution, torch.linalg.solve(matrix, target), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_conjugate_gradient_equals_sb3_contrib_s(
    iterations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)  # theirs starts near zero
    matrix, target = positive_definite(25, 0), vector(25, 1)
    ours, _ = conjugate_gradient(lambda x: matrix @ x, target, iterations)
    theirs = conjugate_gradient_solver(lambda x: matrix @ x, target, max_iter=iterations)
    torch.testing.assert_close(ours, theirs)


def test_conjugate_gradient_counts_its_products_and_stops_when_solved() -> None:
    calls = []

    def product(x: Tensor) -> Tensor:
        calls.append(x)
        return 2 * x

    solution, residual = conjugate_gradient(product, vector(5, 0), 10)
    assert len(calls) == 1
    torch.testing.assert_close(solution, vector(5, 0) / 2)
    assert not residual.any()
    assert not conjugate_gradient(product, torch.zeros(5), 10)[0].any()
    assert len(calls) == 1


@pytest.mark.parametrize("length", [1e-3, 1e-6, 1e-9])
def test_conjugate_gradient_solves_for_short_targets_as_for_long_ones(length: float) -> None:
    matrix, target = positive_definite(9, 0), vector(9, 1)
    target /= target.norm()
    solution, _ = conjugate_gradient(lambda x: matrix @ x, length * target, 50)
    expected, _ = conjugate_gradient(lambda x: matrix @ x, target, 50)
    torch.testing.assert_close(solution / length, expected)


class Quadratic:
    """Loss ``slope . x``, divergence ``1/2 (x - start)^T H (x - start)``.

    The divergence reported is a hair smaller, so that rounding can't push the full step out of
    the trust region that it ends on.
    """

    def __init__(self, slope: Tensor, matrix: Tensor) -> None:
        self.slope = slope
        self.matrix = matrix
        self.start = {"a": vector(4, 7).view(2, 2), "b": vector(len(slope) - 4, 8)}
        self.candidates: list[Tensor] = []

    def divergence(self, moved: Tensor) -> float:
        return (0.5 * moved @ self.matrix @ moved).item()

    def loss(self, moved: Tensor) -> float:
        return (self.slope @ moved).item()

    def evaluate(self, meta_params: Params) -> tuple[float, float]:
        moved = flat(meta_params) - flat(self.start)
        self.candidates.append(moved)
        return self.loss(moved), (1 - 1e-9) * self.divergence(moved)

    def gradient(self, meta_params: Params) -> tuple[float, Params]:
        return self.loss(flat(meta_params) - flat(self.start)), unflat(self.slope, self.start)

    def fisher_product(self, meta_params: Params) -> Callable[[Params], Params]:
        return lambda v: unflat(self.matrix @ flat(v), self.start)


def quadratic() -> Quadratic:
    return Quadratic(vector(9, 0), positive_definite(9, 1))


@pytest.mark.parametrize("max_kl", [1e-3, 0.01, 0.5])
def test_step_is_the_natural_gradient_s_as_long_as_the_trust_region(max_kl: float) -> None:
    toy = quadratic()
    trpo = TRPO(max_kl=max_kl, cg_iterations=50, cg_damping=0.0)
    moved, figures = trpo.step(toy.start, toy)
    step = flat(moved) - flat(toy.start)
    assert toy.divergence(step) == pytest.approx(max_kl, rel=1e-8)
    natural = torch.linalg.solve(toy.matrix, toy.slope)
    expected = -math.sqrt(2 * max_kl / (toy.slope @ natural).item()) * natural
    torch.testing.assert_close(step, expected, rtol=1e-4, atol=1e-7)
    assert figures["accepted"] == 1.0
    assert figures["backtracks"] == 0
    assert figures["loss_before"] == 0.0
    assert figures["loss_after"] == pytest.approx((toy.slope @ step).item())
    assert figures["kl"] == pytest.approx(max_kl)
    assert figures["gradient_norm"] == pytest.approx(toy.slope.norm().item())
    assert {name: value.shape for name, value in moved.items()} == {
        name: value.shape for name, value in toy.start.items()
    }


@pytest.mark.parametrize("length", [1e-5, 1e-7])
def test_a_small_gradient_gives_a_step_as_long(length: float) -> None:
    toy = quadratic()
    toy.slope *= length / toy.slope.norm()
    moved, figures = TRPO(max_kl=0.01, cg_damping=0.0).step(toy.start, toy)
    assert figures["accepted"] == 1.0
    assert toy.divergence(flat(moved) - flat(toy.start)) == pytest.approx(0.01, rel=1e-6)


def test_damping_is_added_to_the_diagonal() -> None:
    toy = quadratic()
    moved, _ = TRPO(max_kl=0.01, cg_iterations=50, cg_damping=3.0).step(toy.start, toy)
    damped = toy.matrix + 3.0 * torch.eye(9, dtype=torch.float64)
    natural = torch.linalg.solve(damped, toy.slope)
    expected = -math.sqrt(2 * 0.01 / (toy.slope @ natural).item()) * natural
    torch.testing.assert_close(flat(moved) - flat(toy.start), expected, rtol=1e-4, atol=1e-7)


def test_line_search_shortens_the_step_until_the_divergence_fits() -> None:
    class Steeper(Quadratic):
        def divergence(self, moved: Tensor) -> float:
            return 3 * super().divergence(moved)

    toy = Steeper(vector(9, 0), positive_definite(9, 1))
    moved, figures = TRPO(max_kl=0.01, cg_damping=0.0, backtrack_ratio=0.8).step(toy.start, toy)
    # A step of 0.8^n is 0.64^n as far in divergence: 3 * 0.64^3 = 0.79 is the first below 1.
    assert figures["backtracks"] == 3
    assert figures["accepted"] == 1.0
    assert len(toy.candidates) == 4
    for attempt, candidate in enumerate(toy.candidates):
        torch.testing.assert_close(candidate, 0.8**attempt * toy.candidates[0])
    assert torch.equal(flat(moved) - flat(toy.start), toy.candidates[-1])


def test_line_search_shortens_the_step_until_the_loss_falls() -> None:
    class Bowl(Quadratic):
        def loss(self, moved: Tensor) -> float:
            return super().loss(moved) + 50 * moved.square().sum().item()

    toy = Bowl(vector(9, 0), positive_definite(9, 1))
    moved, figures = TRPO(max_kl=0.5, cg_damping=0.0).step(toy.start, toy)
    assert figures["accepted"] == 1.0
    assert figures["backtracks"] > 0
    assert all(toy.loss(candidate) >= 0 for candidate in toy.candidates[:-1])
    assert figures["loss_after"] == toy.loss(toy.candidates[-1]) < 0
    assert toy.divergence(flat(moved) - flat(toy.start)) < 0.5


def unchanged(before: Params, after: Params) -> bool:
    return before.keys() == after.keys() and all(
        torch.equal(value, after[name]) for name, value in before.items()
    )


@pytest.mark.parametrize(
    ("loss", "divergence"),
    [(0.0, 0.0), (1.0, 0.0), (-1.0, 1.0), (math.nan, 0.0), (-1.0, math.nan), (-1.0, math.inf)],
    ids=["same loss", "higher loss", "too far", "loss nan", "divergence nan", "divergence inf"],
)
def test_parameters_stay_when_no_candidate_is_acceptable(loss: float, divergence: float) -> None:
    class Refusing(Quadratic):
        def evaluate(self, meta_params: Params) -> tuple[float, float]:
            super().evaluate(meta_params)
            return loss, divergence

    toy = Refusing(vector(9, 0), positive_definite(9, 1))
    before = {name: value.clone() for name, value in toy.start.items()}
    after, figures = TRPO(max_backtracks=7).step(toy.start, toy)
    assert unchanged(before, after)
    assert len(toy.candidates) == 7
    assert figures["accepted"] == 0.0
    assert figures["kl"] == 0.0
    assert figures["loss_after"] == figures["loss_before"]


@pytest.mark.parametrize("entry", [math.nan, math.inf, -math.inf])
def test_parameters_stay_when_the_gradient_is_not_finite(entry: float) -> None:
    toy = quadratic()
    toy.slope[3] = entry
    before = {name: value.clone() for name, value in toy.start.items()}
    with pytest.raises(NonFiniteError, match="curvature of the trust region"):
        TRPO().step(toy.start, toy)
    assert unchanged(before, toy.start)
    assert not toy.candidates


def test_parameters_stay_when_the_gradient_is_zero() -> None:
    toy = Quadratic(torch.zeros(9, dtype=torch.float64), positive_definite(9, 1))
    after, figures = TRPO().step(toy.start, toy)
    assert unchanged(toy.start, after)
    assert figures["accepted"] == 0.0
    assert not toy.candidates


def test_parameters_stay_when_the_divergence_s_hessian_is_not_finite() -> None:
    toy = quadratic()
    toy.matrix[0, 0] = math.nan
    with pytest.raises(NonFiniteError, match="curvature of the trust region"):
        TRPO().step(toy.start, toy)
    assert not toy.candidates


def test_every_outcome_has_the_same_figures() -> None:
    """They become the columns of one table."""
    accepted = TRPO().step(quadratic().start, quadratic())[1]
    flat_toy = Quadratic(torch.zeros(9, dtype=torch.float64), positive_definite(9, 1))
    no_direction = TRPO().step(flat_toy.start, flat_toy)[1]
    refused = TRPO(max_backtracks=1, max_kl=1e-12)
    worse = quadratic()
    worse.evaluate = lambda meta_params: (math.inf, 0.0)
    assert accepted.keys() == no_direction.keys() == refused.step(worse.start, worse)[1].keys()


@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("max_kl", [1e-3, 0.02])
def test_step_lowers_the_meta_objective_within_the_trust_region(kind: str, max_kl: float) -> None:
    policy = small_policy(kind)
    learner = MetaLearner(policy, GradientAdapter(policy, 0.3))
    old = learner.meta_params()
    support = experience(policy, policy.params(), num_episodes=10, seed=1)
    adapted = [learner.adapt(old, [support.task(task)]).params for task in range(2)]
    query = experience(policy, adapted, num_episodes=10, seed=2)
    objective = MetaObjective(learner, [support], query)
    new, figures = TRPO(max_kl=max_kl).step(old, objective)
    loss_before, _ = objective.evaluate(old)
    loss, kl = objective.evaluate(new)
    assert figures["accepted"] == 1.0
    assert loss < loss_before - 1e-3
    assert 0.2 * max_kl < kl <= max_kl
    assert figures["loss_before"] == pytest.approx(loss_before)
    assert (figures["loss_after"], figures["kl"]) == (loss, kl)


def without_adaptation(model: SB3TRPO) -> tuple[MetaObjective, Params]:
    """The single task and the policy of an SB3 model whose buffer has just been filled."""
    (data,) = model.rollout_buffer.get(None)
    rows, discrete = len(data.advantages), isinstance(model.action_space, spaces.Discrete)
    policy = make_mlp_policy(model.observation_space, model.action_space, (8,))
    theirs = model.policy.state_dict()
    names = {
        "network.0.weight": "mlp_extractor.policy_net.0.weight",
        "network.0.bias": "mlp_extractor.policy_net.0.bias",
        "network.2.weight": "action_net.weight",
        "network.2.bias": "action_net.bias",
        "log_std": "log_std",
    }
    params = {name: theirs[names[name]].clone() for name in policy.params()}
    shape = (1, 1, rows)
    observations = data.observations.view(*shape, -1)
    advantages = (data.advantages - data.advantages.mean()) / (data.advantages.std() + 1e-8)
    flags = torch.zeros(1, 1, dtype=torch.bool)
    query = Trajectories(
        observations=observations,
        actions=data.actions.long().view(shape) if discrete else data.actions.view(*shape, -1),
        rewards=torch.zeros(shape),
        log_probs=data.old_log_prob.view(shape),
        dist_params=policy.with_params(params, observations)[0].detach(),
        mask=torch.ones(shape, dtype=torch.bool),
        terminated=flags,
        truncated=~flags,
        last_observations=observations[:, :, -1],
        success=None,
        unstable=flags,
        advantages=advantages.view(shape),
    )
    learner = MetaLearner(policy, GradientAdapter(policy, 0.1))
    return MetaObjective(learner, [], query), {f"policy.{n}": v for n, v in params.items()}


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "CartPole-v1"])
@pytest.mark.parametrize("target_kl", [0.003, 0.05])
def test_step_on_one_task_without_adaptation_equals_sb3_contrib_s(
    env_id: str, target_kl: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)  # theirs starts near zero
    model = SB3TRPO(
        "MlpPolicy",
        env_id,
        n_steps=256,
        batch_size=256,
        cg_max_steps=10,
        cg_damping=0.1,
        target_kl=target_kl,
        n_critic_updates=0,
        policy_kwargs={"net_arch": [8], "log_std_init": -0.3},
        seed=0,
        device="cpu",
    )
    train = model.train
    monkeypatch.setattr(model, "train", lambda: None)
    model.learn(256)
    objective, old = without_adaptation(model)
    monkeypatch.setattr(np, "mean", lambda values: sum(values) / max(1, len(values)))
    train()
    ours, figures = TRPO(max_kl=target_kl, cg_iterations=10, cg_damping=0.1).step(old, objective)
    assert figures["accepted"] == 1.0
    _, theirs = without_adaptation(model)
    step, expected = flat(ours) - flat(old), flat(theirs) - flat(old)
    assert expected.norm() > 1e-2
    torch.testing.assert_close(step, expected, rtol=1e-3, atol=1e-4 * expected.norm().item())
