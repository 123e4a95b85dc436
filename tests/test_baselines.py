from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from metarl.baselines import LinearFeatureBaseline, estimate_advantages
from metarl.returns import discounted_returns, generalised_advantages, standardise
from metarl.threads import torch_threads
from metarl.types import Trajectories
from tests.synthetic import experience, padded, small_policy

LENGTHS = torch.tensor([[30, 7, 21, 30], [30, 12, 1, 30]])


def ragged_experience() -> Trajectories:
    policy = small_policy("gaussian")
    return experience(
        policy, policy.params(), num_tasks=2, num_episodes=4, horizon=30, lengths=LENGTHS
    )


def linear_value(observations: Tensor, steps: Tensor) -> Tensor:
    """A function that the documented features span."""
    time = steps.double() / 100
    x, y = observations.unbind(-1)
    return 2 * x - y + 0.5 * x**2 - 3 * y**2 + 7 * time - 4 * time**2 + 2 * time**3 + 5


def fit_first_task(
    trajectories: Trajectories, returns: Tensor, ridge: float = 1e-5
) -> tuple[Tensor, Tensor]:
    return LinearFeatureBaseline(ridge).fit_predict(
        trajectories.observations[0],
        trajectories.last_observations[0],
        returns,
        trajectories.mask[0],
    )


def test_recovers_a_value_function_that_is_linear_in_the_features() -> None:
    data = ragged_experience()
    mask = data.mask[0]
    truth = linear_value(data.observations[0], torch.arange(30).expand(mask.shape))
    values, last_values = fit_first_task(data, truth * mask, ridge=1e-10)
    torch.testing.assert_close(values[mask], truth[mask], rtol=0, atol=1e-4)
    expected_last = linear_value(data.last_observations[0], LENGTHS[0])
    torch.testing.assert_close(last_values, expected_last, rtol=0, atol=1e-3)


def test_default_ridge_barely_biases_the_fit() -> None:
    data = ragged_experience()
    mask = data.mask[0]
    truth = linear_value(data.observations[0], torch.arange(30).expand(mask.shape))
    values, _ = fit_first_task(data, truth * mask)
    torch.testing.assert_close(values[mask], truth[mask], rtol=0, atol=0.02)


def test_fit_is_the_least_squares_one() -> None:
    data = ragged_experience()
    mask = data.mask[0]
    returns = discounted_returns(data.rewards[0], mask, 0.99)
    values, _ = fit_first_task(data, returns, ridge=1e-10)
    x, t = data.observations[0][mask], torch.arange(30).expand(mask.shape)[mask].double()[:, None]
    design = torch.cat([x, x**2, t, t**2, t**3, torch.ones_like(t)], dim=1)
    solution = torch.linalg.lstsq(design, returns[mask], driver="gelsd").solution
    torch.testing.assert_close(values[mask], design @ solution, rtol=0, atol=1e-4)


@pytest.mark.parametrize("constant", [0.0, 1.0, -300.0])
def test_constant_observations_leave_a_finite_fit_in_time(constant: float) -> None:
    """Constant dimensions repeat the feature 1, so the normal equations are singular."""
    data = ragged_experience()
    mask = data.mask[0]
    steps = torch.arange(30).expand(mask.shape)
    truth = 3 + 0.1 * steps.double()
    data = replace(
        data,
        observations=torch.full_like(data.observations, constant) * data.mask[..., None],
        last_observations=torch.full_like(data.last_observations, constant),
    )
    values, last_values = fit_first_task(data, truth * mask)
    torch.testing.assert_close(values[mask], truth[mask], rtol=0, atol=0.05)
    torch.testing.assert_close(last_values, 3 + 0.1 * LENGTHS[0].double(), rtol=0, atol=0.1)


def test_a_singular_system_gets_more_ridge_until_it_can_be_solved() -> None:
    """With coefficients this large a ridge of 1e-5 is lost in float64's rounding."""
    data = ragged_experience()
    mask = data.mask[0]
    huge = data.observations.new_tensor([1e6, 1e6])
    data = replace(data, observations=huge * data.mask[..., None])
    values, last_values = fit_first_task(data, torch.ones_like(data.rewards[0]) * mask)
    assert torch.isfinite(values).all()
    assert torch.isfinite(last_values).all()
    torch.testing.assert_close(values[mask], torch.ones_like(values[mask]), rtol=0, atol=1e-2)


def test_values_that_are_not_finite_end_the_fit_with_nan() -> None:
    data = ragged_experience()
    returns = torch.full_like(data.rewards[0], torch.nan)
    values, _ = fit_first_task(data, returns)
    assert values.isnan().all()
    observations = torch.full_like(data.observations, torch.inf)
    values, _ = fit_first_task(replace(data, observations=observations), data.rewards[0])
    assert values.isnan().all()


def test_keeps_the_dtype_of_the_returns() -> None:
    data = ragged_experience().to(dtype=torch.float32)
    values, last_values = fit_first_task(data, data.rewards[0])
    assert values.dtype == last_values.dtype == torch.float32


def test_advantages_are_those_of_the_task_s_own_fit_standardised() -> None:
    data = ragged_experience()
    baseline = LinearFeatureBaseline()
    result = estimate_advantages(data, baseline, gamma=0.95, gae_lambda=0.9)
    for task in range(2):
        returns = discounted_returns(data.rewards[task], data.mask[task], 0.95)
        values, last_values = baseline.fit_predict(
            data.observations[task], data.last_observations[task], returns, data.mask[task]
        )
        expected = generalised_advantages(
            data.rewards[task],
            values,
            last_values,
            data.terminated[task],
            data.mask[task],
            gamma=0.95,
            gae_lambda=0.9,
        )
        expected = standardise(expected[None], data.mask[task][None])
        torch.testing.assert_close(result.task(task).advantages, expected)


def test_one_task_s_advantages_do_not_depend_on_the_others() -> None:
    data = ragged_experience()
    scale = torch.tensor([1.0, 1000.0])[:, None, None]
    other = replace(data, rewards=data.rewards * scale + 5 * (scale > 1) * data.mask)
    settings = {"gamma": 0.99, "gae_lambda": 1.0}
    before = estimate_advantages(data, LinearFeatureBaseline(), **settings)
    after = estimate_advantages(other, LinearFeatureBaseline(), **settings)
    alone = estimate_advantages(data.task(0), LinearFeatureBaseline(), **settings)
    assert torch.equal(before.task(0).advantages, after.task(0).advantages)
    assert torch.equal(before.task(0).advantages, alone.advantages)
    assert not torch.allclose(before.task(1).advantages, after.task(1).advantages)


def test_terminated_and_truncated_episodes_differ_in_the_value_of_what_follows() -> None:
    data = ragged_experience()
    settings = {"gamma": 0.99, "gae_lambda": 1.0}
    cut = estimate_advantages(data, LinearFeatureBaseline(), **settings)
    ended = replace(data, terminated=torch.ones_like(data.terminated))
    ended = estimate_advantages(ended, LinearFeatureBaseline(), **settings)
    assert not torch.allclose(cut.advantages, ended.advantages)


@pytest.mark.parametrize("fill", [0.0, 12.5])
def test_padding_changes_no_advantage(fill: float) -> None:
    data = ragged_experience()
    settings = {"gamma": 0.99, "gae_lambda": 0.95}
    plain = estimate_advantages(data, LinearFeatureBaseline(), **settings)
    longer = estimate_advantages(padded(data, 5, fill=fill), LinearFeatureBaseline(), **settings)
    torch.testing.assert_close(longer.advantages[:, :, :30], plain.advantages)
    assert not longer.advantages[:, :, 30:].any()


def test_the_number_of_threads_changes_no_bit():
    policy = small_policy("gaussian")
    many = experience(policy, policy.params(), num_tasks=1, num_episodes=100, horizon=200)
    found = []
    for threads in (1, 2):
        with torch_threads(threads):
            found.append(
                estimate_advantages(many, LinearFeatureBaseline(), gamma=0.99, gae_lambda=1.0)
            )
    assert torch.equal(found[0].advantages, found[1].advantages)
