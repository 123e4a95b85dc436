import pytest

import metarl
from metarl.envs.metaworld import ML1, ML10
from metarl.envs.navigation import navigation
from metarl.errors import ConfigError
from metarl.recipes.loading import benchmark_of, new_goals


def config(benchmark: str, seed: int = 3) -> dict:
    return {"benchmark": benchmark, "benchmark_seed": seed, "max_episode_steps": 20}


def test_a_benchmark_is_made_from_settings():
    made = benchmark_of(config("ml1/reach-v3"))
    assert made.manifest() == ML1("reach-v3", seed=3, max_episode_steps=20).manifest()


def test_new_goals_are_of_the_families_trained_on_and_none_of_those_trained_on():
    benchmark = ML10(seed=3, max_episode_steps=20)
    found = new_goals(config("ml10"), benchmark)
    trained = {task.digest for task in benchmark.train.tasks}
    assert not trained & {task.digest for task in found.tasks}
    assert {t.family for t in found.tasks} == {t.family for t in benchmark.train.tasks}
    assert found.max_episode_steps == 20


def test_infinitely_many_goals_are_all_new():
    with pytest.raises(ConfigError, match="use test"):
        new_goals(config("navigation"), navigation(max_episode_steps=20))


def test_a_family_whose_tasks_are_fixed_has_no_new_ones():
    benchmark = benchmark_of(config("halfcheetah-dir"))
    with pytest.raises(ConfigError, match="the same tasks under every seed"):
        new_goals(config("halfcheetah-dir"), benchmark)


def test_runs_are_loaded_by_the_package():
    assert metarl.load_run.__module__ == "metarl.recipes.loading"
