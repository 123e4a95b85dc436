from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array
from torch import Tensor, nn

from metarl.adaptation import (
    AdaptationState,
    AdaptedPolicy,
    Adapter,
    MetaLearner,
    gradient_step,
    inner_gradient,
)
from metarl.agents.adapters.gradient import GradientAdapter
from metarl.errors import ConfigError
from metarl.policies import CategoricalMLPPolicy, GaussianMLPPolicy, Policy
from metarl.seeding import Stream
from metarl.types import Trajectories
from tests.synthetic import experience, perturbed, small_policy

BOX = spaces.Box(-1, 1, (2,), np.float32)


def test_gradient_step_by_hand() -> None:
    params = {
        "a": torch.tensor([1.0, -2.0], requires_grad=True),
        "b": torch.tensor(3.0, requires_grad=True),
    }
    loss = params["a"].square().sum() + 5 * params["b"]
    stepped = gradient_step(params, loss, {"a": 0.1, "b": torch.tensor(2.0)}, create_graph=False)
    torch.testing.assert_close(stepped["a"], torch.tensor([0.8, -1.6]))
    torch.testing.assert_close(stepped["b"], torch.tensor(-7.0))


def test_gradient_step_can_be_differentiated() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    rate = torch.tensor(0.1, requires_grad=True)
    stepped = gradient_step({"x": x}, x**3, {"x": rate}, create_graph=True)["x"]
    slopes = torch.autograd.grad(stepped, [x, rate])
    assert slopes[0].item() == pytest.approx(1 - 0.1 * 6 * 3)  # d/dx (x - rate 3 x^2)
    assert slopes[1].item() == pytest.approx(-27)


def test_gradient_step_without_graph_takes_the_gradient_for_a_constant() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    stepped = gradient_step({"x": x}, x**3, {"x": 0.1}, create_graph=False)["x"]
    assert torch.autograd.grad(stepped, x)[0].item() == 1.0


def test_gradient_step_leaves_out_what_has_no_rate_or_no_influence() -> None:
    params = {name: torch.tensor(1.0, requires_grad=True) for name in ("a", "frozen", "unused")}
    loss = params["a"] * params["frozen"]
    stepped = gradient_step(params, loss, {"a": 0.5, "unused": 0.5}, create_graph=True)
    assert list(stepped) == ["a", "frozen", "unused"]
    assert stepped["a"].item() == 0.5
    assert stepped["frozen"] is params["frozen"]
    assert stepped["unused"] is params["unused"]


def test_inner_gradient_is_that_of_the_names_asked_for() -> None:
    params = {name: torch.tensor(2.0, requires_grad=True) for name in ("a", "b", "unused")}
    loss = params["a"] ** 3 * params["b"]
    slopes = inner_gradient(params, loss, ["unused", "a"], create_graph=True)
    assert list(slopes) == ["a"]
    assert slopes["a"].item() == 24
    assert torch.autograd.grad(slopes["a"], params["a"])[0].item() == 24
    assert inner_gradient(params, loss, [], create_graph=False) == {}


class ShiftAdapter(Adapter):
    """Adds a learned number; records the steps it was asked for."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.shift = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
        self.calls: list[tuple[int, bool]] = []

    def update(
        self, state: AdaptationState, support: Trajectories, *, create_graph: bool
    ) -> AdaptationState:
        self.calls.append((state.step, create_graph))
        return state.after({name: value + self.shift for name, value in state.params.items()})


def shift_learner() -> tuple[MetaLearner, Trajectories]:
    policy = small_policy("gaussian")
    return MetaLearner(policy, ShiftAdapter(policy)), experience(policy, policy.params())


def test_meta_params_name_the_policy_s_and_the_adapter_s() -> None:
    learner, _ = shift_learner()
    meta_params = learner.meta_params()
    policy_names = [f"policy.{name}" for name in learner.policy.params()]
    assert list(meta_params) == [*policy_names, "adapter.shift"]
    initial = learner.start(meta_params).params
    assert initial.keys() == learner.policy.params().keys()
    for name, value in initial.items():
        assert torch.equal(value, learner.policy.params()[name])


def test_meta_params_are_detached_copies() -> None:
    learner, _ = shift_learner()
    meta_params = learner.meta_params()
    for name, value in learner.named_parameters():
        assert not meta_params[name].requires_grad
        meta_params[name] += 1
        assert not torch.equal(meta_params[name], value)


def test_adapter_runs_under_the_meta_params_given() -> None:
    learner, data = shift_learner()
    meta_params = learner.meta_params()
    meta_params["adapter.shift"] = torch.tensor(2.0, dtype=torch.float64)
    adapted = learner.adapt(meta_params, [data, data, data]).params
    for name, value in learner.policy.params().items():
        torch.testing.assert_close(adapted[name], value + 6)
    assert learner.adapter.shift.item() == 0.5


def test_adaptation_takes_one_step_per_support_set() -> None:
    learner, data = shift_learner()
    learner.adapt(learner.meta_params(), [data, data, data], create_graph=True)
    assert learner.adapter.calls == [(0, True), (1, True), (2, True)]
    assert learner.adapt(learner.meta_params(), []).params.keys() == learner.policy.params().keys()


def test_adaptation_can_be_differentiated_in_the_adapter_s_parameters() -> None:
    learner, data = shift_learner()
    meta_params = {name: value.requires_grad_() for name, value in learner.meta_params().items()}
    adapted = learner.adapt(meta_params, [data, data], create_graph=True).params
    (slope,) = torch.autograd.grad(adapted["log_std"].sum(), [meta_params["adapter.shift"]])
    assert slope.item() == 4.0  # two entries, two steps


def test_a_policy_inside_a_gradient_adapter_is_not_learned_twice() -> None:
    policy = small_policy("gaussian")
    learner = MetaLearner(policy, GradientAdapter(policy, 0.1))
    assert all(name.startswith("policy.") for name in learner.meta_params())


def adapted_policy(
    policy: Policy | None = None,
    *,
    observation_space: spaces.Space = BOX,
    action_space: spaces.Space = BOX,
    seed: int = 0,
) -> AdaptedPolicy:
    policy = policy or GaussianMLPPolicy(2, 2, (4,), generator=torch.Generator().manual_seed(0))
    return AdaptedPolicy(
        policy,
        policy.params(),
        num_steps=0,
        observation_space=observation_space,
        action_space=action_space,
        stream=Stream(seed),
    )


def test_predict_takes_one_observation_or_a_batch() -> None:
    policy = adapted_policy()
    rows = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    one, state = policy.predict(rows[0], deterministic=True)
    many, _ = policy.predict(rows, deterministic=True)
    assert state is None
    assert one.shape == (2,)
    assert many.shape == (5, 2)
    np.testing.assert_allclose(many[0], one, rtol=1e-6)
    assert BOX.contains(one)


def test_predict_deterministically_takes_the_clipped_mode_of_its_own_params() -> None:
    structure = GaussianMLPPolicy(2, 2, (4,))
    params = perturbed(structure.params(), 2.0)
    policy = AdaptedPolicy(
        structure,
        params,
        num_steps=1,
        observation_space=BOX,
        action_space=BOX,
        stream=Stream(0),
    )
    rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    actions, _ = policy.predict(rows, deterministic=True)
    mean = structure.with_params(params, torch.from_numpy(rows))[0][:, :2].detach().numpy()
    assert (np.abs(mean) > 1).any()
    np.testing.assert_allclose(actions, mean.clip(-1, 1), rtol=1e-6)


def test_predict_samples_anew_each_time_and_the_same_for_the_same_stream() -> None:
    one, same, other = adapted_policy(), adapted_policy(), adapted_policy(seed=1)
    observation = np.zeros(2, dtype=np.float32)
    samples = [[p.predict(observation)[0] for _ in range(3)] for p in (one, same, other)]
    np.testing.assert_array_equal(samples[0], samples[1])
    assert not np.array_equal(samples[0], samples[2])
    assert not np.array_equal(samples[0][0], samples[0][1])


def test_predict_discrete_actions_and_observations() -> None:
    space = spaces.Discrete(3, start=-1)
    policy = adapted_policy(
        CategoricalMLPPolicy(3, 3, ()), observation_space=space, action_space=space
    )
    one, _ = policy.predict(np.int64(-1), deterministic=True)
    many, _ = policy.predict(np.array([-1, 0, 1]))
    assert space.contains(one)
    assert many.shape == (3,)
    assert all(space.contains(action) for action in many)


NESTED = {
    "dict": (
        spaces.Dict({"at": BOX, "phase": spaces.Discrete(3), "on": spaces.MultiBinary(2)}),
        {"at": np.ones(2, np.float32), "phase": np.int64(1), "on": np.array([0, 1], np.int8)},
    ),
    "tuple": (
        spaces.Tuple([BOX, spaces.Tuple([spaces.Discrete(3)]), spaces.MultiBinary(2)]),
        (np.ones(2, np.float32), (np.int64(1),), np.array([0, 1], np.int8)),
    ),
}


@pytest.mark.parametrize("kind", NESTED)
def test_predict_takes_one_observation_of_a_nested_space_or_a_batch(kind: str) -> None:
    space, observation = NESTED[kind]
    policy = adapted_policy(GaussianMLPPolicy(7, 2, (4,)), observation_space=space)
    one, _ = policy.predict(observation, deterministic=True)
    batch = concatenate(space, [observation] * 3, create_empty_array(space, 3))
    many, _ = policy.predict(batch, deterministic=True)
    assert one.shape == (2,)
    assert many.shape == (3, 2)
    np.testing.assert_allclose(many, [one] * 3, rtol=1e-6)


def test_predict_refuses_a_dictionary_of_another_shape() -> None:
    space, observation = NESTED["dict"]
    policy = adapted_policy(GaussianMLPPolicy(7, 2, (4,)), observation_space=space)
    with pytest.raises(ConfigError, match=r"observation: got shape \(3,\); the space's is \(2,\)"):
        policy.predict({**observation, "at": np.ones(3, np.float32)})


@pytest.mark.parametrize("shape", [(3,), (4, 3), ()])
def test_predict_refuses_observations_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="observation") as caught:
        adapted_policy().predict(np.zeros(shape, dtype=np.float32))
    assert "(2,)" in str(caught.value)


class CountingPolicy(GaussianMLPPolicy):
    """Its state counts the steps; its mean is the state."""

    def __init__(self) -> None:
        super().__init__(2, 2, ())

    def forward(self, observations: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        dist_params, _ = super().forward(observations)
        mean = 0 * dist_params[..., :2] + state
        return torch.cat([mean, dist_params[..., 2:]], dim=-1), state + 0.25

    def initial_state(self, num_rows: int) -> Tensor:
        return torch.zeros(num_rows, 1)


def test_predict_carries_the_state_of_a_policy_with_memory() -> None:
    policy = adapted_policy(CountingPolicy())
    rows = np.zeros((3, 2), dtype=np.float32)
    state = None
    for step in range(3):
        # A trial's memory outlives its episodes, so a new episode doesn't reset it.
        actions, state = policy.predict(
            rows, state, episode_start=np.ones(3, dtype=bool), deterministic=True
        )
        np.testing.assert_allclose(actions, 0.25 * step)
    assert state[0].shape == (3, 1)


def test_adapted_policies_hold_no_graph() -> None:
    structure = GaussianMLPPolicy(2, 2, (4,))
    params = {name: 2 * value.requires_grad_() for name, value in structure.params().items()}
    policy = AdaptedPolicy(
        structure,
        params,
        num_steps=1,
        observation_space=BOX,
        action_space=BOX,
        stream=Stream(0),
    )
    assert not any(value.requires_grad for value in policy.params.values())


def test_adaptation_does_not_depend_on_the_tasks_beside_it() -> None:
    policy = small_policy("gaussian")
    learner = MetaLearner(policy, GradientAdapter(policy, 0.3))
    data = experience(policy, policy.params())
    scale = torch.tensor([1.0, 9.0])[:, None, None]
    other = replace(data, advantages=data.advantages * scale)
    one, same = (learner.adapt(learner.meta_params(), [d.task(0)]).params for d in (data, other))
    assert all(torch.equal(value, same[name]) for name, value in one.items())
