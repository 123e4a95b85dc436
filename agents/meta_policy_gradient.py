"""The training loop of gradient-based meta-RL (Finn, Abbeel and Levine 2017, algorithm 3).

Each iteration: sample tasks; collect support episodes under the initial parameters; adapt by one
or more steps per task; collect query episodes under each task's adapted parameters; move the
meta-parameters by one outer step on the query objective. What adapts, what the outer step is and
what the objective adds to the query surrogate is each algorithm's own; the smallest one is
:mod:`metarl.agents.maml`.
"""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch

from metarl.adaptation import AdaptationState, AdaptedPolicy, Adapter, MetaLearner
from metarl.agent import Agent, Callback
from metarl.baselines import LinearFeatureBaseline, estimate_advantages
from metarl.errors import CheckpointError, ConfigError
from metarl.losses import INNER_LOSSES, Loss
from metarl.objective import MetaObjective
from metarl.outer import TRPO, GradientDescent, OuterStep
from metarl.policies import Policy, make_mlp_policy
from metarl.rollouts import RolloutEngine
from metarl.seeding import Purpose, Stream
from metarl.storage import read_checkpoint, write_checkpoint
from metarl.tasks import Benchmark, Task, check_manifest
from metarl.threads import map_in_threads, threads_for, torch_device
from metarl.trace import TraceStep, trace_step
from metarl.types import Params, Trajectories

from .settings import MetaPolicyGradientConfig

ConfigT = TypeVar("ConfigT", bound=MetaPolicyGradientConfig)


class MetaPolicyGradient(Agent, Generic[ConfigT]):
    """Base class of the gradient-based agents: everything but what sets them apart.

    A subclass names its ``algorithm`` and ``config_type`` and writes :meth:`make_adapter`; where
    it departs further it overrides :meth:`make_policy`, :meth:`make_outer`,
    :meth:`make_objective` or :meth:`sample_tasks`.

    Args:
        benchmark: The tasks; training samples from its training distribution only.
        seed: Root of all random streams; equal seeds give equal bits, whatever ``num_workers``.
        num_workers: Processes that collect experience; 0 collects in this one.
        device: Where adaptation and meta-gradients are computed: ``cpu``, ``cuda``, ``cuda:1``.
            Experience is always collected on the CPU.
        **settings: Those of ``config_type``.

    Raises:
        ConfigError: If a setting is unknown or out of range, the device is missing, or the
            training distribution can't fill a meta-batch.
    """

    algorithm: ClassVar[str]
    config_type: type[ConfigT]

    def __init__(
        self,
        benchmark: Benchmark,
        *,
        seed: int = 0,
        num_workers: int = 0,
        device: str = "cpu",
        **settings: Any,
    ) -> None:
        for name, value in (("seed", seed), ("num_workers", num_workers)):
            if value < 0:
                raise ConfigError(f"{name}: got {value}; must be at least 0.")
        self.benchmark = benchmark
        self.seed = seed
        self.num_workers = num_workers
        self.device = torch_device(device)
        self.config: ConfigT = self.config_type(**settings)
        self.num_timesteps = 0
        self.iteration = 0
        self._stream = Stream(seed)
        # Drawing one batch now reveals at once whether there are tasks enough.
        try:
            self.sample_tasks()
        except ConfigError as error:
            raise ConfigError(f"meta_batch_size: {error}") from None
        policy = self.make_policy(self._stream.child(Purpose.INITIALISATION).torch())
        self._acting_policy = copy.deepcopy(policy)  # stays on the CPU
        policy.to(self.device)
        self._learner = self._make_learner(policy, testing=False)
        self._test_learner = self._make_learner(policy, testing=True)
        self._outer = self.make_outer()
        self._baseline = LinearFeatureBaseline()
        self._engine: RolloutEngine | None = None
        self.meta_params = self._learner.meta_params()

    @abstractmethod
    def make_adapter(self, policy: Policy, *, testing: bool, **common: Any) -> Adapter:
        """The inner-loop rule.

        Args:
            policy: The policy that it adapts.
            testing: Whether for adaptation after training; it must have the same meta-parameters.
            **common: Arguments that every adapter takes: loss, trained steps, later scale.
        """

    def make_policy(self, generator: torch.Generator) -> Policy:
        """The policy, on the CPU; ``generator`` is the source of its initial weights."""
        return make_mlp_policy(
            self.benchmark.train.observation_space,
            self.benchmark.train.action_space,
            self.config.hidden_sizes,
            init_std=self.config.init_std,
            generator=generator,
        )

    def make_outer(self) -> OuterStep:
        """The outer step that the settings name."""
        config = self.config
        if config.outer == "trpo":
            return TRPO(
                max_kl=config.max_kl,
                cg_iterations=config.cg_iterations,
                cg_damping=config.cg_damping,
                backtrack_ratio=config.backtrack_ratio,
                max_backtracks=config.max_backtracks,
            )
        return GradientDescent(
            config.optimizer,
            lr=config.outer_lr,
            num_epochs=config.num_epochs if config.outer == "ppo" else 1,
            max_grad_norm=config.max_grad_norm,
        )

    def make_objective(
        self, learner: MetaLearner, supports: Sequence[Trajectories], query: Trajectories
    ) -> MetaObjective:
        """What the outer step improves."""
        config = self.config
        return MetaObjective(
            learner,
            supports,
            query,
            fisher_stride=config.fisher_stride,
            fisher_support_stride=config.fisher_support_stride,
            clip_range=config.clip_range if config.outer == "ppo" else None,
            inner_kl_coef=config.inner_kl_coef,
            sampling_coef=config.sampling_coef,
            num_threads=self._threads,
        )

    def sample_tasks(self) -> Sequence[Task]:
        """The tasks of this iteration."""
        return self.benchmark.train.sample(
            self.config.meta_batch_size, self._now(Purpose.TASKS).numpy()
        )

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
        """Takes one iteration and returns its figures."""
        began = time.perf_counter()
        tasks = self.sample_tasks()
        states = [self._learner.start(self.meta_params)] * len(tasks)
        supports: list[Trajectories] = []
        collecting = 0.0
        for step in range(self.config.num_inner_steps):
            before = time.perf_counter()
            stream = self._now(Purpose.SUPPORT).child(step)
            supports.append(self._with_advantages(self._collect(tasks, states, stream)))
            collecting += time.perf_counter() - before
            before_step, states = states, self._adapt(states, supports[step])
        inner = self._inner_figures(before_step[0], states[0], supports[-1].task(0))
        before = time.perf_counter()
        query = self._with_advantages(self._collect(tasks, states, self._now(Purpose.QUERY)))
        collecting += time.perf_counter() - before
        objective = self.make_objective(self._learner, supports, query)
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
            **inner,
            **{f"outer/{name}": value for name, value in outer.items()},
            "time/iteration_s": seconds,
            "time/collection_s": collecting,
            "time/fps": steps / seconds,
        }

    def unadapted(self) -> AdaptedPolicy:
        """The policy under the meta-learned initial parameters."""
        return self._as_policy(self._learner.start(self.meta_params))

    def adapt_step(self, policy: AdaptedPolicy, support: Trajectories) -> AdaptedPolicy:
        """Takes one step of the inner loop on the task's experience."""
        state = policy.adaptation.to(self.device)
        after = self._test_learner.adapt_step(
            self.meta_params, state, self._with_advantages(support)
        )
        return self._as_policy(after)

    def trace_step(
        self, before: AdaptedPolicy, after: AdaptedPolicy, support: Trajectories
    ) -> TraceStep:
        """Describes the step of the inner loop that led from one policy to another."""
        return trace_step(
            self._acting_policy,
            self._inner_loss,
            self._with_advantages(support).to("cpu"),
            step=after.num_steps,
            start=self._learner.start(self.meta_params).to("cpu").params,
            before=before.params,
            after=after.params,
        )

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
        outer = {f"outer.{name}": value for name, value in self._outer.state().items()}
        write_checkpoint(Path(path), {**self.meta_params, **outer}, state)

    @classmethod
    def load(
        cls,
        path: str | Path,
        benchmark: Benchmark,
        *,
        num_workers: int = 0,
        device: str = "cpu",
    ) -> Self:
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
        agent = cls(
            benchmark,
            seed=state["seed"],
            num_workers=num_workers,
            device=device,
            **state["config"],
        )
        agent._restore(params, state, path)
        return agent

    def close(self) -> None:
        """Ends worker processes and closes environments."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _restore(self, params: Params, state: Mapping[str, Any], path: str | Path) -> None:
        outer = {
            name.removeprefix("outer."): value.to(self.device)
            for name, value in params.items()
            if name.startswith("outer.")
        }
        learned = {name: value for name, value in params.items() if not name.startswith("outer.")}
        expected = {name: value.shape for name, value in self.meta_params.items()}
        found = {name: value.shape for name, value in learned.items()}
        if found != expected:
            odd = sorted(n for n in {*found, *expected} if found.get(n) != expected.get(n))
            raise CheckpointError(f"{path}: parameters don't fit the policy: {', '.join(odd)}")
        self.meta_params = {name: learned[name].to(self.device) for name in self.meta_params}
        self._outer.load_state(outer)
        self.iteration = state["iteration"]
        self.num_timesteps = state["num_timesteps"]

    def _make_learner(self, policy: Policy, *, testing: bool) -> MetaLearner:
        adapter = self.make_adapter(
            policy,
            testing=testing,
            loss=self._inner_loss,
            trained_steps=self.config.num_inner_steps,
            later_scale=self.config.later_step_scale if testing else 1.0,
        )
        return MetaLearner(policy, adapter.to(self.device))

    @property
    def _inner_loss(self) -> Loss:
        return INNER_LOSSES[self.config.inner_loss]

    def _now(self, purpose: Purpose) -> Stream:
        return self._stream.child(purpose, self.iteration)

    def _collect(
        self, tasks: Sequence[Task], states: Sequence[AdaptationState], stream: Stream
    ) -> Trajectories:
        if self._engine is None:
            self._engine = RolloutEngine(
                self.benchmark.train, self._acting_policy, num_workers=self.num_workers
            )
        return self._engine.collect(
            tasks,
            [state.params for state in states],
            stream,
            num_episodes=self.config.episodes_per_task,
        )

    def _with_advantages(self, trajectories: Trajectories) -> Trajectories:
        estimated = estimate_advantages(
            trajectories,
            self._baseline,
            gamma=self.config.gamma,
            gae_lambda=self.config.gae_lambda,
        )
        return estimated.to(self.device)

    def _adapt(
        self, states: Sequence[AdaptationState], support: Trajectories
    ) -> list[AdaptationState]:
        """Takes one adaptation step of every task."""

        def work(learner: MetaLearner, task: int) -> AdaptationState:
            return learner.adapt_step(self.meta_params, states[task], support.task(task))

        learners = [
            self._learner,
            *(copy.deepcopy(self._learner) for _ in range(self._threads - 1)),
        ]
        return map_in_threads(work, learners, range(len(states)))

    def _inner_figures(
        self, before: AdaptationState, after: AdaptationState, support: Trajectories
    ) -> dict[str, float]:
        """What the last inner step did, on the first task of the batch."""
        step = trace_step(
            self._learner.policy,
            self._inner_loss,
            support,
            step=after.step,
            start=self._learner.start(self.meta_params).params,
            before=before.params,
            after=after.params,
        )
        changes = step.relative_change.values()
        return {
            "inner/loss_change": step.loss_after - step.loss,
            "inner/gradient_norm": step.gradient_norm,
            "inner/kl": step.kl,
            "inner/relative_change": sum(changes) / len(changes),
        }

    @property
    def _threads(self) -> int:
        rows = self.config.episodes_per_task * self.benchmark.train.max_episode_steps
        return threads_for(rows, self.config.hidden_sizes)

    def _as_policy(self, state: AdaptationState) -> AdaptedPolicy:
        state = state.to("cpu")
        return AdaptedPolicy(
            self._acting_policy,
            state.params,
            num_steps=state.step,
            memory=state.memory,
            observation_space=self.benchmark.train.observation_space,
            action_space=self.benchmark.train.action_space,
            stream=self._stream.child(Purpose.ADAPTATION, state.step),
        )


def _summary(phase: str, trajectories: Trajectories) -> dict[str, float]:
    figures = {f"{phase}/return": trajectories.returns.mean().item()}
    for name in ("success_any", "success_final"):
        flags: torch.Tensor | None = getattr(trajectories, name)
        if flags is not None:
            figures[f"{phase}/{name}"] = flags.float().mean().item()
    return figures
