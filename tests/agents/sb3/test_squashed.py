"""SAC's actor under our names gives SAC's actions and probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution

from metarl.adapted_policy import AdaptedPolicy
from metarl.agents.sb3 import SquashedGaussianMLPPolicy, import_sac
from metarl.envs.navigation import NavigationEnv
from metarl.errors import ConfigError
from metarl.seeding import Stream

BOUNDS = spaces.Box(np.float32([-1.0, -3.0]), np.float32([1.0, 5.0]))


class Lopsided(NavigationEnv):
    """Actions with another range per dimension."""

    def __init__(self) -> None:
        super().__init__(max_episode_steps=5)
        self.action_space = BOUNDS


@pytest.fixture
def model() -> SAC:
    model = SAC("MlpPolicy", Lopsided(), policy_kwargs={"net_arch": [8, 4]}, seed=0, device="cpu")
    for value in model.actor.parameters():
        value.data = torch.randn_like(value)  # large enough to saturate some actions
    return model


def test_actions_are_sac_s(model: SAC) -> None:
    structure, params = import_sac(model)
    policy = AdaptedPolicy(
        structure,
        params,
        num_steps=0,
        observation_space=model.observation_space,
        action_space=model.action_space,
        stream=Stream(0),
    )
    rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    ours, _ = policy.predict(rows, deterministic=True)
    theirs, _ = model.predict(rows, deterministic=True)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    assert np.ptp(ours[:, 1]) > 4
    sampled, _ = policy.predict(rows)
    assert BOUNDS.contains(sampled[0])
    assert not np.allclose(sampled, ours)


def test_log_probabilities_are_sac_s() -> None:
    policy = SquashedGaussianMLPPolicy(2, spaces.Box(-1.0, 1.0, (3,)), (4,))
    generator = torch.Generator().manual_seed(0)
    mean, log_std = torch.randn(2, 20, 3, generator=generator)
    actions = torch.tanh(mean + 0.3 * torch.randn(20, 3, generator=generator))
    theirs = SquashedDiagGaussianDistribution(3).proba_distribution(mean, log_std)
    expected = theirs.log_prob(actions)
    found = policy.log_prob(torch.cat([mean, log_std], dim=-1), actions)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_scaling_changes_the_density_by_its_volume_and_edges_stay_finite() -> None:
    unit = SquashedGaussianMLPPolicy(2, spaces.Box(-1.0, 1.0, (2,)), (4,))
    wide = SquashedGaussianMLPPolicy(2, BOUNDS, (4,))
    dist_params = torch.tensor([[0.3, -0.2, 0.1, 0.4]])
    action = torch.tensor([[0.5, -0.25]])
    stretched = action * torch.tensor([1.0, 4.0]) + torch.tensor([0.0, 1.0])
    torch.testing.assert_close(
        wide.log_prob(dist_params, stretched),
        unit.log_prob(dist_params, action) - np.log(4.0),
    )
    assert torch.isfinite(unit.log_prob(dist_params, torch.tensor([[1.0, -1.0]]))).all()


def test_another_actor_is_refused() -> None:
    model = SAC("MlpPolicy", NavigationEnv(), use_sde=True, device="cpu")
    with pytest.raises(ConfigError, match="state-dependent exploration"):
        import_sac(model)
