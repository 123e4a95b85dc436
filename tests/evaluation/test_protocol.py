import itertools

import numpy as np
import pytest
import torch

from metarl.errors import ConfigError
from metarl.evaluation import evaluate
from metarl.evaluation.protocol import NUM_SAMPLED_TASKS
from tests.evaluation.stubs import EchoTasks, EndlessEchoTasks, LuckTasks, StubAgent

OFFSETS = (0.5, -0.25, 2.0)


def echo_tasks(**script) -> EchoTasks:
    return EchoTasks([{"offset": offset, **script} for offset in OFFSETS])


def test_every_task_step_and_episode_counts_exactly_once():
    tasks = echo_tasks()
    evaluation = evaluate(StubAgent(tasks), num_adaptation_steps=2, evaluation_episodes=4)
    counted = [(row.task_index, row.adaptation_step, row.episode) for row in evaluation.rows]
    assert sorted(counted) == list(itertools.product(range(3), range(3), range(4)))
    assert all(row.task == tasks.tasks[row.task_index].digest for row in evaluation.rows)
    assert {row.family for row in evaluation.rows} == {"echo"}


def test_the_mean_action_is_evaluated_after_each_step_of_each_tasks_own_adaptation():
    evaluation = evaluate(StubAgent(echo_tasks()), num_adaptation_steps=3, adaptation_episodes=5)
    for row in evaluation.rows:
        action = row.adaptation_step * OFFSETS[row.task_index]
        expected = 4 * (action + OFFSETS[row.task_index])
        assert row.episode_return == pytest.approx(expected, rel=1e-5)


def test_adaptation_sees_sampled_actions_and_as_many_episodes_as_asked():
    agent = StubAgent(echo_tasks())
    evaluate(agent, num_adaptation_steps=2, adaptation_episodes=60, evaluation_episodes=1)
    assert len(agent.supports) == 2 * len(OFFSETS)
    for index, support in enumerate(agent.supports):
        assert support.actions.shape == (1, 60, 4, 1)
        step, task = divmod(index, len(OFFSETS))
        noise = support.actions - step * OFFSETS[task]
        assert noise.unique().numel() == 240
        assert abs(noise.mean().item()) < 0.25
        assert noise.std().item() == pytest.approx(1.0, abs=0.2)


def test_the_agent_is_left_as_it_was():
    agent = StubAgent(echo_tasks())
    before = {name: value.clone() for name, value in agent.params.items()}
    at_rest = {name: value.clone() for name, value in agent.policy.named_parameters()}
    evaluate(agent, num_adaptation_steps=2)
    assert (agent.num_timesteps, agent.iteration) == (0, 0)
    assert all(torch.equal(agent.params[name], value) for name, value in before.items())
    assert all(torch.equal(v, at_rest[n]) for n, v in agent.policy.named_parameters())


def test_rows_are_the_same_for_any_number_of_workers():
    arguments = {"num_adaptation_steps": 1, "adaptation_episodes": 3, "evaluation_episodes": 2}
    tasks = echo_tasks(noise=1.0)
    alone = evaluate(StubAgent(tasks), **arguments)
    assert len({row.episode_return for row in alone.rows}) == len(alone.rows)
    assert evaluate(StubAgent(tasks), num_workers=2, **arguments).rows == alone.rows


def test_rows_depend_on_the_seed_alone():
    agent = StubAgent(echo_tasks(noise=1.0))
    first = evaluate(agent, seed=1).rows
    assert evaluate(agent, seed=1).rows == first
    assert evaluate(agent, seed=2).rows != first


def test_episodes_keep_their_own_length_flags_and_stability():
    scripts = [
        {"offset": 1.0, "success": [2], "unstable": False},
        {"offset": 2.0, "success": [1, 3], "length": 3, "unstable": False},
        {"offset": 3.0, "success": [], "unstable": True},
    ]
    rows = evaluate(StubAgent(EchoTasks(scripts)), num_adaptation_steps=0).rows
    assert [row.length for row in rows] == [4, 3, 4]
    assert [row.episode_return for row in rows] == [4.0, 6.0, 12.0]
    assert [row.success_any for row in rows] == [True, True, False]
    assert [row.success_final for row in rows] == [False, True, False]
    assert [row.unstable for row in rows] == [False, False, True]


def test_a_family_without_success_has_none():
    rows = evaluate(StubAgent(echo_tasks()), num_adaptation_steps=0).rows
    assert {(row.success_any, row.success_final) for row in rows} == {(None, None)}


def test_held_out_tasks_are_the_default_and_another_distribution_can_be_given():
    test, train = echo_tasks(), EchoTasks([{"offset": 9.0}])
    agent = StubAgent(test, train)
    digests = {task.digest for task in test.tasks}
    assert {row.task for row in evaluate(agent).rows} == digests
    assert {row.task for row in evaluate(agent, train).rows} == {train.tasks[0].digest}


def test_without_held_out_tasks_a_distribution_has_to_be_given():
    agent = StubAgent(None)
    with pytest.raises(ConfigError, match="distribution: benchmark 'stub' holds no test tasks"):
        evaluate(agent)
    assert len(evaluate(agent, agent.benchmark.train, num_adaptation_steps=0).rows) == 1


def test_some_of_the_tasks_can_be_asked_for():
    tasks = echo_tasks()
    rows = evaluate(StubAgent(tasks), num_tasks=2, num_adaptation_steps=0).rows
    chosen = {row.task for row in rows}
    assert len(chosen) == len(rows) == 2
    assert chosen < {task.digest for task in tasks.tasks}


def test_endlessly_many_tasks_are_sampled():
    agent = StubAgent(EndlessEchoTasks())
    drawn = [row.task for row in evaluate(agent, num_adaptation_steps=0).rows]
    assert len(set(drawn)) == NUM_SAMPLED_TASKS
    assert [row.task for row in evaluate(agent, num_adaptation_steps=0).rows] == drawn
    others = evaluate(agent, num_adaptation_steps=0, num_tasks=3, seed=1).rows
    assert len({row.task for row in others}) == 3
    assert not {row.task for row in others} & set(drawn)


def test_progress_counts_every_rollout_once():
    calls = []
    evaluate(
        StubAgent(echo_tasks()),
        num_adaptation_steps=2,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(done, 15) for done in range(1, 16)]


def test_the_protocol_is_recorded():
    evaluation = evaluate(
        StubAgent(echo_tasks()),
        num_tasks=2,
        num_adaptation_steps=1,
        adaptation_episodes=3,
        evaluation_episodes=2,
        seed=5,
    )
    assert evaluation.protocol == {
        "benchmark": "stub",
        "shares_tasks": False,
        "num_tasks": 2,
        "num_adaptation_steps": 1,
        "adaptation_episodes": 3,
        "evaluation_episodes": 2,
        "max_episode_steps": 4,
        "seed": 5,
    }


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("num_tasks", 0, 1),
        ("num_adaptation_steps", -1, 0),
        ("adaptation_episodes", 0, 1),
        ("evaluation_episodes", 0, 1),
        ("seed", -1, 0),
        ("num_workers", -1, 0),
    ],
)
def test_numbers_out_of_range_are_refused(name, value, least):
    with pytest.raises(ConfigError, match=rf"{name}: got {value}; must be at least {least}"):
        evaluate(StubAgent(echo_tasks()), **{name: value})


def test_more_tasks_than_there_are_are_refused():
    with pytest.raises(ConfigError, match=r"num_tasks: got 4, .* at most 3 are there"):
        evaluate(StubAgent(echo_tasks()), num_tasks=4)


def quota_per_name(rows, quota: int, episodes_per_round: int) -> float:
    """The rule of ``metaworld.evaluation``: of all episodes under one name, the first to end.

    Each task is an environment that starts its next episode as soon as one has ended; in every
    round the ``quota`` episodes that end first are counted.
    """
    counted = []
    for start in range(0, 1 + max(row.episode for row in rows), episodes_per_round):
        clock = dict.fromkeys({row.task_index for row in rows}, 0)
        ended = []
        for row in rows:
            if start <= row.episode < start + episodes_per_round:
                clock[row.task_index] += row.length
                ended.append((clock[row.task_index], row.task_index, row.success_final))
        counted += [success for _, _, success in sorted(ended)[:quota]]
    return float(np.mean(counted))


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5])
def test_success_is_estimated_without_bias_where_episodes_end_on_success(probability):
    """Three episodes counted per round, of 40 environments that share a name, as in ML1."""
    agent = StubAgent(LuckTasks(40, probability))
    means, quota_means, covered = [], [], 0
    for seed in range(10):
        evaluation = evaluate(agent, num_adaptation_steps=0, evaluation_episodes=15, seed=seed)
        assert len(evaluation.rows) == 600
        estimate = evaluation.summary()[0].success_final
        covered += estimate.low <= probability <= estimate.high
        means.append(estimate.mean)
        quota_means.append(quota_per_name(evaluation.rows, quota=3, episodes_per_round=3))
    assert covered >= 8
    assert np.mean(means) == pytest.approx(probability, abs=0.02)
    assert min(quota_means) > probability + 0.2
