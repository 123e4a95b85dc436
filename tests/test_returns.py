from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.buffers import RolloutBuffer
from torch import Tensor

from metarl.returns import discounted_returns, generalised_advantages, standardise

SETTINGS = [(0.99, 1.0), (0.99, 0.95), (0.9, 0.3), (1.0, 1.0), (0.95, 0.0), (0.0, 0.7)]


def random_episodes(seed: int, num_episodes: int = 6, horizon: int = 9) -> dict[str, Tensor]:
    """Episodes of many lengths (the shortest and the longest among them), half of them terminal."""
    rng = np.random.default_rng(seed)
    lengths = np.concatenate([[1, horizon], rng.integers(1, horizon + 1, num_episodes - 2)])
    mask = torch.from_numpy(np.arange(horizon) < lengths[:, None])
    return {
        "rewards": torch.from_numpy(rng.normal(size=(num_episodes, horizon))) * mask,
        "values": torch.from_numpy(rng.normal(size=(num_episodes, horizon))) * mask,
        "last_values": torch.from_numpy(rng.normal(size=num_episodes)),
        "terminated": torch.arange(num_episodes) % 2 == 0,
        "mask": mask,
    }


def stable_baselines_advantages(
    episodes: dict[str, Tensor], gamma: float, gae_lambda: float
) -> list[Tensor]:
    """What RolloutBuffer gives for the same episodes, one after another in one environment."""
    mask, lengths = episodes["mask"], episodes["mask"].sum(dim=-1).tolist()
    rewards = episodes["rewards"].clone()
    for episode, length in enumerate(lengths):
        if not episodes["terminated"][episode]:
            # Stable-Baselines3 has no "truncated" in the buffer: its algorithms add the value of
            # the state after the cut to the last reward, and mark the episode as done.
            rewards[episode, length - 1] += gamma * episodes["last_values"][episode]
    starts = np.zeros(sum(lengths))
    starts[np.cumsum([0, *lengths[:-1]])] = 1.0
    buffer = RolloutBuffer(
        sum(lengths),
        spaces.Box(-1, 1, (1,)),
        spaces.Box(-1, 1, (1,)),
        gamma=gamma,
        gae_lambda=gae_lambda,
    )
    buffer.rewards = rewards[mask].numpy()[:, None]
    buffer.values = episodes["values"][mask].numpy()[:, None]
    buffer.advantages = np.zeros_like(buffer.rewards)
    buffer.episode_starts = starts[:, None]
    buffer.compute_returns_and_advantage(torch.zeros(1).double(), dones=np.ones(1))
    return list(torch.split(torch.from_numpy(buffer.advantages[:, 0]), lengths))


@pytest.mark.parametrize(("gamma", "gae_lambda"), SETTINGS)
@pytest.mark.parametrize("seed", range(3))
def test_advantages_equal_those_of_stable_baselines(
    gamma: float, gae_lambda: float, seed: int
) -> None:
    episodes = random_episodes(seed)
    ours = generalised_advantages(**episodes, gamma=gamma, gae_lambda=gae_lambda)
    theirs = stable_baselines_advantages(episodes, gamma, gae_lambda)
    for row, mask, expected in zip(ours, episodes["mask"], theirs, strict=True):
        torch.testing.assert_close(row[mask], expected, rtol=1e-12, atol=1e-12)


def test_returns_by_hand() -> None:
    rewards = torch.tensor([[1.0, 2.0, 4.0], [3.0, 5.0, 0.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    expected = torch.tensor([[3.0, 4.0, 4.0], [5.5, 5.0, 0.0]])
    torch.testing.assert_close(discounted_returns(rewards, mask, 0.5), expected)


@pytest.mark.parametrize(
    ("terminated", "expected"),
    [
        # deltas: 1 + .5 * 20 - 10 = 1 and 2 + .5 * bootstrap - 20, with bootstrap 0 or 8
        (True, [1 + 0.25 * -18, -18]),
        (False, [1 + 0.25 * -14, -14]),
    ],
)
def test_advantages_by_hand(terminated: bool, expected: list[float]) -> None:
    advantages = generalised_advantages(
        rewards=torch.tensor([[1.0, 2.0]]),
        values=torch.tensor([[10.0, 20.0]]),
        last_values=torch.tensor([8.0]),
        terminated=torch.tensor([terminated]),
        mask=torch.tensor([[True, True]]),
        gamma=0.5,
        gae_lambda=0.5,
    )
    torch.testing.assert_close(advantages, torch.tensor([expected]))


def test_lambda_one_gives_returns_less_values() -> None:
    episodes = random_episodes(0)
    episodes["terminated"] = torch.ones_like(episodes["terminated"])
    advantages = generalised_advantages(**episodes, gamma=0.9, gae_lambda=1.0)
    returns = discounted_returns(episodes["rewards"], episodes["mask"], 0.9)
    torch.testing.assert_close(advantages, returns - episodes["values"])


def test_lambda_zero_gives_temporal_differences() -> None:
    episodes = random_episodes(1, num_episodes=2, horizon=4)
    advantages = generalised_advantages(**episodes, gamma=0.9, gae_lambda=0.0)
    rewards, values = episodes["rewards"][1], episodes["values"][1]  # of full length, truncated
    following = torch.cat([values[1:], episodes["last_values"][1:]])
    torch.testing.assert_close(advantages[1], rewards + 0.9 * following - values)


def test_gamma_zero_sees_one_reward_only() -> None:
    episodes = random_episodes(2)
    rewards, mask = episodes["rewards"], episodes["mask"]
    assert torch.equal(discounted_returns(rewards, mask, 0.0), rewards)
    advantages = generalised_advantages(**episodes, gamma=0.0, gae_lambda=1.0)
    torch.testing.assert_close(advantages, rewards - episodes["values"])


def test_gamma_one_sums_all_rewards() -> None:
    episodes = random_episodes(3)
    returns = discounted_returns(episodes["rewards"], episodes["mask"], 1.0)
    torch.testing.assert_close(returns[:, 0], episodes["rewards"].sum(dim=-1))


@given(
    seed=st.integers(0, 2**31),
    extra=st.integers(0, 5),
    fill=st.floats(-1e6, 1e6),
    gamma=st.floats(0, 1),
    gae_lambda=st.floats(0, 1),
)
def test_padding_changes_no_valid_entry(
    seed: int, extra: int, fill: float, gamma: float, gae_lambda: float
) -> None:
    episodes = random_episodes(seed)
    mask = episodes["mask"]
    horizon = mask.shape[-1]
    longer = dict(episodes)
    longer["mask"] = torch.cat([mask, torch.zeros(len(mask), extra, dtype=torch.bool)], dim=1)
    for name in ("rewards", "values"):
        wide = torch.full(longer["mask"].shape, fill, dtype=torch.float64)
        wide[longer["mask"]] = episodes[name][mask]
        longer[name] = wide

    plain = generalised_advantages(**episodes, gamma=gamma, gae_lambda=gae_lambda)
    advantages = generalised_advantages(**longer, gamma=gamma, gae_lambda=gae_lambda)
    assert torch.equal(advantages[:, :horizon], plain)
    assert not advantages[~longer["mask"]].any()

    plain = discounted_returns(episodes["rewards"], mask, gamma)
    returns = discounted_returns(longer["rewards"], longer["mask"], gamma)
    assert torch.equal(returns[:, :horizon], plain)
    assert not returns[~longer["mask"]].any()

    standard = standardise(longer["rewards"][None], longer["mask"][None])[0]
    torch.testing.assert_close(
        standard[:, :horizon], standardise(episodes["rewards"][None], mask[None])[0]
    )
    assert not standard[~longer["mask"]].any()


def test_standardised_values_have_mean_zero_and_deviation_one_in_each_task() -> None:
    mask = torch.stack([random_episodes(seed)["mask"] for seed in (0, 1)])
    values = torch.randn(mask.shape, generator=torch.Generator().manual_seed(0)).double()
    scaled = torch.stack([values[0] + 5, 1e3 * values[1] - 7])
    for task in range(2):
        valid = standardise(scaled, mask)[task][mask[task]]
        assert valid.mean().item() == pytest.approx(0, abs=1e-9)
        assert valid.std(correction=0).item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 3.7])
def test_standardising_equal_values_gives_zero_not_nan(value: float) -> None:
    mask = torch.tensor([[[True, True, False]]])
    assert not standardise(torch.full((1, 1, 3), value), mask).any()


def test_standardising_no_values_gives_zero_not_nan() -> None:
    assert not standardise(torch.ones(1, 2, 3), torch.zeros(1, 2, 3, dtype=torch.bool)).any()
