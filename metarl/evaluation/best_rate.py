"""Chooses the step size that suits a policy best, on tasks that it was trained on.

A policy that wasn't trained to be adapted stands another step size than one that was. To give it
the other's is to compare a method with an opponent that it has crippled, so either may choose its
own; on training tasks, because whoever chooses on those he is judged by is judged too well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from metarl.agent import Agent
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
            the last adaptation step on training tasks.
    """

    agent: Agent
    rate: float
    returns: Sequence[float]


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

        Raises:
            NonFiniteError: If an environment returns a number that isn't finite.
        """
        returns = []
        for agent in self.agents:
            rows = measure(
                agent,
                agent.benchmark.train,
                self.tasks,
                self.protocol,
                stream,
                num_workers=num_workers,
                progress=progress,
            )
            last = [
                row for row in rows if row.adaptation_step == self.protocol.num_adaptation_steps
            ]
            returns.append(fmean(row.episode_return for row in last))
        best = returns.index(max(returns))
        return RateChoice(self.agents[best], self.rates[best], returns)
