"""The engine returns Meta-World's bits: reset observation, observation, reward and info."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.envs.metaworld.engine import TASKS, check_parity


def test_every_meta_world_task_is_there() -> None:
    assert set(TASKS) == set(ALL_V3_ENVIRONMENTS)


@pytest.mark.parametrize("env_name", TASKS)
def test_a_few_steps_are_bit_identical(env_name: str) -> None:
    report = check_parity(env_name, num_goals=2, episodes=2, steps=30, policy="expert", noise=0.5)
    assert report.exact, report.first


@pytest.mark.parametrize("env_name", ["push-v3", "drawer-close-v3", "bin-picking-v3"])
def test_successful_grasps_are_bit_identical(env_name: str) -> None:
    report = check_parity(env_name, num_goals=2, episodes=1, steps=150, policy="expert")
    assert report.exact, report.first
    assert report.successes
    assert report.grasps


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("action_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("policy", ["random", "expert"])
@pytest.mark.parametrize("env_name", TASKS)
def test_whole_episodes_are_bit_identical(
    env_name: str, policy: Literal["random", "expert"], action_dtype: type[np.floating]
) -> None:
    report = check_parity(
        env_name,
        policy=policy,
        action_dtype=action_dtype,
        partially_observable=policy == "random",
    )
    assert report.exact, report.first
    # Every expert reaches some of these goals, so the rewards of success are compared too.
    assert policy == "random" or report.successes
