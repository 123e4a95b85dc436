"""MAML for reinforcement learning (Finn, Abbeel and Levine 2017, algorithm 3), with TRPO outside.

Each iteration: sample tasks; collect support episodes under the initial parameters; adapt by one
or more gradient steps per task; collect query episodes under each task's adapted parameters; move
the initial parameters by one trust-region step on the query objective, differentiated through the
adaptation. The inner loss is the ratio form, whose curvature is right where that of
``log pi * A`` is not (Rothfuss et al. 2019, section 5).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field

from metarl.adaptation import AdaptedPolicy, MetaLearner
from metarl.agent import Agent, Callback
from metarl.baselines import LinearFeatureBaseline, estimate_advantages
from metarl.config import Config
from metarl.errors import CheckpointError, ConfigError
from metarl.losses import INNER_LOSSES
from metarl.objective import MetaObjective
from metarl.outer import TRPO
from metarl.policies import make_mlp_policy
from metarl.rollouts import RolloutEngine
from metarl.seeding import Purpose, Stream
from metarl.storage import read_checkpoint, write_checkpoint
from metarl.tasks import Benchmark, check_manifest
from metarl.threads import threads_for, torch_threads
from metarl.types import Params, Trajectories

from .adapters.gradient import GradientAdapter


class MAMLConfig(Config):
    """Settings of MAML. Lengths are in environment steps, rates are step sizes."""

    hidden_sizes: tuple[int, ...] = Field(
        default=(64, 64), description="Units of each hidden layer."
    )
    init_std: float = Field(default=1.0, gt=0, description="Initial standard deviation of actions.")
    inner_lr: float = Field(
        default=0.1, ge=0, description="Inner step size; 0 trains without adaptation (the control)."
    )
    num_inner_steps: int = Field(
        default=1, ge=1, description="Adaptation steps that training unrolls."
    )
    first_order: bool = Field(default=False, description="Drop second derivatives (FOMAML).")
    inner_loss: Literal["ratio", "log_prob"] = Field(
        default="ratio",
        description="Inner loss; log_prob has a biased Hessian, for comparison only.",
    )
    adaptation_lr: float | None = Field(
        default=None, gt=0, description="Inner step size after training; by default inner_lr."
    )
    later_step_scale: float = Field(
        default=0.5,
        gt=0,
        description="Adaptation steps beyond num_inner_steps are this much as long.",
    )
    meta_batch_size: int = Field(default=20, ge=1, description="Tasks per iteration.")
    episodes_per_task: int = Field(
        default=10, ge=1, description="Episodes per task, before and after."
    )
    gamma: float = Field(default=0.99, ge=0, le=1, description="Discount factor.")
    gae_lambda: float = Field(default=1.0, ge=0, le=1, description="Trace decay of advantages.")
    max_kl: float = Field(default=0.01, gt=0, description="Trust region of the outer step (nats).")
    cg_iterations: int = Field(default=10, ge=1, description="Conjugate gradient iterations.")
    cg_damping: float = Field(default=1e-5, ge=0, description="Conjugate gradient damping.")
    backtrack_ratio: float = Field(
        default=0.8, gt=0, lt=1, description="Line search shrink factor."
    )
    max_backtracks: int = Field(default=15, ge=1, description="Line search tries.")
    fisher_stride: int = Field(
        default=4, ge=1, description="Fisher products use every n-th query step; 1 uses all."
    )


class MAML(Agent):
    """Model-agnostic meta-learning of a policy.

    Args:
        benchmark: The tasks; training samples from its training distribution only.
        seed: Root of all random streams; equal seeds give equal bits, whatever ``num_workers``.
        num_workers: Processes that collect experience; 0 collects in this one.
        **settings: Those of :class:`MAMLConfig`.

    Raises:
        ConfigError: If a setting is unknown or out of range, or the training distribution can't
            fill a meta-batch.
    """

    algorithm = "maml"

    def __init__(
        self, benchmark: Benchmark, *, seed: int = 0, num_workers: int = 0, **settings: Any
    ) -> None:
        self.benchmark = benchmark
        self.seed = seed
        self.num_workers = num_workers
        self.config = config = MAMLConfig(**settings)
        self.num_timesteps = 0
        self.iteration = 0
        self._stream = Stream(seed)
        # Drawing one batch now reveals at once whether there are tasks enough.
        try:
            first = self._stream.child(Purpose.TASKS).numpy()
            benchmark.train.sample(config.meta_batch_size, first)
        except ConfigError as error:
            raise ConfigError(f"meta_batch_size: {error}") from None
        self._policy = make_mlp_policy(
            benchmark.train.observation_space,
            benchmark.train.action_space,
            config.hidden_sizes,
            init_std=config.init_std,
            generator=self._stream.child(Purpose.INITIALISATION).torch(),
        )
        self._learner = MetaLearner(
            self._policy,
            GradientAdapter(
                self._policy,
                config.inner_lr,
                loss=INNER_LOSSES[config.inner_loss],
                first_order=config.first_order,
                trained_steps=config.num_inner_steps,
            ),
        )
        self._test_adapter = GradientAdapter(
            self._policy,
            config.inner_lr if config.adaptation_lr is None else config.adaptation_lr,
            loss=INNER_LOSSES[config.inner_loss],
            trained_steps=config.num_inner_steps,
            later_scale=config.later_step_scale,
        )
        self._outer = TRPO(
            max_kl=config.max_kl,
            cg_iterations=config.cg_iterations,
            cg_damping=config.cg_damping,
            backtrack_ratio=config.backtrack_ratio,
            max_backtracks=config.max_backtracks,
        )
        self._baseline = LinearFeatureBaseline()
        self._engine: RolloutEngine | None = None
        self.meta_params = self._learner.meta_params()

    @property
    def timesteps_per_iteration(self) -> int:
        """Environment steps of one iteration, if no episode ends early."""
        config = self.config
        episodes = config.meta_batch_size * config.episodes_per_task
        horizon = self.benchmark.train.max_episode_steps
        return episodes * horizon * (config.num_inner_steps + 1)

    def learn(
        self,
        total_timesteps: int,
        callback: Callback | list[Callback] | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Trains until ``total_timesteps`` environment steps have been taken in all.

        Args:
            total_timesteps: Counts the steps of earlier calls and of a loaded agent too; the last
                iteration is taken whole.
            callback: Called after each iteration with the agent and its figures; returning False
                ends learning.
            progress_bar: Whether to show a live display in the terminal.
        """
        callbacks = (
            [] if callback is None else callback if isinstance(callback, list) else [callback]
        )
        if progress_bar:
            from metarl.display import LiveDisplay

            with LiveDisplay(total_timesteps, self.num_timesteps) as display:
                self._learn(total_timesteps, [*callbacks, display])
        else:
            self._learn(total_timesteps, callbacks)
        return self

    def _learn(self, total_timesteps: int, callbacks: list[Callback]) -> None:
        while self.num_timesteps < total_timesteps:
            figures = self.train_iteration()
            # Every callback is called, also when an earlier one asks to stop.
            answers = [callback(self, figures) for callback in callbacks]
            if any(answer is False for answer in answers):
                break

    def train_iteration(self) -> dict[str, float]:
        """Takes one iteration of algorithm 3 and returns its figures."""
        config, began = self.config, time.perf_counter()
        tasks = self.benchmark.train.sample(
            config.meta_batch_size, self._now(Purpose.TASKS).numpy()
        )
        params = [self._learner.initial_params(self.meta_params)] * len(tasks)
        supports: list[Trajectories] = []
        collecting = 0.0
        for step in range(config.num_inner_steps):
            before = time.perf_counter()
            support = self._collect(tasks, params, self._now(Purpose.SUPPORT).child(step))
            collecting += time.perf_counter() - before
            supports.append(self._with_advantages(support))
            with self._threads():
                params = [
                    self._learner.adapt_step(
                        self.meta_params, own, supports[step].task(i), step=step
                    )
                    for i, own in enumerate(params)
                ]
        before = time.perf_counter()
        query = self._with_advantages(self._collect(tasks, params, self._now(Purpose.QUERY)))
        collecting += time.perf_counter() - before
        objective = MetaObjective(
            self._learner, supports, query, fisher_stride=config.fisher_stride
        )
        with self._threads():
            self.meta_params, outer = self._outer.step(self.meta_params, objective)
        steps = sum(part.num_steps for part in (*supports, query))
        self.iteration += 1
        self.num_timesteps += steps
        seconds = time.perf_counter() - began
        return {
            "iteration": self.iteration,
            "timesteps": self.num_timesteps,
            **_summary("pre", supports[0]),
            **_summary("post", query),
            **{f"outer/{name}": value for name, value in outer.items()},
            "time/iteration_s": seconds,
            "time/collection_s": collecting,
            "time/fps": steps / seconds,
        }

    def unadapted(self) -> AdaptedPolicy:
        """The policy under the meta-learned initial parameters."""
        return self._as_policy(self._learner.initial_params(self.meta_params), num_steps=0)

    def adapt_step(self, policy: AdaptedPolicy, support: Trajectories) -> AdaptedPolicy:
        """Takes one gradient step on the task's experience."""
        params = self._test_adapter.adapt(
            policy.params, self._with_advantages(support), step=policy.num_steps
        )
        return self._as_policy(params, num_steps=policy.num_steps + 1)

    def save(self, path: str | Path) -> None:
        """Writes parameters, settings, counters and the split manifest into a folder."""
        state = {
            "algorithm": self.algorithm,
            "config": self.config.model_dump(mode="json"),
            "seed": self.seed,
            "iteration": self.iteration,
            "num_timesteps": self.num_timesteps,
            "manifest": self.benchmark.manifest(),
        }
        write_checkpoint(Path(path), self.meta_params, state)

    @classmethod
    def load(cls, path: str | Path, benchmark: Benchmark, *, num_workers: int = 0) -> Self:
        """Reads a saved agent; learning goes on as if it had never stopped.

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
        agent = cls(benchmark, seed=state["seed"], num_workers=num_workers, **state["config"])
        agent._restore(params, state, path)
        return agent

    def close(self) -> None:
        """Ends worker processes and closes environments."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _restore(self, params: Params, state: Mapping[str, Any], path: str | Path) -> None:
        expected = {name: value.shape for name, value in self.meta_params.items()}
        found = {name: value.shape for name, value in params.items()}
        if found != expected:
            odd = sorted(n for n in {*found, *expected} if found.get(n) != expected.get(n))
            raise CheckpointError(f"{path}: parameters don't fit the policy: {', '.join(odd)}")
        self.meta_params = {name: params[name] for name in self.meta_params}
        self.iteration = state["iteration"]
        self.num_timesteps = state["num_timesteps"]

    def _now(self, purpose: Purpose) -> Stream:
        return self._stream.child(purpose, self.iteration)

    def _collect(self, tasks: Any, params: list[Params], stream: Stream) -> Trajectories:
        if self._engine is None:
            self._engine = RolloutEngine(
                self.benchmark.train, self._policy, num_workers=self.num_workers
            )
        return self._engine.collect(
            tasks, params, stream, num_episodes=self.config.episodes_per_task
        )

    def _with_advantages(self, trajectories: Trajectories) -> Trajectories:
        return estimate_advantages(
            trajectories,
            self._baseline,
            gamma=self.config.gamma,
            gae_lambda=self.config.gae_lambda,
        )

    def _threads(self) -> Any:
        rows = self.config.episodes_per_task * self.benchmark.train.max_episode_steps
        return torch_threads(threads_for(rows, self.config.hidden_sizes))

    def _as_policy(self, params: Params, *, num_steps: int) -> AdaptedPolicy:
        return AdaptedPolicy(
            self._policy,
            params,
            num_steps=num_steps,
            observation_space=self.benchmark.train.observation_space,
            action_space=self.benchmark.train.action_space,
            stream=self._stream.child(Purpose.ADAPTATION, num_steps),
        )


def _summary(phase: str, trajectories: Trajectories) -> dict[str, float]:
    figures = {f"{phase}/return": trajectories.returns.mean().item()}
    for name in ("success_any", "success_final"):
        flags: torch.Tensor | None = getattr(trajectories, name)
        if flags is not None:
            figures[f"{phase}/{name}"] = flags.float().mean().item()
    return figures
