"""The settings that every gradient-based agent shares, in MAML."""

from __future__ import annotations

from typing import Any

import pytest

from metarl.agents.maml import MAML
from metarl.envs.navigation import navigation_task
from metarl.errors import ConfigError
from tests.agents.small import after, identical, small_agent


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inner_lr": -0.1}, r"inner_lr: got -0\.1; .*greater than or equal to 0"),
        ({"inner_lr": float("nan")}, "inner_lr: got nan; .*finite"),
        ({"max_kl": 0}, "max_kl: got 0; .*greater than 0"),
        ({"gamma": 1.5}, r"gamma: got 1\.5; .*less than or equal to 1"),
        ({"num_inner_steps": 0}, "num_inner_steps: got 0; .*greater than or equal to 1"),
        ({"meta_batch_size": 2.5}, r"meta_batch_size: got 2\.5; .*integer"),
        ({"inner_loss": "mse"}, "inner_loss: got 'mse'; .*'ratio'"),
        ({"iner_lr": 0.1}, "iner_lr: no such setting; did you mean inner_lr"),
        ({"zzz": 1}, "zzz: no such setting; known: hidden_sizes"),
        ({"hidden_sizes": (8, 0)}, r"hidden_sizes\.1: got 0; .*equal to 1"),
        ({"device": "gpu"}, "device: got 'gpu'; can't be used here"),
        (
            {"inner_loss": "dice", "fisher_support_stride": 2},
            "fisher_support_stride: got 2; must be 1 with inner_loss dice",
        ),
        ({"seed": -1}, "seed: got -1; must be at least 0"),
        ({"num_workers": -1}, "num_workers: got -1; must be at least 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small_agent(MAML, **settings)


def test_all_faults_of_the_settings_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        small_agent(MAML, inner_lr=-1.0, gamma=2.0, episode_per_task=3)
    assert "inner_lr" in str(caught.value)
    assert "gamma" in str(caught.value)
    assert "did you mean episodes_per_task" in str(caught.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"inner_lr": 0.3},
        {"first_order": True},
        {"inner_loss": "log_prob"},
        {"num_inner_steps": 2},
        {"fisher_stride": 1},
        {"fisher_support_stride": 2},
        {"gamma": 0.5},
        {"gae_lambda": 0.5},
        {"init_std": 0.5},
        {"episodes_per_task": 5},
        {"meta_batch_size": 4},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_every_setting_reaches_training(setting: dict[str, Any]) -> None:
    assert not identical(after(1, small_agent(MAML)), after(1, small_agent(MAML, **setting)))


def test_every_setting_of_the_outer_step_reaches_it() -> None:
    settings = {
        "max_kl": 0.5,
        "cg_iterations": 3,
        "cg_damping": 0.2,
        "backtrack_ratio": 0.6,
        "max_backtracks": 4,
    }
    assert vars(small_agent(MAML, **settings)._outer) == settings


@pytest.mark.parametrize("setting", [{"adaptation_lr": 0.9}, {"later_step_scale": 0.1}])
def test_settings_of_adaptation_after_training_do_not_touch_training(
    setting: dict[str, Any],
) -> None:
    plain, other = small_agent(MAML), small_agent(MAML, **setting)
    assert identical(after(1, plain), after(1, other))
    task = navigation_task((0.3, 0.3))
    adapted = [agent.adapt(task, num_steps=2, num_episodes=4).params for agent in (plain, other)]
    assert not identical(adapted[0], adapted[1])
