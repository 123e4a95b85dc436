"""k-armed Bernoulli bandits (Duan et al. 2016, RL², section 3.1), natively vectorised.

* Observation: nothing to see, ``Discrete(1)``.
* Action: the arm to pull, ``Discrete(k)``.
* Task: each arm's probability of reward, uniform on [0, 1].
* Reward: 1 with that probability, else 0.
* End: truncated after ``max_episode_steps`` pulls; never terminated.

In RL² every pull is an episode of its own, in one trial of 10, 100 or 500. Here an episode is a run
of pulls: for an agent that remembers it is the same, and one that adapts by a gradient step has
enough of them in few episodes.
"""

from __future__ import annotations

import numpy as np

from metarl.errors import TaskError
from metarl.tasks import Benchmark, Task

from .tabular import MDP, TabularTasks, read_numbers

FAMILY = "bandit"


class BanditTasks(TabularTasks):
    """Bandits with independent arms.

    Args:
        num_arms: ``k``, at least 2.
        max_episode_steps: Pulls in an episode, at least 1.
    """

    def __init__(self, num_arms: int = 5, max_episode_steps: int = 10) -> None:
        super().__init__(1, num_arms, max_episode_steps)

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws the arms' probabilities."""
        arms = rng.uniform(size=(num_tasks, self.num_actions)).tolist()
        return [Task(FAMILY, {"probabilities": probabilities}) for probabilities in arms]

    def read(self, task: Task) -> MDP:
        """The bandit as an MDP of one state.

        Raises:
            TaskError: If the task isn't a bandit with this number of arms.
        """
        arms = read_numbers(task, FAMILY, "probabilities", (self.num_actions,))
        if (arms < 0).any() or (arms > 1).any():
            raise TaskError(f"probabilities: got {arms.tolist()}; must be from 0 to 1.")
        return MDP(arms[None], np.ones((1, self.num_actions, 1)), bernoulli=True)


def bandits(num_arms: int = 5, seed: int = 0, *, max_episode_steps: int = 10) -> Benchmark:
    """RL²'s bandits; training and test tasks are drawn from one distribution.

    Args:
        num_arms: ``k``; RL² has 5, 10 and 50.
        seed: Recorded in the manifest; the arms themselves are drawn by whoever samples.
        max_episode_steps: Pulls in an episode.
    """
    return Benchmark(
        name=f"bandits-{num_arms}",
        train=BanditTasks(num_arms, max_episode_steps),
        test=BanditTasks(num_arms, max_episode_steps),
        seed=seed,
        settings={},
    )
