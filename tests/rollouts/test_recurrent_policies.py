"""A policy's state, from step to step and from job to job."""

import numpy as np
import torch

from metarl.rollouts.collector import Collector
from stub_envs import RecurrentPolicy, StubTasks, mixed_tasks, stub_task
from tests.rollouts.stub_jobs import HORIZON, assert_same, job_for, run_one


def test_a_recurrent_policy_carries_its_state_from_step_to_step():
    policy = RecurrentPolicy(3, 2)
    result = run_one(stub_task(), policy=policy)
    assert result.initial_state.tolist() == [[0.0]] * 3
    assert result.final_state.tolist() == [[float(HORIZON)]] * 3
    state = torch.from_numpy(result.initial_state)
    for step in range(HORIZON):
        with torch.no_grad():
            dist_params, state = policy(torch.from_numpy(result.observations[:, step]), state)
        assert np.array_equal(dist_params.numpy(), result.dist_params[:, step])


def test_the_final_state_is_that_after_each_episodes_last_step():
    result = run_one(stub_task(lengths=[1, 7]), policy=RecurrentPolicy(3, 2), num_episodes=8)
    lengths = result.mask.sum(axis=1)
    assert len(set(lengths.tolist())) > 2
    assert result.final_state[:, 0].tolist() == lengths.tolist()


def test_a_final_state_carries_a_trial_on():
    policy = RecurrentPolicy(3, 2)
    first = run_one(stub_task(lengths=[2, 4]), policy=policy)
    second = run_one(stub_task(), policy=policy, key=1, state=first.final_state)
    assert np.array_equal(second.initial_state, first.final_state)
    assert np.array_equal(second.final_state, first.final_state + HORIZON)
    fresh = run_one(stub_task(), policy=policy, key=1)
    assert not np.array_equal(second.dist_params, fresh.dist_params)


def test_the_state_of_a_job_does_not_depend_on_what_runs_beside_it():
    policy = RecurrentPolicy(3, 2)
    jobs = [job_for(task, policy, key=key) for key, task in enumerate(mixed_tasks())]
    alone = Collector(StubTasks(), policy).run(jobs)
    together = Collector(StubTasks(tasks_per_vec=4), policy).run(jobs)
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


def test_a_stateless_policy_has_no_state():
    result = run_one(stub_task())
    assert result.initial_state is None
    assert result.final_state is None
