import dataclasses

import pytest
import torch
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.envs.metaworld import (
    ML1,
    MetaWorldTasks,
    MetaWorldVectorEnv,
    metaworld_task,
)
from metarl.errors import ConfigError, TaskError, UnknownNameError
from metarl.policies import make_mlp_policy
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from metarl.tasks import Task
from metarl.vector import EpisodeVectorEnv


class NearlyReach(ALL_V3_ENVIRONMENTS["reach-v3"]):
    pass


@pytest.fixture(scope="module")
def tasks():
    reach = ML1("reach-v3", seed=3).train.tasks
    door = ML1("door-open-v3", seed=3).train.tasks
    return [reach[0], door[0], reach[1]]


def test_both_backends_collect_the_same_experience(tasks):
    found = []
    for backend in ("fast", "reference"):
        distribution = MetaWorldTasks(tasks, max_episode_steps=30, backend=backend)
        policy = make_mlp_policy(
            distribution.observation_space,
            distribution.action_space,
            generator=torch.Generator().manual_seed(0),
        )
        with RolloutEngine(distribution, policy) as engine:
            found.append(engine.collect(tasks, policy.params(), Stream(1), num_episodes=2))
    fast, reference = found
    for field in dataclasses.fields(fast):
        ours, theirs = getattr(fast, field.name), getattr(reference, field.name)
        assert (ours is None) == (theirs is None), field.name
        assert ours is None or torch.equal(ours, theirs), field.name


def test_the_backend_decides_what_steps(tasks):
    fast = MetaWorldTasks(tasks[:1]).make_vec(tasks[:1], 1)
    reference = MetaWorldTasks(tasks[:1], backend="reference").make_vec(tasks[:1], 1)
    assert isinstance(fast, MetaWorldVectorEnv)
    assert isinstance(reference, EpisodeVectorEnv)
    with pytest.raises(ConfigError, match="backend: got 'quick'; allowed: fast, reference"):
        MetaWorldTasks(tasks, backend="quick")


TOO_NEAR = [0.0, 0.7, 0.02, 0.0, 0.8, 0.05]


@pytest.mark.parametrize("backend", ["fast", "reference"])
@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (TOO_NEAR, "reach-v3 refuses it"),
        ([0.0, 0.6], r"got \[0.0, 0.6\]; reach-v3 needs 6 numbers"),
    ],
)
def test_both_backends_refuse_a_vector_alike(backend, vector, message):
    task = metaworld_task("reach-v3", vector)
    distribution = MetaWorldTasks([task], backend=backend)
    with pytest.raises(TaskError, match=message):
        distribution.make_vec([task], 1).reset()


def test_tasks_that_are_not_meta_worlds_are_refused():
    with pytest.raises(UnknownNameError, match="family: unknown name 'foo-v3'"):
        MetaWorldTasks([Task("foo-v3", {})])
    with pytest.raises(TaskError, match="needs rand_vec, goal_observable and reward_version"):
        MetaWorldTasks([Task("reach-v3", {})], backend="reference")


def test_reward_version_1_takes_the_reference():
    vector = ML1("reach-v3", seed=3).train.tasks[0].parameters["rand_vec"]
    distribution = MetaWorldTasks([metaworld_task("reach-v3", vector, reward_version="v1")])
    assert distribution.backend == "reference"


def test_classes_that_are_not_metaworlds_take_the_reference_with_a_warning(tasks, monkeypatch):
    monkeypatch.setitem(ALL_V3_ENVIRONMENTS, "reach-v3", NearlyReach)
    with pytest.warns(UserWarning, match="reach-v3: not one of Meta-World's own"):
        distribution = MetaWorldTasks(tasks)
    assert distribution.backend == "reference"
    assert isinstance(distribution.make_env(tasks[0]).inner, NearlyReach)
