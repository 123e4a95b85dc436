"""Jobs of the stub's tasks, and their results."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import torch

from metarl.policies import Policy, make_mlp_policy
from metarl.rollouts import Job, JobResult
from metarl.rollouts.collector import Collector
from metarl.seeding import Stream
from metarl.tasks import Task
from stub_envs import StubTasks, mixed_tasks, stub_task

HORIZON = 6


def policy_for(distribution: StubTasks) -> Policy:
    return make_mlp_policy(
        distribution.observation_space,
        distribution.action_space,
        (16, 16),
        generator=torch.Generator().manual_seed(0),
    )


POLICY = policy_for(StubTasks())


def arrays(policy: Policy) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in policy.params().items()}


def job_for(task, policy=POLICY, *, key=0, num_episodes=3, **settings) -> Job:
    return Job(task, arrays(policy), Stream(0, (key,)), num_episodes, **settings)


def jobs_for(tasks: Sequence[Task], policy=POLICY) -> list[Job]:
    """One job of each task, with streams of their own."""
    return [job_for(task, policy, key=key) for key, task in enumerate(tasks)]


JOBS = jobs_for(mixed_tasks())


def failing(fault: str, **parameters) -> Task:
    return stub_task("pushing", fault=fault, fault_at=3, **parameters)


def run_one(task, distribution=None, policy=None, **settings) -> JobResult:
    distribution = distribution or StubTasks(horizon=HORIZON)
    policy = policy or policy_for(distribution)
    collector = Collector(distribution, policy)
    (result,) = collector.run([job_for(task, policy, **settings)])
    collector.close()
    return result


def assert_same(one: JobResult, other: JobResult) -> None:
    for field in fields(JobResult):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if left is None or right is None:
            assert left is right, field.name
        else:
            assert left.dtype == right.dtype, field.name
            assert np.array_equal(left, right), field.name


def assert_all_same(results: Sequence[JobResult], expected: Sequence[JobResult]) -> None:
    assert len(results) == len(expected)
    for one, other in zip(results, expected, strict=True):
        assert_same(one, other)
