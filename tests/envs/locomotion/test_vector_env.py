"""The batched walkers against Gymnasium's own environments, bit for bit."""

import dataclasses
import pickle

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from metarl.envs.locomotion import FAMILIES, LocomotionTasks, LocomotionVectorEnv
from metarl.errors import InvalidActionError, TaskError
from metarl.policies import make_mlp_policy
from metarl.rollouts.collector import Collector
from metarl.rollouts.jobs import Job
from metarl.seeding import Stream
from metarl.vector import EpisodeVectorEnv

from .families import plain_task, random_actions, tasks_of

HORIZON = 60
AS_GYMNASIUM = (
    *("halfcheetah-dir", "ant-dir", "walker2d-dir", "humanoid-dir"),
    *("walker2d-params", "hopper-params"),
)
"""Families with a task whose reward is that of Gymnasium's own environment."""


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FAMILIES)
def test_rows_are_gymnasiums_own_environments(name, dtype):
    """Observations, rewards, their terms and ends; seeded starts; later episodes drawn on."""
    family = FAMILIES[name]
    vec = LocomotionVectorEnv(family, [plain_task(name)], 3, HORIZON)
    envs = [family.robot.make(max_episode_steps=HORIZON) for _ in range(3)]
    for seeds in ([7, 11, 2**31], [None] * 3):
        batch, _ = vec.reset(seed=seeds)
        for row, env in enumerate(envs):
            assert np.array_equal(env.reset(seed=seeds[row])[0], batch[row])
        under_way = np.ones(3, dtype=bool)
        for actions in random_actions(vec.single_action_space, HORIZON, 3, dtype):
            batch, rewards, terminated, truncated, infos = vec.step(actions)
            for row in np.flatnonzero(under_way).tolist():
                observation, reward, *ends, info = envs[row].step(actions[row])
                assert np.array_equal(observation, batch[row])
                assert ends == [terminated[row], truncated[row]]
                if name in AS_GYMNASIUM:
                    assert reward == rewards[row]
                    assert info["reward_forward"] == infos["reward_task"][row]
                common = infos.keys() & info.keys()
                assert common >= {"reward_ctrl", "x_position", "x_velocity"}
                for key in common:
                    assert infos[key][row] == info[key], key
            under_way &= ~(terminated | truncated)
        assert not under_way.any()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_vector_equals_the_one_that_every_family_has(name):
    distribution = LocomotionTasks(tasks_of(name), max_episode_steps=20)
    fast = distribution.make_vec(tasks_of(name), 2)
    general = super(LocomotionTasks, distribution).make_vec(tasks_of(name), 2)
    assert isinstance(general, EpisodeVectorEnv)
    for tasks in (tasks_of(name), tasks_of(name)[::-1]):
        fast.set_tasks(tasks)
        general.set_tasks(tasks)
        assert np.array_equal(fast.reset(seed=5)[0], general.reset(seed=5)[0])
        for actions in random_actions(fast.single_action_space, 22, 4):  # 2 more than the horizon
            (*ours, infos), (*theirs, expected) = fast.step(actions), general.step(actions)
            for one, other in zip(ours, theirs, strict=True):
                assert np.array_equal(one, other)
            for key in ("reward_task", "reward_ctrl", "x_position", "x_velocity", "sim_unstable"):
                assert np.array_equal(infos[key], expected.get(key, np.zeros(4))), key


@pytest.mark.parametrize("name", ["halfcheetah-vel", "ant-goal", "hopper-params", "humanoid-dir"])
def test_a_row_depends_on_nothing_beside_it(name):
    family = FAMILIES[name]
    tasks = tasks_of(name)
    together = LocomotionVectorEnv(family, tasks, 2, HORIZON)
    alone = LocomotionVectorEnv(family, [tasks[1]], 1, HORIZON)
    many, _ = together.reset(seed=[1, 2, 3, 4])
    one, _ = alone.reset(seed=3)
    assert np.array_equal(many[2], one[0])
    for actions in random_actions(together.single_action_space, HORIZON, 4):
        many, rewards, *_ = together.step(actions)
        one, reward, *_ = alone.step(actions[2:3])
        assert np.array_equal(many[2], one[0])
        assert rewards[2] == reward[0]


def test_rows_whose_episode_has_ended_wait_and_can_be_reset_alone():
    family = FAMILIES["halfcheetah-vel"]
    vec = LocomotionVectorEnv(family, tasks_of("halfcheetah-vel"), 1, 2)
    assert vec.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    actions = random_actions(vec.single_action_space, 5, 2)
    vec.reset(seed=0)
    vec.step(actions[0])
    last, *_ = vec.step(actions[1])
    still, rewards, _, truncated, infos = vec.step(actions[2])
    assert truncated.all()
    assert np.array_equal(still, last)
    assert not rewards.any()
    assert not infos["reward_ctrl"].any()
    vec.reset(seed=[None, 9], options={"reset_mask": np.array([False, True])})
    moved, rewards, _, truncated, _ = vec.step(actions[3])
    assert np.array_equal(moved[0], last[0])
    assert truncated.tolist() == [True, False]
    assert rewards[0] == 0 != rewards[1]


def test_moving_to_other_tasks_gives_what_a_new_one_gives():
    family = FAMILIES["halfcheetah-vel"]
    first, second = tasks_of("halfcheetah-vel")
    moved = LocomotionVectorEnv(family, [first], 2, 10)
    moved.reset(seed=0)
    moved.step(np.zeros((2, 6), dtype=np.float32))
    moved.set_tasks([second])
    fresh = LocomotionVectorEnv(family, [second], 2, 10)
    assert np.array_equal(moved.reset(seed=4)[0], fresh.reset(seed=4)[0])
    for actions in random_actions(moved.single_action_space, 10, 2):
        for one, other in zip(moved.step(actions)[:4], fresh.step(actions)[:4], strict=True):
            assert np.array_equal(one, other)


def test_a_diverged_simulation_ends_the_episode_as_it_does_with_gymnasium(monkeypatch):
    name = "halfcheetah-dir"
    distribution = LocomotionTasks(tasks_of(name), max_episode_steps=20)
    fast = distribution.make_vec(tasks_of(name), 1)
    env = distribution.make_env(tasks_of(name)[0])
    fast.reset(seed=0)
    env.reset(seed=0)
    actions = np.full((2, 6), 0.5, dtype=np.float32)
    fast._worlds._states[0, fast._worlds._qvel] = 1e11
    env.unwrapped.data.qvel[:] = 1e11
    batch, rewards, terminated, truncated, infos = fast.step(actions)
    observation, reward, *ends, info = env.step(actions[0])
    assert np.array_equal(batch[0], observation)
    assert (rewards[0], terminated[0], truncated[0]) == (reward, *ends) == (reward, False, True)
    assert infos["sim_unstable"].tolist() == [True, False]
    assert info["sim_unstable"]
    env.reset(seed=0)
    assert not env.step(actions[0])[-1]["sim_unstable"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_actions_that_are_not_finite_are_refused(bad):
    family = FAMILIES["halfcheetah-dir"]
    vec = LocomotionVectorEnv(family, tasks_of("halfcheetah-dir"), 1, 5)
    vec.reset(seed=0)
    actions = np.zeros((2, 6), dtype=np.float32)
    actions[1, 2] = bad
    with pytest.raises(InvalidActionError, match="row 1"):
        vec.step(actions)
    with pytest.raises(InvalidActionError, match=r"got shape \(2, 5\)"):
        vec.step(actions[:, :5])


def test_wrong_tasks_are_refused():
    family = FAMILIES["halfcheetah-dir"]
    vec = LocomotionVectorEnv(family, tasks_of("halfcheetah-dir"), 1, 5)
    with pytest.raises(TaskError, match="got 1; this vector environment holds 2"):
        vec.set_tasks(tasks_of("halfcheetah-dir")[:1])
    with pytest.raises(TaskError, match="halfcheetah-dir"):
        vec.set_tasks(tasks_of("halfcheetah-vel"))
    with pytest.raises(TaskError, match="list of 1 number"):
        family.task([1.0, 2.0])


def test_a_distribution_pickles_without_its_simulation():
    distribution = LocomotionTasks(tasks_of("halfcheetah-vel"))
    distribution.make_vec(distribution.tasks, 1).reset(seed=0)
    pickled = pickle.dumps(distribution)
    assert len(pickled) < 4000
    again = pickle.loads(pickled)
    assert again.describe() == distribution.describe()
    one, other = (each.make_vec(each.tasks, 1).reset(seed=0)[0] for each in (distribution, again))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("name", ["ant-dir", "hopper-params"])
def test_what_a_job_returns_does_not_depend_on_the_jobs_it_is_run_with(name):
    distribution = LocomotionTasks(tasks_of(name), max_episode_steps=30)
    policy = make_mlp_policy(distribution.observation_space, distribution.action_space, (8,))
    params = {key: value.numpy() for key, value in policy.params().items()}
    jobs = [
        Job(task, params, Stream(0).child(number), num_episodes=3)
        for number, task in enumerate(distribution.tasks)
    ]
    together = Collector(distribution, policy).run(jobs)
    collector = Collector(distribution, policy)
    alone = [collector.run([job])[0] for job in reversed(jobs)][::-1]
    for one, other in zip(together, alone, strict=True):
        for field in dataclasses.fields(one):
            mine, theirs = getattr(one, field.name), getattr(other, field.name)
            assert mine is None is theirs or np.array_equal(mine, theirs), field.name
