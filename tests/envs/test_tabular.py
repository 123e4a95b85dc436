import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from stable_baselines3.common.env_checker import check_env as check_sb3

from metarl.envs.bandits import BanditTasks, bandits
from metarl.envs.tabular import MDPTasks, TabularVectorEnv, random_mdps
from metarl.errors import ConfigError, InvalidActionError, TaskError
from metarl.tasks import Task
from metarl.vector import EpisodeVectorEnv

DISTRIBUTIONS = {"mdps": MDPTasks(4, 3, 6), "bandits": BanditTasks(5, 6)}


@pytest.fixture(params=DISTRIBUTIONS)
def distribution(request):
    return DISTRIBUTIONS[request.param]


def random_actions(distribution, steps, rows):
    return np.random.default_rng(0).integers(distribution.num_actions, size=(steps, rows))


def test_the_checkers_have_nothing_to_say(distribution, recwarn):
    (task,) = distribution.sample(1, np.random.default_rng(0))
    check_sb3(distribution.make_env(task))
    check_gymnasium(distribution.make_env(task), skip_render_check=True)
    assert all("spec" in str(warning.message) for warning in recwarn)


def test_the_vector_equals_the_one_that_every_family_has(distribution):
    tasks = distribution.sample(3, np.random.default_rng(1))
    fast = distribution.make_vec(tasks, 2)
    general = super(type(distribution), distribution)
    slow = EpisodeVectorEnv(
        tasks,
        2,
        make_env=distribution.make_env,
        retask=general.retask,
        observation_space=distribution.observation_space,
        action_space=distribution.action_space,
    )
    for seed in (5, None):
        assert np.array_equal(fast.reset(seed=seed)[0], slow.reset(seed=seed)[0])
        for actions in random_actions(distribution, 8, 6):  # two more than the horizon
            for one, other in zip(fast.step(actions)[:4], slow.step(actions)[:4], strict=True):
                assert np.array_equal(one, other)


def test_a_row_depends_on_nothing_beside_it(distribution):
    tasks = distribution.sample(3, np.random.default_rng(1))
    together = distribution.make_vec(tasks, 2)
    alone = distribution.make_vec(tasks[1:2], 1)
    together.reset(seed=[1, 2, 3, 4, 5, 6])
    alone.reset(seed=[3])
    for actions in random_actions(distribution, 6, 6):
        many, one = together.step(actions), alone.step(actions[2:3])
        assert [values[2] for values in many[:4]] == [values[0] for values in one[:4]]


def test_frequencies_are_the_tasks_probabilities():
    tasks = MDPTasks(3, 2, 1)
    (task,) = tasks.sample(1, np.random.default_rng(2))
    vec = tasks.make_vec([task], 5_000)
    for action in (0, 1):
        vec.reset(seed=action)
        states, rewards, *_ = vec.step(np.full(5_000, action))
        frequencies = np.bincount(states, minlength=3) / 5_000
        assert frequencies == pytest.approx(task.parameters["transitions"][0][action], abs=0.03)
        assert rewards.mean() == pytest.approx(task.parameters["rewards"][0][action], abs=0.06)
        assert rewards.std() == pytest.approx(1, abs=0.05)


def test_arms_pay_as_often_as_they_say():
    tasks = BanditTasks(5, 100)
    (task,) = tasks.sample(1, np.random.default_rng(2))
    vec = tasks.make_vec([task], 200)
    for arm in range(5):
        vec.reset(seed=arm)
        steps = [vec.step(np.full(200, arm)) for _ in range(100)]
        rewards = np.array([step[1] for step in steps])
        assert not any(step[0].any() for step in steps)
        assert set(rewards.flat) == {0.0, 1.0}
        assert rewards.mean() == pytest.approx(task.parameters["probabilities"][arm], abs=0.02)


def test_states_are_followed_through_the_episode():
    """Deterministic transitions: every action goes on to the next of three states."""
    onward = np.zeros((3, 2, 3))
    for state in range(3):
        onward[state, :, (state + 1) % 3] = 1
    rewards = np.array([[0, 100], [200, 300], [400, 500]])
    task = Task("tabular-mdp", {"rewards": rewards.tolist(), "transitions": onward.tolist()})
    env = MDPTasks(3, 2, 5).make_env(task)
    assert env.reset(seed=0)[0] == 0
    steps = [env.step(action) for action in (0, 1, 0, 1, 1)]
    assert [step[0] for step in steps] == [1, 2, 0, 1, 2]
    assert [step[1] for step in steps] == pytest.approx([0, 300, 400, 100, 300], abs=6)
    assert [step[3] for step in steps] == [False] * 4 + [True]
    assert env.reset()[0] == 0


def test_tasks_follow_the_distributions_of_the_paper():
    rng = np.random.default_rng(0)
    mdps = [MDPTasks().read(task) for task in MDPTasks().sample(100, rng)]
    rewards = np.array([mdp.rewards for mdp in mdps])
    transitions = np.array([mdp.transitions for mdp in mdps])
    assert rewards.shape == (100, 10, 5)
    assert rewards.mean() == pytest.approx(1, abs=0.05)
    assert rewards.std() == pytest.approx(1, abs=0.05)
    assert np.allclose(transitions.sum(axis=-1), 1)
    # Each entry of a flat Dirichlet vector of ten has variance (1/10)(9/10)/11.
    assert transitions.var() == pytest.approx(0.09 / 11, rel=0.05)
    arms = np.array([task.parameters["probabilities"] for task in BanditTasks(5).sample(500, rng)])
    assert arms.mean() == pytest.approx(0.5, abs=0.02)
    assert arms.var() == pytest.approx(1 / 12, rel=0.05)


def test_the_sizes_are_those_of_the_paper():
    mdps = random_mdps().train
    assert (mdps.num_states, mdps.num_actions, mdps.max_episode_steps) == (10, 5, 10)
    assert bandits(50).train.action_space.n == 50
    assert random_mdps().manifest()["train"]["num_states"] == 10


@pytest.mark.parametrize("action", [[-1, 0], [0, 3], [0.5, 1.0], [0]])
def test_actions_outside_the_space_are_refused(action):
    tasks = MDPTasks(4, 3, 6)
    vec = tasks.make_vec(tasks.sample(2, np.random.default_rng(0)), 1)
    vec.reset(seed=0)
    with pytest.raises(InvalidActionError, match="must be 2 whole numbers from 0 to 2"):
        vec.step(np.array(action))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MDPTasks(0, 5), "num_states: got 0"),
        (lambda: BanditTasks(1), "num_actions: got 1"),
        (lambda: BanditTasks(5, 0), "max_episode_steps: got 0"),
    ],
)
def test_bad_sizes_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"probabilities": [0.5, 0.5]}, r"shape \(2,\); needs 'bandit' and \(5,\)"),
        ({"probabilities": [0.5, 0.5, 0.5, 0.5, 1.5]}, "must be from 0 to 1"),
        ({"probabilities": [0.5, 0.5, 0.5, 0.5, "x"]}, "needs 'bandit'"),
        ({}, "needs 'bandit'"),
    ],
)
def test_malformed_bandits_are_refused(parameters, message):
    with pytest.raises(TaskError, match=message):
        BanditTasks(5).read(Task("bandit", parameters))


def test_malformed_mdps_are_refused():
    rewards = [[1.0, 1.0]]
    with pytest.raises(TaskError, match="must be probabilities that sum to 1"):
        MDPTasks(1, 2).read(
            Task("tabular-mdp", {"rewards": rewards, "transitions": [[[0.5], [1.0]]]})
        )
    with pytest.raises(TaskError, match="needs 'tabular-mdp'"):
        MDPTasks(1, 2).read(Task("bandit", {"rewards": rewards}))
    vec = TabularVectorEnv(
        BanditTasks(2).sample(2, np.random.default_rng(0)), 1, BanditTasks(2).read, 3
    )
    with pytest.raises(TaskError, match="tasks: got 1; this vector environment holds 2"):
        vec.set_tasks(BanditTasks(2).sample(1, np.random.default_rng(0)))
