from __future__ import annotations

from typing import Any

import pytest
import torch

from metarl.adaptation import MetaLearner
from metarl.agents.adapters import GradientAdapter, MetaSGDAdapter
from metarl.errors import ConfigError
from metarl.objective import MetaObjective
from metarl.outer import Reptile
from metarl.types import Params, Trajectories
from tests.synthetic import experience, small_policy


def learner_and_data(num_steps: int = 2) -> tuple[MetaLearner, list[Trajectories]]:
    policy = small_policy("gaussian")
    data = [experience(policy, policy.params(), seed=seed) for seed in range(num_steps)]
    return MetaLearner(policy, GradientAdapter(policy, 0.3)), data


def mean_adapted(learner: MetaLearner, data: list[Trajectories]) -> Params:
    """Where two tasks' adaptations on all of the data end, on average."""
    ends = [learner.adapt(learner.meta_params(), [d.task(i) for d in data]).params for i in (0, 1)]
    return {f"policy.{name}": (ends[0][name] + ends[1][name]) / 2 for name in ends[0]}


def step(outer: Reptile, learner: MetaLearner, data: list[Trajectories]) -> Params:
    *supports, query = data
    return outer.step(learner.meta_params(), MetaObjective(learner, supports, query))[0]


@pytest.mark.parametrize("num_steps", [2, 3])
@pytest.mark.parametrize("fraction", [1.0, 0.25])
def test_goes_a_fraction_of_the_way_to_the_mean_adapted_parameters(
    num_steps: int, fraction: float
) -> None:
    learner, data = learner_and_data(num_steps)
    after = step(Reptile(outer_lr=fraction), learner, data)
    goal = mean_adapted(learner, data)
    for name, start in learner.meta_params().items():
        assert not torch.equal(goal[name], start)
        torch.testing.assert_close(after[name], start + fraction * (goal[name] - start))


def test_the_query_set_is_the_data_of_the_last_step() -> None:
    learner, data = learner_and_data(2)
    after = step(Reptile(), learner, data)
    goal = mean_adapted(learner, data[:1])
    assert not any(torch.allclose(after[name], value) for name, value in goal.items())


def test_another_optimiser_takes_the_displacement_for_a_descent_direction() -> None:
    learner, data = learner_and_data()
    after = step(Reptile("Adam", outer_lr=0.01), learner, data)
    goal = mean_adapted(learner, data)
    for name, start in learner.meta_params().items():
        # Adam's first step is its rate times the sign.
        expected = start + 0.01 * torch.sign(goal[name] - start)
        torch.testing.assert_close(after[name], expected, rtol=0, atol=1e-5)


def test_moments_are_saved_and_taken_back() -> None:
    learner, data = learner_and_data()
    uninterrupted, first, second = (Reptile("Adam") for _ in range(3))
    step(uninterrupted, learner, data)
    step(first, learner, data)
    assert first.state()
    second.load_state(first.state())
    one, same = step(uninterrupted, learner, data), step(second, learner, data)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not torch.equal(
        one["policy.log_std"], step(Reptile("Adam"), learner, data)["policy.log_std"]
    )


def test_figures_say_how_far_it_went() -> None:
    learner, (support, query) = learner_and_data()
    objective = MetaObjective(learner, [support], query)
    before = learner.meta_params()
    after, figures = Reptile().step(before, objective)
    length = sum((after[name] - value).square().sum().item() for name, value in before.items())
    assert figures["gradient_norm"] == pytest.approx(length**0.5)
    assert figures["loss_before"] == pytest.approx(objective.evaluate(before)[0])
    assert figures["loss_after"] == pytest.approx(objective.evaluate(after)[0])
    assert figures["kl"] > 0


def test_an_adapter_that_learns_something_of_its_own_is_refused() -> None:
    policy = small_policy("gaussian")
    data = experience(policy, policy.params())
    learner = MetaLearner(policy, MetaSGDAdapter(policy, 0.1).double())
    with pytest.raises(ConfigError, match=r"outer: .*policy\.\* only, but adapter\.rates\."):
        Reptile().step(learner.meta_params(), MetaObjective(learner, [data], data))


@pytest.mark.parametrize("settings", [{"optimizer": "Adan"}, {"outer_lr": -1.0}])
def test_what_the_optimiser_does_not_take_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="optimizer"):
        Reptile(**settings)
