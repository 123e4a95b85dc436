"""Task families whose outcomes are known, and an agent whose adaptation is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from metarl.adaptation import AdaptedPolicy
from metarl.agent import Agent
from metarl.policies import GaussianMLPPolicy
from metarl.seeding import Stream
from metarl.tasks import Benchmark, FiniteTaskDistribution, Task, TaskDistribution

OBSERVATION_SPACE = spaces.Box(-1.0, 1.0, (1,), np.float32)
ACTION_SPACE = spaces.Box(-100.0, 100.0, (1,), np.float32)


class EchoEnv(gymnasium.Env[Any, Any]):
    """Rewards the action plus the task's offset, plus noise; follows the task's script.

    Task parameters: ``offset``; ``noise``, its scale; ``length``, the step at which the episode
    terminates; ``success``, the steps at which the flag is up; ``unstable``, whether the simulation
    is said to have diverged.
    """

    observation_space = OBSERVATION_SPACE
    action_space = ACTION_SPACE

    def __init__(self, task: Task) -> None:
        self.script = task.parameters
        self.count = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.count = 0
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action: Any) -> Any:
        self.count += 1
        reward = float(action[0]) + self.script["offset"]
        reward += self.script.get("noise", 0.0) * self.np_random.normal()
        info: dict[str, Any] = {}
        if "success" in self.script:
            info["success"] = self.count in self.script["success"]
        if "unstable" in self.script:
            info["sim_unstable"] = self.script["unstable"]
        terminated = self.count == self.script.get("length")
        return np.zeros(1, dtype=np.float32), reward, terminated, False, info


class EchoTasks(FiniteTaskDistribution):
    observation_space = OBSERVATION_SPACE
    action_space = ACTION_SPACE

    def __init__(self, scripts: Sequence[dict[str, Any]], max_episode_steps: int = 4) -> None:
        super().__init__([Task("echo", script) for script in scripts])
        self.max_episode_steps = max_episode_steps

    def make_env(self, task: Task, render_mode: str | None = None) -> EchoEnv:
        return EchoEnv(task)


class EndlessEchoTasks(TaskDistribution):
    observation_space = OBSERVATION_SPACE
    action_space = ACTION_SPACE
    max_episode_steps = 2

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        return [Task("echo", {"offset": float(offset)}) for offset in rng.normal(size=num_tasks)]

    def make_env(self, task: Task, render_mode: str | None = None) -> EchoEnv:
        return EchoEnv(task)


class LuckVectorEnv(VectorEnv[Any, Any, Any]):
    """Each episode succeeds with the same probability, at a random time, and ends there.

    Times are those of a horizon of 500 and successes after 30 to 450 steps, ten times as short.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(self, num_envs: int, probability: float) -> None:
        self.num_envs = num_envs
        self.single_observation_space = OBSERVATION_SPACE
        self.single_action_space = ACTION_SPACE
        self.observation_space = batch_space(OBSERVATION_SPACE, num_envs)
        self.action_space = batch_space(ACTION_SPACE, num_envs)
        self.probability = probability

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        generators = [np.random.default_rng(row) for row in seed]
        self.ends = np.array(
            [rng.integers(3, 46) if rng.random() < self.probability else 0 for rng in generators]
        )
        self.count = 0
        return np.zeros((self.num_envs, 1), dtype=np.float32), {}

    def step(self, actions: Any) -> Any:
        self.count += 1
        done = self.ends == self.count
        observations = np.zeros((self.num_envs, 1), dtype=np.float32)
        return observations, done.astype(float), done, np.zeros_like(done), {"success": done}


class LuckTasks(FiniteTaskDistribution):
    observation_space = OBSERVATION_SPACE
    action_space = ACTION_SPACE
    max_episode_steps = 50

    def __init__(self, num_tasks: int, probability: float) -> None:
        super().__init__([Task("luck", {"number": number}) for number in range(num_tasks)])
        self.probability = probability
        self.tasks_per_vec = num_tasks

    def make_env(self, task: Task, render_mode: str | None = None) -> Any:
        raise NotImplementedError

    def make_vec(self, tasks: Sequence[Task], num_envs_per_task: int) -> LuckVectorEnv:
        return LuckVectorEnv(len(tasks) * num_envs_per_task, self.probability)


class StubAgent(Agent):
    """Acts by a constant mean; each adaptation step adds to it the offset that it experienced.

    On :class:`EchoTasks`, the mean action after ``k`` steps is ``k`` times the task's offset.
    Every support set that it is given is kept in ``supports``.
    """

    def __init__(self, test: TaskDistribution | None, train: TaskDistribution | None = None):
        self.benchmark = Benchmark(
            "stub", train=train or EchoTasks([{"offset": -1.0}]), test=test, seed=0, settings={}
        )
        self.seed = 0
        self.num_timesteps = 0
        self.iteration = 0
        self.policy = GaussianMLPPolicy(1, 1, hidden_sizes=())
        self.params = {name: torch.zeros_like(v) for name, v in self.policy.params().items()}
        (self.bias_name,) = [name for name in self.params if name.endswith("bias")]
        self.supports: list[Any] = []

    def learn(self, total_timesteps, callback=None, progress_bar=False):
        raise NotImplementedError

    def unadapted(self) -> AdaptedPolicy:
        return self._policy(self.params, 0)

    def adapt_step(self, policy, support) -> AdaptedPolicy:
        self.supports.append(support)
        offset = (support.rewards - support.actions[..., 0])[support.mask].mean()
        bias = policy.params[self.bias_name] + offset
        return self._policy({**policy.params, self.bias_name: bias}, policy.num_steps + 1)

    def save(self, path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, path, benchmark):
        raise NotImplementedError

    def close(self) -> None:
        pass

    def _policy(self, params, num_steps: int) -> AdaptedPolicy:
        return AdaptedPolicy(
            self.policy,
            params,
            num_steps=num_steps,
            observation_space=OBSERVATION_SPACE,
            action_space=ACTION_SPACE,
            stream=Stream(0),
        )
