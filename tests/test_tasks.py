import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from metarl.errors import ConfigError, ManifestMismatchError, SplitError, TaskError
from metarl.tasks import Benchmark, FiniteTaskDistribution, Task, check_manifest
from metarl.vector import EpisodeVectorEnv
from stub_envs import StubEnv, StubTasks, stub_task

finite_floats = st.floats(allow_nan=False, allow_infinity=False)
families = st.text(max_size=10)
parameters = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | finite_floats | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=5,
    ),
    max_size=4,
)


@given(families, parameters)
def test_a_task_survives_json_pickle_and_copy(family, values):
    task = Task(family, values)
    for again in (
        Task.from_json(json.loads(json.dumps(task.to_json()))),
        pickle.loads(pickle.dumps(task)),
        copy.deepcopy(task),
        Task(family, dict(reversed(values.items()))),
    ):
        assert again == task
        assert hash(again) == hash(task)
        assert again.digest == task.digest
        assert again.family == family
        assert again.parameters == values


@given(st.lists(finite_floats))
def test_numbers_survive_to_the_bit(numbers):
    task = Task(
        "f", {"goal": np.array(numbers).tolist(), "numpy": [np.float64(x) for x in numbers]}
    )
    again = pickle.loads(pickle.dumps(Task.from_json(json.loads(json.dumps(task.to_json())))))
    for key in ("goal", "numpy"):
        read = np.array(again.parameters[key], dtype=np.float64)
        assert read.tobytes() == np.array(numbers, dtype=np.float64).tobytes()


@given(families, parameters, families, parameters)
def test_different_tasks_have_different_digests(family, values, other_family, other_values):
    assume((family, values) != (other_family, other_values))
    task, other = Task(family, values), Task(other_family, other_values)
    assert task != other
    assert task.digest != other.digest


def test_the_smallest_difference_of_a_number_is_another_task():
    task, other = Task("f", {"x": 0.1}), Task("f", {"x": float(np.nextafter(0.1, 1))})
    assert task != other
    assert task.digest != other.digest


SAME = [
    ({"a": 1}, {"a": 1.0}),
    ({"a": 0.0}, {"a": -0.0}),
    ({"a": [1, {"b": 2}]}, {"a": [1.0, {"b": 2.0}]}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_tasks_of_equal_values_are_one_task_in_a_list_and_across_a_split(one, other):
    first, second = Task("f", one), Task("f", other)
    assert first.digest != second.digest  # digests are in the manifests of saved runs
    with pytest.raises(TaskError, match="the same task is listed twice"):
        Finite([first, second])
    with pytest.raises(SplitError, match="toy: 1 tasks are in both"):
        Benchmark("toy", Finite([first]), Finite([second]), 0, {})
    assert Benchmark("toy", Finite([first]), Finite([second]), 0, {}, shares_tasks=True)


@pytest.mark.parametrize("other", [{"a": True}, {"a": "1"}, {"a": [1]}, {"b": 1}, {"a": None}])
def test_tasks_of_other_values_are_apart(other):
    train, test = Finite([Task("f", {"a": 1})]), Finite([Task("f", other), Task("g", {"a": 1})])
    assert Benchmark("toy", train, test, 0, {}).manifest()["disjoint"]


def test_a_digest_is_sixteen_hexadecimal_digits_that_never_change():
    """It is in the manifests of saved runs."""
    assert Task("navigation-2d", {"goal": [0.25, -0.5]}).digest == "cc6580a653f77170"


@pytest.mark.parametrize("name", ["family", "_json", "_digest", "digest", "parameters", "new"])
def test_a_task_is_immutable(name):
    task = Task("f", {"x": [1]})
    with pytest.raises(AttributeError):
        setattr(task, name, "changed")
    with pytest.raises(AttributeError):
        delattr(task, name)
    assert task == Task("f", {"x": [1]})


def test_neither_what_went_in_nor_what_comes_out_reaches_the_task():
    values = {"goal": [1.0, 2.0]}
    task = Task("f", values)
    values["goal"][0] = 9.0
    task.parameters["goal"][1] = 9.0
    task.to_json()["parameters"]["goal"][1] = 9.0
    assert task.parameters == {"goal": [1.0, 2.0]}


def test_a_task_equals_no_other_kind_of_thing():
    assert Task("f", {}) != ("f", {})
    assert len({Task("f", {}), Task("f", {}), Task("g", {})}) == 2


def test_a_task_shows_family_and_parameters():
    assert repr(Task("reach", {"b": 1, "a": 0.5})) == 'Task(\'reach\', {"a": 0.5, "b": 1})'


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), np.zeros(2), np.float32(1), {1, 2}, object(), 1j]
)
def test_parameters_that_json_cannot_hold_are_refused(value):
    with pytest.raises(TaskError, match="parameters of a 'reach' task must be JSON"):
        Task("reach", {"goal": value})


def test_parameters_that_hold_themselves_are_refused():
    loop = {}
    loop["self"] = loop
    with pytest.raises(TaskError, match="must be JSON"):
        Task("reach", loop)


@pytest.mark.parametrize("lacking", ["family", "parameters"])
def test_task_data_without_a_key_is_refused(lacking):
    data = Task("f", {}).to_json()
    del data[lacking]
    with pytest.raises(TaskError, match=lacking):
        Task.from_json(data)


class Finite(FiniteTaskDistribution):
    max_episode_steps = 5

    def make_env(self, task, render_mode=None):
        return StubEnv(task, StubTasks())


def family_of(name: str, size: int) -> list[Task]:
    return [Task(name, {"number": number}) for number in range(size)]


THREE_FAMILIES = [*family_of("a", 4), *family_of("b", 4), *family_of("c", 4)]


def test_a_finite_distribution_needs_a_task():
    with pytest.raises(TaskError, match="tasks: got none"):
        Finite([])


def test_a_finite_distribution_refuses_a_task_listed_twice():
    with pytest.raises(TaskError, match="listed twice"):
        Finite([*THREE_FAMILIES, Task("b", {"number": 0})])


def test_tasks_and_families_keep_their_order():
    distribution = Finite(THREE_FAMILIES[::-1])
    assert list(distribution.tasks) == THREE_FAMILIES[::-1]
    assert list(distribution.families) == ["c", "b", "a"]
    assert distribution.families["a"] == tuple(family_of("a", 4)[::-1])


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_sample_is_balanced_and_without_repetition(num_tasks, seed):
    drawn = Finite(THREE_FAMILIES).sample(num_tasks, np.random.default_rng(seed))
    counts = [sum(task.family == family for task in drawn) for family in "abc"]
    assert len(drawn) == len(set(drawn)) == num_tasks
    assert max(counts) - min(counts) <= 1
    assert set(drawn) <= set(THREE_FAMILIES)


def test_every_task_and_every_surplus_family_comes_up():
    distribution, rng = Finite(THREE_FAMILIES), np.random.default_rng(0)
    drawn = [task for _ in range(200) for task in distribution.sample(1, rng)]
    counts = {task: drawn.count(task) for task in THREE_FAMILIES}
    assert min(counts.values()) >= 5  # 16.7 on average


def test_a_sample_depends_on_the_generator_alone():
    distribution = Finite(THREE_FAMILIES)
    first = distribution.sample(7, np.random.default_rng(3))
    distribution.sample(2, np.random.default_rng(4))
    assert distribution.sample(7, np.random.default_rng(3)) == first
    assert distribution.sample(7, np.random.default_rng(5)) != first


def test_too_many_tasks_without_replacement_are_refused_with_the_reason():
    distribution = Finite([*family_of("reach", 3), *family_of("push", 10)])
    with pytest.raises(ConfigError) as caught:
        distribution.sample(8, np.random.default_rng(0))
    message = str(caught.value)
    assert message.startswith("num_tasks: got 8, which takes 4 tasks of reach;")
    assert "at most 3" in message
    assert "replace=True" in message


def test_with_replacement_any_number_can_be_drawn():
    distribution = Finite(family_of("reach", 2), replace=True)
    drawn = distribution.sample(20, np.random.default_rng(0))
    assert len(drawn) == 20
    assert set(drawn) == set(family_of("reach", 2))


@pytest.mark.parametrize("num_tasks", [0, -3])
def test_no_tasks_cannot_be_drawn(num_tasks):
    with pytest.raises(ConfigError, match=f"num_tasks: got {num_tasks}; must be at least 1"):
        Finite(THREE_FAMILIES).sample(num_tasks, np.random.default_rng(0))


def test_the_description_of_a_finite_distribution_lists_digests_by_family():
    description = Finite(THREE_FAMILIES).describe()
    assert description["type"] == "Finite"
    assert description["max_episode_steps"] == 5
    assert description["tasks"]["b"] == [task.digest for task in family_of("b", 4)]


def test_the_default_vector_environment_is_made_of_the_tasks_environments():
    distribution = StubTasks()
    tasks = [stub_task(value=1.0), stub_task(value=2.0)]
    vec = distribution.make_vec(tasks, 2)
    assert isinstance(vec, EpisodeVectorEnv)
    assert [env.value for env in distribution.made] == [1.0, 1.0, 2.0, 2.0]
    assert distribution.tasks is None
    vec.close()


def benchmark(train=None, test=None, **changes) -> Benchmark:
    values = {
        "name": "toy",
        "train": train or Finite(family_of("a", 4)),
        "test": test or Finite(family_of("b", 4)),
        "seed": 0,
        "settings": {"reward": "v2"},
    }
    return Benchmark(**{**values, **changes})


def test_a_task_in_train_and_test_is_refused_and_shown():
    with pytest.raises(
        SplitError, match=r"toy: 1 tasks are in both .*Task\('a', {\"number\": 3}\)"
    ):
        benchmark(test=Finite([*family_of("b", 4), Task("a", {"number": 3})]))


def test_tasks_may_be_shared_where_that_is_said_and_the_manifest_says_it_too():
    same = Finite(family_of("a", 2))
    shared = Benchmark("toy", same, same, 0, {}, shares_tasks=True)
    assert shared.manifest()["disjoint"] is False


@pytest.mark.parametrize("test", [None, StubTasks(), Finite(family_of("b", 2))])
def test_to_say_that_tasks_are_shared_where_none_is_known_to_be_is_refused(test):
    with pytest.raises(SplitError, match="toy: shares_tasks is true, but no task"):
        Benchmark("toy", Finite(family_of("a", 2)), test, 0, {}, shares_tasks=True)


def test_the_manifest_is_stable_json():
    manifest = benchmark().manifest()
    assert json.loads(json.dumps(manifest, allow_nan=False)) == manifest
    assert benchmark().manifest() == manifest
    assert manifest["benchmark"] == "toy"
    assert manifest["disjoint"] is True
    assert set(manifest["versions"]) == {"gymnasium", "metaworld", "mujoco"}
    assert manifest["train"]["tasks"] == {"a": [task.digest for task in family_of("a", 4)]}
    check_manifest(json.loads(json.dumps(manifest)), benchmark().manifest())


def test_the_manifest_is_the_same_in_every_process():
    """Hashes of strings differ from process to process; nothing of them may get in."""
    script = (
        "from metarl.tasks import Benchmark, FiniteTaskDistribution, Task\n"
        "class D(FiniteTaskDistribution):\n"
        "    max_episode_steps = 5\n"
        "    def make_env(self, task, render_mode=None): ...\n"
        "d = [D([Task(f, {'n': n}) for f in fs for n in range(3)]) for fs in ('ab', 'cd')]\n"
        "print(Benchmark('toy', *d, 0, {'x': 1, 'y': [2]}).manifest()['digest'])\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("test", [None, StubTasks()])
def test_the_manifest_does_not_call_disjoint_what_digests_cannot_tell(test):
    manifest = Benchmark("toy", Finite(THREE_FAMILIES), test, 0, {}).manifest()
    assert manifest["disjoint"] is None
    assert json.loads(json.dumps(manifest)) == manifest


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, ["seed: saved 0, now 1"]),
        ({"name": "other"}, ["benchmark: saved 'toy', now 'other'"]),
        ({"settings": {"reward": "v1"}}, ["settings.reward: saved 'v2', now 'v1'"]),
        ({"settings": {"reward": "v2", "digest": "x"}}, ["settings.digest: saved absent, now 'x'"]),
        ({"settings": {}}, ["settings.reward: saved 'v2', now absent"]),
        (
            {"settings": {"reward": "v2", "new": None}},
            ["settings.new: saved absent, now None"],
        ),
        ({"train": Finite(family_of("a", 6))}, ["train.tasks.a: 2 entries differ"]),
        (
            {"test": Finite(family_of("c", 4)), "seed": 2},
            ["seed: saved 0, now 2", "test.tasks.b: saved [", "test.tasks.c: saved absent, now ["],
        ),
        (
            {"train": Finite(family_of("a", 4)[::-1])},
            ["train.tasks.a: the same entries, in another order or number"],
        ),
    ],
    ids=["seed", "name", "value", "digest", "absent", "new", "tasks", "families", "order"],
)
def test_a_mismatch_names_what_differs(changed, named):
    saved = json.loads(json.dumps(benchmark().manifest()))
    with pytest.raises(ManifestMismatchError) as caught:
        check_manifest(saved, benchmark(**changed).manifest())
    title, *lines = str(caught.value).splitlines()
    assert title == "saved run and benchmark differ:"
    assert len(lines) == len(named)
    for line, beginning in zip(lines, named, strict=True):
        assert line.startswith(beginning)


def test_settings_may_hold_tuples():
    made = benchmark(settings={"range": (0, 1)})
    manifest = made.manifest()
    assert json.loads(json.dumps(manifest)) == manifest
    saved = json.loads(json.dumps({**manifest, "seed": 1, "digest": "of another manifest"}))
    with pytest.raises(ManifestMismatchError, match=r"differ:\nseed: saved 1, now 0\Z"):
        check_manifest(saved, manifest)


def test_lists_of_any_json_can_differ():
    saved = benchmark(settings={"box": [[0, 1], {"high": 2}]}).manifest()
    current = benchmark(settings={"box": [[0, 1], {"high": 3}]}).manifest()
    with pytest.raises(ManifestMismatchError, match=r"settings\.box: 2 entries differ"):
        check_manifest(saved, current)


def test_another_version_of_what_tasks_run_on_is_a_mismatch():
    saved = benchmark().manifest()
    saved["versions"] = {**saved["versions"], "mujoco": "0.0"}
    saved["digest"] = "of another manifest"
    with pytest.raises(ManifestMismatchError, match=r"versions\.mujoco: saved '0\.0', now '"):
        check_manifest(saved, benchmark().manifest())


def test_many_differences_are_cut_short():
    saved = benchmark(settings={f"s{n:02}": n for n in range(20)}).manifest()
    current = benchmark(settings={f"s{n:02}": -n - 1 for n in range(20)}).manifest()
    with pytest.raises(ManifestMismatchError) as caught:
        check_manifest(saved, current)
    lines = str(caught.value).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "..."


def test_a_damaged_digest_is_named_though_nothing_else_differs():
    saved = {**benchmark().manifest(), "digest": "0"}
    with pytest.raises(ManifestMismatchError, match="digest: saved '0', now '"):
        check_manifest(saved, benchmark().manifest())
