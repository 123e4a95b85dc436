import json
import pickle

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from metarl.envs.gymnasium import (
    ExplicitSplit,
    HeldOutRegion,
    Integers,
    LogUniform,
    NoSplit,
    OneOf,
    RandomSplit,
    TaskFamily,
    Uniform,
)
from metarl.errors import ConfigError, TaskError
from metarl.policies import make_mlp_policy
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from metarl.tasks import Task, check_manifest
from tests.envs.gymnasium.walkers import WALKERS, Walker

PENDULUMS = TaskFamily(
    "Pendulum-v1",
    attributes={"unwrapped.m": Uniform(0.5, 2.0), "unwrapped.l": Uniform(0.5, 1.5)},
    split=RandomSplit(6, 4),
)


def scale_damping(env, parameters):
    env.unwrapped.model.dof_damping[:2] *= parameters["damping"]


def set_damping(env, parameters):
    env.unwrapped.model.dof_damping[:2] = parameters["damping"]


def episode(env, seed=3, steps=12):
    """Observations and rewards under actions that depend on the seed alone."""
    rng = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    seen = [spaces.flatten(env.observation_space, observation)]
    for _ in range(steps):
        high = getattr(env.action_space, "high", None)
        action = 1 if high is None else rng.uniform(-high, high).astype(np.float32)
        observation, reward, terminated, truncated, _ = env.step(action)
        seen.append(np.append(spaces.flatten(env.observation_space, observation), reward))
        if terminated or truncated:
            break
    return np.concatenate(seen)


def test_attributes_are_those_of_gymnasiums_environment_set_by_hand():
    for task in PENDULUMS.benchmark().train.tasks[:3]:
        by_hand = gymnasium.make("Pendulum-v1")
        by_hand.unwrapped.m = task.parameters["unwrapped.m"]
        by_hand.unwrapped.l = task.parameters["unwrapped.l"]
        ours = PENDULUMS.benchmark().train.make_env(task)
        np.testing.assert_array_equal(episode(ours), episode(by_hand))


def test_constructor_arguments_are_those_of_gymnasiums_constructor():
    family = TaskFamily("Pendulum-v1", arguments={"g": Uniform(5.0, 12.0)})
    train = family.benchmark().train
    for task in train.tasks[:3]:
        theirs = gymnasium.make("Pendulum-v1", g=task.parameters["g"])
        np.testing.assert_array_equal(episode(train.make_env(task)), episode(theirs))


def test_a_function_applies_a_task_to_a_mujoco_model():
    family = TaskFamily(
        "Reacher-v5", parameters={"damping": LogUniform(0.3, 3.0)}, apply=set_damping
    )
    train = family.benchmark().train
    for task in train.tasks[:3]:
        by_hand = gymnasium.make("Reacher-v5")
        by_hand.unwrapped.model.dof_damping[:2] = task.parameters["damping"]
        np.testing.assert_array_equal(episode(train.make_env(task)), episode(by_hand))


def test_every_way_to_set_a_task_reaches_the_environment_at_every_reset():
    benchmark = TaskFamily(Walker, **WALKERS).benchmark()
    assert benchmark.name == "tests.envs.gymnasium.walkers.Walker"
    for task in benchmark.train.tasks[:4]:
        env = benchmark.train.make_env(task)
        for _ in range(2):  # the first episode changes the gains
            observation, _ = env.reset(seed=0)
            assert observation["stride"] == np.float32(task.parameters["stride"])
            assert observation["start"] == task.parameters["start"]
            np.testing.assert_array_equal(
                observation["gains"], np.float32(task.parameters["gains"])
            )
            assert observation["gains"].dtype == np.float32
            *_, info = env.step(1)
            assert info["success"] is True


@pytest.mark.parametrize(
    "family",
    [
        PENDULUMS,
        TaskFamily("Pendulum-v1", arguments={"g": Uniform(5.0, 12.0)}, split=RandomSplit(4, 4)),
        TaskFamily(
            "Reacher-v5",
            parameters={"damping": LogUniform(0.5, 2.0)},
            apply=set_damping,
            reuse=True,
        ),
        TaskFamily("Reacher-v5", parameters={"damping": LogUniform(0.5, 2.0)}, apply=scale_damping),
        TaskFamily(Walker, **WALKERS),
    ],
    ids=["attributes", "arguments", "set", "scale", "all"],
)
def test_rows_moved_to_other_tasks_are_what_new_environments_are(family):
    train = family.benchmark().train
    first, second = train.tasks[:2]
    vec = train.make_vec([first, second], 2)
    for tasks in ([first, second], [second, first], [first, second]):
        vec.set_tasks(tasks)
        for row, env in enumerate(vec.envs):
            expected = episode(train.make_env(tasks[row // 2]))
            np.testing.assert_array_equal(episode(env), expected)


def test_environments_are_kept_unless_that_could_show():
    def kept(family):
        train = family.benchmark().train
        env = train.make_env(train.tasks[0])
        return train.retask(env, train.tasks[1])

    damping = {"parameters": {"damping": LogUniform(0.5, 2.0)}, "apply": scale_damping}
    assert kept(PENDULUMS)
    assert kept(TaskFamily("Reacher-v5", **damping, reuse=True))
    assert not kept(TaskFamily("Reacher-v5", **damping))
    assert not kept(TaskFamily("Pendulum-v1", arguments={"g": Uniform(5.0, 12.0)}))
    train = PENDULUMS.benchmark().train
    assert not train.retask(gymnasium.make("Pendulum-v1"), train.tasks[0])


def test_tasks_are_json_and_their_digests_stay():
    benchmark = TaskFamily(Walker, name="walkers", **WALKERS).benchmark(seed=5)
    for task in benchmark.train.tasks:
        assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task
        assert pickle.loads(pickle.dumps(task)) == task
    # Fixed by hand: a change of these breaks every manifest that users have.
    task = Task("Pendulum-v1", {"unwrapped.m": 1.5, "unwrapped.l": 1.0})
    assert task.digest == "63f4bb24a46cac62"


def test_a_benchmark_is_fixed_by_its_seed_and_its_manifest_says_what_differs():
    manifest = PENDULUMS.benchmark(3).manifest()
    check_manifest(manifest, PENDULUMS.benchmark(3).manifest())
    assert manifest["benchmark"] == "Pendulum-v1"
    assert manifest["disjoint"] is True
    assert manifest["settings"]["version of gymnasium"] == gymnasium.__version__
    assert manifest["digest"] != PENDULUMS.benchmark(4).manifest()["digest"]
    heavier = TaskFamily("Pendulum-v1", attributes={"unwrapped.m": Uniform(0.5, 3.0)})
    described = heavier.benchmark(3).manifest()["train"]
    assert described["ranges"] == {"unwrapped.m": {"uniform": [0.5, 3.0]}}


def test_manifests_name_functions_without_their_addresses():
    family = TaskFamily(
        lambda stride, note: Walker(stride),
        arguments={"stride": Uniform(0.5, 1.5)},
        fixed={"note": scale_damping},
        max_episode_steps=4,
    )
    text = json.dumps(family.benchmark().manifest())
    assert "scale_damping" in text
    assert "0x" not in text


def test_continua_are_sampled_from_the_generator_alone():
    family = TaskFamily(
        "Pendulum-v1",
        attributes={"unwrapped.m": Uniform(0.5, 2.0)},
        split=HeldOutRegion({"unwrapped.m": (1.5, 2.0)}),
    )
    benchmark = family.benchmark()
    assert benchmark.train.tasks is None
    draws = [benchmark.train.sample(6, np.random.default_rng(1)) for _ in range(2)]
    assert draws[0] == draws[1]
    assert all(task.parameters["unwrapped.m"] < 1.5 for task in draws[0])
    held_out = benchmark.test.sample(6, np.random.default_rng(1))
    assert all(task.parameters["unwrapped.m"] >= 1.5 for task in held_out)


def test_few_tasks_can_be_sampled_again_and_again_if_told():
    directions = {"arguments": {"stride": OneOf([-1.0, 1.0])}, "split": NoSplit()}
    rng = np.random.default_rng(0)
    family = TaskFamily(Walker, **directions, max_episode_steps=4, replace=True)
    assert len(family.benchmark().train.sample(20, rng)) == 20
    assert family.benchmark().test is None
    family = TaskFamily(Walker, **directions, max_episode_steps=4)
    with pytest.raises(ConfigError, match="without replacement at most 2"):
        family.benchmark().train.sample(20, rng)


def test_the_horizon_is_the_ids_own_or_the_one_given():
    damping = {"parameters": {"damping": LogUniform(0.5, 2.0)}, "apply": set_damping}
    assert TaskFamily("Reacher-v5", **damping).benchmark().train.max_episode_steps == 50
    for benchmark in (
        TaskFamily("Reacher-v5", **damping, max_episode_steps=7).benchmark(),
        TaskFamily("Reacher-v5", **damping)(seed=0, max_episode_steps=7),
    ):
        env = benchmark.train.make_env(benchmark.train.tasks[0])
        assert benchmark.train.max_episode_steps == 7
        assert len(episode(env)) == 10 + 7 * 11, "reset and seven steps"
    with pytest.raises(ConfigError, match=r"max_episode_steps: .*Walker.* give it"):
        TaskFamily(Walker, arguments={"stride": Uniform(0.5, 1.5)}).benchmark()


def test_a_copy_in_a_worker_collects_the_same_bits():
    train = TaskFamily(Walker, **WALKERS).benchmark().train
    clone = cloudpickle.loads(cloudpickle.dumps(train))
    policy = make_mlp_policy(train.observation_space, train.action_space, (4,))
    collected = []
    for distribution in (train, clone):
        with RolloutEngine(distribution, policy) as engine:
            tasks = distribution.tasks[:3]
            for _ in range(2):  # the second time in kept environments
                batch = engine.collect(tasks, policy.params(), Stream(0), num_episodes=2)
                collected.append(batch)
    assert collected[0].observations.shape == (3, 2, 4, 1 + 3 + 2 + 1)
    for other in collected[1:]:
        assert other.observations.equal(collected[0].observations)
        assert other.actions.equal(collected[0].actions)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "what varies: got nothing"),
        ({"arguments": {"g": (8.0, 12.0)}}, r"g: got \(8.0, 12.0\); must be a range"),
        ({"arguments": {"g": Uniform(8, 9)}, "options": {"g": Uniform(8, 9)}}, "g: is named twice"),
        ({"arguments": {"g": Uniform(8, 9)}, "fixed": {"g": 9.0}}, "g: is named twice"),
        ({"parameters": {"g": Uniform(8, 9)}}, "apply: comes with parameters"),
        ({"arguments": {"g": Uniform(8, 9)}, "apply": set_damping}, "apply: comes with parameters"),
        ({"arguments": {"g": Uniform(8, 9)}, "observable": ["m"]}, r"observable: got \['m'\]"),
        ({"arguments": {"g": Uniform(8, 9)}, "max_episode_steps": 0}, "max_episode_steps: got 0"),
    ],
)
def test_a_family_that_makes_no_sense_is_refused_before_anything_is_built(settings, message):
    with pytest.raises(ConfigError, match=message):
        TaskFamily("Pendulum-v1", **settings)


def test_an_unknown_id_is_refused():
    with pytest.raises(ConfigError, match=r"env: .*Pendulun"):
        TaskFamily("Pendulun-v1", arguments={"g": Uniform(8, 9)}).benchmark()


class ManyHands(Walker):
    def __init__(self, stride=1.0):
        super().__init__(stride)
        self.action_space = spaces.MultiDiscrete([2, 2])


class Growing(Walker):
    def __init__(self, stride=1.0):
        super().__init__(stride)
        self.action_space = spaces.Discrete(int(stride))


class Telling(Walker):
    def __init__(self, stride=1.0):
        super().__init__(stride)
        self.observation_space = spaces.Sequence(spaces.Discrete(3))


@pytest.mark.parametrize(
    ("kind", "message"),
    [(ManyHands, "action_space: got MultiDiscrete"), (Telling, "observation_space: got Sequence")],
)
def test_spaces_that_no_policy_can_be_built_for_are_refused(kind, message):
    family = TaskFamily(kind, arguments={"stride": Uniform(1.0, 2.0)}, max_episode_steps=4)
    with pytest.raises(ConfigError, match=message):
        family.benchmark()


def test_a_task_that_changes_the_spaces_or_is_of_another_family_is_refused():
    split = ExplicitSplit([{"stride": 2}], [{"stride": 3}])
    family = TaskFamily(
        Growing, arguments={"stride": Integers(2, 3)}, split=split, max_episode_steps=4
    )
    benchmark = family.benchmark()
    with pytest.raises(TaskError, match=r"action_space is Discrete\(3\); must be Discrete\(2\)"):
        benchmark.train.make_env(benchmark.test.tasks[0])
    for stranger in (Task("other", {"stride": 2}), Task(family.name, {"step": 2})):
        with pytest.raises(TaskError, match="task: got Task"):
            benchmark.train.make_env(stranger)
