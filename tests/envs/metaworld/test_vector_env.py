import numpy as np
import pytest

from metarl.envs.metaworld import ML1, MetaWorldTasks, MetaWorldVectorEnv
from metarl.errors import InvalidActionError, TaskError
from metarl.vector import DeferredVectorEnv

HORIZON = 8


@pytest.fixture(scope="module")
def tasks():
    return ML1("push-v3", seed=3).train.tasks


def actions(steps, rows=4):
    return np.random.default_rng(0).uniform(-1, 1, (steps, rows, 4)).astype(np.float32)


def test_rows_equal_single_environments_and_wait_when_their_episode_is_over(tasks):
    vec = MetaWorldVectorEnv(tasks[:2], 2, HORIZON)
    single = MetaWorldTasks(tasks, max_episode_steps=HORIZON)
    envs = [single.make_env(tasks[row // 2]) for row in range(4)]
    observations, _ = vec.reset()
    assert all(np.array_equal(observations[i], env.reset()[0]) for i, env in enumerate(envs))
    for step, action in enumerate(actions(HORIZON)):
        observations, rewards, terminated, truncated, infos = vec.step(action)
        for row, env in enumerate(envs):
            expected, reward, _, ended, info = env.step(action[row])
            assert np.array_equal(observations[row], expected)
            assert rewards[row] == reward
            assert truncated[row] == ended == (step == HORIZON - 1)
            for name, value in info.items():
                assert infos[name][row] == value, name
        assert not terminated.any()
    again, rewards, _, truncated, _ = vec.step(actions(1)[0])
    assert np.array_equal(again, observations)
    assert not rewards.any()
    assert truncated.all()


def test_some_rows_can_be_reset_while_others_go_on(tasks):
    vec = MetaWorldVectorEnv(tasks[:2], 2, HORIZON)
    start, _ = vec.reset()
    for action in actions(HORIZON - 1):
        middle = vec.step(action)[0]
    observations, _ = vec.reset(options={"reset_mask": np.array([True, False, False, True])})
    assert np.array_equal(observations[[0, 3]], start[[0, 3]])
    assert np.array_equal(observations[[1, 2]], middle[[1, 2]])
    assert vec.step(actions(1)[0])[3].tolist() == [False, True, True, False]


def test_rewards_asked_for_later_are_the_same(tasks):
    now, later = (MetaWorldVectorEnv(tasks[:2], 2, HORIZON) for _ in range(2))
    assert isinstance(later, DeferredVectorEnv)
    now.reset()
    later.reset()
    steps = []
    for action in actions(HORIZON):
        steps.append(now.step(action))
        observations, terminated, truncated, unstable = later.advance(action)
        assert np.array_equal(observations, steps[-1][0])
        assert np.array_equal(terminated, steps[-1][2])
        assert np.array_equal(truncated, steps[-1][3])
        assert not unstable.any()
    rewards, success = later.settle()
    assert np.array_equal(rewards, np.stack([step[1] for step in steps]))
    assert np.array_equal(success, np.stack([step[4]["is_success"] for step in steps]))


def test_other_tasks_take_effect_with_the_next_reset(tasks):
    vec = MetaWorldVectorEnv(tasks[:2], 2, HORIZON)
    vec.reset()
    vec.set_tasks(tasks[2:4])
    moved, _ = vec.reset()
    fresh, _ = MetaWorldVectorEnv(tasks[2:4], 2, HORIZON).reset()
    assert np.array_equal(moved, fresh)
    with pytest.raises(TaskError, match="tasks: got 1; this vector environment holds 2"):
        vec.set_tasks(tasks[:1])


def test_a_step_waits_until_earlier_rewards_are_settled(tasks):
    vec = MetaWorldVectorEnv(tasks[:2], 2, HORIZON)
    vec.reset()
    vec.advance(actions(1)[0])
    with pytest.raises(RuntimeError, match="1 steps are unsettled"):
        vec.step(actions(1)[0])
    vec.settle()
    assert vec.step(actions(1)[0])[1].all()


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (4,)])
@pytest.mark.parametrize("method", ["step", "advance"])
def test_actions_of_another_shape_are_refused(tasks, method, shape):
    vec = MetaWorldVectorEnv(tasks[:2], 2, HORIZON)
    vec.reset()
    with pytest.raises(InvalidActionError, match=r"got shape .*; must be \(4, 4\)"):
        getattr(vec, method)(np.zeros(shape, dtype=np.float32))


def test_an_action_that_is_no_number_is_refused(tasks):
    vec = MetaWorldVectorEnv(tasks[:2], 2, HORIZON)
    vec.reset()
    action = actions(1)[0]
    action[2, 1] = np.nan
    with pytest.raises(InvalidActionError, match=r"action: row 2 is .*nan.*; must be finite"):
        vec.step(action)
