"""What must hold for every adapter; the list is in ``cases``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian
from torch.distributions import Categorical, Normal, kl_divergence

from metarl.adaptation import AdaptationState
from metarl.errors import ConfigError
from metarl.losses import INNER_LOSSES
from metarl.objective import MetaObjective
from metarl.types import Params, Trajectories
from tests.agents.adapters.cases import CASES, Case, Problem
from tests.synthetic import experience, flat, perturbed, unflat


def of(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Parametrises over cases and the kinds of policy that each takes."""
    return pytest.mark.parametrize(
        ("case", "kind"),
        [
            pytest.param(case, kind, id=f"{case.name}-{kind}")
            for case in cases
            for kind in case.kinds
        ],
    )


every_case = of(CASES)
exact_cases = of(case for case in CASES if case.exact)
inner_steps = pytest.mark.parametrize("num_steps", [1, 2])


def objective_of(problem: Problem) -> MetaObjective:
    return MetaObjective(problem.learner, problem.supports, problem.query)


def finite_differences(
    objective: MetaObjective, meta_params: Params, *, eps: float = 1e-5
) -> Tensor:
    """Central differences of the loss in every coordinate."""
    vector = flat(meta_params)

    def at(shifted: Tensor) -> float:
        return objective.evaluate(unflat(shifted, meta_params))[0]

    units = torch.eye(len(vector), dtype=vector.dtype) * eps
    slopes = [(at(vector + unit) - at(vector - unit)) / (2 * eps) for unit in units]
    return torch.tensor(slopes, dtype=vector.dtype)


@exact_cases
@inner_steps
def test_the_meta_gradient_agrees_with_finite_differences_in_every_meta_parameter(
    case: Case, kind: str, num_steps: int
) -> None:
    problem = Problem(case, kind, num_steps)
    # Away from the old parameters, so that no ratio is one.
    meta_params = perturbed(problem.meta_params, 0.05)
    objective = objective_of(problem)
    _, gradient = objective.gradient(meta_params)
    numeric = finite_differences(objective, meta_params)
    largest = numeric.abs().max().item()
    assert largest > 1e-3
    torch.testing.assert_close(flat(gradient), numeric, rtol=1e-5, atol=1e-7 * largest)


@every_case
def test_every_meta_parameter_is_reached_by_a_gradient(case: Case, kind: str) -> None:
    problem = Problem(case, kind, 2)
    _, gradient = objective_of(problem).gradient(perturbed(problem.meta_params, 0.05))
    unreached = [name for name, value in gradient.items() if not value.abs().max() > 1e-8]
    assert not unreached


@exact_cases
@pytest.mark.parametrize("loss", ["dice", "log_prob", "clip", "behaviour_cloning"])
def test_the_meta_gradient_is_right_under_every_inner_loss(
    case: Case, kind: str, loss: str
) -> None:
    problem = Problem(case, kind, 2, loss=INNER_LOSSES[loss])
    meta_params = perturbed(problem.meta_params, 0.05)
    objective = objective_of(problem)
    _, gradient = objective.gradient(meta_params)
    direction = {
        name: torch.linspace(-1, 1, value.numel(), dtype=value.dtype).view_as(value)
        for name, value in meta_params.items()
    }

    def along(step: float) -> float:
        return objective.evaluate({n: v + step * direction[n] for n, v in meta_params.items()})[0]

    numeric = (along(1e-5) - along(-1e-5)) / 2e-5
    assert (flat(gradient) @ flat(direction)).item() == pytest.approx(numeric, rel=1e-5, abs=1e-9)


def divergence(problem: Problem, vector: Tensor) -> Tensor:
    """Mean KL divergence from the query set's policies, as autograd sees it."""
    meta_params = unflat(vector, problem.meta_params)
    total = torch.zeros((), dtype=torch.float64)
    for task in range(2):
        supports = [support.task(task) for support in problem.supports]
        params = problem.learner.adapt(meta_params, supports, create_graph=True).params
        rows = problem.query.mask[task]
        now, _ = problem.policy.with_params(params, problem.query.observations[task][rows])
        old = problem.query.dist_params[task][rows]
        p, q = (plain_distribution(problem, dist_params) for dist_params in (old, now))
        total = total + kl_divergence(p, q).sum() / rows.sum() / 2
    return total


def plain_distribution(problem: Problem, dist_params: Tensor) -> Normal | Categorical:
    if problem.policy.num_dist_params == 3:
        return Categorical(logits=dist_params)
    mean, log_std = dist_params.chunk(2, dim=-1)
    return Normal(mean, log_std.exp())


@every_case
@inner_steps
def test_the_fisher_product_is_the_divergence_s_hessian(
    case: Case, kind: str, num_steps: int
) -> None:
    problem = Problem(case, kind, num_steps)
    matrix = hessian(lambda vector: divergence(problem, vector), flat(problem.meta_params))
    vector = perturbed(problem.meta_params, 1.0, seed=1)
    expected = matrix @ flat(vector)
    assert expected.norm() > 1e-2
    product = objective_of(problem).fisher_product(problem.meta_params)
    torch.testing.assert_close(flat(product(vector)), expected, rtol=1e-7, atol=1e-9)


@every_case
def test_with_strided_supports_the_fisher_product_is_still_at_the_adapted_parameters(
    case: Case, kind: str
) -> None:
    problem = Problem(case, kind, 2)
    objective = MetaObjective(
        problem.learner, problem.supports, problem.query, fisher_support_stride=2
    )
    leaves = {name: value.requires_grad_() for name, value in problem.meta_params.items()}
    strided = objective._adapt_for_fisher(problem.learner, leaves, 1)
    exact = problem.learner.adapt(leaves, [support.task(1) for support in problem.supports])
    assert strided.step == exact.step == 2
    for found, expected in ((strided.params, exact.params), (strided.memory, exact.memory)):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name].detach(), value, rtol=1e-9, atol=1e-12)
    assert any(value.requires_grad for value in strided.params.values())


@every_case
def test_an_empty_support_set_is_refused(case: Case, kind: str) -> None:
    problem = Problem(case, kind)
    support = problem.supports[0].task(0)
    empty = replace(support, mask=torch.zeros_like(support.mask))
    for create_graph in (False, True):
        with pytest.raises(ConfigError, match="support: holds no steps"):
            problem.learner.adapt(problem.meta_params, [empty], create_graph=create_graph)


@every_case
@pytest.mark.parametrize("horizon", [1, 4], ids=["one-step", "one-episode"])
def test_a_single_episode_is_enough(case: Case, kind: str, horizon: int) -> None:
    problem = Problem(case, kind)
    start = problem.learner.start(problem.meta_params)
    support = experience(problem.policy, start.params, num_tasks=1, num_episodes=1, horizon=horizon)
    adapted = problem.learner.adapt(problem.meta_params, [support]).params
    assert torch.isfinite(flat(adapted)).all()
    assert not torch.equal(flat(adapted), flat(start.params))


@every_case
@inner_steps
def test_adapting_is_pure(case: Case, kind: str, num_steps: int) -> None:
    problem = Problem(case, kind, num_steps)
    supports = [support.task(0) for support in problem.supports]
    before = flat(problem.meta_params).clone()
    own = flat(dict(problem.learner.named_parameters())).detach().clone()
    contents = [flat_trajectories(support) for support in supports]
    one, same = (problem.learner.adapt(problem.meta_params, supports) for _ in range(2))
    assert torch.equal(flat(one.params), flat(same.params))
    assert one.step == num_steps
    assert not any(value.requires_grad for value in (*one.params.values(), *one.memory.values()))
    assert torch.equal(flat(problem.meta_params), before)
    assert torch.equal(flat(dict(problem.learner.named_parameters())), own)
    assert all(parameter.grad is None for parameter in problem.learner.parameters())
    for support, content in zip(supports, contents, strict=True):
        assert torch.equal(flat_trajectories(support), content)


def flat_trajectories(trajectories: Trajectories) -> Tensor:
    fields = (trajectories.observations, trajectories.actions, trajectories.advantages)
    return torch.cat([value.reshape(-1).double() for value in fields if value is not None])


@every_case
@inner_steps
def test_adapting_gives_the_same_with_and_without_a_graph(
    case: Case, kind: str, num_steps: int
) -> None:
    problem = Problem(case, kind, num_steps)
    supports = [support.task(0) for support in problem.supports]
    plain = problem.learner.adapt(problem.meta_params, supports)
    with_graph = problem.learner.adapt(problem.meta_params, supports, create_graph=True)
    assert list(plain.params) == list(problem.policy.params())
    torch.testing.assert_close(flat(with_graph.params), flat(plain.params), rtol=1e-12, atol=0.0)


@every_case
def test_steps_beyond_those_trained_are_scaled(case: Case, kind: str) -> None:
    def move(**common: Any) -> float:
        problem = Problem(case, kind, 1, **common)
        support = problem.supports[0].task(0)
        state = problem.learner.adapt(problem.meta_params, [support])
        after = problem.learner.adapt_step(problem.meta_params, state, support)
        return (flat(after.params) - flat(state.params)).norm().item()

    whole = move(trained_steps=2, later_scale=1e-4)
    assert whole == move(trained_steps=1, later_scale=1.0) > 1e-3
    tiny = move(trained_steps=1, later_scale=1e-4)
    assert 0 < tiny < 1e-2 * whole
    assert move(trained_steps=1, later_scale=2e-4) == pytest.approx(2 * tiny, rel=1e-2)


@every_case
def test_a_state_dict_restores_the_adapter_to_the_bit(case: Case, kind: str) -> None:
    problem, fresh = Problem(case, kind), case.learner(kind)
    for value in fresh.parameters():
        value.data.zero_()
    fresh.load_state_dict(problem.learner.state_dict())
    restored = fresh.meta_params()
    assert list(restored) == list(problem.meta_params)
    assert torch.equal(flat(restored), flat(problem.meta_params))
    support = problem.supports[0].task(0)
    one = problem.learner.adapt(problem.meta_params, [support])
    assert torch.equal(flat(fresh.adapt(restored, [support]).params), flat(one.params))


@every_case
def test_another_precision_is_taken(case: Case, kind: str) -> None:
    problem = Problem(case, kind, 1)
    learner = problem.learner.float()
    support = problem.supports[0].task(0).to(dtype=torch.float32)
    adapted = learner.adapt(learner.meta_params(), [support])
    assert {value.dtype for value in adapted.params.values()} == {torch.float32}


@every_case
def test_adaptation_starts_where_the_policy_is_at_rest(case: Case, kind: str) -> None:
    problem = Problem(case, kind)
    state: AdaptationState = problem.learner.start(problem.meta_params)
    assert state.params.keys() == problem.policy.params().keys()
    assert torch.equal(flat(state.params), flat(problem.policy.params()))
