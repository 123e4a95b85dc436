"""Environments that are kept from job to job, and closed."""

import gymnasium
import pytest

from metarl.errors import TaskError
from metarl.rollouts.collector import Collector
from stub_envs import StubTasks, mixed_tasks, stub_task
from tests.rollouts.stub_jobs import assert_same, job_for, policy_for


def test_environments_are_kept_from_job_to_job():
    distribution = StubTasks(retasks=True)
    policy = policy_for(distribution)
    collector = Collector(distribution, policy)
    for key in range(4):
        collector.run([job_for(stub_task(value=key), policy, key=key, num_episodes=2)])
    assert len(distribution.made) == 2
    assert not any(env.closed for env in distribution.made)
    collector.close()
    collector.close()
    assert all(env.closed for env in distribution.made)


def test_environments_of_many_shapes_do_not_pile_up():
    distribution = StubTasks()
    policy = policy_for(distribution)
    collector = Collector(distribution, policy)
    for num_episodes in range(1, 7):
        collector.run([job_for(stub_task(), policy, num_episodes=num_episodes)])
    still_open = [env for env in distribution.made if not env.closed]
    assert len(still_open) == 4 + 5 + 6
    collector.close()
    assert all(env.closed for env in distribution.made)


def test_vector_environments_that_cannot_be_moved_are_replaced():
    class Immovable(gymnasium.vector.VectorWrapper):
        set_tasks = None

    class Own(StubTasks):
        def make_vec(self, tasks, num_envs_per_task):
            return Immovable(super().make_vec(tasks, num_envs_per_task))

    distribution = Own()
    policy = policy_for(distribution)
    collector = Collector(distribution, policy)
    jobs = [job_for(task, policy, key=key) for key, task in enumerate(mixed_tasks())]
    results = [collector.run([job])[0] for job in jobs]
    assert [env.closed for env in distribution.made] == [True] * 3 * 6 + [False] * 3
    for result, expected in zip(results, Collector(StubTasks(), policy).run(jobs), strict=True):
        assert_same(result, expected)


def test_a_task_that_cannot_be_made_leaves_no_environment_open():
    class Choosy(StubTasks):
        def make_env(self, task, render_mode=None):
            if task.family == "odd":
                raise TaskError("no such family here")
            return super().make_env(task, render_mode)

    distribution = Choosy()
    policy = policy_for(distribution)
    collector = Collector(distribution, policy)
    (good,) = collector.run([job_for(stub_task(), policy)])
    with pytest.raises(TaskError, match="no such family"):
        collector.run([job_for(stub_task("odd"), policy)])
    (again,) = collector.run([job_for(stub_task(), policy)])
    assert_same(again, good)
    collector.close()
    assert all(env.closed for env in distribution.made)
