import itertools
from importlib.metadata import version

import numpy as np
import pytest
import torch

from metarl.errors import ConfigError, NonFiniteError, UnknownNameError
from metarl.evaluation import EvaluationProtocol, evaluate
from metarl.evaluation.protocol import NUM_SAMPLED_TASKS
from metarl.tasks import Benchmark
from tests.evaluation.stubs import EchoTasks, EndlessEchoTasks, StubAgent

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


class LearningNothing(StubAgent):
    """Sees its support sets and stays as it is, so that equal draws would give equal returns."""

    def adapt_step(self, policy, support):
        super().adapt_step(policy, support)
        return self._policy(self.params, policy.num_steps + 1)


def test_no_episodes_share_their_randomness():
    """Neither counted ones with those that were learnt from, nor any of different steps."""
    agent = LearningNothing(echo_tasks(noise=1.0))
    evaluation = evaluate(
        *(agent, None, None),
        num_adaptation_steps=2,
        adaptation_episodes=6,
        evaluation_episodes=6,
        evaluation_actions="sampled",
    )
    learnt = [support.rewards.sum(dim=-1).numpy().ravel() for support in agent.supports]
    counted = [evaluation.values("episode_return", step).ravel() for step in range(3)]
    returns = np.round(np.concatenate([*learnt, *counted]), 4)
    assert returns.shape == (2 * 3 * 6 + 3 * 3 * 6,)
    assert len(np.unique(returns)) == len(returns)


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
    assert [row.length for row in rows] == [4, 3, 1]  # cut where it became unstable
    assert [row.episode_return for row in rows] == [4.0, 6.0, 3.0]
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
    header = evaluation.header
    assert header.protocol == EvaluationProtocol(
        num_tasks=2, num_adaptation_steps=1, adaptation_episodes=3, evaluation_episodes=2, seed=5
    )
    assert (header.benchmark, header.split, header.max_episode_steps) == ("stub", "test", 4)
    assert header.manifest == StubAgent(echo_tasks()).benchmark.manifest()["digest"]
    assert header.subject == {
        "algorithm": "StubAgent",
        "seed": 0,
        "iteration": 0,
        "num_timesteps": 0,
    }
    assert [task.digest for task in header.tasks] == [
        row.task for row in evaluation.rows if (row.adaptation_step, row.episode) == (0, 0)
    ]
    assert header.shares_tasks is False
    assert header.versions["metarl"] == version("metarl")
    assert header.seconds > 0


def test_the_split_is_recorded():
    test, train = echo_tasks(), EchoTasks([{"offset": 9.0}])
    agent = StubAgent(test, train)
    assert evaluate(agent, train).header.split == "train"
    assert evaluate(agent, EchoTasks([{"offset": 3.0}])).header.split == "other"


def exhaustive(test, train=None, **settings) -> bool:
    agent = StubAgent(None)
    agent.benchmark = Benchmark(
        "shared", train or test, test, seed=0, settings={}, shares_tasks=True
    )
    return evaluate(agent, num_adaptation_steps=0, **settings).header.exhaustive


def test_tasks_that_are_all_there_are_are_recorded_as_such():
    both = EchoTasks([{"offset": 1.0}, {"offset": -1.0}])
    assert exhaustive(both)
    assert exhaustive(both, tasks=("echo",))
    assert not exhaustive(both, tasks=(both.tasks[0].digest,))
    assert not exhaustive(both, EchoTasks([{"offset": float(i)} for i in range(9)]))
    again = EchoTasks([{"offset": 1.0}])
    again.replace = True
    assert exhaustive(again, num_tasks=1)
    assert not exhaustive(again, num_tasks=2)  # drawn twice
    assert not evaluate(StubAgent(echo_tasks())).header.exhaustive


def test_a_preset_can_be_named_and_changed():
    evaluation = evaluate(StubAgent(echo_tasks()), protocol="metaworld", adaptation_episodes=2)
    assert evaluation.protocol == EvaluationProtocol.preset("metaworld", adaptation_episodes=2)
    assert len(evaluation.rows) == 3 * 2 * 3


def test_sampled_actions_can_be_counted_instead_of_the_mean():
    tasks = echo_tasks()
    settings = {"num_adaptation_steps": 0, "evaluation_episodes": 50}
    sampled = evaluate(StubAgent(tasks), evaluation_actions="sampled", **settings)
    returns = sampled.values("episode_return", 0)
    assert len(np.unique(returns)) == 150
    assert (returns - 4 * np.array(OFFSETS)[:, None]).std() == pytest.approx(2.0, rel=0.2)


def test_tasks_can_be_named_by_family_or_digest():
    tasks = echo_tasks()
    agent = StubAgent(tasks)
    wanted = tasks.tasks[1].digest
    assert {row.task for row in evaluate(agent, tasks=[wanted]).rows} == {wanted}
    assert evaluate(agent, tasks=["echo"]).tasks == tuple(tasks.tasks)


def test_an_unknown_task_is_refused():
    with pytest.raises(UnknownNameError, match="tasks: unknown name 'ecko'; did you mean echo"):
        evaluate(StubAgent(echo_tasks()), tasks=["ecko"])


def test_of_infinitely_many_tasks_none_can_be_named():
    with pytest.raises(ConfigError, match="tasks: got echo; of infinitely many tasks none"):
        evaluate(StubAgent(EndlessEchoTasks()), tasks=["echo"])


def test_another_horizon_than_that_of_the_tasks_is_refused():
    agent = StubAgent(echo_tasks())
    assert evaluate(agent, max_episode_steps=4).header.max_episode_steps == 4
    with pytest.raises(ConfigError, match="max_episode_steps: got 5; the tasks given have 4"):
        evaluate(agent, max_episode_steps=5)


@pytest.mark.parametrize("offset", [float("nan"), float("inf")])
@pytest.mark.parametrize("steps", [0, 1])
def test_a_reward_that_is_not_finite_is_refused_where_it_occurs(offset, steps):
    class Faulty(EchoTasks):
        def make_env(self, task, render_mode=None):
            env = super().make_env(task)
            if task.parameters["offset"] == 2.0:
                env.script["noise"] = offset
            return env

    agent = StubAgent(Faulty([{"offset": one} for one in OFFSETS]))
    match = r"reward: got (nan|-?inf); must be finite. Task echo .*, episode 0, seed \d+, step 0"
    with pytest.raises(NonFiniteError, match=match):
        evaluate(agent, num_adaptation_steps=steps)


def test_a_negative_number_of_workers_is_refused():
    with pytest.raises(ConfigError, match="num_workers: got -1; must be at least 0"):
        evaluate(StubAgent(echo_tasks()), num_workers=-1)


def test_more_tasks_than_there_are_are_refused():
    with pytest.raises(ConfigError, match=r"num_tasks: got 4, .* at most 3 are there"):
        evaluate(StubAgent(echo_tasks()), num_tasks=4)
