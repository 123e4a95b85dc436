from dataclasses import fields

import numpy as np
import pytest
import torch

from metarl.errors import ConfigError
from metarl.policies import make_mlp_policy
from metarl.rollouts import Job, RolloutEngine, SerialExecutor
from metarl.seeding import Stream
from metarl.types import Trajectories
from stub_envs import RecurrentPolicy, StubTasks, mixed_tasks, stub_task
from tests.rollouts.stub_jobs import POLICY

TASKS = list(mixed_tasks())
STREAM = Stream(3, (1, 4))


@pytest.fixture
def engine():
    with RolloutEngine(StubTasks(), POLICY) as engine:
        yield engine


@pytest.fixture(scope="module")
def engine_with_a_worker():
    with RolloutEngine(StubTasks(tasks_per_vec=2), POLICY, num_workers=1) as engine:
        yield engine


def varied_params() -> list[dict[str, torch.Tensor]]:
    return [
        {name: value + 0.1 * index for name, value in POLICY.params().items()}
        for index in range(len(TASKS))
    ]


def assert_same(one: Trajectories, other: Trajectories) -> None:
    for field in fields(Trajectories):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if left is None or right is None:
            assert left is right, field.name
        else:
            assert left.dtype == right.dtype, field.name
            assert torch.equal(left, right), field.name


def test_fields_have_their_documented_shapes_and_types(engine):
    batch = engine.collect(TASKS, POLICY.params(), STREAM, num_episodes=4)
    shapes = {
        "observations": (7, 4, 6, 3),
        "actions": (7, 4, 6, 2),
        "rewards": (7, 4, 6),
        "log_probs": (7, 4, 6),
        "dist_params": (7, 4, 6, 4),
        "mask": (7, 4, 6),
        "terminated": (7, 4),
        "truncated": (7, 4),
        "last_observations": (7, 4, 3),
        "unstable": (7, 4),
    }
    bools = {"mask", "terminated", "truncated", "unstable"}
    for name, shape in shapes.items():
        assert getattr(batch, name).shape == shape, name
        assert getattr(batch, name).dtype == (torch.bool if name in bools else torch.float32), name
    assert batch.advantages is None
    assert batch.initial_state is None
    assert not batch.observations.requires_grad
    assert not batch.observations.is_inference()


def test_discrete_actions_have_no_axis_of_their_own():
    distribution = StubTasks(observations="dict", actions="discrete")
    policy = make_mlp_policy(distribution.observation_space, distribution.action_space, (8,))
    with RolloutEngine(distribution, policy) as engine:
        batch = engine.collect(TASKS[:2], policy.params(), STREAM, num_episodes=3)
    assert batch.actions.shape == (2, 3, 6)
    assert batch.actions.dtype == torch.int64
    assert batch.observations.shape == (2, 3, 6, 1 + 4 + 1)
    assert batch.dist_params.shape == (2, 3, 6, 3)


@pytest.mark.parametrize("deterministic", [False, True])
def test_each_task_is_a_job_with_its_parameters_and_its_child_of_the_stream(engine, deterministic):
    params = varied_params()
    batch = engine.collect(TASKS, params, STREAM, num_episodes=3, deterministic=deterministic)
    for index, task in enumerate(TASKS):
        arrays = {name: value.numpy() for name, value in params[index].items()}
        job = Job(task, arrays, STREAM.child(index), 3, deterministic)
        with SerialExecutor(StubTasks(), POLICY) as executor:
            (result,) = executor.run([job])
        for name in ("observations", "actions", "rewards", "log_probs", "mask", "terminated"):
            assert np.array_equal(getattr(batch, name)[index].numpy(), getattr(result, name)), name


def test_one_set_of_parameters_serves_all_tasks(engine):
    shared = POLICY.params()
    batch = engine.collect(TASKS, shared, STREAM, num_episodes=2)
    assert_same(batch, engine.collect(TASKS, [shared] * 7, STREAM, num_episodes=2))


def test_a_worker_gives_the_bits_of_this_process(engine, engine_with_a_worker):
    params = varied_params()
    for stream in (STREAM, STREAM.child(9)):
        assert_same(
            engine_with_a_worker.collect(TASKS, params, stream, num_episodes=5),
            engine.collect(TASKS, params, stream, num_episodes=5),
        )


def test_a_batch_of_fewer_tasks_has_the_same_first_ones(engine, engine_with_a_worker):
    whole = engine.collect(TASKS, POLICY.params(), STREAM, num_episodes=3)
    part = engine_with_a_worker.collect(TASKS[:3], POLICY.params(), STREAM, num_episodes=3)
    assert torch.equal(part.observations, whole.observations[:3])
    assert torch.equal(part.actions, whole.actions[:3])


def test_the_same_task_twice_is_two_experiences(engine):
    batch = engine.collect([stub_task()] * 2, POLICY.params(), STREAM, num_episodes=2)
    assert not torch.equal(batch.actions[0], batch.actions[1])


def test_parameters_with_a_graph_or_of_another_type_are_accepted(engine):
    plain = engine.collect(TASKS, POLICY.params(), STREAM, num_episodes=2)
    graph = {name: value.requires_grad_() * 1.0 for name, value in POLICY.params().items()}
    double = {name: value.double() for name, value in POLICY.params().items()}
    for params in (graph, double):
        assert_same(engine.collect(TASKS, params, STREAM, num_episodes=2), plain)


def test_success_is_there_where_every_task_reports_it(engine):
    reporting = [task for task in TASKS if "success_at" in task.parameters]
    batch = engine.collect(reporting, POLICY.params(), STREAM, num_episodes=2)
    assert batch.success.shape == batch.mask.shape
    assert batch.success.any()
    mixed = engine.collect(TASKS, POLICY.params(), STREAM, num_episodes=2)
    assert mixed.success is None


def test_a_recurrent_policys_initial_state_is_kept():
    policy = RecurrentPolicy(3, 2)
    with RolloutEngine(StubTasks(), policy) as engine:
        batch = engine.collect(TASKS[:2], policy.params(), STREAM, num_episodes=3)
    assert torch.equal(batch.initial_state, torch.zeros(2, 3, 1))


@pytest.mark.parametrize("number", [0, -2])
def test_episodes_are_at_least_one(engine, number):
    with pytest.raises(ConfigError, match=f"num_episodes: got {number}; must be at least 1"):
        engine.collect(TASKS, POLICY.params(), STREAM, num_episodes=number)


def test_tasks_are_at_least_one(engine):
    with pytest.raises(ConfigError, match="tasks: got none"):
        engine.collect([], POLICY.params(), STREAM, num_episodes=2)


@pytest.mark.parametrize("number", [0, 6, 8])
def test_sets_of_parameters_are_as_many_as_tasks(engine, number):
    with pytest.raises(ConfigError, match=f"params: got {number} sets for 7 tasks"):
        engine.collect(TASKS, [POLICY.params()] * number, STREAM, num_episodes=2)


def test_a_negative_number_of_workers_is_refused():
    with pytest.raises(ConfigError, match="num_workers: got -1; must be at least 0"):
        RolloutEngine(StubTasks(), POLICY, num_workers=-1)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan"), 1e30])
def test_a_timeout_that_no_clock_can_hold_is_refused(seconds):
    with pytest.raises(ConfigError, match=r"worker_timeout: got .*; must be above 0, and at most"):
        RolloutEngine(StubTasks(), POLICY, num_workers=1, worker_timeout=seconds)


def test_closing_may_happen_twice():
    distribution = StubTasks()
    engine = RolloutEngine(distribution, POLICY)
    engine.collect(TASKS, POLICY.params(), STREAM, num_episodes=2)
    engine.close()
    engine.close()
    assert all(env.closed for env in distribution.made)
