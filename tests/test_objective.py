from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
import torchopt
from torch import Tensor
from torch.autograd.functional import hessian
from torch.distributions import Categorical, Normal, kl_divergence

from metarl.adaptation import MetaLearner
from metarl.agents.adapters.gradient import GradientAdapter
from metarl.losses import Loss, log_prob_loss, ratio_loss
from metarl.objective import MetaObjective
from metarl.policies import Policy
from metarl.types import Params, Trajectories
from tests.reference import ReferencePolicy
from tests.synthetic import POLICIES, experience, flat, padded, perturbed, small_policy, unflat

INNER_LR = 0.4
SUPPORT_LENGTHS = torch.tensor([[4, 1, 3], [2, 4, 4]])
QUERY_LENGTHS = torch.tensor([[3, 4, 2], [1, 1, 4]])

kinds = pytest.mark.parametrize("kind", POLICIES)
inner_steps = pytest.mark.parametrize("num_steps", [1, 2])


class Problem:
    """A meta-learner and one iteration's data, sampled as the algorithm samples it.

    Support set ``k`` stems from each task's parameters after ``k`` steps, the query set from those
    after the last.
    """

    def __init__(
        self,
        kind: str,
        num_steps: int = 1,
        *,
        first_order: bool = False,
        loss: Loss = ratio_loss,
        ragged: bool = True,
        horizon: int = 4,
    ) -> None:
        self.policy = small_policy(kind)
        adapter = GradientAdapter(self.policy, INNER_LR, loss=loss, first_order=first_order)
        self.learner = MetaLearner(self.policy, adapter)
        self.meta_params = self.learner.meta_params()
        self.supports: list[Trajectories] = []
        for step in range(num_steps + 1):
            params = [
                self.learner.adapt(self.meta_params, [s.task(i) for s in self.supports]).params
                for i in range(2)
            ]
            lengths = SUPPORT_LENGTHS if step < num_steps else QUERY_LENGTHS
            self.supports.append(
                experience(
                    self.policy,
                    params,
                    lengths=lengths if ragged else None,
                    horizon=horizon,
                    seed=step,
                )
            )
        self.query = self.supports.pop()

    def objective(self, **settings: float | None) -> MetaObjective:
        return MetaObjective(self.learner, self.supports, self.query, **settings)


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


def divergence(
    problem: Problem,
    vector: Tensor,
    rows: Sequence[tuple[int, int, int]] | None = None,
) -> Tensor:
    """Divergence as a differentiable function of the meta-parameters, step by step.

    Args:
        rows: Which (task, episode, step) to average over; by default all that took place.
    """
    if rows is None:
        rows = [tuple(row) for row in problem.query.mask.nonzero().tolist()]
    meta_params = unflat(vector, problem.meta_params)
    total = torch.zeros((), dtype=torch.float64)
    for task in range(2):
        supports = [support.task(task) for support in problem.supports]
        adapted = problem.learner.adapt(meta_params, supports, create_graph=True).params
        own = [row for row in rows if row[0] == task]
        for row in own:
            now, _ = problem.policy.with_params(adapted, problem.query.observations[row])
            old = problem.query.dist_params[row]
            p, q = (as_plain_distribution(problem.policy, d) for d in (old, now))
            total = total + kl_divergence(p, q).sum() / len(own) / 2
    return total


def as_plain_distribution(policy: Policy, dist_params: Tensor) -> Normal | Categorical:
    if policy.num_dist_params == 3:
        return Categorical(logits=dist_params)
    mean, log_std = dist_params.chunk(2, dim=-1)
    return Normal(mean, log_std.exp())


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
