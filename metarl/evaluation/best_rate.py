"""Chooses the step size that suits a policy best, on tasks that it was trained on.

A policy that wasn't trained to be adapted stands another step size than one that was. To give it
the other's is to compare a method with an opponent that was weakened first, so either may choose
its own; on training tasks, because whoever chooses on those he is judged by is judged too well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from metarl.agent import Agent
from metarl.errors import NonFiniteError
from metarl.evaluation.measuring import measure, num_rollouts
from metarl.evaluation.protocol import EvaluationProtocol
from metarl.seeding import Stream
from metarl.tasks import Task

NUM_TASKS = 20
"""Training tasks that a choice is made on, or all of them where there are fewer."""


@dataclass(frozen=True)
class RateChoice:
    """A step size chosen among several.

    Attributes:
        agent: The agent, to be adapted at it.
        rate: The step size.
        returns: What it was chosen by: of each one tried, in the order given, the mean return after
            the last adaptation step on training tasks; None where it overflowed.
    """

    agent: Agent
    rate: float
    returns: Sequence[float | None]


@dataclass(frozen=True)
class RateSearch:
    """The choice of a step size that an evaluation begins with.

    Attributes:
        agents: The agent at each of the step sizes to choose from.
        rates: The step sizes.
        tasks: Training tasks that they are tried on, the same for each.
        protocol: How they are tried.
    """

    agents: Sequence[Agent]
    rates: Sequence[float]
    tasks: Sequence[Task]
    protocol: EvaluationProtocol

    @classmethod
    def of(cls, agent: Agent, protocol: EvaluationProtocol, stream: Stream) -> RateSearch | None:
        """The choice that a protocol asks for; None if it asks for none.

        Args:
            agent: The agent.
            protocol: What the evaluation does, and so how step sizes are tried.
            stream: Draws the tasks.

        Raises:
            ConfigError: If the agent's adaptation has no step size.
        """
        if protocol.adaptation_lrs is None:
            return None
        training = agent.benchmark.train
        known = NUM_TASKS if training.tasks is None else len(training.tasks)
        return cls(
            [agent.with_adaptation_lr(rate) for rate in protocol.adaptation_lrs],
            protocol.adaptation_lrs,
            training.sample(min(NUM_TASKS, known), stream.numpy()),
            protocol,
        )

    @property
    def num_rollouts(self) -> int:
        """Rollouts that it takes."""
        return len(self.rates) * num_rollouts(len(self.tasks), self.protocol)

    def choose(
        self, stream: Stream, *, num_workers: int, progress: Callable[[int], None]
    ) -> RateChoice:
        """Tries them all, with the same randomness; of equals the first is taken.

        A step so long that numbers overflow counts as the worst.

        Raises:
            NonFiniteError: If numbers overflow, or an environment returns one that isn't finite, at
                every step size.
        """
        returns: list[float | None] = []
        faults = []
        for agent in self.agents:
            try:
                returns.append(self._return_of(agent, stream, num_workers, progress))
            except NonFiniteError as error:
                returns.append(None)
                faults.append(error)
        found = [value for value in returns if value is not None]
        if not found:
            raise faults[0]
        best = returns.index(max(found))
        return RateChoice(self.agents[best], self.rates[best], returns)

    def _return_of(
        self, agent: Agent, stream: Stream, num_workers: int, progress: Callable[[int], None]
    ) -> float:
        """Mean return after the last adaptation step; what is left of a trial counts as done."""
        left = num_rollouts(len(self.tasks), self.protocol)

        def count(finished: int) -> None:
            nonlocal left
            left -= finished
            progress(finished)

        try:
            rows = measure(
                agent,
                agent.benchmark.train,
                self.tasks,
                self.protocol,
                stream,
                num_workers=num_workers,
                progress=count,
            )
        finally:
            progress(left)
        last = self.protocol.num_adaptation_steps
        return fmean(row.episode_return for row in rows if row.adaptation_step == last)
