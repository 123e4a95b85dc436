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
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.adapted_policy import AdaptedPolicy
from metarl.agent import Agent
from metarl.evaluation import Evaluation, EvaluationHeader, EvaluationProtocol, EvaluationRow
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
    """Each episode succeeds with the same probability, at a random time.

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
        self.times = np.array([success_time(rng, self.probability) for rng in generators])
        self.count = 0
        return np.zeros((self.num_envs, 1), dtype=np.float32), {}

    def step(self, actions: Any) -> Any:
        self.count += 1
        success = self.times == self.count
        observations = np.zeros((self.num_envs, 1), dtype=np.float32)
        never = np.zeros_like(success)
        return observations, success.astype(float), never, never, {"success": success}


class LuckTasks(FiniteTaskDistribution):
    """``names`` families of ``per_name`` tasks, all with the same rate of success."""

    observation_space = OBSERVATION_SPACE
    action_space = ACTION_SPACE
    max_episode_steps = 50

    def __init__(self, names: int, per_name: int, probability: float) -> None:
        super().__init__(
            [Task(f"luck-{i}", {"number": n}) for i in range(names) for n in range(per_name)]
        )
        self.probability = probability
        self.tasks_per_vec = names * per_name

    def make_env(self, task: Task, render_mode: str | None = None) -> Any:
        raise NotImplementedError

    def make_vec(self, tasks: Sequence[Task], num_envs_per_task: int) -> LuckVectorEnv:
        return LuckVectorEnv(len(tasks) * num_envs_per_task, self.probability)


def success_time(rng: np.random.Generator, probability: float) -> int:
    """When an episode succeeds, from 3 to 45; 0 if it doesn't."""
    return int(rng.integers(3, 46)) if rng.random() < probability else 0


class LuckUpstreamEnv(VectorEnv[Any, Any, Any]):
    """The same luck in the form that ``metaworld.evaluation`` wants."""

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012
    horizon = LuckTasks.max_episode_steps

    def __init__(self, names: int, per_name: int, probability: float, seed: int) -> None:
        self.num_envs = names * per_name
        self.single_observation_space = OBSERVATION_SPACE
        self.single_action_space = ACTION_SPACE
        self.classes = [cls.__name__ for cls in list(ALL_V3_ENVIRONMENTS.values())[:names]]
        self.per_name = per_name
        self.probability = probability
        self.rng = np.random.default_rng(seed)
        self.terminate_on_success = True

    def get_attr(self, name: str) -> Any:
        if name == "task_name":
            return [cls for cls in self.classes for _ in range(self.per_name)]
        return [getattr(self, name)] * self.num_envs

    def call(self, name: str, *args: Any) -> Any:
        if name == "toggle_terminate_on_success":
            (self.terminate_on_success,) = args

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        self.counts = np.zeros(self.num_envs, dtype=np.int64)
        self.times = np.array([self._time() for _ in range(self.num_envs)])
        return np.zeros((self.num_envs, 1)), {}

    def step(self, actions: Any) -> Any:
        self.counts += 1
        success = (self.times > 0) & (self.counts >= self.times)
        reward = (self.counts == self.times).astype(float)
        terminated = success & self.terminate_on_success
        truncated = (self.counts >= self.horizon) & ~terminated
        infos: dict[str, Any] = {}
        done = terminated | truncated
        if done.any():
            infos["final_info"] = {
                "episode": {"r": success.astype(float)},
                "success": success.astype(float),
            }
            for row in np.flatnonzero(done):
                self.counts[row], self.times[row] = 0, self._time()
        return np.zeros((self.num_envs, 1)), reward, terminated, truncated, infos

    def _time(self) -> int:
        return success_time(self.rng, self.probability)


def made_up(
    returns: Any,
    success: Any = None,
    *,
    families: Sequence[str] | None = None,
    manifest: str = "0" * 64,
    seed: int = 0,
    exhaustive: bool = False,
    **protocol: Any,
) -> Evaluation:
    """An evaluation of given returns ``[T, K + 1, E]`` and final successes, if any.

    Successes at any step are those at the last step. Where it is exhaustive, the tasks are all that
    there are.
    """
    returns = np.asarray(returns, dtype=float)
    num_tasks, num_steps, num_episodes = returns.shape
    names = families or ["made, up"] * num_tasks
    tasks = tuple(Task(name, {"number": index}) for index, name in enumerate(names))

    def flag(place: Any) -> bool | None:
        return None if success is None else bool(np.asarray(success)[place])

    rows = [
        EvaluationRow(
            task_index=task,
            family=tasks[task].family,
            task=tasks[task].digest,
            adaptation_step=step,
            episode=episode,
            length=150,
            episode_return=float(returns[task, step, episode]),
            success_any=flag((task, step, episode)),
            success_final=flag((task, step, episode)),
            unstable=False,
        )
        for step in range(num_steps)
        for task in range(num_tasks)
        for episode in range(num_episodes)
    ]
    header = EvaluationHeader(
        protocol=EvaluationProtocol(
            num_adaptation_steps=num_steps - 1, evaluation_episodes=num_episodes, **protocol
        ),
        benchmark="made-up",
        split="test",
        max_episode_steps=150,
        tasks=tasks,
        manifest=manifest,
        shares_tasks=exhaustive,
        exhaustive=exhaustive,
        subject={"algorithm": "maml", "seed": seed, "iteration": 3, "num_timesteps": 900},
        versions={"metarl": "0.1.0"},
        seconds=1.5,
    )
    return Evaluation(rows, header)


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
