import gymnasium
import numpy as np
import pytest

from metarl.errors import InvalidActionError, TaskError
from metarl.vector import EpisodeVectorEnv
from stub_envs import StubTasks, mixed_tasks, stub_task

SHORT = stub_task(value=1.0, lengths=[2, 2])
LONG = stub_task(value=2.0)


def make_vec(tasks, num_envs_per_task=1, **settings) -> tuple[EpisodeVectorEnv, StubTasks]:
    distribution = StubTasks(**settings)
    return distribution.make_vec(tasks, num_envs_per_task), distribution


def actions(vec: EpisodeVectorEnv, value: float = 0.25) -> np.ndarray:
    return np.full((vec.num_envs, 2), value, dtype=np.float32)


def test_rows_are_task_major():
    vec, _ = make_vec([SHORT, LONG], 3)
    observations, _ = vec.reset(seed=0)
    assert observations.shape == (6, 3)
    assert observations[:, 1].tolist() == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    assert vec.observation_space.shape == (6, 3)
    assert vec.action_space.shape == (6, 2)
    assert vec.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.DISABLED


def test_an_ended_row_waits_with_its_last_observation_and_no_reward():
    vec, distribution = make_vec([SHORT, LONG])
    vec.reset(seed=0)
    vec.step(actions(vec))
    last, rewards, terminated, _, _ = vec.step(actions(vec))
    assert rewards.tolist() == [1.0 + 2 + 0.5, 2.0 + 2 + 0.5]
    assert terminated.tolist() == [True, False]
    for step in (3, 4):
        observations, rewards, terminated, truncated, infos = vec.step(actions(vec))
        assert np.array_equal(observations[0], last[0])
        assert observations[1, 0] == step
        assert rewards.tolist() == [0.0, 2.0 + step + 0.5]
        assert terminated.tolist() == [True, False]
        assert truncated.tolist() == [False, False]
        assert infos == {}
    assert [env.steps for env in distribution.made] == [2, 4]


def test_results_are_not_overwritten_by_later_steps():
    vec, _ = make_vec([SHORT, LONG])
    vec.reset(seed=0)
    kept = vec.step(actions(vec))[:4]
    copies = [array.copy() for array in kept]
    vec.step(actions(vec))
    assert all(np.array_equal(a, b) for a, b in zip(kept, copies, strict=True))


def test_the_reset_mask_starts_its_rows_alone():
    vec, distribution = make_vec([SHORT, LONG, SHORT])
    vec.reset(seed=0)
    vec.step(actions(vec))
    before, *_ = vec.step(actions(vec))
    mask = np.array([True, False, False])
    observations, _ = vec.reset(seed=[7, 8, 9], options={"reset_mask": mask})
    assert observations[:, 0].tolist() == [0.0, 2.0, 2.0]
    assert np.array_equal(observations[1:], before[1:])
    assert [env.num_resets for env in distribution.made] == [2, 1, 1]
    observations, rewards, terminated, _, _ = vec.step(actions(vec))
    assert observations[:, 0].tolist() == [1.0, 3.0, 2.0]
    assert terminated.tolist() == [False, False, True]
    assert rewards[2] == 0.0


def test_other_reset_options_reach_the_environments():
    seen = []

    class Listening(StubTasks):
        def make_env(self, task, render_mode=None):
            env = super().make_env(task, render_mode)
            inner = env.reset
            env.reset = lambda **kwargs: seen.append(kwargs) or inner(**kwargs)
            return env

    vec = Listening().make_vec([SHORT], 2)
    options = {"reset_mask": np.array([True, True]), "level": 3}
    vec.reset(seed=5, options=options)
    assert seen == [{"seed": seed, "options": {"level": 3}} for seed in (5, 6)]
    assert "reset_mask" in options


@pytest.mark.parametrize(("seed", "each"), [(10, [10, 11, 12]), ([4, 4, 9], [4, 4, 9])])
def test_seeds_go_to_the_rows(seed, each):
    vec, _ = make_vec([LONG], 3)
    observations, _ = vec.reset(seed=seed)
    for row, one in enumerate(each):
        env = StubTasks().make_env(LONG)
        expected, _ = env.reset(seed=one)
        assert np.array_equal(observations[row], expected)


@pytest.mark.parametrize("kind", ["box", "discrete", "dict"])
@pytest.mark.parametrize("action_kind", ["box", "discrete"])
def test_rows_equal_environments_stepped_one_by_one(kind, action_kind):
    tasks = list(mixed_tasks())
    vec, _ = make_vec(tasks, 2, observations=kind, actions=action_kind)
    envs = [
        StubTasks(observations=kind, actions=action_kind).make_env(t) for t in tasks for _ in "ab"
    ]
    vec.action_space.seed(3)
    seeds = list(range(100, 100 + vec.num_envs))
    batch, _ = vec.reset(seed=seeds)
    current = [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)]
    over = [(False, False)] * vec.num_envs
    for _ in range(10):
        for row, expected in enumerate(current):
            assert_row_equals(batch, row, expected)
        drawn = vec.action_space.sample()
        batch, rewards, terminated, truncated, infos = vec.step(drawn)
        for row, env in enumerate(envs):
            if any(over[row]):
                assert rewards[row] == 0.0
            else:
                current[row], reward, *over[row], info = env.step(drawn[row])
                assert rewards[row] == reward
                assert {name: infos[name][row] for name in info} == info
            assert [terminated[row], truncated[row]] == list(over[row])
    assert 0 < sum(any(ends) for ends in over) < len(over)


def assert_row_equals(batch, row: int, expected) -> None:
    if isinstance(batch, dict):
        for name in batch:
            assert_row_equals(batch[name], row, expected[name])
    else:
        assert np.array_equal(batch[row], expected)


def test_tasks_are_moved_where_the_family_can():
    vec, distribution = make_vec([SHORT, LONG], 2, retasks=True)
    before = list(vec.envs)
    vec.set_tasks([stub_task(value=3.0), stub_task(value=4.0)])
    assert all(now is env for now, env in zip(vec.envs, before, strict=True))
    observations, _ = vec.reset(seed=0)
    assert observations[:, 1].tolist() == [3.0, 3.0, 4.0, 4.0]
    assert not any(env.closed for env in before)
    assert len(distribution.made) == 4


def test_environments_are_built_anew_where_tasks_cannot_be_moved():
    vec, distribution = make_vec([SHORT, LONG], 2, retasks=False)
    before = list(vec.envs)
    vec.set_tasks([stub_task(value=3.0), stub_task(value=4.0)])
    assert all(env.closed for env in before)
    observations, _ = vec.reset(seed=0)
    assert observations[:, 1].tolist() == [3.0, 3.0, 4.0, 4.0]
    assert len(distribution.made) == 8


def test_a_moved_row_gives_the_bits_of_a_new_one():
    fresh, _ = make_vec(mixed_tasks()[:2])
    moved, _ = make_vec([LONG, LONG], retasks=True)
    moved.reset(seed=1)
    moved.step(actions(moved))
    moved.set_tasks(mixed_tasks()[:2])
    assert np.array_equal(moved.reset(seed=5)[0], fresh.reset(seed=5)[0])
    for _ in range(3):
        for one, other in zip(
            moved.step(actions(moved))[:4], fresh.step(actions(fresh))[:4], strict=True
        ):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_tasks_is_refused(count):
    vec, _ = make_vec([SHORT, LONG], 2)
    with pytest.raises(TaskError, match=f"tasks: got {count}; this vector environment holds 2"):
        vec.set_tasks([LONG] * count)


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_actions_is_refused(count):
    vec, distribution = make_vec([SHORT, LONG, LONG])
    vec.reset(seed=0)
    with pytest.raises(InvalidActionError, match=f"action: got {count}; must be 3"):
        vec.step(np.zeros((count, 2), dtype=np.float32))
    assert [env.steps for env in distribution.made] == [0, 0, 0]


def test_an_exception_in_a_step_says_where():
    bad = stub_task("pushing", value=1.0, fault="value error", fault_at=3)
    vec, _ = make_vec([LONG, bad], 2)
    vec.reset(seed=[20, 21, 22, 23])
    vec.step(actions(vec))
    vec.step(actions(vec))
    with pytest.raises(ValueError, match="as told") as caught:
        vec.step(actions(vec))
    (note,) = caught.value.__notes__
    assert note == f"while stepping task pushing ({bad.digest}), episode 0, seed 22, step 2"


def test_an_exception_in_a_reset_says_where():
    bad = stub_task("pushing", fault="value error", fault_at=0)
    vec, _ = make_vec([LONG, bad])
    with pytest.raises(ValueError, match="as told") as caught:
        vec.reset(seed=[20, 21])
    (note,) = caught.value.__notes__
    assert note == f"while resetting task pushing ({bad.digest}), episode 0, seed 21, step 0"


def test_closing_closes_every_environment_and_may_happen_twice():
    vec, distribution = make_vec([SHORT, LONG], 2)
    vec.close()
    vec.close()
    assert all(env.closed for env in distribution.made)
