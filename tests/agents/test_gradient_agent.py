"""What gradient-based agents are made of: built, saved, loaded and closed; by MAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import pytest

from metarl.agents.maml import MAML
from metarl.envs.navigation import NavigationTasks, navigation, navigation_task
from metarl.errors import CheckpointError, ConfigError, ManifestMismatchError
from metarl.storage import read_checkpoint, write_checkpoint
from metarl.tasks import FiniteTaskDistribution, Task
from tests.agents.small import HORIZON, SMALL, after, as_benchmark, identical, small_agent


class FiniteNavigation(FiniteTaskDistribution):
    """Three goals."""

    observation_space = NavigationTasks().observation_space
    action_space = NavigationTasks().action_space
    max_episode_steps = HORIZON

    def __init__(self, *, replace: bool = False) -> None:
        goals = [(0.1, 0.2), (0.3, -0.1), (-0.4, 0.0)]
        super().__init__([navigation_task(goal) for goal in goals], replace=replace)

    def make_env(self, task: Task, render_mode: str | None = None) -> gymnasium.Env:
        return NavigationTasks(HORIZON).make_env(task, render_mode)


def test_a_meta_batch_that_the_tasks_can_not_fill_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match=r"meta_batch_size: .*got 5.*at most 3"):
        MAML(as_benchmark(FiniteNavigation()), **{**SMALL, "meta_batch_size": 5})


def test_a_meta_batch_may_repeat_tasks_where_they_are_drawn_with_replacement() -> None:
    agent = MAML(as_benchmark(FiniteNavigation(replace=True)), **{**SMALL, "meta_batch_size": 5})
    assert not identical(agent.meta_params, after(1, agent))


def test_going_on_after_a_round_trip_to_disk_equals_never_having_stopped(tmp_path: Path) -> None:
    uninterrupted = after(5, small_agent(MAML, seed=1))
    agent = small_agent(MAML, seed=1)
    after(3, agent)
    agent.save(tmp_path / "agent")
    loaded = MAML.load(tmp_path / "agent", navigation(max_episode_steps=HORIZON))
    assert identical(loaded.meta_params, agent.meta_params)
    assert loaded.config == agent.config
    assert (loaded.seed, loaded.iteration) == (1, 3)
    assert loaded.num_timesteps == agent.num_timesteps == 3 * agent.timesteps_per_iteration
    assert identical(after(2, loaded), uninterrupted)


def test_learning_goes_on_from_the_steps_already_taken(tmp_path: Path) -> None:
    with small_agent(MAML) as agent:
        agent.learn(2 * agent.timesteps_per_iteration).save(tmp_path / "agent")
        total = 3 * agent.timesteps_per_iteration
        agent.learn(total)
    with MAML.load(tmp_path / "agent", navigation(max_episode_steps=HORIZON)) as loaded:
        loaded.learn(total)
        assert loaded.iteration == agent.iteration == 3
        assert identical(loaded.meta_params, agent.meta_params)
        assert loaded.learn(total).iteration == 3


def test_saving_twice_keeps_the_later_state(tmp_path: Path) -> None:
    agent = small_agent(MAML)
    agent.save(tmp_path / "agent")
    after(1, agent)
    agent.save(tmp_path / "agent")
    loaded = MAML.load(tmp_path / "agent", navigation(max_episode_steps=HORIZON))
    assert identical(loaded.meta_params, agent.meta_params)


def test_loading_on_another_benchmark_says_what_differs(tmp_path: Path) -> None:
    small_agent(MAML).save(tmp_path / "agent")
    with pytest.raises(ManifestMismatchError) as caught:
        MAML.load(tmp_path / "agent", navigation(seed=7, max_episode_steps=HORIZON + 1))
    message = str(caught.value)
    assert "seed: saved 0, now 7" in message
    assert f"train.max_episode_steps: saved {HORIZON}, now {HORIZON + 1}" in message
    assert "settings" not in message


@pytest.mark.parametrize("name", ["params.safetensors", "state.json", "sha256.json"])
@pytest.mark.parametrize("position", [20, -20])
def test_loading_a_damaged_file_is_refused(tmp_path: Path, name: str, position: int) -> None:
    path = tmp_path / "agent"
    small_agent(MAML).save(path)
    content = bytearray((path / name).read_bytes())
    content[position] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="agent"):
        MAML.load(path, navigation(max_episode_steps=HORIZON))


@pytest.mark.parametrize("name", ["params.safetensors", "state.json", "sha256.json"])
def test_loading_an_incomplete_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "agent"
    small_agent(MAML).save(path)
    (path / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        MAML.load(path, navigation(max_episode_steps=HORIZON))


def test_loading_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere.*no such folder"):
        MAML.load(tmp_path / "nowhere", navigation(max_episode_steps=HORIZON))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"algorithm": "other"}, "'other'"), ({"config": {"hidden_sizes": [9]}}, "don't fit")],
)
def test_loading_what_another_agent_saved_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "agent"
    small_agent(MAML).save(path)
    params, state = read_checkpoint(path)
    write_checkpoint(path, params, {**state, **change})
    with pytest.raises(CheckpointError, match=message):
        MAML.load(path, navigation(max_episode_steps=HORIZON))


OUTER_STEPS = {
    "trpo": {"outer": "trpo"},
    "adam": {"outer": "ppo", "optimizer": "Adam"},
    "rmsprop": {"outer": "ppo", "optimizer": "RMSprop"},
}


@pytest.mark.parametrize("now", OUTER_STEPS)
@pytest.mark.parametrize("then", OUTER_STEPS)
def test_with_another_outer_step_training_goes_on_without_its_moments(
    tmp_path: Path, then: str, now: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = small_agent(MAML, **OUTER_STEPS[then])
    after(1, agent)
    agent.save(tmp_path / "agent")
    benchmark = navigation(max_episode_steps=HORIZON)
    settings = {**agent.config.model_dump(), **OUTER_STEPS[now]}
    with MAML.load(tmp_path / "agent", benchmark, settings=settings, accept_changes=True) as loaded:
        assert identical(loaded.meta_params, agent.meta_params)
        assert identical(loaded._outer.state(), agent._outer.state() if then == now else {})
        assert loaded.train_iteration()["faults/skipped_updates"] == 0
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (then not in (now, "trpo"))
    assert all(message.startswith("the outer step begins anew: saved {") for message in said)


def test_closing_twice_is_fine_and_training_can_go_on() -> None:
    agent = small_agent(MAML)
    assert not identical(after(1, agent), after(1, agent))
    agent.close()
    agent.close()
