"""Follow the meta-leader: online meta-learning (Finn et al. 2019, algorithm 1).

Tasks arrive one by one. On each the agent is first put to the test: it adapts to it and is judged
by what that brings. Then the task joins those seen before, and a meta-update on tasks of that
buffer moves the initialisation. Departures from the paper:

* The paper keeps each task's data set. A policy's own experience ages with it, so here the buffer
  holds the tasks, and each update collects anew from those that it draws.
* The newest task is always among those of the update. Its experience, collected before anything
  has been learned from it, is what the agent is judged by.

Which tasks have arrived is a function of seed and iteration: there is no buffer to be saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from metarl.adaptation import Adapter
from metarl.policies import Policy
from metarl.seeding import Purpose
from metarl.tasks import Task
from metarl.types import Trajectories

from .adapters.gradient import GradientAdapter
from .figures import summary
from .meta_policy_gradient import MetaPolicyGradient
from .settings import GradientInnerConfig


class FollowTheMetaLeaderConfig(GradientInnerConfig):
    """Settings of follow the meta-leader."""

    meta_batch_size: int = Field(
        default=20, ge=2, description="The newest task, and draws from all that have arrived."
    )
    iterations_per_task: int = Field(
        default=1, ge=1, description="Meta-updates before the next task arrives."
    )


class FollowTheMetaLeader(MetaPolicyGradient[FollowTheMetaLeaderConfig]):
    """Follow the meta-leader (FTML), MAML on tasks that arrive in sequence (Finn et al. 2019)."""

    algorithm = "follow-the-meta-leader"
    config_type = FollowTheMetaLeaderConfig

    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """Plain gradient descent on every parameter."""
        return GradientAdapter(policy, self.config.rate(testing=testing), **common)

    @property
    def num_tasks_seen(self) -> int:
        """Tasks that have arrived, this iteration's included."""
        return self.iteration // self.config.iterations_per_task + 1

    def arrival(self, number: int) -> Task:
        """The task that arrives as number ``number``, from 0 on; it depends on the seed only."""
        rng = self._stream.child(Purpose.TASKS, number).numpy()
        return self.benchmark.train.sample(1, rng)[0]

    def sample_tasks(self) -> Sequence[Task]:
        """The newest task, then draws with replacement from all that have arrived."""
        newest = self.num_tasks_seen - 1
        rng = self._now(Purpose.TASKS).child(1).numpy()
        drawn = rng.integers(newest + 1, size=self.config.meta_batch_size - 1).tolist()
        return [self.arrival(number) for number in (newest, *drawn)]

    def figures(
        self, tasks: Sequence[Task], supports: Sequence[Trajectories], query: Trajectories
    ) -> dict[str, float]:
        """Adds what the newest task brought, and how far that is below the tasks seen before.

        In the first iteration after a task's arrival (``newest/updates`` 0) nothing has been
        learned from it yet: summed over those, ``newest_post/return`` is the online performance
        that the paper's regret is made of. ``newest/shortfall`` is the mean return after adaptation
        of the tasks drawn from the buffer, minus that of the newest.
        """
        figures = super().figures(tasks, supports, query)
        newest = self.num_tasks_seen - 1
        if tasks[0] != self.arrival(newest) or len(tasks) == 1:
            return figures  # its episodes, or all the others, were unstable
        rest = summary("rest", query.tasks(list(range(1, len(tasks)))))
        own = summary("newest_post", query.task(0))
        return {
            **figures,
            **summary("newest_pre", supports[0].task(0)),
            **own,
            "newest/shortfall": rest["rest/return"] - own["newest_post/return"],
            "newest/updates": float(self.iteration % self.config.iterations_per_task),
            "newest/tasks_seen": float(newest + 1),
        }
