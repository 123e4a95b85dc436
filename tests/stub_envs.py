"""Small environments and policies whose every number is known, for tests of the engine."""

from __future__ import annotations

import gc
import os
import signal
import struct
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from metarl.policies import GaussianMLPPolicy
from metarl.tasks import Task, TaskDistribution

OBSERVATION_SPACES: dict[str, spaces.Space[Any]] = {
    "box": spaces.Box(-np.inf, np.inf, (3,), np.float32),
    "discrete": spaces.Discrete(4, start=2),
    "dict": spaces.Dict(
        {
            "body": spaces.Dict({"draw": spaces.Box(-np.inf, np.inf, (1,), np.float32)}),
            "phase": spaces.Discrete(4),
            "value": spaces.Box(-np.inf, np.inf, (), np.float64),
        }
    ),
}
ACTION_SPACES: dict[str, spaces.Space[Any]] = {
    "box": spaces.Box(-0.5, 0.5, (2,), np.float32),
    "discrete": spaces.Discrete(3, start=5),
}


class NotPortableError(Exception):
    """Pickles, but can't be unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class NotesLostError(Exception):
    """Comes out of pickling without the notes that say where it happened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args


class ChangedError(Exception):
    """Comes out of pickling as something else."""

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyError, self.args, self.__dict__


def die_while_answering() -> None:
    """Kills this worker in the middle of a message to the main process."""
    for connection in [one for one in gc.get_objects() if type(one) is Connection]:
        os.write(connection.fileno(), struct.pack("!i", 1000) + b"the beginning")
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_an_heir(release: str) -> None:
    """Kills this worker, but leaves a process that holds its pipes open, as a simulator may.

    That process ends when the file ``release`` appears.
    """
    if os.fork() == 0:
        while not os.path.exists(release):  # noqa: PTH110 - plain calls only after a fork
            time.sleep(0.05)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt(pid: int) -> None:
    """Sends Ctrl-C to a process, then keeps this one busy."""
    os.kill(pid, signal.SIGINT)
    time.sleep(60)


class StubEnv(gymnasium.Env[Any, Any]):
    """Counts its steps. The task's parameters say what happens:

    * ``value``: part of observation and reward (default 0);
    * ``lengths``: shortest and longest episode, drawn at reset (default: endless);
    * ``end``: ``"terminated"``, ``"truncated"`` or ``"both"`` (default terminated);
    * ``success_at``: steps (from 1) with the success flag up (default: no such flag);
    * ``nan_observation_at``, ``inf_reward_at``, ``wrong_shape_at``: steps with such a thing;
    * ``unstable_at``: step with ``sim_unstable`` set and the episode cut;
    * ``fault`` and ``fault_at``: how, and at which step (from 1; 0 is the reset), it fails;
    * ``once``: a file that is made when it fails; where it is there, all goes well.
    """

    def __init__(self, task: Task, distribution: StubTasks) -> None:
        self.observation_space = distribution.observation_space
        self.action_space = distribution.action_space
        self.parameters = task.parameters
        self.value = float(self.parameters.get("value", 0.0))
        self.num_resets = 0
        self.closed = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        low, high = self.parameters.get("lengths", (10**6, 10**6))
        self.length = int(self.np_random.integers(low, high + 1))
        self.steps = 0
        self.num_resets += 1
        self._perhaps_fail()
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        assert not self.closed
        assert self.steps < self.length, "stepped after the end"
        self.steps += 1
        self._perhaps_fail()
        info: dict[str, Any] = {}
        if "success_at" in self.parameters:
            info["success"] = float(self.steps in self.parameters["success_at"])
        unstable = self.steps == self.parameters.get("unstable_at")
        if "unstable_at" in self.parameters:
            info["sim_unstable"] = unstable
        over, end = self.steps == self.length, self.parameters.get("end", "terminated")
        terminated = over and end in ("terminated", "both")
        truncated = unstable or (over and end in ("truncated", "both"))
        reward = self.value + self.steps + float(np.sum(action))
        if self.steps == self.parameters.get("inf_reward_at"):
            reward = np.inf
        return self._observation(), reward, terminated, truncated, info

    def close(self) -> None:
        self.closed = True

    def _perhaps_fail(self) -> None:
        if self.steps != self.parameters.get("fault_at"):
            return
        if once := self.parameters.get("once"):
            if Path(once).exists():
                return
            Path(once).touch()
        match self.parameters["fault"]:
            case "value error":
                raise ValueError("the stub fails as told")
            case "not portable":
                raise NotPortableError("this", "that")
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "kill with an heir":
                die_with_an_heir(self.parameters["release"])
            case "leave":
                os._exit(7)
            case "die while answering":
                die_while_answering()
            case "hang":
                time.sleep(3600)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "interrupt":
                interrupt(self.parameters["pid"])

    def _observation(self) -> Any:
        draw = np.float32(self.np_random.normal())
        if self.steps == self.parameters.get("nan_observation_at"):
            draw = np.float32(np.nan)
        if self.steps == self.parameters.get("wrong_shape_at"):
            return np.zeros(7, dtype=np.float32)
        if isinstance(self.observation_space, spaces.Discrete):
            return np.int64(2 + int(self.np_random.integers(4)))
        if isinstance(self.observation_space, spaces.Dict):
            return {
                "body": {"draw": np.array([draw])},
                "phase": np.int64(self.steps % 4),
                "value": np.array(self.value),
            }
        return np.array([self.steps, self.value, draw], dtype=np.float32)


class StubTasks(TaskDistribution):
    """Stub environments with numbered values."""

    def __init__(
        self,
        *,
        observations: str = "box",
        actions: str = "box",
        horizon: int = 6,
        tasks_per_vec: int = 1,
        retasks: bool = False,
    ) -> None:
        self.observation_space = OBSERVATION_SPACES[observations]
        self.action_space = ACTION_SPACES[actions]
        self.max_episode_steps = horizon
        self.tasks_per_vec = tasks_per_vec
        self.retasks = retasks
        self.made: list[StubEnv] = []

    def sample(self, num_tasks: int, rng: np.random.Generator) -> list[Task]:
        return [stub_task(value=value) for value in rng.normal(size=num_tasks).tolist()]

    def make_env(self, task: Task, render_mode: str | None = None) -> StubEnv:
        env = StubEnv(task, self)
        self.made.append(env)
        return env

    def retask(self, env: gymnasium.Env[Any, Any], task: Task) -> bool:
        if self.retasks:
            env.parameters = task.parameters
            env.value = float(task.parameters.get("value", 0.0))
        return self.retasks


class RecurrentPolicy(GaussianMLPPolicy):
    """Its state counts the observations it has acted on, and shifts its mean."""

    def __init__(self, observation_dim: int, action_dim: int) -> None:
        generator = torch.Generator().manual_seed(0)
        super().__init__(observation_dim + 1, action_dim, (8,), generator=generator)

    def initial_state(self, num_rows: int) -> torch.Tensor:
        return torch.zeros(num_rows, 1)

    def forward(
        self, observations: torch.Tensor, state: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        assert state is not None
        dist_params, _ = super().forward(torch.cat([observations, state], dim=-1))
        return dist_params, state + 1


def stub_task(family: str = "stub", **parameters: Any) -> Task:
    return Task(family, parameters)


def mixed_tasks() -> Sequence[Task]:
    """Tasks whose episodes end in every way, at different steps."""
    return [
        stub_task(value=0.25, lengths=[2, 9]),
        stub_task(value=-1.5, lengths=[1, 4], end="truncated", success_at=[1, 3]),
        stub_task(value=3.0),
        stub_task(value=0.5, lengths=[3, 7], end="both", success_at=[6]),
        stub_task("other", value=0.75, unstable_at=3),
        stub_task("other", value=7.0, lengths=[1, 1]),
        stub_task("other", value=-0.25, lengths=[6, 6]),
    ]
