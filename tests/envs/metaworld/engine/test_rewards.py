"""On made-up states the rewards give the bits of Meta-World's own reward functions.

Rollouts seldom reach a reward's rare branches. Here positions are drawn around the ones that
matter and written straight into the simulation's data, so that the branches meet many rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.envs.metaworld.engine import TASKS
from metarl.envs.metaworld.engine.parity import sample_tasks
from metarl.envs.metaworld.engine.reset_cache import ResetCache, ResetPoint
from metarl.envs.metaworld.engine.sources import (
    LEFT_FINGER,
    LEFT_PAD,
    RIGHT_FINGER,
    RIGHT_PAD,
    ROBOT,
    FloatArray,
    Source,
    site_pos,
)
from metarl.envs.metaworld.engine.spec import INFO_KEYS, Rows, TaskSpec

NUM_ROWS = 300
PEG_HEAD = site_pos("pegHead")
QUATERNIONS = ([0.707, 0.0, 0.0, 0.707], [1.0, 0.0, 0.0, 0.0])


class MadeUpStates:
    """Draws observations and readings around what matters to a task."""

    def __init__(self, env: Any, point: ResetPoint, rng: np.random.Generator) -> None:
        self.env, self.rng, self.constants = env, rng, point.constants
        self.target = self.constants["target"]
        start = self.constants["obj_init_pos"]
        stick = self.constants.get("stick_init_pos", start)
        halfway = (start + self.target) / 2
        self.anchors = (start, self.target, halfway, stick, self.constants["init_tcp"])

    def jitter(self, size: int = 3) -> FloatArray:
        return self.rng.normal(0, self.rng.choice([0, 1e-3, 5e-3, 1e-2, 3e-2, 0.1, 0.3]), size)

    def obs(self) -> FloatArray:
        obj = self.rng.choice(self.anchors) + self.jitter()
        obj[2] += self.rng.choice([0, 0.012, 0.025, 0.1])
        obs = np.zeros(39)
        obs[:3] = obj + self.jitter() + [0, 0, self.rng.choice([0, 0.05, 0.2])]
        obs[3] = self.rng.choice([self.rng.random(), 0, 0.3, 0.4, 0.6])
        obs[4:7] = obj
        obs[7:11] = self.rng.choice(QUATERNIONS) + self.jitter(4)
        obs[11:14] = self.rng.choice([self.target, obj - [0.05, 0, 0]]) + self.jitter()
        return obs

    def readings(self, sources: list[Source], obs: FloatArray) -> dict[Source, FloatArray]:
        """Readings that go with ``obs``, also written into the environment's data."""
        rng, obj = self.rng, obs[4:7]
        tcp = obj + self.jitter() * rng.choice([0, 0.1, 1])
        gap = rng.choice([0.004, 0.008, 0.012, 0.02, 0.03, 0.045, 0.06])
        aside = np.array([0, 1, 0])
        drawn = {
            RIGHT_FINGER: tcp - 0.02 * aside,
            LEFT_FINGER: tcp + 0.02 * aside,
            RIGHT_PAD: obj - (gap + self.jitter(1) / 10) * aside,
            LEFT_PAD: obj + (gap + self.jitter(1) / 10) * aside,
            PEG_HEAD: self.peg_head(),
        }
        for source in sources:
            row = getattr(self.env.data, source.field)[source.index(self.env.model), ...]
            if source in drawn:
                row[...] = drawn[source]
            elif source.field == "qpos":
                row[...] = rng.choice([rng.uniform(-1.6, 0.1), rng.uniform(0.05, 0.12), 0, 0.09])
            elif source.field.endswith("xpos") and "collision_box" not in source.name:
                row[...] = rng.choice([self.target, obs[11:14], obj]) + self.jitter()
            drawn[source] = row.copy()
        return {source: drawn[source] for source in sources}

    def peg_head(self) -> FloatArray:
        """Near the target, or about the boxes that fence it, where a task has them."""
        near_target: FloatArray = self.target + self.jitter()
        if self.env.task_name != "SawyerPegInsertionSideEnvV3" or self.rng.random() < 0.5:
            return near_target
        box = self.rng.choice(["box_1", "box_2"])
        low, high = (
            self.env.data.site(f"{corner}_corner_collision_{box}").xpos
            for corner in ("bottom_right", "top_left")
        )
        fenced: FloatArray = low + (high - low) * self.rng.uniform(-0.1, 1.1, 3)
        return fenced

    def action(self, dtype: type[np.floating[Any]]) -> FloatArray:
        action = self.rng.uniform(-1.3, 1.3, 4)
        action[3] = self.rng.choice([action[3], self.rng.random(), 0, 0.1, 0.7, 0.8, 1])
        return action.astype(dtype)


@pytest.mark.parametrize("env_name", TASKS)
def test_rewards_of_made_up_states(env_name: str) -> None:
    (task,) = sample_tasks(env_name, 1, seed=0, partially_observable=False)
    point = ResetCache().get(task)
    env: Any = ALL_V3_ENVIRONMENTS[env_name]()
    env.set_task(task.to_metaworld())
    env.reset()
    states = MadeUpStates(env, point, np.random.default_rng(0))
    for dtype in (np.float64, np.float32):
        assert_equal_rewards(TASKS[env_name], states, dtype)


def assert_equal_rewards(
    spec: TaskSpec, states: MadeUpStates, dtype: type[np.floating[Any]]
) -> None:
    env, rng = states.env, states.rng
    sources = list(dict.fromkeys((*ROBOT, *spec.sources)))
    touching = rng.random(NUM_ROWS) < 0.5
    first = np.where(rng.random(NUM_ROWS) < 0.5, np.nan, 0.3)

    drawn, expected = [], []
    for i in range(NUM_ROWS):
        obs = states.obs()
        readings = states.readings(sources, obs)
        action = states.action(dtype)
        if spec.contact is not None:
            env.touching_object = lambda _, i=i: bool(touching[i])
        if spec.memory:
            env._target_to_obj_init = None if np.isnan(first[i]) else first[i]
        reward, info = env.evaluate_state(obs, action)
        assert info["unscaled_reward"] == reward
        drawn.append((obs, action, readings))
        expected.append([info[key] for key in INFO_KEYS])

    outcome = spec.reward(
        Rows(
            obs=np.stack([obs for obs, _, _ in drawn]),
            action=np.stack([action for _, action, _ in drawn]),
            readings={s: np.stack([readings[s] for _, _, readings in drawn]) for s in sources},
            constants={k: np.stack([v] * NUM_ROWS) for k, v in states.constants.items()},
            memory={name: first.copy() for name in spec.memory},
            touching=touching,
        )
    )
    for key, values in zip(INFO_KEYS, np.array(expected, dtype=np.float64).T, strict=True):
        actual = np.empty(NUM_ROWS)
        actual[:] = outcome.reward if key == "unscaled_reward" else getattr(outcome, key)
        assert np.array_equal(actual, values), (key, dtype)
