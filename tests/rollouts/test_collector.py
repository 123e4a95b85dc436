from dataclasses import dataclass, replace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from metarl.envs.navigation import NavigationTasks
from metarl.errors import ConfigError
from metarl.policies import make_mlp_policy
from metarl.rollouts import Job, JobResult
from metarl.rollouts.collector import Collector
from metarl.spaces import clip_actions
from stub_envs import StubTasks, mixed_tasks, stub_task
from tests.rollouts.stub_jobs import HORIZON, arrays, assert_same, job_for, policy_for, run_one

KINDS = [(o, a) for o in ("box", "discrete", "dict") for a in ("box", "discrete")]


@dataclass(frozen=True)
class Step:
    before: np.ndarray
    reward: float
    after: np.ndarray
    terminated: bool
    truncated: bool
    info: dict


def replayed(job: Job, result: JobResult, episode: int, distribution: StubTasks) -> list[Step]:
    """Steps an environment of its own through the actions that an episode recorded."""
    seed = int(job.stream.numpy().integers(2**31, size=job.num_episodes)[episode])
    env = distribution.make_env(job.task)

    def flat(observation):
        return spaces.flatten(env.observation_space, observation).astype(np.float32)

    observation, _ = env.reset(seed=seed)
    steps = []
    for row in clip_actions(env.action_space, result.actions[episode]):
        before = flat(observation)
        observation, reward, terminated, truncated, info = env.step(row)
        steps.append(Step(before, reward, flat(observation), terminated, truncated, info))
        if terminated or truncated:
            break
    return steps


@pytest.mark.parametrize(("observations", "actions"), KINDS)
@pytest.mark.parametrize("task", mixed_tasks(), ids=repr)
def test_a_job_holds_what_its_environments_did(task, observations, actions):
    distribution = StubTasks(observations=observations, actions=actions, horizon=HORIZON)
    policy = policy_for(distribution)
    job = job_for(task, policy, num_episodes=4)
    (result,) = Collector(distribution, policy).run([job])
    for episode in range(4):
        steps = replayed(job, result, episode, distribution)
        last = steps[-1]
        assert last.terminated or last.truncated or len(steps) == HORIZON
        assert result.mask[episode].tolist() == [n < len(steps) for n in range(HORIZON)]
        for number, step in enumerate(steps):
            assert np.array_equal(result.observations[episode, number], step.before)
            assert result.rewards[episode, number] == np.float32(step.reward)
            if "success_at" in task.parameters:
                assert result.success[episode, number] == step.info["success"]
        assert result.terminated[episode] == last.terminated
        assert result.truncated[episode] == (not last.terminated)
        assert np.array_equal(result.last_observations[episode], last.after)
        assert result.unstable[episode] == last.info.get("sim_unstable", False)
    assert (result.success is None) == ("success_at" not in task.parameters)


def test_the_episodes_of_the_stub_end_in_every_way():
    """Else the test above shows less than it seems to."""
    results = [run_one(task, num_episodes=8) for task in mixed_tasks()]
    lengths = {int(length) for result in results for length in result.mask.sum(axis=1)}
    assert lengths == {1, 2, 3, 4, 5, 6}
    assert any(r.terminated.any() and r.truncated.any() for r in results)
    assert any(result.unstable.any() for result in results)
    assert any(result.success is not None and result.success.any() for result in results)


def test_the_horizon_truncates():
    result = run_one(stub_task(value=1.0))
    assert result.mask.all()
    assert result.truncated.all()
    assert not result.terminated.any()
    assert result.last_observations[:, 0].tolist() == [HORIZON] * 3


def test_an_end_by_itself_at_the_horizon_is_no_truncation():
    result = run_one(stub_task(lengths=[HORIZON, HORIZON]))
    assert result.terminated.all()
    assert not result.truncated.any()


def test_an_episode_that_is_terminated_and_truncated_at_once_is_terminated():
    result = run_one(stub_task(lengths=[2, 2], end="both"))
    assert result.terminated.all()
    assert not result.truncated.any()


@pytest.mark.parametrize("task", mixed_tasks(), ids=repr)
def test_everything_is_zero_outside_the_mask(task):
    result = run_one(task, num_episodes=4)
    outside = ~result.mask
    for name in ("observations", "actions", "rewards", "log_probs", "dist_params", "success"):
        values = getattr(result, name)
        assert values is None or not values[outside].any(), name


@pytest.mark.parametrize("actions", ["box", "discrete"])
@pytest.mark.parametrize("task", mixed_tasks()[:4], ids=repr)
def test_log_probabilities_are_the_policys_own_of_the_stored_actions(task, actions):
    distribution = StubTasks(actions=actions, horizon=HORIZON)
    policy = policy_for(distribution)
    result = run_one(task, distribution, policy)
    with torch.no_grad():
        dist_params, _ = policy(torch.from_numpy(result.observations))
        log_probs = policy.log_prob(dist_params, torch.from_numpy(result.actions))
    mask = result.mask
    np.testing.assert_allclose(result.dist_params[mask], dist_params.numpy()[mask], atol=1e-6)
    np.testing.assert_allclose(result.log_probs[mask], log_probs.numpy()[mask], atol=1e-5)


def test_actions_are_stored_as_sampled_and_clipped_at_the_environment():
    """The stub asserts that what it gets lies in [-0.5, 0.5]."""
    result = run_one(stub_task())
    assert np.abs(result.actions).max() > 0.5
    clipped = np.clip(result.actions, -0.5, 0.5).sum(axis=-1)
    np.testing.assert_allclose(result.rewards, np.arange(1, HORIZON + 1) + clipped, atol=1e-6)


def test_a_policy_acts_with_the_parameters_of_its_job():
    distribution = StubTasks()
    policy = policy_for(distribution)
    job = job_for(stub_task(), policy)
    changed = replace(job, params={name: value + 0.5 for name, value in job.params.items()})
    first, second, third = Collector(distribution, policy).run([job, changed, job])
    assert_same(first, third)
    assert not np.array_equal(first.dist_params, second.dist_params)


def test_deterministic_jobs_act_by_the_mode():
    distribution = StubTasks()
    result = run_one(stub_task(), distribution, deterministic=True)
    assert np.array_equal(result.actions, result.dist_params[..., :2])
    assert np.array_equal(result.mask, run_one(stub_task(), distribution).mask)


def test_streams_make_the_difference():
    distribution = StubTasks()
    policy = policy_for(distribution)
    jobs = [job_for(stub_task(), policy, key=key) for key in (0, 1, 0)]
    first, other, again = Collector(distribution, policy).run(jobs)
    assert_same(first, again)
    assert not np.array_equal(first.observations, other.observations)
    assert not np.array_equal(first.actions, other.actions)
    assert not np.array_equal(first.actions[0], first.actions[1])


@pytest.mark.parametrize("retasks", [False, True])
@pytest.mark.parametrize(("observations", "actions"), KINDS)
def test_a_job_does_not_depend_on_what_runs_beside_or_before_it(observations, actions, retasks):
    def collector(tasks_per_vec):
        distribution = StubTasks(
            observations=observations,
            actions=actions,
            tasks_per_vec=tasks_per_vec,
            retasks=retasks,
        )
        return Collector(distribution, policy_for(distribution))

    policy = policy_for(StubTasks(observations=observations, actions=actions))
    jobs = [job_for(task, policy, key=key) for key, task in enumerate(mixed_tasks())]
    alone = [collector(1).run([job])[0] for job in jobs]
    for tasks_per_vec in (1, 4, 64):
        kept = collector(tasks_per_vec)
        for order in (range(len(jobs)), [5, 2, 0, 6, 1, 4, 3]):
            for index, result in zip(order, kept.run([jobs[i] for i in order]), strict=True):
                assert_same(result, alone[index])


def test_a_job_of_navigation_does_not_depend_on_what_runs_beside_it():
    distribution = NavigationTasks(max_episode_steps=20)
    policy = make_mlp_policy(distribution.observation_space, distribution.action_space, (64, 64))
    tasks = distribution.sample(7, np.random.default_rng(0))
    jobs = [job_for(task, policy, key=key, num_episodes=5) for key, task in enumerate(tasks)]
    together = Collector(distribution, policy).run(jobs)
    for job, result in zip(jobs, together, strict=True):
        (alone,) = Collector(distribution, policy).run([job])
        assert_same(result, alone)


def test_the_caller_gets_its_threads_and_gradients_back():
    torch.set_num_threads(2)
    policy = policy_for(StubTasks())
    run_one(stub_task(), policy=policy)
    assert torch.get_num_threads() == 2
    assert not torch.is_inference_mode_enabled()
    assert all(parameter.requires_grad for parameter in policy.parameters())


def test_the_policy_given_is_left_alone():
    distribution = StubTasks()
    policy = policy_for(distribution)
    before = arrays(policy)
    params = {name: value + 1 for name, value in before.items()}
    Collector(distribution, policy).run([replace(job_for(stub_task(), policy), params=params)])
    assert all(np.array_equal(before[name], value) for name, value in arrays(policy).items())


def test_no_jobs_have_no_results():
    distribution = StubTasks()
    assert Collector(distribution, policy_for(distribution)).run([]) == []


def test_jobs_of_different_numbers_of_episodes_are_refused():
    distribution = StubTasks(tasks_per_vec=2)
    policy = policy_for(distribution)
    jobs = [job_for(stub_task(), policy, num_episodes=number) for number in (2, 3)]
    with pytest.raises(ConfigError, match="num_episodes"):
        Collector(distribution, policy).run(jobs)


def test_parameters_of_other_names_are_refused():
    policy = policy_for(StubTasks())
    params = arrays(policy)
    params["log_sd"] = params.pop("log_std")
    job = replace(job_for(stub_task(), policy), params=params)
    with pytest.raises(ConfigError, match=r"params: names differ .*: log_sd, log_std\."):
        Collector(StubTasks(), policy).run([job])


@pytest.mark.parametrize("shape", [(1,), (3,), ()])
def test_parameters_of_other_shapes_are_refused(shape):
    policy = policy_for(StubTasks())
    job = job_for(stub_task(), policy)
    job.params["log_std"] = np.zeros(shape, dtype=np.float32)
    with pytest.raises(ConfigError, match=r"params: log_std has shape .*; the policy's has \(2,\)"):
        Collector(StubTasks(), policy).run([job])


@pytest.mark.parametrize("tasks_per_vec", [1, 3])
def test_an_exception_of_an_environment_arrives_as_itself_and_says_where(tasks_per_vec):
    bad = stub_task("pushing", fault="value error", fault_at=3)
    policy = policy_for(StubTasks())
    jobs = [job_for(t, policy, key=key) for key, t in enumerate([stub_task(), bad, stub_task()])]
    collector = Collector(StubTasks(tasks_per_vec=tasks_per_vec), policy)
    with pytest.raises(ValueError, match="the stub fails as told") as caught:
        collector.run(jobs)
    seed = int(jobs[1].stream.numpy().integers(2**31, size=3)[0])
    notes = "\n".join(caught.value.__notes__)
    assert f"pushing ({bad.digest}), episode 0, seed {seed}, step 2" in notes
    (good,) = collector.run(jobs[:1])
    (expected,) = Collector(StubTasks(), policy).run(jobs[:1])
    assert_same(good, expected)


def test_an_exception_of_someones_own_vector_environment_says_where_too():
    class Failing(gymnasium.vector.VectorWrapper):
        def step(self, actions):
            raise ZeroDivisionError

    class Own(StubTasks):
        def make_vec(self, tasks, num_envs_per_task):
            return Failing(super().make_vec(tasks, num_envs_per_task))

    with pytest.raises(ZeroDivisionError) as caught:
        run_one(stub_task("pushing"), Own())
    assert caught.value.__notes__ == ["in a rollout of pushing, step 0"]


@pytest.mark.parametrize("mode", ["SAME_STEP", "NEXT_STEP"])
def test_vector_environments_that_reset_themselves_are_refused(mode):
    class Restarting(StubTasks):
        def make_vec(self, tasks, num_envs_per_task):
            vec = super().make_vec(tasks, num_envs_per_task)
            vec.metadata = {"autoreset_mode": AutoresetMode[mode]}
            return vec

    distribution = Restarting()
    policy = policy_for(distribution)
    with pytest.raises(ConfigError, match=f"make_vec: got autoreset mode .*{mode}; must be DISA"):
        Collector(distribution, policy).run([job_for(stub_task(), policy, num_episodes=1)])
    assert all(env.closed for env in distribution.made)
