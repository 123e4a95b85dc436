"""Stable-Baselines3's callbacks around our learning."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    CheckpointCallback,
    EvalCallback,
    EveryNTimesteps,
    ProgressBarCallback,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor

from metarl.agents import MAML
from metarl.agents.sb3 import SB3Callback
from metarl.envs.navigation import NavigationEnv, navigation
from metarl.errors import ConfigError

HORIZON = 6
ITERATION = 2 * 2 * 2 * HORIZON


def small_agent() -> MAML:
    settings: dict[str, Any] = {"hidden_sizes": (4,), "meta_batch_size": 2, "episodes_per_task": 2}
    return MAML(navigation(max_episode_steps=HORIZON), **settings)


class Diary(BaseCallback):
    """Writes down what it is called for."""

    def __init__(self, last_step: int = 10**6) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.last_step = last_step

    def _on_training_start(self) -> None:
        self.lines.append(f"start {self.locals['total_timesteps']}")

    def _on_rollout_start(self) -> None:
        self.lines.append("rollout")

    def _on_step(self) -> bool:
        assert self.locals["self"] is self.model.agent
        assert self.locals["figures"]["timesteps"] == self.num_timesteps
        self.lines.append(f"step {self.n_calls} at {self.num_timesteps}")
        return self.n_calls < self.last_step

    def _on_rollout_end(self) -> None:
        self.lines.append("rollout end")

    def _on_training_end(self) -> None:
        self.lines.append("end")


def test_a_callback_is_called_in_stable_baselines_order() -> None:
    diary, counted = Diary(), []
    with small_agent() as agent:
        agent.learn(2 * ITERATION, callback=[diary, lambda agent, _: counted.append(agent)])
    assert diary.lines == [
        f"start {2 * ITERATION}",
        *("rollout", f"step 1 at {ITERATION}", "rollout end"),
        *("rollout", f"step 2 at {2 * ITERATION}", "rollout end"),
        "rollout",
        "end",
    ]
    assert len(counted) == 2


def test_a_callback_can_stop_learning() -> None:
    diary = Diary(last_step=1)
    with small_agent() as agent:
        agent.learn(10 * ITERATION, callback=CallbackList([diary, Diary()]))
    assert agent.iteration == 1
    assert diary.lines[-2:] == ["rollout end", "end"]


def test_eval_callback_evaluates_and_keeps_the_best(tmp_path: Path) -> None:
    evaluation = EvalCallback(
        Monitor(NavigationEnv(max_episode_steps=HORIZON)),
        n_eval_episodes=2,
        eval_freq=2,
        best_model_save_path=str(tmp_path / "best"),
        log_path=str(tmp_path),
        verbose=0,
    )
    with small_agent() as agent:
        agent.learn(4 * ITERATION, callback=evaluation)
    found = np.load(tmp_path / "evaluations.npz")
    assert found["timesteps"].tolist() == [2 * ITERATION, 4 * ITERATION]
    assert found["results"].shape == (2, 2)
    assert found["successes"].shape == (2, 2)
    best = MAML.load(tmp_path / "best" / "best_model", agent.benchmark)
    assert best.iteration in (2, 4)


def test_reward_threshold_ends_learning() -> None:
    evaluation = EvalCallback(
        Monitor(NavigationEnv(max_episode_steps=HORIZON)),
        callback_on_new_best=StopTrainingOnRewardThreshold(-1000.0),
        eval_freq=1,
        verbose=0,
    )
    with small_agent() as agent:
        agent.learn(9 * ITERATION, callback=evaluation)
    assert agent.iteration == 1


def test_checkpoints_are_folders_that_load(tmp_path: Path) -> None:
    callback = EveryNTimesteps(ITERATION, CheckpointCallback(1, str(tmp_path), "agent"))
    with small_agent() as agent:
        agent.learn(2 * ITERATION, callback=callback)
    names = [f"agent_{ITERATION}_steps", f"agent_{2 * ITERATION}_steps"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert MAML.load(tmp_path / names[1], agent.benchmark).num_timesteps == 2 * ITERATION


def test_the_logger_gets_every_iteration_and_what_callbacks_record(tmp_path: Path) -> None:
    class Recording(BaseCallback):
        def _on_step(self) -> bool:
            self.logger.record("mine/calls", self.n_calls)
            return True

    logger = configure(str(tmp_path), ["csv"])
    with small_agent() as agent:
        agent.learn(2 * ITERATION, callback=SB3Callback(Recording(), logger))
    logger.close()
    with (tmp_path / "progress.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["mine/calls"] for line in lines] == ["1", "2"]
    assert [int(line["timesteps"]) for line in lines] == [ITERATION, 2 * ITERATION]
    assert all(float(line["post/return"]) < 0 for line in lines)


def test_the_training_environment_is_one_of_a_training_task() -> None:
    class Looking(BaseCallback):
        def _on_step(self) -> bool:
            self.goal = self.training_env.get_attr("goal")[0]
            assert self.training_env.env_is_wrapped(Monitor) == [True]
            return True

    callback = Looking()
    with small_agent() as agent:
        agent.learn(ITERATION, callback=callback)
    assert max(map(abs, callback.goal)) <= 0.5


def test_their_progress_bar_is_refused_for_ours() -> None:
    bar = ProgressBarCallback.__new__(ProgressBarCallback)  # making one needs tqdm
    with pytest.raises(ConfigError, match="progress_bar=True"), small_agent() as agent:
        agent.learn(ITERATION, callback=bar)


def test_a_failing_callback_does_not_end_its_training() -> None:
    class Failing(Diary):
        def _on_step(self) -> bool:
            raise RuntimeError("on purpose")

    callback = Failing()
    with pytest.raises(RuntimeError, match="on purpose"), small_agent() as agent:
        agent.learn(ITERATION, callback=callback)
    assert "end" not in callback.lines
