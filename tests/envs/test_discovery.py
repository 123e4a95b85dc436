import sys

import pytest

from broken_envs import Winds
from metarl.envs import make_benchmark
from metarl.envs.discovery import GROUP, discover, load_reference
from metarl.envs.navigation import navigation
from metarl.envs.registry import benchmark_names, check_benchmark_name
from metarl.errors import ConfigError, UnknownNameError
from metarl.tasks import Benchmark
from own_modules import forget_modules_of

FAMILIES = '''
"""A module with a family."""

from metarl.envs.gymnasium import TaskFamily, Uniform
from metarl.envs.navigation import NavigationTasks, navigation

pendulums = TaskFamily("Pendulum-v1", attributes={"m": Uniform(0.5, 2.0)}, name="pendulums")
finished = navigation(seed=3, max_episode_steps=5)
tasks = NavigationTasks(5)
number = 5


def short(seed):
    """Short navigation.

    And more."""
    return navigation(seed, max_episode_steps=4)


def fixed():
    return NavigationTasks(6)


def needy(seed, size):
    return navigation(seed)


def raising(seed):
    return {}["arm"]


def wrong(seed):
    return [seed]


class Nested:
    inner = tasks
'''


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder that modules and installed packages are looked for in."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    forget_modules_of(tmp_path)


@pytest.fixture
def families(place):
    (place / "own_families.py").write_text(FAMILIES)
    return place


def install(place, package, **entries):
    """What pip leaves behind of a package with entry points."""
    folder = place / f"{package}-1.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
    lines = [f"{name.replace('_', '-')} = {value}" for name, value in entries.items()]
    (folder / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))


@pytest.mark.parametrize(
    ("name", "called", "seed", "horizon"),
    [
        ("pendulums", "pendulums", 7, 200),
        ("short", "navigation", 7, 4),
        ("finished", "navigation", 3, 5),
        ("tasks", "own_families:tasks", 0, 5),
        ("Nested.inner", "own_families:Nested.inner", 0, 5),
        ("fixed", "own_families:fixed", 0, 6),
    ],
)
def test_a_benchmark_is_made_from_whatever_a_module_holds(families, name, called, seed, horizon):
    reference = f"own_families:{name}"
    check_benchmark_name(reference)
    given = seed if name in ("pendulums", "short", "finished") else 0
    benchmark = make_benchmark(reference, seed=given)
    assert isinstance(benchmark, Benchmark)
    assert (benchmark.name, benchmark.seed) == (called, seed)
    assert benchmark.train.max_episode_steps == horizon


def test_settings_reach_what_takes_them(families):
    benchmark = make_benchmark("own_families:pendulums", seed=1, max_episode_steps=9)
    assert benchmark.train.max_episode_steps == 9
    for name in ("short", "finished", "tasks"):
        with pytest.raises(ConfigError, match=f"max_episode_steps: got 9; own_families:{name} tak"):
            make_benchmark(f"own_families:{name}", max_episode_steps=9)


@pytest.mark.parametrize(
    ("reference", "seed", "message"),
    [
        ("own_families:finished", 4, "seed: got 4; own_families:finished is made already, with s"),
        ("own_families:fixed", 4, "seed: got 4; own_families:fixed takes none"),
        ("own_families:number", 0, "own_families:number is a int; must be a Benchmark"),
        ("own_families:needy", 0, "own_families:needy is called with .*missing .* 'size'"),
        ("own_families:wrong", 0, "own_families:wrong makes a list, not a Benchmark"),
        (
            "own_families:raising",
            0,
            r"making own_families:raising raises KeyError: 'arm' \(.*own_families.py, line 29\)",
        ),
        ("own_families:pendulum", 0, "in own_families: unknown name 'pendulum'; did you mean pend"),
        ("own_families:", 0, "got 'own_families:'; must be module:NAME"),
        ("own families:x", 0, "got 'own families:x'; must be module:NAME"),
        ("a.b:c:d", 0, "got 'a.b:c:d'; must be module:NAME"),
        ("no_families:x", 0, "'no_families:x': there is no module 'no_families'"),
        ("own_families.inner:x", 0, "raises ModuleNotFoundError|there is no module"),
    ],
)
def test_what_leads_to_no_benchmark_is_refused_with_the_reason(families, reference, seed, message):
    with pytest.raises(ConfigError, match=message):
        make_benchmark(reference, seed=seed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_this_name", "raises ModuleNotFoundError: No module named 'nothing_of"),
        ("x = 1 / 0", r"raises ZeroDivisionError: division by zero \(.*spoilt.py, line 1\)"),
        ("def (", "raises SyntaxError"),
    ],
)
def test_a_module_that_can_not_be_imported_is_refused_with_its_own_error(place, text, message):
    (place / "spoilt.py").write_text(text)
    with pytest.raises(ConfigError, match=f"importing 'spoilt:x' {message}"):
        load_reference("spoilt:x")


def test_families_of_other_packages_are_known_by_name(families):
    install(families, "arms", own_arm="own_families:pendulums", short_walk="own_families:short")
    assert {"own-arm", "short-walk"} < set(benchmark_names())
    check_benchmark_name("own-arm")
    assert make_benchmark("own-arm", seed=2, max_episode_steps=9).train.max_episode_steps == 9
    assert make_benchmark("short-walk", seed=2).seed == 2
    with pytest.raises(UnknownNameError, match="unknown name 'own-arn'; did you mean own-arm"):
        check_benchmark_name("own-arn")
    first, second = discover()
    assert (first.name, first.package, first.description) == ("own-arm", "arms 1.5", "pendulums")
    assert (second.description, second.problem) == ("Short navigation.", None)


def test_looking_for_names_imports_nothing(place):
    install(place, "arms", arm="spoilt:x")
    (place / "spoilt.py").write_text("raise SystemError")
    assert "arm" in benchmark_names()
    assert "spoilt" not in sys.modules


def test_a_broken_package_is_listed_with_its_problem_and_spoils_nothing(families):
    install(families, "broken", gone="no_such_module:x", typo="own_families:pendulun")
    install(families, "sound", sound="own_families:short")
    gone, sound, typo = discover()
    assert "there is no module 'no_such_module'" in gone.problem
    assert "unknown name 'pendulun'" in typo.problem
    assert sound.problem is None
    assert make_benchmark("sound").train.max_episode_steps == 4
    assert make_benchmark("navigation").name == "navigation"
    with pytest.raises(ConfigError, match="there is no module 'no_such_module'"):
        make_benchmark("gone")


def test_a_name_registered_twice_must_be_chosen_by_module(families):
    install(families, "one", arm="own_families:short")
    install(families, "two", arm="own_families:pendulums")
    with pytest.raises(ConfigError, match=r"registered by .*choose by own_families:.* or own_fam"):
        make_benchmark("arm")
    (listed,) = discover()
    assert listed.package in ("one 1.5, two 1.5", "two 1.5, one 1.5")
    assert make_benchmark("own_families:short").train.max_episode_steps == 4


def test_a_name_of_our_own_stays_ours(families):
    install(families, "impostor", navigation="own_families:pendulums")
    assert make_benchmark("navigation").train.describe() == navigation().train.describe()
    assert benchmark_names().count("navigation") == 1


def test_a_class_of_distributions_makes_one(place):
    assert isinstance(make_benchmark("broken_envs:Winds").train, Winds)
