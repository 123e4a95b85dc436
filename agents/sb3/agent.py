"""A Stable-Baselines3 algorithm as an agent: trained on the tasks, and never adapted.

With the goal hidden this is the policy that one gets without meta-learning; with the goal in sight
(``metarl.envs.goal_observable``) it is an oracle, the level that adaptation can hope for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from gymnasium import spaces
from pydantic import Field
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, VecNormalize

from metarl.adapted_policy import AdaptedPolicy
from metarl.agent import Agent
from metarl.config import Config
from metarl.errors import CheckpointError, ConfigError
from metarl.policies import Policy, make_mlp_policy
from metarl.seeding import Purpose, Stream
from metarl.storage import read_checkpoint, write_checkpoint
from metarl.tasks import Benchmark, check_manifest
from metarl.types import Params, Trajectories

from .callbacks import AnyCallback, as_list, started
from .policies import import_params
from .squashed import SquashedGaussianMLPPolicy, import_sac
from .vec_env import SB3VecEnv


class SB3Config(Config):
    """Settings of a Stable-Baselines3 algorithm on our tasks; the rest are its own defaults."""

    algorithm: Literal["ppo", "sac"] = Field(
        default="ppo", description="PPO, or SAC: fewer steps, but slower ones."
    )
    hidden_sizes: tuple[int, ...] = Field(
        default=(64, 64), min_length=1, description="Units of each hidden layer."
    )
    num_tasks: int = Field(
        default=50, ge=1, description="Tasks that are trained on side by side, one row each."
    )
    learning_rate: float = Field(default=3e-4, gt=0, description="Adam's step size.")
    gamma: float = Field(default=0.99, ge=0, le=1, description="Discount factor.")
    rollout_steps: int = Field(
        default=128, ge=16, multiple_of=16, description="PPO: steps per row between updates."
    )


class SB3Agent(Agent):
    """PPO or SAC on a benchmark's training tasks.

    PPO sees rewards divided by a running estimate of their return's deviation
    (``VecNormalize``); observations are left as they are. Stable-Baselines3 draws from PyTorch's
    and NumPy's global generators, which it seeds: equal seeds repeat where nothing else draws.

    Args:
        benchmark: The tasks.
        seed: Of the algorithm, and of the tasks drawn.
        **settings: Those of :class:`SB3Config`.

    Raises:
        ConfigError: If a setting is unknown or out of range, or SAC meets discrete actions.
    """

    algorithm = "sb3"

    def __init__(self, benchmark: Benchmark, *, seed: int = 0, **settings: Any) -> None:
        if seed < 0:
            raise ConfigError(f"seed: got {seed}; must be at least 0.")
        self.config = SB3Config(**settings)
        if self.config.algorithm == "sac" and not isinstance(
            benchmark.train.action_space, spaces.Box
        ):
            raise ConfigError("algorithm: got 'sac'; with discrete actions only 'ppo' works.")
        self.benchmark = benchmark
        self.seed = seed
        self.num_timesteps = 0
        self.iteration = 0
        self.model: PPO | SAC | None = None
        self._loaded: Params | None = None
        self._policy = self._structure()

    def learn(
        self,
        total_timesteps: int,
        callback: AnyCallback | Sequence[AnyCallback] | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Trains until ``total_timesteps`` environment steps have been taken in all.

        Args:
            total_timesteps: Counts the steps of earlier calls too.
            callback: Ours are called after each rollout (SAC: every 5,000 steps), theirs as
                Stable-Baselines3 itself calls them.
            progress_bar: Whether to show a live display in the terminal.

        Raises:
            ConfigError: If this was loaded: what is saved is the policy, which acts but doesn't
                hold what its optimiser and critic knew.
        """
        if self._loaded is not None:
            raise ConfigError("learn: a loaded SB3Agent acts, but can't go on learning.")
        if self.model is None:
            self.model = self._make_model()
        given = as_list(callback)
        theirs = [one for one in given if isinstance(one, BaseCallback)]
        ours = [one for one in given if not isinstance(one, BaseCallback)]
        with started(ours, self, total_timesteps) as callbacks:
            if progress_bar:
                from metarl.display import LiveDisplay

                with LiveDisplay(total_timesteps, self.num_timesteps) as display:
                    self._learn(
                        total_timesteps, [*theirs, _Iterations(self, [*callbacks, display])]
                    )
            else:
                self._learn(total_timesteps, [*theirs, _Iterations(self, callbacks)])
        return self

    def _learn(self, total_timesteps: int, callbacks: list[BaseCallback]) -> None:
        assert self.model is not None
        missing = total_timesteps - self.num_timesteps
        if missing > 0:
            self.model.learn(missing, callback=callbacks, reset_num_timesteps=False)
            self.num_timesteps = self.model.num_timesteps

    def unadapted(self) -> AdaptedPolicy:
        """The policy as it stands."""
        return self._as_policy(self._params(), 0)

    def adapt_step(self, policy: AdaptedPolicy, support: Trajectories) -> AdaptedPolicy:
        """Counts a step and changes nothing: this agent doesn't adapt."""
        del support
        return self._as_policy(policy.params, policy.num_steps + 1)

    def save(self, path: str | Path) -> None:
        """Writes the policy, settings, counters and the split manifest into a folder."""
        state = {
            "algorithm": self.algorithm,
            "config": self.config.model_dump(mode="json"),
            "seed": self.seed,
            "iteration": self.iteration,
            "num_timesteps": self.num_timesteps,
            "manifest": self.benchmark.manifest(),
        }
        write_checkpoint(Path(path), self._params(), state)

    @classmethod
    def load(cls, path: str | Path, benchmark: Benchmark) -> Self:
        """Reads a saved policy; it acts, but can't go on learning.

        Raises:
            CheckpointError: If the folder is missing, damaged, or of another algorithm.
            ManifestMismatchError: If it was saved on other tasks or versions.
        """
        params, state = read_checkpoint(Path(path))
        if state.get("algorithm") != cls.algorithm:
            raise CheckpointError(
                f"{path}: holds algorithm {state.get('algorithm')!r}, not {cls.algorithm!r}"
            )
        check_manifest(state["manifest"], benchmark.manifest())
        agent = cls(benchmark, seed=state["seed"], **state["config"])
        expected = {name: value.shape for name, value in agent._policy.params().items()}
        if expected != {name: value.shape for name, value in params.items()}:
            raise CheckpointError(f"{path}: parameters don't fit the policy")
        agent._loaded = params
        agent.iteration, agent.num_timesteps = state["iteration"], state["num_timesteps"]
        return agent

    def close(self) -> None:
        """Closes the environments."""
        env = None if self.model is None else self.model.get_env()
        if env is not None:
            env.close()

    def _make_model(self) -> PPO | SAC:
        config, hidden = self.config, list(self.config.hidden_sizes)
        common: dict[str, Any] = {
            "learning_rate": config.learning_rate,
            "gamma": config.gamma,
            "seed": self.seed,
            "device": "cpu",
        }
        env = self._make_env()
        if config.algorithm == "sac":
            return SAC("MlpPolicy", env, policy_kwargs={"net_arch": hidden}, **common)
        return PPO(
            "MlpPolicy",
            VecNormalize(env, norm_obs=False, gamma=config.gamma),
            n_steps=config.rollout_steps,
            batch_size=env.num_envs * config.rollout_steps // 16,
            policy_kwargs={"net_arch": hidden},
            **common,
        )

    def _make_env(self) -> VecEnv:
        train, rng = self.benchmark.train, Stream(self.seed).child(Purpose.TASKS).numpy()
        known = train.tasks
        count = self.config.num_tasks if known is None else min(self.config.num_tasks, len(known))
        return VecMonitor(SB3VecEnv(train.make_vec(train.sample(count, rng), 1)))

    def _structure(self) -> Policy:
        train, hidden = self.benchmark.train, self.config.hidden_sizes
        generator = Stream(self.seed).child(Purpose.INITIALISATION).torch()
        if self.config.algorithm == "ppo":
            return make_mlp_policy(
                train.observation_space, train.action_space, hidden, generator=generator
            )
        assert isinstance(train.action_space, spaces.Box)
        size = spaces.flatdim(train.observation_space)
        return SquashedGaussianMLPPolicy(size, train.action_space, hidden)

    def _params(self) -> Params:
        if self._loaded is not None:
            return self._loaded
        if self.model is None:
            self.model = self._make_model()
        if isinstance(self.model, SAC):
            return import_sac(self.model)[1]
        return import_params(self.model)

    def _as_policy(self, params: Params, num_steps: int) -> AdaptedPolicy:
        return AdaptedPolicy(
            self._policy,
            params,
            num_steps=num_steps,
            observation_space=self.benchmark.train.observation_space,
            action_space=self.benchmark.train.action_space,
            stream=Stream(self.seed).child(Purpose.ADAPTATION, num_steps),
        )


class _Iterations(BaseCallback):
    """Calls our callbacks once per iteration, with the figures that theirs come to."""

    _LEAST_STEPS = 5_000

    def __init__(self, agent: SB3Agent, callbacks: Sequence[Any]) -> None:
        super().__init__()
        self.agent = agent
        self.callbacks = callbacks
        self._go_on = True
        self._began = time.perf_counter()

    def _on_step(self) -> bool:
        return self._go_on

    def _on_rollout_end(self) -> None:
        steps = self.num_timesteps - self.agent.num_timesteps
        if steps < self._LEAST_STEPS and isinstance(self.model, SAC):
            return
        seconds, self._began = time.perf_counter() - self._began, time.perf_counter()
        self.agent.iteration += 1
        self.agent.num_timesteps = self.num_timesteps
        figures = {
            "iteration": self.agent.iteration,
            "timesteps": self.num_timesteps,
            "time/iteration_s": seconds,
            "time/fps": steps / seconds,
        }
        # Without adaptation, before and after are one.
        for name, values in (
            ("return", [info["r"] for info in self.model.ep_info_buffer or []]),
            ("success_final", list(self.model.ep_success_buffer or [])),
        ):
            if values or name == "return":
                mean = float(np.mean(values)) if values else float("nan")
                figures |= {f"pre/{name}": mean, f"post/{name}": mean}
        answers = [callback(self.agent, figures) for callback in self.callbacks]
        self._go_on = not any(answer is False for answer in answers)
