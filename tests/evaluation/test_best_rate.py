"""The step size is chosen on training tasks, and what is evaluated is adapted at it."""

import dataclasses
import math

import pytest

from metarl.errors import ConfigError, NonFiniteError
from metarl.evaluation import Evaluation, EvaluationProtocol, evaluate
from metarl.evaluation.best_rate import NUM_TASKS
from metarl.evaluation.tables import rate_lines
from tests.evaluation.stubs import EchoTasks, EndlessEchoTasks, StubAgent

OFFSETS = (0.5, -0.25, 2.0)


class SteppingAgent(StubAgent):
    """Adds a multiple of the offset that it experienced to its action; keeps who adapted where."""

    def __init__(self, test, train=None, *, rate=1.0, seen=None):
        super().__init__(test, train)
        self.rate = rate
        self.seen = [] if seen is None else seen

    def with_adaptation_lr(self, rate):
        return SteppingAgent(self.benchmark.test, self.benchmark.train, rate=rate, seen=self.seen)

    def adapt_step(self, policy, support):
        self.seen.append(self.rate)
        after = super().adapt_step(policy, support)
        start, end = (one.params[self.bias_name] for one in (policy, after))
        moved = start + self.rate * (end - start)
        return self._policy({**policy.params, self.bias_name: moved}, after.num_steps)


def echo(*offsets: float) -> EchoTasks:
    return EchoTasks([{"offset": offset} for offset in offsets])


def training(*offsets: float) -> EchoTasks:
    """Other tasks than those of :func:`echo`, as the length that they give is the horizon's."""
    return EchoTasks([{"offset": offset, "length": 4} for offset in offsets])


def returns(evaluation: Evaluation, step: int) -> list[float]:
    return evaluation.values("episode_return", step).ravel().tolist()


@pytest.mark.parametrize(
    ("offsets", "chosen"),
    [((1.0, 2.0), 3.0), ((-1.0, -2.0), 0.5), ((-1.0, 5.0), 3.0)],
    ids=["a long step helps", "any step harms", "it helps more than it harms"],
)
def test_the_rate_is_that_with_the_highest_return_on_training_tasks(offsets, chosen):
    """A step adds ``rate * offset`` to each of 4 rewards, so that what is best can be told."""
    agent = SteppingAgent(echo(*OFFSETS), training(*offsets))
    found = evaluate(agent, num_adaptation_steps=2, adaptation_lrs=(0.5, 3.0, 1.0))
    assert found.header.subject["adaptation_lr"] == chosen
    mean = sum(offsets) / 2
    expected = [4 * (mean + 2 * rate * mean) for rate in (0.5, 3.0, 1.0)]
    assert found.header.subject["training_returns"] == pytest.approx(expected, rel=1e-5)
    for step in range(3):
        right = [4 * (offset + step * chosen * offset) for offset in OFFSETS]
        assert returns(found, step) == pytest.approx(right, rel=1e-5)


def test_a_policy_may_choose_to_be_left_alone():
    agent = SteppingAgent(echo(*OFFSETS), training(-1.0))
    found = evaluate(agent, num_adaptation_steps=2, adaptation_lrs=(0.0, 0.5))
    assert found.header.subject["adaptation_lr"] == 0.0
    for step in range(3):
        assert returns(found, step) == pytest.approx([4 * offset for offset in OFFSETS], rel=1e-5)
    assert "adapted at 0 (left as it is), by the return" in rate_lines({"": found})[0]


def test_of_equal_rates_the_first_is_taken():
    agent = SteppingAgent(echo(1.0), training(0.0))
    rates = (0.25, 4.0)
    assert evaluate(agent, adaptation_lrs=rates).header.subject["adaptation_lr"] == 0.25
    assert evaluate(agent, adaptation_lrs=rates[::-1]).header.subject["adaptation_lr"] == 4.0


def test_the_choice_costs_the_evaluation_none_of_its_randomness():
    tasks = EchoTasks([{"offset": offset, "noise": 1.0} for offset in OFFSETS])
    plain = evaluate(SteppingAgent(tasks, training(1.0), rate=2.0))
    chosen = evaluate(SteppingAgent(tasks, training(1.0)), adaptation_lrs=(1.0, 2.0))
    assert chosen.rows == plain.rows
    assert "adaptation_lr" not in plain.header.subject


@pytest.mark.parametrize(
    ("train", "tried"),
    [
        (training(*range(3)), 3),
        (training(*range(NUM_TASKS + 5)), NUM_TASKS),
        (EndlessEchoTasks(), NUM_TASKS),
    ],
    ids=["few", "many", "endless"],
)
def test_each_rate_is_tried_on_as_many_training_tasks_as_there_are(train, tried):
    agent = SteppingAgent(echo(*OFFSETS), train)
    seen: list[tuple[int, int]] = []
    evaluate(
        agent,
        num_adaptation_steps=2,
        adaptation_lrs=(0.5, 1.0),
        progress=lambda *counts: seen.append(counts),
    )
    assert agent.seen[: 4 * tried] == [0.5] * 2 * tried + [1.0] * 2 * tried
    assert len(agent.seen) == 2 * (2 * tried + len(OFFSETS))
    assert seen[-1] == (5 * (2 * tried + 3), 5 * (2 * tried + 3))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_it_is_told_which_rate_was_chosen_and_by_what():
    agent = SteppingAgent(echo(*OFFSETS), training(1.0))
    found = evaluate(agent, num_adaptation_steps=1, adaptation_lrs=(0.5, 3.0))
    assert rate_lines({"this run": found}) == [
        "this run: adapted at 3, by the return after the last step on training tasks: "
        "0.5 (6.0), 3 (16.0)"
    ]
    assert rate_lines({"this run": evaluate(agent)}) == []


class OverflowingAgent(SteppingAgent):
    """Its steps overflow from a rate of 5 on."""

    def with_adaptation_lr(self, rate):
        return OverflowingAgent(self.benchmark.test, self.benchmark.train, rate=rate)

    def adapt_step(self, policy, support):
        if self.rate >= 5:
            raise NonFiniteError("action: got inf; must be finite.")
        return super().adapt_step(policy, support)


def test_a_rate_at_which_numbers_overflow_is_not_taken():
    agent = OverflowingAgent(echo(1.0), training(1.0))
    seen: list[tuple[int, int]] = []
    found = evaluate(
        agent, adaptation_lrs=(9.0, 0.5, 1.0), progress=lambda *counts: seen.append(counts)
    )
    assert found.header.subject["adaptation_lr"] == 1.0
    assert found.header.subject["training_returns"][0] is None
    assert seen[-1] == (4 * 5, 4 * 5)
    assert "tasks: 9 (overflows), 0.5 (8.0), 1 (12.0)" in rate_lines({"": found})[0]
    with pytest.raises(NonFiniteError, match="action: got inf"):
        evaluate(agent, adaptation_lrs=(5.0, 9.0))


def test_what_was_chosen_is_saved(tmp_path):
    found = evaluate(SteppingAgent(echo(1.0), training(1.0)), adaptation_lrs=(0.5, 3.0))
    found.save(tmp_path)
    again = Evaluation.load(tmp_path)
    assert again.protocol == EvaluationProtocol(adaptation_lrs=(0.5, 3.0))
    assert dataclasses.asdict(again.header) == dataclasses.asdict(found.header)


def test_an_agent_without_a_rate_is_refused():
    with pytest.raises(ConfigError, match=r"0\.5; the adaptation of StubAgent has no such rate"):
        evaluate(StubAgent(echo(1.0)), adaptation_lrs=(0.5,))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"adaptation_lrs": ()}, "adaptation_lrs.*at least one"),
        ({"adaptation_lrs": (0.1, -0.1)}, "adaptation_lrs.*none below 0"),
        ({"adaptation_lrs": (0.1, math.nan)}, "adaptation_lrs.1.*finite"),
        ({"adaptation_lrs": (0.1,), "num_adaptation_steps": 0}, "with num_adaptation_steps 0"),
    ],
)
def test_rates_to_choose_from_that_make_no_sense(settings, message):
    with pytest.raises(ConfigError, match=message):
        EvaluationProtocol(**settings)


def test_what_does_not_adapt_has_nothing_to_choose():
    protocol = EvaluationProtocol(adaptation_lrs=(0.1,), evaluation_episodes=3)
    plain = EvaluationProtocol(num_adaptation_steps=0, evaluation_episodes=3)
    assert protocol.without_adaptation() == plain
