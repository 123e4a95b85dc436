"""Random tabular MDPs (Duan et al. 2016, RL², section 3.2), natively vectorised.

* Observation: the state, ``Discrete(10)``; an episode starts in state 0.
* Action: ``Discrete(5)``.
* Task: transition probabilities of every state and action from a flat Dirichlet distribution; mean
  rewards of every state and action from a normal distribution of mean 1 and variance 1.
* Reward: normal, with that mean and variance 1.
* End: truncated after ``max_episode_steps`` (10); never terminated.

Bandits (:mod:`.bandits`) are MDPs of one state with other rewards, and run on the same code.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from metarl.errors import ConfigError, InvalidActionError, TaskError
from metarl.tasks import Benchmark, Task, TaskDistribution
from metarl.vector import TaskVectorEnv, seed_of_each_row

FAMILY = "tabular-mdp"

FloatArray: TypeAlias = npt.NDArray[np.float64]
States: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MDP:
    """One MDP with ``S`` states and ``A`` actions.

    Attributes:
        rewards: ``[S, A]`` mean rewards.
        transitions: ``[S, A, S]`` probabilities of the next state.
        bernoulli: Whether a reward is 1 with its mean as probability, else 0, rather than normal.
    """

    rewards: FloatArray
    transitions: FloatArray
    bernoulli: bool = False


class TabularVectorEnv(TaskVectorEnv):
    """Many MDPs of one size at once; rows are task-major.

    All that is random in an episode is drawn at its reset, row by row, from the row's generator.

    Args:
        tasks: One task per block of rows.
        num_envs_per_task: Rows in each block.
        read: Makes the MDP of a task; all must have the same size and kind of reward.
        max_episode_steps: Horizon.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        num_envs_per_task: int,
        read: Callable[[Task], MDP],
        max_episode_steps: int,
    ) -> None:
        num_states, num_actions = read(tasks[0]).rewards.shape
        super().__init__(
            len(tasks), num_envs_per_task, spaces.Discrete(num_states), spaces.Discrete(num_actions)
        )
        self.max_episode_steps = max_episode_steps
        self._read = read
        self._luck = np.zeros((self.num_envs, max_episode_steps, 2))
        self._states: States = np.zeros(self.num_envs, dtype=np.int64)
        self._step_counts = np.full(self.num_envs, max_episode_steps)
        self.set_tasks(tasks)

    def set_tasks(self, tasks: Sequence[Task]) -> None:
        """Gives the blocks of rows other MDPs; takes effect with the next :meth:`reset`.

        Raises:
            TaskError: If there are more or fewer tasks than blocks, or one is malformed.
        """
        self._check_number(tasks)
        mdps = [self._read(task) for task in tasks]
        self._bernoulli = mdps[0].bernoulli
        self._rewards = np.array([mdp.rewards for mdp in mdps])
        self._cumulative = np.cumsum([mdp.transitions for mdp in mdps], axis=-1)
        self._block = np.repeat(np.arange(len(tasks)), self._num_envs_per_task)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[States, dict[str, Any]]:
        """Puts rows back to state 0: all, or those of ``options["reset_mask"]``."""
        mask = self._reset_mask(options)
        seeds = seed_of_each_row(seed, self.num_envs)
        for row in np.flatnonzero(mask).tolist():
            rng = self._generator(row, seeds[row])
            self._luck[row, :, 0] = rng.random(self.max_episode_steps)
            self._luck[row, :, 1] = (rng.random if self._bernoulli else rng.standard_normal)(
                self.max_episode_steps
            )
        self._states[mask] = 0
        self._step_counts[mask] = 0
        return self._states.copy(), {}

    def step(
        self, actions: npt.NDArray[Any]
    ) -> tuple[States, FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.bool_], dict[str, Any]]:
        """Takes a step in every row whose episode is under way.

        Raises:
            InvalidActionError: If an action isn't one of the numbers of the action space.
        """
        actions = np.asarray(actions)
        if (
            not self.action_space.contains(actions.astype(np.int64))
            or actions.dtype.kind not in "iu"
        ):
            raise InvalidActionError(
                f"action: got {actions}; must be {self.num_envs} whole numbers from 0 to "
                f"{self._rewards.shape[-1] - 1}."
            )
        active = self._step_counts < self.max_episode_steps
        now = np.minimum(self._step_counts, self.max_episode_steps - 1)
        luck = self._luck[np.arange(self.num_envs), now]
        here = (self._block, self._states, actions)
        means = self._rewards[here]
        rewards = luck[:, 1] < means if self._bernoulli else means + luck[:, 1]
        # Rounding may leave the last cumulative probability a little below 1.
        arrived = np.sum(self._cumulative[here][:, :-1] <= luck[:, :1], axis=1)
        self._states = np.where(active, arrived, self._states)
        self._step_counts += active
        truncated = self._step_counts >= self.max_episode_steps
        worth = np.where(active, rewards, 0.0).astype(np.float64)
        return self._states.copy(), worth, np.zeros_like(truncated), truncated, {}


class TabularEnv(gymnasium.Env[Any, Any]):
    """One MDP.

    Args:
        task: The task.
        read: Makes its MDP.
        max_episode_steps: Horizon.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, task: Task, read: Callable[[Task], MDP], max_episode_steps: int) -> None:
        self._vec = TabularVectorEnv([task], 1, read, max_episode_steps)
        self.observation_space = self._vec.single_observation_space
        self.action_space = self._vec.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Starts an episode."""
        super().reset(seed=seed)
        del options
        states, info = self._vec.reset(seed=None if seed is None else [seed])
        return int(states[0]), info

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Takes a step.

        Raises:
            InvalidActionError: If the action isn't in the action space.
        """
        states, rewards, _, truncated, info = self._vec.step(np.array([action]))
        return int(states[0]), float(rewards[0]), False, bool(truncated[0]), info


class TabularTasks(TaskDistribution):
    """What distributions over MDPs of one size share.

    Args:
        num_states: ``S``, at least 1.
        num_actions: ``A``, at least 2.
        max_episode_steps: Horizon, at least 1.
    """

    tasks_per_vec = 64

    def __init__(self, num_states: int, num_actions: int, max_episode_steps: int) -> None:
        for name, value, least in (
            ("num_states", num_states, 1),
            ("num_actions", num_actions, 2),
            ("max_episode_steps", max_episode_steps, 1),
        ):
            if value < least:
                raise ConfigError(f"{name}: got {value}; must be at least {least}.")
        self.observation_space = spaces.Discrete(num_states)
        self.action_space = spaces.Discrete(num_actions)
        self.num_states = num_states
        self.num_actions = num_actions
        self.max_episode_steps = max_episode_steps

    @abstractmethod
    def read(self, task: Task) -> MDP:
        """Makes the MDP of a task."""

    def make_env(self, task: Task, render_mode: str | None = None) -> TabularEnv:
        """Builds one MDP; there is nothing to render."""
        del render_mode
        return TabularEnv(task, self.read, self.max_episode_steps)

    def make_vec(self, tasks: Sequence[Task], num_envs_per_task: int) -> TabularVectorEnv:
        """Builds all rows as arrays."""
        return TabularVectorEnv(tasks, num_envs_per_task, self.read, self.max_episode_steps)

    def describe(self) -> dict[str, Any]:
        """Adds the size."""
        size = {"num_states": self.num_states, "num_actions": self.num_actions}
        return {**super().describe(), **size}


class MDPTasks(TabularTasks):
    """Random MDPs as the module describes them.

    Args:
        num_states: ``S``, at least 1.
        num_actions: ``A``, at least 2.
        max_episode_steps: Horizon, at least 1.
    """

    def __init__(
        self, num_states: int = 10, num_actions: int = 5, max_episode_steps: int = 10
    ) -> None:
        super().__init__(num_states, num_actions, max_episode_steps)

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        """Draws MDPs."""
        size = (num_tasks, self.num_states, self.num_actions)
        rewards = rng.normal(1.0, 1.0, size=size).tolist()
        transitions = rng.dirichlet(np.ones(self.num_states), size=size).tolist()
        return [
            Task(FAMILY, {"rewards": means, "transitions": probabilities})
            for means, probabilities in zip(rewards, transitions, strict=True)
        ]

    def read(self, task: Task) -> MDP:
        """Makes the MDP of a task.

        Raises:
            TaskError: If the task isn't an MDP of this size.
        """
        size = (self.num_states, self.num_actions)
        rewards = read_numbers(task, FAMILY, "rewards", size)
        transitions = read_numbers(task, FAMILY, "transitions", (*size, self.num_states))
        if (transitions < 0).any() or not np.allclose(transitions.sum(axis=-1), 1.0):
            raise TaskError("transitions: must be probabilities that sum to 1.")
        return MDP(rewards, transitions)


def random_mdps(
    seed: int = 0, *, num_states: int = 10, num_actions: int = 5, max_episode_steps: int = 10
) -> Benchmark:
    """RL²'s random MDPs; training and test tasks are drawn from one distribution.

    In RL² an agent meets an MDP for 10 to 100 episodes in a row; how many are given here is the
    algorithm's setting (``episodes_per_task``, ``adaptation_episodes``).

    Args:
        seed: Recorded in the manifest; the MDPs themselves are drawn by whoever samples.
        num_states: States of each.
        num_actions: Actions of each.
        max_episode_steps: Horizon; 10 is RL²'s.
    """
    return Benchmark(
        name="tabular-mdps",
        train=MDPTasks(num_states, num_actions, max_episode_steps),
        test=MDPTasks(num_states, num_actions, max_episode_steps),
        seed=seed,
        settings={},
    )


def read_numbers(task: Task, family: str, name: str, shape: tuple[int, ...]) -> FloatArray:
    """Reads an array among a task's parameters.

    Raises:
        TaskError: If the task is another family's, or has no such array of finite numbers.
    """
    try:
        values = np.array(task.parameters.get(name), dtype=np.float64)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if task.family != family or values.shape != shape or not np.isfinite(values).all():
        raise TaskError(
            f"task: got family {task.family!r} and {name} of shape {values.shape}; "
            f"needs {family!r} and {shape} finite numbers."
        )
    return values
