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
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import torch

from metarl.adaptation import AdaptationState, AdaptedPolicy, Adapter, MetaLearner
from metarl.agent import Agent, Callback
from metarl.errors import CheckpointError, ConfigError, NonFiniteError
from metarl.losses import INNER_LOSSES, Loss
from metarl.objective import MetaObjective
from metarl.outer import OuterStep
from metarl.policies import Policy, make_mlp_policy
from metarl.rollouts import DEFAULT_WORKER_TIMEOUT
from metarl.seeding import Purpose, Stream
from metarl.storage import read_checkpoint, write_checkpoint
from metarl.tasks import Benchmark, Task, check_manifest
from metarl.threads import map_in_threads, threads_for, torch_device
from metarl.trace import TraceStep, trace_step
from metarl.types import Params, Trajectories

from .experience import Counts, ExperienceSource, StopRequested, usable_tasks
from .figures import inner_figures, summary
from .from_settings import meta_objective, outer_step
from .saved_state import SavedState, join_params, split_params
from .sb3.callbacks import AnyCallback, started
from .settings import MetaPolicyGradientConfig
from .skipping import SkippedUpdates, check_adapted, check_update

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
        worker_timeout: Seconds without a step after which a worker process counts as hung.
        device: Where adaptation and meta-gradients are computed: ``cpu``, ``cuda``, ``cuda:1``.
            Experience is always collected on the CPU.
        **settings: Those of ``config_type``.

    Raises:
        ConfigError: If a setting is unknown or out of range, the device is missing, or the
            training distribution can't fill a meta-batch.
    """

    algorithm: ClassVar[str]
    config_type: ClassVar[type[MetaPolicyGradientConfig]]

    def __init__(
        self,
        benchmark: Benchmark,
        *,
        seed: int = 0,
        num_workers: int = 0,
        worker_timeout: float = DEFAULT_WORKER_TIMEOUT,
        device: str = "cpu",
        **settings: Any,
    ) -> None:
        for name, value in (("seed", seed), ("num_workers", num_workers)):
            if value < 0:
                raise ConfigError(f"{name}: got {value}; must be at least 0.")
        self.benchmark = benchmark
        self.seed = seed
        self.num_workers = num_workers
        self.worker_timeout = worker_timeout
        self.device = torch_device(device)
        self.config = cast("ConfigT", self.config_type(**settings))
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
        self._experience = ExperienceSource(
            benchmark.train,
            self._acting_policy,
            num_episodes=self.config.episodes_per_task,
            gamma=self.config.gamma,
            gae_lambda=self.config.gae_lambda,
            num_workers=num_workers,
            worker_timeout=worker_timeout,
            device=self.device,
            stop=lambda: self.stop_requested,
        )
        self._skipped = SkippedUpdates(self.config.max_skipped_updates)
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
        """The outer step."""
        return outer_step(self.config)

    def make_objective(
        self, learner: MetaLearner, supports: Sequence[Trajectories], query: Trajectories
    ) -> MetaObjective:
        """What the outer step improves."""
        return meta_objective(self.config, learner, supports, query, num_threads=self._threads)

    def sample_tasks(self) -> Sequence[Task]:
        """The tasks of this iteration."""
        return self.benchmark.train.sample(
            self.config.meta_batch_size, self._now(Purpose.TASKS).numpy()
        )

    def figures(
        self, tasks: Sequence[Task], supports: Sequence[Trajectories], query: Trajectories
    ) -> dict[str, float]:
        """What experience in these tasks says of the agent, before and after adaptation."""
        del tasks
        return {**summary("pre", supports[0]), **summary("post", query)}

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
        callback: AnyCallback | Sequence[AnyCallback] | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Trains until ``total_timesteps`` environment steps have been taken in all.

        Args:
            total_timesteps: Counts the steps of earlier calls and of a loaded agent too; the last
                iteration is taken whole.
            callback: Called after each iteration with the agent and its figures; returning False
                ends learning. Stable-Baselines3's callbacks are taken too, see
                :class:`metarl.agents.sb3.SB3Callback`.
            progress_bar: Whether to show a live display in the terminal.
        """
        with started(callback, self, total_timesteps) as callbacks:
            if progress_bar:
                from metarl.display import LiveDisplay

                with LiveDisplay(total_timesteps, self.num_timesteps) as display:
                    self._learn(total_timesteps, [*callbacks, display])
            else:
                self._learn(total_timesteps, callbacks)
        return self

    def _learn(self, total_timesteps: int, callbacks: list[Callback]) -> None:
        try:
            self._learn_until_stopped(total_timesteps, callbacks)
        except StopRequested:
            self.close()  # workers are in the middle of what nobody will ask for
        finally:
            self.stop_requested = False

    def _learn_until_stopped(self, total_timesteps: int, callbacks: list[Callback]) -> None:
        while self.num_timesteps < total_timesteps and not self.stop_requested:
            figures = self.train_iteration()
            # Every callback is called, also when an earlier one asks to stop.
            answers = [callback(self, figures) for callback in callbacks]
            if any(answer is False for answer in answers):
                break

    def train_iteration(self) -> dict[str, float]:
        """Takes one iteration and returns its figures.

        Where a number isn't finite the update is skipped: parameters stay, to the bit, and the
        next iteration draws other tasks and noise.

        Raises:
            NonFiniteError: If ``max_skipped_updates`` in a row were skipped.
        """
        began = time.perf_counter()
        self._experience.counts = counts = Counts()
        tasks = self.sample_tasks()
        outer_state = self._outer.state()
        try:
            self.meta_params, figures = self._update(tasks)
            self._skipped.note_update()
        except NonFiniteError as error:
            self._outer.load_state(outer_state)
            self._skipped.note_skip(error, tasks)
            figures = {}
        seconds = time.perf_counter() - began
        self.iteration += 1
        self.num_timesteps += counts.num_steps
        return {
            "iteration": self.iteration,
            "timesteps": self.num_timesteps,
            **figures,
            "faults/skipped_updates": self._skipped.total,
            "faults/unstable_episodes": counts.num_unstable,
            "time/iteration_s": seconds,
            "time/collection_s": counts.seconds,
            "time/fps": counts.num_steps / seconds,
        }

    def _update(self, tasks: Sequence[Task]) -> tuple[Params, dict[str, float]]:
        """The next meta-parameters, and figures that say how the iteration went."""
        states = before = [self._learner.start(self.meta_params)] * len(tasks)
        supports: list[Trajectories] = []
        for step in range(self.config.num_inner_steps):
            stream = self._now(Purpose.SUPPORT).child(step)
            supports.append(self._experience.collect(tasks, states, stream))
            if len(usable := usable_tasks(supports[step])) < len(tasks):
                tasks, states = [tasks[i] for i in usable], [states[i] for i in usable]
                supports = [support.tasks(usable) for support in supports]
            before, states = states, self._adapt(states, supports[step])
            check_adapted(state.params for state in states)
        inner = self._trace(before[0], states[0], supports[-1].task(0))
        query = self._experience.collect(tasks, states, self._now(Purpose.QUERY))
        if len(usable := usable_tasks(query)) < len(tasks):
            supports, query = [support.tasks(usable) for support in supports], query.tasks(usable)
            tasks = [tasks[i] for i in usable]
        objective = self.make_objective(self._learner, supports, query)
        meta_params, outer = self._outer.step(self.meta_params, objective)
        check_update(meta_params, outer)
        return meta_params, {
            **self.figures(tasks, supports, query),
            **inner_figures(inner),
            **{f"outer/{name}": value for name, value in outer.items()},
        }

    def set_initial_params(self, params: Params) -> None:
        """Sets the policy parameters that adaptation starts from, such as pretrained ones.

        Args:
            params: All of the policy's, by its names; see
                :func:`metarl.agents.sb3.import_params` for those of Stable-Baselines3.

        Raises:
            ConfigError: If a name or a shape isn't the policy's.
        """
        policy = self._acting_policy.params()
        for name in dict.fromkeys([*policy, *params]):
            ours, given = (
                tuple(held[name].shape) if name in held else "missing" for held in (policy, params)
            )
            if given != ours:
                raise ConfigError(
                    f"params: {name} is {given}; the policy's is {ours} (observations, "
                    "hidden_sizes and actions have to be the same)."
                )
        for name, value in params.items():
            own = self.meta_params[f"policy.{name}"]
            self.meta_params[f"policy.{name}"] = value.detach().to(own).clone()
        self._acting = None

    def unadapted(self) -> AdaptedPolicy:
        """The policy under the meta-learned initial parameters."""
        return self._as_policy(self._learner.start(self.meta_params))

    def adapt_step(self, policy: AdaptedPolicy, support: Trajectories) -> AdaptedPolicy:
        """Takes one step of the inner loop on the task's experience."""
        state = policy.adaptation.to(self.device)
        after = self._test_learner.adapt_step(
            self.meta_params, state, self._experience.with_advantages(support)
        )
        return self._as_policy(after)

    def trace_step(
        self, before: AdaptedPolicy, after: AdaptedPolicy, support: Trajectories
    ) -> TraceStep:
        """Describes the step of the inner loop that led from one policy to another."""
        return self._trace(
            before.adaptation.to(self.device),
            after.adaptation.to(self.device),
            self._experience.with_advantages(support),
        )

    def save(self, path: str | Path) -> None:
        """Writes parameters, settings, counters and the split manifest into a folder."""
        state = SavedState(
            algorithm=self.algorithm,
            config=self.config.model_dump(mode="json"),
            seed=self.seed,
            iteration=self.iteration,
            num_timesteps=self.num_timesteps,
            skipped_updates=self._skipped.total,
            skipped_in_row=self._skipped.in_row,
            manifest=self.benchmark.manifest(),
        )
        params = join_params(self.meta_params, self._outer.state())
        write_checkpoint(Path(path), params, state.model_dump(mode="json"))

    @classmethod
    def load(
        cls,
        path: str | Path,
        benchmark: Benchmark,
        *,
        num_workers: int = 0,
        worker_timeout: float = DEFAULT_WORKER_TIMEOUT,
        device: str = "cpu",
        settings: Mapping[str, Any] | None = None,
        accept_changes: bool = False,
    ) -> Self:
        """Reads a saved agent; learning goes on as if it had never stopped.

        Args:
            path: The checkpoint.
            benchmark: The tasks.
            num_workers: As at construction.
            worker_timeout: As at construction.
            device: As at construction.
            settings: What the agent's settings should be; by default those it was saved with.
            accept_changes: Whether to go on where benchmark, versions or settings are others than
                those it was saved with.

        Raises:
            CheckpointError: If the folder is missing, damaged, or of another algorithm.
            ManifestMismatchError: If it was saved on other tasks or versions.
            RunChangedError: If it was saved with other settings.
        """
        params, state = read_checkpoint(Path(path))
        saved = SavedState.read(state, Path(path), cls.algorithm)
        if not accept_changes:
            check_manifest(saved.manifest, benchmark.manifest())
        try:
            config = cls.config_type(**(saved.config if settings is None else settings))
        except (ConfigError, TypeError) as error:
            raise CheckpointError(f"{path}: config: {error}") from None
        if settings is not None and not accept_changes:
            saved.check_settings(config.model_dump(mode="json"))
        agent = cls(
            benchmark,
            seed=saved.seed,
            num_workers=num_workers,
            worker_timeout=worker_timeout,
            device=device,
            **config.model_dump(),
        )
        agent._restore(params, saved, Path(path))
        return agent

    def close(self) -> None:
        """Ends worker processes and closes environments."""
        self._experience.close()

    def _restore(self, params: Params, saved: SavedState, path: Path) -> None:
        learned, outer = split_params(params, self.meta_params, path)
        self.meta_params = {name: value.to(self.device) for name, value in learned.items()}
        self._outer.load_state({name: value.to(self.device) for name, value in outer.items()})
        self.iteration = saved.iteration
        self.num_timesteps = saved.num_timesteps
        self._skipped = SkippedUpdates(
            self.config.max_skipped_updates, saved.skipped_updates, saved.skipped_in_row
        )

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

    def _trace(
        self, before: AdaptationState, after: AdaptationState, support: Trajectories
    ) -> TraceStep:
        return trace_step(
            self._learner.policy,
            self._inner_loss,
            support,
            step=after.step,
            start=self._learner.start(self.meta_params).params,
            before=before.params,
            after=after.params,
        )

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
