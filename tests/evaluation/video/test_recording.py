from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from metarl.agents import MAML
from metarl.envs.navigation import NavigationEnv, navigation
from metarl.errors import RenderingError
from metarl.evaluation.video import record

HORIZON = 7


@pytest.fixture
def policy() -> Any:
    """It moves: a network without biases would stay at the origin."""
    agent = MAML(navigation(max_episode_steps=HORIZON), hidden_sizes=(4,))
    params = agent.unadapted().params
    agent.set_initial_params({**params, "network.2.bias": torch.tensor([0.4, -0.2])})
    return agent.unadapted()


def env_of(goal: tuple[float, float] = (0.0, 0.0), **settings: Any) -> NavigationEnv:
    return NavigationEnv(goal, HORIZON, **{"render_mode": "rgb_array", **settings})


def test_pictures_steps_returns_and_success_are_the_episode_s(policy: Any) -> None:
    clip = record(policy, env_of(), label="before", horizon=HORIZON, every=3)
    assert [frame.step for frame in clip.frames] == [0, 3, 6, 7]
    assert (clip.label, clip.horizon) == ("before", HORIZON)
    env = env_of()
    observation, _ = env.reset()
    episode_return, successes = 0.0, []
    for _ in range(HORIZON):
        action, _ = policy.predict(observation, deterministic=True)
        observation, reward, _, _, info = env.step(action)
        episode_return += reward
        successes.append(info["success"])
    last = clip.frames[-1]
    assert last.episode_return == episode_return
    assert last.success == successes[-1]
    assert clip.frames[0].success is None
    np.testing.assert_array_equal(last.picture, env.render())
    assert not np.array_equal(last.picture, clip.frames[0].picture)


def test_an_episode_that_ends_early_ends_the_clip(policy: Any) -> None:
    class Ending(NavigationEnv):
        def step(self, action: Any) -> Any:
            observation, reward, _, truncated, _ = super().step(action)
            return observation, reward, True, truncated, {}

    clip = record(policy, Ending((0, 0), HORIZON, "rgb_array"), label="", horizon=HORIZON, every=5)
    assert [frame.step for frame in clip.frames] == [0, 1]
    assert clip.frames[-1].success is None  # the environment reports none


def test_a_driver_that_fails_is_explained(policy: Any) -> None:
    class Broken(NavigationEnv):
        def render(self) -> Any:
            raise RuntimeError("no OpenGL context")

    env = Broken((0, 0), HORIZON, "rgb_array")
    with pytest.raises(RenderingError, match=r"no OpenGL context.*libegl1") as caught:
        record(policy, env, label="", horizon=HORIZON)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_environment_that_draws_nothing_is_refused(policy: Any) -> None:
    with pytest.raises(RenderingError, match=r"gives NoneType.*render_mode"):
        record(policy, env_of(render_mode=None), label="", horizon=HORIZON)
