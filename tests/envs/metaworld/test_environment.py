import pickle
import warnings

import metaworld
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from metarl.envs.metaworld import (
    FAMILIES,
    MetaWorldEnv,
    MetaWorldTasks,
    metaworld_task,
)
from metarl.envs.metaworld.environment import read_task
from metarl.errors import ConfigError, InvalidActionError, TaskError, UnknownNameError
from metarl.tasks import Task

CASES = (("reach-v3", False), ("door-open-v3", False), ("push-v3", True))
ZERO_ACTION = np.zeros(4, dtype=np.float32)
REACH_VECTOR = [0.0, 0.6, 0.02, 0.05, 0.85, 0.2]


def convert(their_task) -> Task:
    data = pickle.loads(their_task.data)
    return metaworld_task(
        their_task.env_name, data["rand_vec"], goal_observable=not data["partially_observable"]
    )


@pytest.fixture(scope="module")
def their_tasks():
    """Meta-World's own tasks by family: goals hidden (ML1) or observable (MT1)."""
    return {
        family: (metaworld.MT1 if observable else metaworld.ML1)(family, seed=3).train_tasks
        for family, observable in CASES
    }


@pytest.fixture
def reach_env(their_tasks):
    env = MetaWorldEnv(convert(their_tasks["reach-v3"][0]), max_episode_steps=20)
    yield env
    env.close()


def random_actions(env: MetaWorldEnv, count: int, seed: int) -> np.ndarray:
    env.action_space.seed(seed)
    return np.stack([env.action_space.sample() for _ in range(count)])


def assert_same_info(ours: dict, theirs: dict) -> None:
    assert ours.keys() - {"is_success", "sim_unstable"} == theirs.keys()
    for name, value in theirs.items():
        assert np.array_equal(ours[name], value), name


@pytest.mark.parametrize(("family", "observable"), CASES)
def test_gymnasiums_checker_finds_nothing_but_infinite_bounds(their_tasks, family, observable):
    env = MetaWorldEnv(convert(their_tasks[family][0]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env, skip_render_check=True)
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 2
    assert all("Box observation space" in message for message in messages)
    assert all("infinity" in message for message in messages)
    env.close()


@pytest.mark.parametrize(("family", "observable"), CASES)
def test_stable_baselines_checker_finds_nothing(their_tasks, family, observable):
    env = MetaWorldEnv(convert(their_tasks[family][0]))
    sb3_check_env(env, skip_render_check=True)
    env.close()


@pytest.mark.parametrize(("family", "observable"), CASES)
def test_every_step_is_meta_worlds_own_to_the_bit(their_tasks, family, observable):
    theirs = ALL_V3_ENVIRONMENTS[family]()
    ours = MetaWorldEnv(convert(their_tasks[family][0]))
    for their_task in their_tasks[family][1:3]:
        theirs.set_task(their_task)
        ours.set_task(convert(their_task))
        their_observation, _ = theirs.reset()
        observation, _ = ours.reset()
        assert np.array_equal(observation, their_observation)
        assert (observation[-3:] != 0).any() == observable
        for action in random_actions(ours, 60, seed=1):
            their_observation, their_reward, _, _, their_info = theirs.step(action)
            observation, reward, terminated, truncated, info = ours.step(action)
            assert np.array_equal(observation, their_observation)
            assert reward == float(their_reward)
            assert not terminated
            assert not truncated
            assert_same_info(info, their_info)
    ours.close()
    theirs.close()


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_reward_version_1_is_meta_worlds_own_to_the_bit(family):
    their_tasks = metaworld.ML1(family, seed=0).train_tasks
    theirs = ALL_V3_ENVIRONMENTS[family](reward_function_version="v1")
    vector = convert(their_tasks[0]).parameters["rand_vec"]
    distribution = MetaWorldTasks([metaworld_task(family, vector, reward_version="v1")])
    assert distribution.backend == "reference"
    vec = distribution.make_vec(distribution.tasks, 1)
    theirs.set_task(their_tasks[0])
    assert np.array_equal(vec.reset()[0][0], theirs.reset()[0])
    for action in random_actions(vec.envs[0], 30, seed=1):
        expected, their_reward, _, _, their_info = theirs.step(action)
        observations, rewards, _, _, infos = vec.step(action[None])
        assert np.array_equal(observations[0], expected)
        assert rewards[0] == float(their_reward)
        ours = {name: values[0] for name, values in infos.items() if name[0] != "_"}
        assert_same_info(ours, their_info)
    vec.close()
    theirs.close()


def test_reset_leads_to_the_same_state_whatever_the_seed_and_what_came_before(reach_env):
    first, _ = reach_env.reset(seed=0)
    actions = random_actions(reach_env, 5, seed=2)
    steps = [reach_env.step(action)[0] for action in actions]
    again, _ = reach_env.reset(seed=1)
    assert np.array_equal(again, first)
    assert all(
        np.array_equal(reach_env.step(action)[0], expected)
        for action, expected in zip(actions, steps, strict=True)
    )


def test_seeded_reset_seeds_the_environments_generator(reach_env):
    reach_env.reset(seed=7)
    drawn = reach_env.np_random.random()
    reach_env.reset(seed=7)
    assert reach_env.np_random.random() == drawn


def test_two_instances_agree(their_tasks):
    task = convert(their_tasks["door-open-v3"][0])
    envs = [MetaWorldEnv(task), MetaWorldEnv(task)]
    first, second = (env.reset()[0] for env in envs)
    assert np.array_equal(first, second)
    for action in random_actions(envs[0], 20, seed=3):
        first, second = (env.step(action) for env in envs)
        assert np.array_equal(first[0], second[0])
        assert first[1] == second[1]
    for env in envs:
        env.close()


def test_is_success_is_meta_worlds_success(their_tasks):
    env = MetaWorldEnv(convert(their_tasks["reach-v3"][0]), max_episode_steps=200)
    env.reset()
    goal = env.inner._target_pos
    flags = []
    for _ in range(200):
        hand = env.inner.tcp_center
        action = np.clip(np.append(10 * (goal - hand), 0), -1, 1).astype(np.float32)
        *_, truncated, info = env.step(action)
        assert isinstance(info["is_success"], bool)
        assert info["is_success"] == bool(info["success"])
        flags.append(info["is_success"])
    assert truncated
    assert not flags[0]
    assert flags[-1], "a hand that moves straight to the goal reaches it"
    env.close()


def test_the_episode_is_truncated_at_the_horizon_and_not_before(reach_env):
    for _ in range(2):
        reach_env.reset()
        ends = [reach_env.step(ZERO_ACTION)[2:4] for _ in range(reach_env.max_episode_steps)]
        assert ends == [(False, False)] * 19 + [(False, True)]


@pytest.mark.parametrize("horizon", [0, -3, 501])
def test_a_horizon_out_of_range_is_refused(horizon):
    task = metaworld_task("reach-v3", REACH_VECTOR)
    with pytest.raises(ConfigError, match=rf"max_episode_steps: got {horizon}; allowed: 1 to 500"):
        MetaWorldEnv(task, max_episode_steps=horizon)
    with pytest.raises(ConfigError, match=rf"max_episode_steps: got {horizon}; allowed: 1 to 500"):
        MetaWorldTasks([task], max_episode_steps=horizon)


@pytest.mark.parametrize(
    ("action", "named"),
    [
        ([0, np.nan, 0, 0], "nan"),
        ([0, 0, np.inf, 0], "inf"),
        ([0.0, 0.5, 0.0], r"\[0\.  0\.5 0\. \]"),
        ([[0.25, 0, 0, 0]], r"\[\[0\.25"),
        ("left", "left"),
    ],
)
def test_a_bad_action_is_refused_and_named(reach_env, action, named):
    observation, _ = reach_env.reset()
    with pytest.raises(InvalidActionError, match=rf"action: got .*{named}.*four finite numbers"):
        reach_env.step(action)
    expected = MetaWorldEnv(reach_env.task)
    assert np.array_equal(expected.reset()[0], observation)
    assert np.array_equal(expected.step(ZERO_ACTION)[0], reach_env.step(ZERO_ACTION)[0])
    expected.close()


def test_actions_beyond_the_bounds_act_as_the_bounds(reach_env):
    reach_env.reset()
    beyond = reach_env.step(np.array([3, -4, 1.5, -2], dtype=np.float32))
    reach_env.reset()
    at = reach_env.step(np.array([1, -1, 1, -1], dtype=np.float32))
    assert np.array_equal(beyond[0], at[0])
    assert beyond[1] == at[1]


def test_an_unstable_simulation_is_reported_and_the_next_episode_is_clean(
    reach_env, tmp_path, monkeypatch
):
    """MuJoCo itself resets a diverged simulation, says nothing, and writes a log file."""
    monkeypatch.chdir(tmp_path)
    first, _ = reach_env.reset()
    *_, truncated, info = reach_env.step(ZERO_ACTION)
    assert (truncated, info["sim_unstable"]) == (False, False)
    reach_env.inner.data.qvel[:] = 1e11
    observation, reward, terminated, truncated, info = reach_env.step(ZERO_ACTION)
    assert (terminated, truncated, info["sim_unstable"]) == (False, True, True)
    assert np.isfinite(observation).all()
    assert np.isfinite(reward)
    assert list(tmp_path.iterdir()) == []

    after, _ = reach_env.reset()
    assert np.array_equal(after, first)
    fresh = MetaWorldEnv(reach_env.task)
    fresh.reset()
    for action in random_actions(reach_env, 5, seed=4):
        observation, *_, truncated, info = reach_env.step(action)
        assert (truncated, info["sim_unstable"]) == (False, False)
        assert np.array_equal(observation, fresh.step(action)[0])
    fresh.close()


def test_set_task_moves_to_another_goal_from_the_next_reset_on(their_tasks):
    one, other = (convert(task) for task in their_tasks["push-v3"][:2])
    env, fresh = MetaWorldEnv(one), MetaWorldEnv(other)
    before, _ = env.reset()
    env.set_task(other)
    moved, _ = env.reset()
    assert env.task == other
    assert not np.array_equal(moved, before)
    assert np.array_equal(moved, fresh.reset()[0])
    env.close()
    fresh.close()


def test_set_task_shows_and_hides_the_goal_however_often():
    env = MetaWorldEnv(metaworld_task("reach-v3", REACH_VECTOR))
    for goal_observable in (True, False, True):  # no reset between
        env.set_task(metaworld_task("reach-v3", REACH_VECTOR, goal_observable=goal_observable))
    assert env.reset()[0][36:].tolist() == REACH_VECTOR[3:]
    env.close()


@pytest.mark.parametrize(
    "other",
    [
        metaworld_task("push-v3", REACH_VECTOR),
        metaworld_task("reach-v3", REACH_VECTOR, reward_version="v1"),
    ],
)
def test_set_task_refuses_other_families_and_rewards(reach_env, other):
    own = reach_env.task
    with pytest.raises(TaskError) as caught:
        reach_env.set_task(other)
    assert repr(other) in str(caught.value)
    assert repr(own) in str(caught.value)
    assert reach_env.task == own


def test_retask_moves_within_a_family_only(their_tasks):
    one, other = (convert(task) for task in their_tasks["reach-v3"][:2])
    push = convert(their_tasks["push-v3"][0])
    distribution = MetaWorldTasks([one, other, push])
    env = distribution.make_env(one)
    assert distribution.retask(env, other)
    assert env.task == other
    assert not distribution.retask(env, push)
    assert not distribution.retask(
        env, metaworld_task("reach-v3", REACH_VECTOR, reward_version="v1")
    )
    assert env.task == other
    env.close()


GOOD = {"rand_vec": REACH_VECTOR, "goal_observable": False, "reward_version": "v2"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rand_vec": "abc"}, "rand_vec: got 'abc'; must be a list of numbers"),
        ({"rand_vec": None}, "rand_vec: got None; must be a list of numbers"),
        ({"rand_vec": [0.1, True]}, r"rand_vec: got \[0.1, True\]; must be a list of numbers"),
        ({"goal_observable": "no"}, "goal_observable: got 'no'; must be true or false"),
        ({"reward_version": "v3"}, "reward_version: got 'v3'; allowed: v1, v2"),
        ({"colour": 1}, "got parameters .*colour.*; needs rand_vec, goal_observable and reward"),
    ],
)
def test_read_task_names_what_is_wrong(changes, message):
    assert read_task(Task("reach-v3", GOOD)) == ("reach-v3", GOOD)
    bad = Task("reach-v3", GOOD | changes)
    with pytest.raises(TaskError, match=message):
        read_task(bad)
    with pytest.raises(TaskError, match=message):
        MetaWorldTasks([bad])


def test_read_task_names_a_missing_parameter():
    with pytest.raises(TaskError, match=r"got parameters \['goal_observable', 'rand_vec'\]; needs"):
        read_task(Task("reach-v3", {k: v for k, v in GOOD.items() if k != "reward_version"}))


def test_an_unknown_family_is_refused_with_the_nearest_names():
    with pytest.raises(UnknownNameError, match=r"family: .*'reech-v3'; did you mean reach-v3"):
        metaworld_task("reech-v3", REACH_VECTOR)


def test_a_vector_of_another_length_is_refused():
    task = metaworld_task("reach-v3", REACH_VECTOR[:3])
    with pytest.raises(TaskError, match=r"rand_vec: got \[0.0, 0.6, 0.02\]; reach-v3 needs 6"):
        MetaWorldEnv(task)


@pytest.mark.timeout(60)
def test_a_goal_that_the_family_rejects_is_an_error_and_no_endless_loop():
    """Meta-World would ask for vectors until one is accepted; the task has one only."""
    env = MetaWorldEnv(metaworld_task("reach-v3", [0.0, 0.7, 0.02, 0.0, 0.8, 0.05]))
    with pytest.raises(TaskError, match=r"rand_vec: got \[0.0, 0.7.*; reach-v3 refuses it"):
        env.reset()
    env.set_task(metaworld_task("reach-v3", REACH_VECTOR))
    env.reset()
    env.close()


def test_a_task_survives_pickling_to_the_bit(their_tasks):
    task = convert(their_tasks["reach-v3"][0])
    copy = pickle.loads(pickle.dumps(task))
    assert copy == task
    assert copy.digest == task.digest
    assert read_task(copy) == read_task(task)
    theirs = pickle.loads(their_tasks["reach-v3"][0].data)["rand_vec"]
    assert np.array_equal(copy.parameters["rand_vec"], theirs)
