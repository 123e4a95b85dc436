from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array
from torch import Tensor

from metarl.adapted_policy import AdaptedPolicy
from metarl.errors import ConfigError
from metarl.policies import CategoricalMLPPolicy, GaussianMLPPolicy, Policy
from metarl.seeding import Stream
from metarl.types import Params
from tests.synthetic import perturbed

BOX = spaces.Box(-1, 1, (2,), np.float32)


def adapted_policy(
    policy: Policy | None = None,
    params: Params | None = None,
    *,
    observation_space: spaces.Space = BOX,
    action_space: spaces.Space = BOX,
    seed: int = 0,
) -> AdaptedPolicy:
    policy = policy or GaussianMLPPolicy(2, 2, (4,), generator=torch.Generator().manual_seed(0))
    return AdaptedPolicy(
        policy,
        policy.params() if params is None else params,
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
    policy = adapted_policy(structure, params)
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
    np.testing.assert_allclose(many, [one] * 3, rtol=1e-5, atol=1e-6)


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
    policy = adapted_policy(structure, params)
    assert not any(value.requires_grad for value in policy.params.values())
