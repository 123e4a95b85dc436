"""Worlds of several classes, stepped together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from metaworld import ML1
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.envs.metaworld.engine import ResetCache, Worlds, WorldTask
from metarl.envs.metaworld.engine.parity import sample_tasks
from metarl.errors import TaskError

NAMES = ("reach-v3", "push-v3", "dial-turn-v3")


@pytest.fixture(scope="module")
def cache() -> ResetCache:
    return ResetCache()


@pytest.fixture(scope="module")
def tasks() -> list[WorldTask]:
    drawn = [sample_tasks(name, 2, seed=3, partially_observable=False) for name in NAMES]
    return [task for pair in zip(*drawn, strict=True) for task in pair]


def _reference(task: WorldTask) -> Any:
    env: Any = ALL_V3_ENVIRONMENTS[task.env_name]()
    env.set_task(task.to_metaworld())
    return env


def _worlds(tasks: list[WorldTask], cache: ResetCache, **kwargs: int) -> Worlds:
    worlds = Worlds(len(tasks), cache, **kwargs)
    worlds.set_tasks(range(len(tasks)), tasks)
    return worlds


def test_mixed_classes_with_masks_and_new_tasks(cache: ResetCache, tasks: list[WorldTask]) -> None:
    rng = np.random.default_rng(0)
    worlds = _worlds(tasks, cache)
    references = [_reference(task) for task in tasks]
    worlds.reset()
    for env in references:
        env.reset()
    for t in range(30):
        if t == 15:
            # World 0 changes class, world 3 goal, and world 5 only starts again.
            new = {0: tasks[1], 3: tasks[0], 5: tasks[5]}
            worlds.set_tasks(new.keys(), new.values())
            obs = worlds.reset(new.keys())
            for (row, task), start in zip(new.items(), obs, strict=True):
                references[row] = _reference(task)
                assert np.array_equal(references[row].reset()[0], start)
        active = rng.random(len(tasks)) < 0.7
        actions = rng.uniform(-1, 1, (len(tasks), 4)).astype(np.float32)
        step = worlds.step(actions, active)
        for row in np.flatnonzero(active):
            obs, reward, _, _, info = references[row].step(actions[row])
            assert np.array_equal(obs, step.obs[row])
            assert reward == step.reward[row]
            assert {key: float(values[row]) for key, values in step.info.items()} == info
        assert not step.reward[~active].any()


def test_a_benchmarks_tasks_can_be_played(cache: ResetCache) -> None:
    task = ML1("reach-v3", seed=1).train_tasks[0]
    world_task = WorldTask.from_metaworld(task)
    assert world_task.partially_observable
    assert WorldTask.from_metaworld(world_task.to_metaworld()) == world_task
    env: Any = ALL_V3_ENVIRONMENTS["reach-v3"]()
    env.set_task(task)
    worlds = _worlds([world_task], cache)
    assert np.array_equal(worlds.reset()[0], env.reset()[0])
    assert not worlds.reset()[0, -3:].any()


def test_episodes_end_and_must_be_reset(cache: ResetCache, tasks: list[WorldTask]) -> None:
    worlds = _worlds(tasks[:2], cache, max_episode_steps=2)
    worlds.reset()
    actions = np.zeros((2, 4))
    assert not worlds.step(actions, np.array([True, False])).truncated.any()
    assert worlds.step(actions).truncated.tolist() == [True, False]
    with pytest.raises(ValueError, match="world 0 has no episode"):
        worlds.step(actions)
    assert worlds.step(actions, np.array([False, True])).truncated.tolist() == [False, True]
    worlds.reset([0])
    assert not worlds.step(actions, np.array([True, False])).truncated.any()


def test_bad_actions_are_refused(cache: ResetCache, tasks: list[WorldTask]) -> None:
    worlds = _worlds(tasks[:2], cache)
    with pytest.raises(ValueError, match="world 0 has no episode"):
        worlds.step(np.zeros((2, 4)))
    worlds.reset()
    actions = np.zeros((2, 4))
    actions[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"world 1 is not finite: .*nan"):
        worlds.step(actions)
    worlds.step(actions, np.array([True, False]))
    with pytest.raises(ValueError, match="shape"):
        worlds.step(np.zeros(4))
    with pytest.raises(ValueError, match="float32 or float64"):
        worlds.step(np.zeros((2, 4), dtype=np.int64))


def test_bad_tasks_are_refused(cache: ResetCache) -> None:
    worlds = Worlds(1, cache)
    with pytest.raises(ValueError, match="no task yet"):
        worlds.reset()
    with pytest.raises(ValueError, match="none of the tasks"):
        worlds.set_tasks([0], [WorldTask("fly-v3", (), True)])
    with pytest.raises(ValueError, match="world -1 does not exist"):
        worlds.set_tasks([-1], [WorldTask("reach-v3", (0.0, 0.6), True)])
    worlds.set_tasks([0], [WorldTask("reach-v3", (0.0, 0.6), True)])
    with pytest.raises(TaskError, match=r"got \[0.0, 0.6\]; reach-v3 needs 6 numbers"):
        worlds.reset()
    worlds.set_tasks([0], [WorldTask("reach-v3", (0.0, 0.6, 0.02, 0.0, 0.6, 0.1), True)])
    with pytest.raises(TaskError, match="reach-v3 refuses it"):
        worlds.reset()


@pytest.mark.parametrize("velocity", [1e12, np.nan])
def test_a_diverging_world_is_reported_and_harms_no_other(
    cache: ResetCache,
    tasks: list[WorldTask],
    velocity: float,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to a file in the working directory
    same_class = [tasks[0], tasks[3], tasks[0]]
    worlds, calm = _worlds(same_class, cache), _worlds(same_class, cache)
    worlds.reset()
    calm.reset()
    group = worlds._groups[tasks[0].env_name]
    model = group.worlds._class.physics.model
    group.worlds._states[1, model.nq] = velocity
    actions = np.full((3, 4), 0.3)
    step, expected = worlds.step(actions), calm.step(actions)
    assert step.diverged.tolist() == [False, True, False]
    assert step.truncated.tolist() == [False, True, False]
    env = _reference(tasks[3])
    env.reset()
    env.data.qvel[0] = velocity
    obs, reward, *_ = env.step(actions[1])
    assert np.array_equal(obs, step.obs[1])
    assert reward == step.reward[1]
    others = np.array([True, False, True])
    for _ in range(3):
        assert np.array_equal(step.obs[others], expected.obs[others])
        assert np.array_equal(step.reward[others], expected.reward[others])
        step, expected = worlds.step(actions, others), calm.step(actions, others)
    worlds.reset([1])
    assert not worlds.step(actions, ~others).diverged.any()


def test_reset_points_are_forgotten_when_there_are_too_many(tasks: list[WorldTask]) -> None:
    cache = ResetCache(capacity=1)
    first = cache.get(tasks[0])
    assert cache.get(tasks[0]) is first
    other = sample_tasks(tasks[0].env_name, 1, seed=9, partially_observable=True)[0]
    cache.get(other)
    again = cache.get(tasks[0])
    assert again is not first
    assert np.array_equal(again.state, first.state)
    assert np.array_equal(again.obs, first.obs)


def test_rewards_settled_later_are_the_same(cache: ResetCache) -> None:
    names = ("push-v3", "bin-picking-v3", "reach-v3")
    tasks = [t for n in names for t in sample_tasks(n, 2, seed=5, partially_observable=True)]
    rng = np.random.default_rng(0)
    at_once, later = _worlds(tasks, cache), _worlds(tasks, cache)
    at_once.reset()
    later.reset()
    steps = []
    for t in range(12):
        actions = rng.uniform(-1, 1, (len(tasks), 4)).astype(np.float32)
        active = rng.random(len(tasks)) < 0.7
        steps.append(at_once.step(actions, active))
        assert np.array_equal(later.advance(actions, active).obs, steps[-1].obs)
        if t == 6:
            # The class of world 0 changes hands while its rewards are still unsettled.
            for worlds in (at_once, later):
                worlds.set_tasks([0, 5], [tasks[5], tasks[0]])
                worlds.reset([0, 5])
    with pytest.raises(RuntimeError, match="12 steps are unsettled"):
        later.step(actions)
    rewards = later.settle()
    assert np.array_equal(rewards.reward, [step.reward for step in steps])
    for key, values in rewards.info.items():
        assert np.array_equal(values, [step.info[key] for step in steps])
    assert later.settle().reward.shape == (0, len(tasks))
