import numpy as np
import pytest

from metarl.agents.maml import MAML
from metarl.envs import make_benchmark
from metarl.envs.locomotion import FAMILIES
from metarl.envs.registry import BENCHMARKS
from metarl.errors import ConfigError
from metarl.tasks import check_manifest

DIRECTIONS = ["halfcheetah-dir", "ant-dir", "walker2d-dir", "humanoid-dir"]
DRAWN = sorted(set(FAMILIES) - set(DIRECTIONS))


def goals_of(distribution):
    (parameter,) = {name for task in distribution.tasks for name in task.parameters}
    return np.array([task.parameters[parameter] for task in distribution.tasks])


@pytest.mark.parametrize("name", DIRECTIONS)
def test_direction_trains_and_tests_on_the_same_two_tasks_and_says_so(name):
    benchmark = make_benchmark(name, seed=3)
    goals = goals_of(benchmark.train)
    assert goals[:, 0].tolist() == [1.0, -1.0]
    assert not goals[:, 1:].any()
    assert benchmark.test.tasks == benchmark.train.tasks
    assert benchmark.shares_tasks
    assert benchmark.manifest()["disjoint"] is False
    assert len(benchmark.train.sample(20, np.random.default_rng(0))) == 20


@pytest.mark.parametrize("name", ["ant-dir", "ant-dir-2d"])
def test_the_ants_directions_name_the_sources_of_their_constants(name):
    (entry,) = [entry for entry in BENCHMARKS if entry.name == name]
    for text in (entry.description, entry.make.__doc__.splitlines()[0]):
        assert "(ProMP, PEARL)" in text
        assert "Finn" not in text


@pytest.mark.parametrize("name", DRAWN)
def test_other_tasks_are_split_by_seed(name):
    benchmark = make_benchmark(name, seed=3)
    assert benchmark.manifest()["disjoint"] is True
    assert not benchmark.shares_tasks
    check_manifest(benchmark.manifest(), make_benchmark(name, seed=3).manifest())
    other = make_benchmark(name, seed=4)
    assert not set(other.train.tasks) & set(benchmark.train.tasks)
    few = make_benchmark(name, num_train_tasks=2, num_test_tasks=3)
    assert [len(few.train.tasks), len(few.test.tasks)] == [2, 3]


@pytest.mark.parametrize(
    ("name", "high"), [("halfcheetah-vel", 2), ("ant-vel", 3), ("walker2d-vel", 10)]
)
def test_velocities_are_uniform_on_their_range(name, high):
    benchmark = make_benchmark(name)
    goals = np.concatenate([goals_of(benchmark.train), goals_of(benchmark.test)])
    assert goals.shape == (130, 1)
    assert 0 <= goals.min() < 0.1 * high
    assert 0.9 * high < goals.max() <= high
    fast = make_benchmark(name, velocity_range=(20.0, 21.0))
    assert goals_of(fast.train).min() >= 20


@pytest.mark.parametrize("name", ["ant-dir-2d", "humanoid-dir-2d"])
def test_directions_are_uniform_on_the_circle(name):
    goals = goals_of(make_benchmark(name).train)
    assert np.allclose(np.linalg.norm(goals, axis=1), 1)
    assert np.abs(goals.mean(axis=0)).max() < 0.2


def test_goals_are_uniform_on_the_disc():
    radii = np.linalg.norm(goals_of(make_benchmark("ant-goal").train), axis=1)
    assert len(radii) == 150
    assert radii.max() <= 3
    assert np.mean(radii < 1.5) == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize("name", ["hopper-params", "walker2d-params"])
def test_bodies_have_factors_within_their_powers(name):
    for task in make_benchmark(name).train.tasks:
        bases = {"body_mass": 1.5, "body_inertia": 1.5, "dof_damping": 1.3, "geom_friction": 1.5}
        changes = task.parameters["physics"]
        assert [change["quantity"] for change in changes] == list(bases)
        for change in changes:
            factors = np.array(list(change["values"].values()))
            powers = np.log(factors) / np.log(bases[change["quantity"]])
            assert np.abs(powers).max() <= 3 + 1e-9
            assert len(np.unique(factors)) == factors.size


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_trains_and_its_horizon_can_be_set(name):
    assert make_benchmark(name).train.max_episode_steps == 200
    benchmark = make_benchmark(name, max_episode_steps=3)
    with MAML(benchmark, meta_batch_size=2, episodes_per_task=2, hidden_sizes=(4,)) as agent:
        agent.learn(1)
        assert agent.iteration == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_episode_steps": 0}, "max_episode_steps: got 0"),
        ({"velocity_range": (2.0, 0.0)}, "velocity_range"),
        ({"num_train_tasks": 0}, "num_train_tasks: got 0"),
        ({"num_test_tasks": 0}, "num_test_tasks: got 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_benchmark("halfcheetah-vel", **settings)
