import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from stable_baselines3.common.env_checker import check_env as check_sb3

from metarl.envs.locomotion import FAMILIES, LocomotionEnv, LocomotionTasks
from metarl.envs.locomotion.robots import HalfCheetah
from metarl.envs.physics import models_equal
from metarl.errors import InvalidActionError, TaskError, UnknownNameError
from metarl.tasks import Task

from .families import GOALS, tasks_of

REWARDS = {
    "halfcheetah-dir": lambda goal, x, v: goal[0] * v[0],
    "halfcheetah-vel": lambda goal, x, v: -abs(v[0] - goal[0]),
    "ant-dir": lambda goal, x, v: goal[0] * v[0],
    "ant-dir-2d": lambda goal, x, v: goal[0] * v[0] + goal[1] * v[1],
    "ant-vel": lambda goal, x, v: -abs(v[0] - goal[0]),
    "ant-goal": lambda goal, x, v: -abs(x[0] - goal[0]) - abs(x[1] - goal[1]),
    "walker2d-dir": lambda goal, x, v: goal[0] * v[0],
    "walker2d-vel": lambda goal, x, v: -abs(v[0] - goal[0]),
    "humanoid-dir": lambda goal, x, v: 1.25 * goal[0] * v[0],
    "humanoid-dir-2d": lambda goal, x, v: 1.25 * (goal[0] * v[0] + goal[1] * v[1]),
}
COSTS = {
    "halfcheetah-dir": 0.05,
    "halfcheetah-vel": 0.05,
    "ant-dir": 0.5,
    "ant-dir-2d": 0.5,
    "ant-vel": 0.005,
    "ant-goal": 0.1,
    "walker2d-dir": 0.001,
    "walker2d-vel": 0.001,
    "humanoid-dir": 0.1,
    "humanoid-dir-2d": 0.1,
}
SURVIVAL = {"ant-vel": 1.05, "ant-dir": 1, "ant-dir-2d": 1, "walker2d-dir": 1, "walker2d-vel": 15}
SURVIVAL |= {"humanoid-dir": 5, "humanoid-dir-2d": 5}


def make(task):
    return LocomotionTasks([task]).make_env(task)


@pytest.mark.parametrize("name", GOALS)
def test_rewards_are_those_of_the_formulas_in_the_documentation(name):
    for task in tasks_of(name):
        (goal,) = task.parameters.values()
        env = make(task)
        env.reset(seed=0)
        rng = np.random.default_rng(0)
        for _ in range(8):
            action = rng.uniform(env.action_space.low, env.action_space.high)
            _, reward, terminated, _, info = env.step(action)
            assert not terminated
            axes = [axis for axis in "xy" if f"{axis}_velocity" in info]
            place = [info[f"{axis}_position"] for axis in axes]
            velocity = [info[f"{axis}_velocity"] for axis in axes]
            expected = REWARDS[name](goal, place, velocity) + SURVIVAL.get(name, 0)
            expected += info.get("reward_contact", 0) - COSTS[name] * np.square(action).sum()
            assert reward == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ["halfcheetah-vel", "hopper-params", "ant-goal"])
def test_the_checkers_have_nothing_unexpected_to_say(name):
    """Observations have no bounds, and the wrapper's arguments aren't the spec's."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_gymnasium(make(tasks_of(name)[0]), skip_render_check=True)
        check_sb3(make(tasks_of(name)[0]))
    expected = ("minimum value is -infinity", "maximum value is infinity", "wrapped", "spec")
    messages = [str(warning.message) for warning in caught]
    assert not [one for one in messages if not any(part in one for part in expected)]


def test_ants_that_seek_a_place_see_where_they_are_and_go_on_when_they_fall():
    family = FAMILIES["ant-goal"]
    env = make(tasks_of("ant-goal")[0])
    observation, info = env.reset(seed=0)
    assert observation[:2].tolist() == [info["x_position"], info["y_position"]]
    env.unwrapped.data.qpos[2] = 5.0
    assert env.step(np.zeros(8))[2] is False
    assert family.robot.reference.observation_space.shape == (107,)


def test_physics_are_applied_and_exchanged_exactly():
    first, second = tasks_of("hopper-params")
    env = make(first)
    fresh = make(second)
    assert not models_equal(env.unwrapped.model, fresh.unwrapped.model)
    env.set_task(second)
    assert models_equal(env.unwrapped.model, fresh.unwrapped.model)
    reference = FAMILIES["hopper-params"].robot.make()
    env.set_task(Task("hopper-params", {"physics": []}))
    assert models_equal(env.unwrapped.model, reference.unwrapped.model)


@pytest.mark.parametrize("action", [[np.nan] * 6, [0.0] * 5])
def test_bad_actions_are_refused(action):
    env = make(tasks_of("halfcheetah-dir")[0])
    env.reset(seed=0)
    with pytest.raises(InvalidActionError, match="6,"):
        env.step(np.array(action))


def test_unknown_families_tasks_and_settings_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean halfcheetah-dir"):
        make(Task("halfcheetah-dri", {"direction": [1.0]}))
    with pytest.raises(TaskError, match="'ant-dir' needs Ant-v5, not HopperEnv"):
        LocomotionEnv(gymnasium.make("Hopper-v5"), tasks_of("ant-dir")[0])
    with pytest.raises(TaskError, match="needs physics"):
        make(Task("hopper-params", {}))
    with pytest.raises(UnknownNameError, match="did you mean ctrl_cost_weight"):
        HalfCheetah(ctrl_cost=1.0)
    with pytest.raises(UnknownNameError, match="unknown name 'healthy_reward'"):
        HalfCheetah(healthy_reward=1.0)
