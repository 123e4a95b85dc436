import json
import pickle
import warnings
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.mujoco.reacher_v5 import ReacherEnv
from gymnasium.utils.env_checker import check_env as check_gymnasium
from stable_baselines3.common.env_checker import check_env as check_sb3

from metarl.agents.maml import MAML
from metarl.envs import make_benchmark
from metarl.envs.physics import PhysicsTasks, Vary, models_equal, physics_benchmark
from metarl.errors import ConfigError, TaskError, UnknownNameError
from metarl.tasks import Task, check_manifest

USER_CODE = """
from metarl.envs.physics import Vary, physics_benchmark

def reacher_damping(seed=0, max_episode_steps=50):
    return physics_benchmark(
        "Reacher-v5",
        [Vary("dof_damping", "joint*", scale=(0.2, 5.0), held_out=((5.0, 20.0),))],
        seed=seed,
        max_episode_steps=max_episode_steps,
    )
"""

EVERYTHING = [
    Vary("dof_damping", "joint*", scale=(0.2, 5.0), distribution="log-uniform"),
    Vary("body_mass", "body*", scale=(0.5, 2.0)),
    Vary("geom_size", "link*", scale=(0.8, 1.25)),
    Vary("geom_friction", scale=(0.5, 2.0), draw="together"),
    Vary("actuator_strength", scale=(0.5, 2.0)),
    Vary("gravity", absolute=(1.0, 12.0)),
]


def rollout(env, steps=20):
    observation, _ = env.reset(seed=3)
    seen = [observation]
    for action in np.random.default_rng(0).uniform(-1, 1, (steps, *env.action_space.shape)):
        observation, reward, *_ = env.step(action.astype(np.float32))
        seen.append(np.append(observation, reward))
    return np.concatenate(seen)


def test_twenty_lines_make_a_benchmark_that_trains():
    assert len(USER_CODE.strip().splitlines()) <= 20
    names = {}
    exec(USER_CODE, names)
    benchmark = names["reacher_damping"](seed=1, max_episode_steps=4)
    with MAML(benchmark, meta_batch_size=2, episodes_per_task=2, hidden_sizes=(4,)) as agent:
        agent.learn(1)
        assert agent.iteration == 1


def test_tasks_differ_and_a_task_is_the_same_whatever_came_before():
    train = physics_benchmark("Reacher-v5", EVERYTHING, num_train_tasks=3).train
    first, second, third = train.tasks
    alone = {task: rollout(train.make_env(task)) for task in train.tasks}
    assert not np.array_equal(alone[first], alone[second])
    env = train.make_env(first)
    for task in (second, first, third, second):
        assert train.retask(env, task)
        assert np.array_equal(rollout(env), alone[task])


def test_the_checkers_have_nothing_unexpected_to_say():
    """Observations have no bounds, and the wrapper's arguments aren't the spec's."""
    train = physics_benchmark("Reacher-v5", EVERYTHING, num_train_tasks=1).train
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_gymnasium(train.make_env(train.tasks[0]), skip_render_check=True)
        check_sb3(train.make_env(train.tasks[0]))
    expected = ("minimum value is -infinity", "maximum value is infinity", "wrapped", "spec")
    messages = [str(warning.message) for warning in caught]
    assert not [one for one in messages if not any(part in one for part in expected)]


def test_the_model_is_restored_exactly():
    plain = gymnasium.make("Reacher-v5")
    train = physics_benchmark("Reacher-v5", EVERYTHING, num_train_tasks=2).train
    env = train.make_env(train.tasks[0])
    assert not models_equal(env.unwrapped.model, plain.unwrapped.model)
    rollout(env)
    env.set_task(train.tasks[1])
    env.restore()
    assert models_equal(env.unwrapped.model, plain.unwrapped.model)
    assert np.array_equal(rollout(env), rollout(plain))


def test_no_changes_give_gymnasiums_own_environment():
    tasks = PhysicsTasks("Hopper-v5", [Task("Hopper-v5", {"physics": []})])
    assert tasks.max_episode_steps == 1000
    assert np.array_equal(
        rollout(tasks.make_env(tasks.tasks[0])), rollout(gymnasium.make("Hopper-v5"))
    )


def test_test_tasks_are_drawn_from_the_held_out_ranges():
    benchmark = make_benchmark("reacher-damping", seed=2)
    for tasks, low, high in ((benchmark.train, 0.2, 5.0), (benchmark.test, 5.0, 20.0)):
        for task in tasks.tasks:
            (one,) = task.parameters["physics"]
            assert all(low <= value <= high for value in one["values"].values())
    assert benchmark.train.max_episode_steps == 50
    assert benchmark.manifest()["disjoint"] is True
    assert benchmark.manifest()["settings"]["vary"][0]["held_out"] == [[5.0, 20.0]]
    check_manifest(benchmark.manifest(), make_benchmark("reacher-damping", seed=2).manifest())


def test_tasks_survive_json_and_pickle_to_the_bit():
    train = physics_benchmark("Reacher-v5", EVERYTHING, num_train_tasks=1).train
    (task,) = train.tasks
    again = Task.from_json(json.loads(json.dumps(task.to_json())))
    assert again == task == pickle.loads(pickle.dumps(train)).tasks[0]
    assert np.array_equal(rollout(train.make_env(again)), rollout(train.make_env(task)))


def make_reacher(render_mode=None, reward_dist_weight=1.0):
    return ReacherEnv(render_mode=render_mode, reward_dist_weight=reward_dist_weight)


def test_a_constructor_will_do_instead_of_an_id():
    benchmark = physics_benchmark(
        make_reacher,
        EVERYTHING[:1],
        num_train_tasks=1,
        num_test_tasks=1,
        max_episode_steps=3,
        env_kwargs={"reward_dist_weight": 0.0},
    )
    env = benchmark.train.make_env(benchmark.train.tasks[0])
    env.reset(seed=0)
    steps = [env.step(np.zeros(2, dtype=np.float32)) for _ in range(3)]
    assert [step[1] for step in steps] == [0, 0, 0]
    assert [step[3] for step in steps] == [False, False, True]
    assert benchmark.manifest()["train"]["env"].endswith(":make_reacher")
    with pytest.raises(ConfigError, match=r"max_episode_steps: got None, and .*make_reacher"):
        physics_benchmark(make_reacher, EVERYTHING[:1])


def test_an_unstable_simulation_is_noticed():
    tasks = PhysicsTasks("Hopper-v5", [Task("Hopper-v5", {"physics": []})])
    env = tasks.make_env(tasks.tasks[0])
    env.reset(seed=0)
    assert env.step(np.zeros(3))[-1]["sim_unstable"] is False
    env.unwrapped.data.qvel[:] = 1e12
    *_, truncated, info = env.step(np.zeros(3))
    assert truncated
    assert info["sim_unstable"] is True


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"vary": []}, ConfigError, "vary: got nothing"),
        ({"vary": EVERYTHING[:1] * 2}, ConfigError, "dof_damping of 'joint0' is varied twice"),
        ({"env": "Pendulum-v1"}, ConfigError, "PendulumEnv isn't a gymnasium.envs.mujoco"),
        ({"num_test_tasks": 0}, ConfigError, "num_test_tasks: got 0"),
        ({"max_episode_steps": -1}, ConfigError, "max_episode_steps: got -1"),
        ({"vary": [Vary("body_mass", "arm*", scale=(1, 2))]}, UnknownNameError, r"'arm\*'"),
    ],
)
def test_bad_descriptions_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        physics_benchmark(**{"env": "Reacher-v5", "vary": EVERYTHING, **arguments})


def test_tasks_without_physics_are_refused():
    with pytest.raises(TaskError, match="needs physics"):
        PhysicsTasks("Reacher-v5", [Task("Reacher-v5", {})])


def test_whatever_builds_an_environment_has_a_name():
    made = partial(gymnasium.make, "Reacher-v5")
    benchmark = physics_benchmark(made, [Vary("body_mass", scale=(1, 2))], num_train_tasks=1)
    assert benchmark.train.env_name == "functools:partial"
    named = PhysicsTasks(ReacherEnv, benchmark.train.tasks, max_episode_steps=5)
    assert named.env_name == "gymnasium.envs.mujoco.reacher_v5:ReacherEnv"
