"""Environments that raise, sleep for ever, or return what they must not, in training."""

from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

from metarl.agents.maml import MAML
from metarl.errors import ConfigError, NonFiniteError, WorkerDiedError
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream
from metarl.storage import read_checkpoint
from metarl.tasks import Benchmark
from stub_envs import StubTasks, stub_task

SETTINGS = {"meta_batch_size": 3, "episodes_per_task": 2, "hidden_sizes": (4,)}


class FaultyTasks(StubTasks):
    """Every task is a calm one, but those of the batches named are at fault."""

    def __init__(self, fault: dict, batches: tuple[int, ...] = (1,), **settings) -> None:
        super().__init__(**settings)
        self.fault = fault
        self.batches = batches
        self.calls = -1  # the agent draws a batch when it is made

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list:
        tasks = super().sample(num_tasks, rng)
        if self.calls in self.batches:
            tasks[1] = stub_task("pushing", **self.fault)
        self.calls += 1
        return tasks


def agent_on(distribution: StubTasks, **settings) -> MAML:
    benchmark = Benchmark("stub", distribution, None, 0, {})
    return MAML(benchmark, **{**SETTINGS, **settings})


def params(agent: MAML) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in agent.meta_params.items()}


def same(left, right) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left)


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("fault", [{"nan_observation_at": 3}, {"inf_reward_at": 2}], ids=str)
def test_numbers_that_are_not_finite_cost_one_update(fault, workers, caplog):
    task = stub_task("pushing", **fault)
    with agent_on(FaultyTasks(fault), num_workers=workers) as agent:
        first = agent.train_iteration()
        before, pids = params(agent), children()
        second = agent.train_iteration()
        assert same(before, agent.meta_params)
        assert children() == pids, "the workers are still there"
        third = agent.train_iteration()
        assert not same(before, agent.meta_params)
    counts = [figures["faults/skipped_updates"] for figures in (first, second, third)]
    assert counts == [0, 1, 1]
    assert [figures["iteration"] for figures in (first, second, third)] == [1, 2, 3]
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith("update skipped, parameters unchanged: ")
    for part in (f"pushing ({task.digest})", "seed ", "step "):
        assert part in message


def test_after_skipped_updates_in_a_row_the_run_stops_and_names_the_task():
    fault = {"inf_reward_at": 2}
    task = stub_task("pushing", **fault)
    distribution = FaultyTasks(fault, batches=tuple(range(1, 100)))
    with agent_on(distribution, max_skipped_updates=3) as agent:
        with pytest.raises(NonFiniteError) as caught:
            agent.learn(10**6)
        assert agent.iteration == 3
    assert f"Task pushing ({task.digest})" in str(caught.value)
    assert "3 updates in a row were skipped" in str(caught.value)


def test_skipped_updates_are_part_of_what_is_saved(tmp_path):
    fault = {"inf_reward_at": 2}
    with agent_on(FaultyTasks(fault, (0, 1)), max_skipped_updates=3) as agent:
        agent.train_iteration()
        agent.train_iteration()
        agent.save(tmp_path / "agent")
    assert read_checkpoint(tmp_path / "agent")[1]["skipped_in_row"] == 2
    distribution = FaultyTasks(fault, (0,))
    benchmark = Benchmark("stub", distribution, None, 0, {})
    with (
        MAML.load(tmp_path / "agent", benchmark, accept_changes=True) as loaded,
        pytest.raises(NonFiniteError, match="3 updates in a row"),
    ):
        loaded.train_iteration()


@pytest.mark.parametrize(("outer", "at"), [("trpo", 1), ("ppo", 1), ("ppo", 3), ("gradient", 1)])
def test_an_outer_step_that_is_not_finite_leaves_every_bit(outer, at, monkeypatch):
    """Also those of Adam's moments, whichever epoch it comes in."""
    from metarl.objective import MetaObjective

    real, calls = MetaObjective.gradient, []

    def gradient(self, meta_params):
        loss, found = real(self, meta_params)
        calls.append(loss)
        if len(calls) == at:
            next(iter(found.values())).view(-1)[0] = float("nan")
        return loss, found

    with agent_on(StubTasks(), outer=outer) as agent:
        agent.train_iteration()
        calls.clear()
        before, moments = params(agent), agent._outer.state()
        monkeypatch.setattr(MetaObjective, "gradient", gradient)
        figures = agent.train_iteration()
        assert figures["faults/skipped_updates"] == 1
        assert same(before, agent.meta_params)
        assert same(moments, agent._outer.state())
        agent.train_iteration()
        assert not same(before, agent.meta_params)


def test_a_loss_that_is_not_finite_names_its_task(monkeypatch, caplog):
    from metarl.objective import MetaObjective

    real = MetaObjective._loss_and_kl

    def spoilt(self, learner, states, task):
        loss, kl = real(self, learner, states, task)
        return (loss * float("nan") if task == 2 else loss), kl

    monkeypatch.setattr(MetaObjective, "_loss_and_kl", spoilt)
    with agent_on(StubTasks()) as agent:
        task = agent.sample_tasks()[2]
        agent.train_iteration()
    (record,) = caplog.records
    assert f"loss or gradient: isn't finite Task stub ({task.digest})" in record.getMessage()


@pytest.mark.parametrize("at", ["adaptation", "loss"])
def test_beside_a_task_that_was_dropped_the_right_one_is_named(at, monkeypatch, caplog):
    """The second of three tasks is unstable; the third is the second of what is left."""
    from metarl.objective import MetaObjective

    loss_and_kl, adapt = MetaObjective._loss_and_kl, MAML._adapt

    def spoilt_loss(self, learner, states, task):
        loss, kl = loss_and_kl(self, learner, states, task)
        return (loss * float("nan") if task == 1 else loss), kl

    def spoilt_adapt(self, states, support):
        _, second = adapted = adapt(self, states, support)
        second.params["log_std"].fill_(float("nan"))
        return adapted

    if at == "loss":
        monkeypatch.setattr(MetaObjective, "_loss_and_kl", spoilt_loss)
    else:
        monkeypatch.setattr(MAML, "_adapt", spoilt_adapt)
    with agent_on(FaultyTasks({"unstable_at": 2}, batches=(0,))) as agent:
        tasks = agent.sample_tasks()
        agent.benchmark.train.calls = 0
        agent.train_iteration()
    assert tasks[1].family == "pushing"
    (record,) = caplog.records
    assert f"Task stub ({tasks[2].digest})" in record.getMessage()


@pytest.mark.parametrize("workers", [0, 1])
def test_unstable_episodes_are_counted_and_left_out(workers):
    """Of success and gradient: what they hold makes no difference to a single bit."""
    outcomes = []
    for value in (0.0, 1e6):
        fault = {"unstable_at": 2, "value": value, "success_at": [1]}
        calm = {"success_at": [6]}
        distribution = FaultyTasks(fault, (0,))
        distribution.sample = with_calm(distribution.sample, calm)
        with agent_on(distribution, num_workers=workers) as agent:
            figures = agent.train_iteration()
            outcomes.append((params(agent), figures))
    (first, figures), (second, others) = outcomes
    assert same(first, second)
    # Without a whole episode the task has no place in the rest of the iteration.
    assert figures["faults/unstable_episodes"] == 2
    for name in ("pre/return", "post/return", "pre/success_any", "post/success_final"):
        assert figures[name] == others[name]
    assert figures["post/success_any"] == 1.0
    # Two tasks of two episodes of six steps, twice, and the unstable ones, two steps each.
    assert figures["timesteps"] == 2 * (2 * 2 * 6) + 2 * 2


def with_calm(sample, parameters):
    def calm(num_tasks, rng):
        return [
            task if task.family == "pushing" else stub_task(**task.parameters, **parameters)
            for task in sample(num_tasks, rng)
        ]

    return calm


def test_a_batch_of_nothing_but_unstable_episodes_changes_nothing():
    distribution = StubTasks()
    distribution.sample = lambda num, rng: [
        stub_task(unstable_at=2, value=value) for value in rng.normal(size=num).tolist()
    ]
    with agent_on(distribution) as agent:
        before = params(agent)
        figures = agent.train_iteration()
        assert same(before, agent.meta_params)
    assert figures["faults/unstable_episodes"] == 6
    assert figures["faults/skipped_updates"] == 1


def support_of(agent: MAML, unstable: list[int], reward: float = 0.0):
    """Three episodes of a calm task; those named end in a diverged simulation."""
    policy = agent.unadapted()
    with RolloutEngine(agent.benchmark.train, policy.policy) as engine:
        calm = engine.collect([stub_task(value=0.5)], policy.params, Stream(0), num_episodes=3)
    rewards, flags = calm.rewards.clone(), calm.unstable.clone()
    rewards[:, unstable, -1] = reward
    flags[:, unstable] = True
    return replace(calm, rewards=rewards, unstable=flags)


def test_adapting_after_training_leaves_unstable_episodes_out():
    agent = agent_on(StubTasks())
    start = agent.unadapted()
    supports = [support_of(agent, [1], reward) for reward in (0.0, 1e6)]
    first, second = (agent.adapt_step(start, support) for support in supports)
    assert same(first.params, second.params)
    traces = [agent.trace_step(start, first, support) for support in supports]
    assert traces[0] == traces[1]
    # What is left is what training would learn from: the other episodes.
    others = supports[0]._map(lambda tensor: tensor[:, [0, 2]])
    for name, value in agent.adapt_step(start, others).params.items():
        torch.testing.assert_close(first.params[name], value, rtol=1e-4, atol=1e-6)
        assert not torch.equal(start.params[name], value)


def test_adapting_to_nothing_but_unstable_episodes_counts_a_step_and_moves_nothing():
    agent = agent_on(StubTasks())
    start, task = agent.unadapted(), stub_task(unstable_at=2, value=0.5)
    adapted = agent.adapt(task, num_steps=2, num_episodes=3, trace=True)
    assert same(start.params, adapted.params)
    assert [step.step for step in adapted.trace] == [1, 2]
    assert adapted.num_steps == 2


@pytest.mark.parametrize("workers", [0, 1])
def test_an_environment_that_raises_ends_the_run_with_its_own_error(workers, tmp_path):
    fault = {"fault": "value error", "fault_at": 3}
    task = stub_task("pushing", **fault)
    before = children()
    with agent_on(FaultyTasks(fault), num_workers=workers) as agent:
        agent.train_iteration()
        agent.save(tmp_path / "agent")
        with pytest.raises(ValueError, match="the stub fails as told") as caught:
            agent.train_iteration()
        agent.save(tmp_path / "later")
    notes = "\n".join(caught.value.__notes__)
    assert f"pushing ({task.digest}), episode 0, seed" in notes
    assert children() == before
    assert [read_checkpoint(tmp_path / name)[1]["iteration"] for name in ("agent", "later")] == [
        1,
        1,
    ]


def test_an_environment_that_sleeps_for_ever_ends_the_run_with_its_traceback():
    fault = {"fault": "hang", "fault_at": 3}
    task = stub_task("pushing", **fault)
    before = children()
    with agent_on(FaultyTasks(fault), num_workers=1, worker_timeout=2.0) as agent:
        agent.train_iteration()
        with pytest.raises(WorkerDiedError, match="took no step for 2 s") as caught:
            agent.train_iteration()
    assert f"pushing ({task.digest}), seeds " in str(caught.value)
    assert "step 2; 3 workers were lost over it" in str(caught.value)
    assert "_perhaps_fail" in "\n".join(caught.value.__notes__)
    assert children() == before


@pytest.mark.parametrize("workers", [0, 1])
def test_an_observation_of_a_wrong_shape_ends_the_run(workers):
    fault = {"wrong_shape_at": 3}
    with agent_on(FaultyTasks(fault), num_workers=workers) as agent:
        agent.train_iteration()
        with pytest.raises(ConfigError, match=r"got shape \(7,\); the space's is \(3,\)") as caught:
            agent.train_iteration()
    assert f"pushing ({stub_task('pushing', **fault).digest}), episode 0" in "\n".join(
        caught.value.__notes__
    )


def test_learning_can_be_asked_to_stop_from_within_a_job():
    """The agent is then what it was after the last whole iteration, and can go on."""

    class Asking(StubTasks):
        agent: MAML
        asked = False

        def make_env(self, task, render_mode=None):
            env = super().make_env(task)
            if self.agent.iteration == 2 and not self.asked:
                self.asked = True
                self.agent.request_stop()
            return env

    distribution = Asking()
    agent = MAML(Benchmark("stub", distribution, None, 0, {}), **SETTINGS)
    Asking.agent = agent
    with agent:
        agent.learn(10**6)
        assert agent.iteration == 2
        assert not agent.stop_requested
        total = 4 * agent.timesteps_per_iteration
        agent.learn(total)
    with agent_on(StubTasks()) as calm:
        calm.learn(total)
    assert same(agent.meta_params, calm.meta_params)
