import pytest

from metarl.agents.maml import MAML
from metarl.envs import BENCHMARKS, make_benchmark
from metarl.envs.locomotion import FAMILIES as LOCOMOTION
from metarl.envs.metaworld.environment import FAMILIES
from metarl.envs.registry import benchmark_names, check_benchmark_name
from metarl.errors import ConfigError, UnknownNameError

TOYS = (
    *("navigation", "navigation-sparse", "navigation-wind"),
    *("bandits-5", "bandits-10", "bandits-50", "tabular-mdps"),
)


def test_every_benchmark_is_listed_under_every_family_it_takes():
    assert set(benchmark_names()) == {
        *TOYS,
        *LOCOMOTION,
        "reacher-damping",
        *(f"{kind}/{family}" for kind in ("ml1", "mt1") for family in FAMILIES),
        *("ml10", "ml25", "ml45", "mt10", "mt25", "mt50"),
    }
    assert len(FAMILIES) == 50
    assert len(set(benchmark_names())) == len(benchmark_names())


@pytest.mark.parametrize(
    "name", [*TOYS, *LOCOMOTION, "reacher-damping", "ml1/reach-v3", "mt1/door-open-v3"]
)
def test_a_benchmark_is_made_under_the_name_asked_for(name):
    benchmark = make_benchmark(name, seed=4, max_episode_steps=9)
    assert benchmark.name == name
    assert benchmark.seed == 4
    assert benchmark.train.max_episode_steps == 9
    assert (benchmark.test is None) == name.startswith("mt")
    if "/" in name:
        assert set(benchmark.train.families) == {name.partition("/")[2]}


@pytest.mark.parametrize("name", ["ml10", "ml25", "ml45", "mt10", "mt25", "mt50"])
def test_every_other_name_leads_to_its_own_entry(name):
    (entry,) = [entry for entry in BENCHMARKS if entry.name == name]
    assert entry.make.__name__ == name.upper()
    assert entry.families == ()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ml1/reech-v3", "ml1/reach-v3"),
        ("ml1/reach-v2", "ml1/reach-v3"),
        ("navgation", "navigation"),
        ("ML10", "ml10"),
        ("ml50", "mt50"),
        ("ml1/<family>", "ml1/"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_ones(name, nearest):
    for refuse in (make_benchmark, check_benchmark_name):
        with pytest.raises(UnknownNameError, match=f"benchmark: unknown name '{name}'") as caught:
            refuse(name)
        assert nearest in str(caught.value).partition(";")[2]


@pytest.mark.parametrize("name", ["", "ml1", "ml1/", "ml10/reach-v3", "reach-v3", "navigation/x"])
def test_names_that_are_nearly_right_are_refused_too(name):
    with pytest.raises(UnknownNameError, match=r"benchmark: unknown name .*(did you mean|known:)"):
        make_benchmark(name)


def test_settings_are_the_benchmarks_own_to_check():
    with pytest.raises(ConfigError, match="max_episode_steps: got 0; must be at least 1"):
        make_benchmark("navigation", max_episode_steps=0)
    with pytest.raises(ConfigError, match="max_episode_steps: got 501; allowed: 1 to 500"):
        make_benchmark("ml1/reach-v3", max_episode_steps=501)


@pytest.mark.parametrize("name", ["navigation", "bandits-5", "halfcheetah-dir"])
def test_settings_that_a_benchmark_does_not_take_are_refused(name):
    with pytest.raises(ConfigError, match=f"reward_version: got 'v1'; {name} takes no such"):
        make_benchmark(name, reward_version="v1")


@pytest.mark.parametrize("name", [*TOYS, "reacher-damping"])
def test_a_small_benchmark_trains(name):
    benchmark = make_benchmark(name, max_episode_steps=4)
    with MAML(benchmark, meta_batch_size=2, episodes_per_task=2, hidden_sizes=(4,)) as agent:
        agent.learn(1)
        assert agent.iteration == 1
