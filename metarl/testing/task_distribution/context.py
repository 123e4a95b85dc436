"""What the checks of one task distribution share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gymnasium

from metarl.seeding import Stream
from metarl.tasks import Task, TaskDistribution
from metarl.testing.task_distribution.findings import Report
from metarl.testing.task_distribution.player import FaultError, Player, Trace, exploratory_actions

NUM_TASKS = 8
"""Tasks compared with each other."""
TRACE_STEPS = 50
"""Steps of the episodes that are compared for reproducibility."""
SEED = 7
"""Of the resets of such episodes."""


class SkippedError(Exception):
    """An earlier fault makes a check meaningless."""


@dataclass
class Context:
    """The distribution under check, and what earlier checks found out for later ones.

    Attributes:
        distribution: What is checked.
        player: Plays its environments.
        stream: Source of the tasks and actions tried.
        report: What has been found so far.
        tasks: Distinct tasks, up to :data:`NUM_TASKS`.
        example: An environment without its wrappers, closed; tells classes and modules.
        touched: Global random generators that episodes draw from or seed.
        reproducible: Whether equal seeds have given equal episodes wherever they were played.
    """

    distribution: TaskDistribution
    player: Player
    stream: Stream
    report: Report = field(default_factory=Report)
    tasks: list[Task] = field(default_factory=list)
    example: gymnasium.Env[Any, Any] | None = None
    touched: list[str] = field(default_factory=list)
    reproducible: bool = True

    @property
    def horizon(self) -> int:
        """The declared one."""
        return self.distribution.max_episode_steps

    @property
    def step_seconds(self) -> float:
        """Of a typical step."""
        return 1e-3 * self.report.figures["milliseconds per step"]

    def found(self, code: str) -> bool:
        """Whether a kind of fault has been found."""
        return code in self.report.codes

    def require_reproducible(self) -> None:
        """Skips the check where equal seeds don't give equal episodes."""
        if not self.reproducible:
            raise SkippedError

    def require_shapes(self) -> None:
        """Skips the check where observations can't be stacked."""
        if self.found("wrong-shape"):
            raise SkippedError

    def require_two_tasks(self) -> None:
        """Skips the check where there is one task only."""
        if len(self.tasks) < 2:
            raise SkippedError

    def sample(self, num_tasks: int, stream: Stream) -> list[Task]:
        """Draws tasks: as many as asked for, or as there are.

        Raises:
            FaultError: If the answer isn't a list of so many tasks.
        """
        distinct = self.distribution.tasks
        if distinct is not None:  # they may be drawn without replacement
            num_tasks = min(num_tasks, len(distinct))
        drawn = self.player.call(
            "raising-sample",
            f"sample({num_tasks}, rng)",
            lambda: self.distribution.sample(num_tasks, stream.numpy()),
        )
        if not isinstance(drawn, list) or not all(isinstance(task, Task) for task in drawn):
            raise FaultError("wrong-sample", f"sample({num_tasks}, rng) returns {drawn!r}")
        if len(drawn) != num_tasks:
            raise FaultError("wrong-sample", f"sample({num_tasks}, rng) returns {len(drawn)} tasks")
        return drawn

    def actions(self) -> list[Any]:
        """Those of the compared episodes: no more than can be afforded many times over."""
        affordable = self.player.seconds_left / 40 / self.step_seconds
        steps = max(1, int(min(TRACE_STEPS, self.horizon, affordable)))
        rng = self.stream.child(6).numpy()
        return exploratory_actions(self.distribution.action_space, steps, rng)

    def play(self, env: gymnasium.Env[Any, Any], actions: list[Any]) -> Trace:
        """One of the compared episodes, in an environment at hand."""
        return self.player.play(env, SEED, actions)

    def play_new(self, task: Task, actions: list[Any]) -> Trace:
        """The same in a new environment."""
        return self.player.play_new(task, SEED, actions)
