import numpy as np
import pytest

from metarl.envs import make_benchmark
from metarl.errors import ConfigError
from metarl.tasks import check_manifest


def test_direction_trains_and_tests_on_the_same_two_tasks_and_says_so():
    benchmark = make_benchmark("halfcheetah-dir", seed=3)
    goals = [task.parameters["direction"] for task in benchmark.train.tasks]
    assert goals == [[1.0], [-1.0]]
    assert benchmark.test.tasks == benchmark.train.tasks
    assert benchmark.shares_tasks
    assert benchmark.manifest()["disjoint"] is False
    assert len(benchmark.train.sample(20, np.random.default_rng(0))) == 20


def test_velocities_are_split_by_seed():
    benchmark = make_benchmark("halfcheetah-vel", seed=3)
    goals = [
        [task.parameters["velocity"][0] for task in distribution.tasks]
        for distribution in (benchmark.train, benchmark.test)
    ]
    assert [len(one) for one in goals] == [100, 30]
    assert all(0 <= goal <= 2 for one in goals for goal in one)
    assert benchmark.manifest()["disjoint"] is True
    check_manifest(benchmark.manifest(), make_benchmark("halfcheetah-vel", seed=3).manifest())
    other = make_benchmark("halfcheetah-vel", seed=4)
    assert not set(other.train.tasks) & set(benchmark.train.tasks)


def test_the_horizon_is_200_and_can_be_set():
    for name in ("halfcheetah-dir", "halfcheetah-vel"):
        assert make_benchmark(name).train.max_episode_steps == 200
        benchmark = make_benchmark(name, max_episode_steps=7)
        assert benchmark.test.max_episode_steps == 7
        env = benchmark.train.make_env(benchmark.train.tasks[0])
        env.reset(seed=0)
        ends = [env.step(np.zeros(6, dtype=np.float32))[3] for _ in range(7)]
        assert ends == [False] * 6 + [True]


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
