"""What every gradient-based agent is made of: built from settings, saved and loaded.

What it does with its parts is :mod:`.meta_policy_gradient`'s, what a checkpoint says beside its
tensors :mod:`.saved_state`'s.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import torch

from metarl.adaptation import Adapter, MetaLearner
from metarl.agent import Agent
from metarl.errors import CheckpointError, ConfigError
from metarl.losses import INNER_LOSSES, Loss
from metarl.outer import OuterStep
from metarl.policies import Policy, make_mlp_policy
from metarl.rollouts import DEFAULT_WORKER_TIMEOUT
from metarl.seeding import Purpose, Stream
from metarl.storage import read_checkpoint, write_checkpoint
from metarl.tasks import Benchmark, Task, check_manifest
from metarl.threads import torch_device
from metarl.types import Params

from .experience import ExperienceSource
from .from_settings import outer_step
from .saved_state import SavedState, join_params, split_params
from .settings import GradientInnerConfig, MetaPolicyGradientConfig
from .skipping import SkippedUpdates

ConfigT = TypeVar("ConfigT", bound=MetaPolicyGradientConfig)


class GradientAgent(Agent, Generic[ConfigT]):
    """Policy, inner-loop rule, outer step and experience, with their state.

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

    def control_settings(self) -> tuple[str, dict[str, Any]] | None:
        """What a control is trained with: alike, but without adaptation in training.

        Returns:
            Its algorithm and settings; None if no setting of this algorithm trains like that.
        """
        if not isinstance(self.config, GradientInnerConfig):
            return None
        rates = {"inner_lr": 0.0, "adaptation_lr": self.config.rate(testing=True)}
        return self.algorithm, {**self.config.model_dump(mode="json"), **rates}

    def with_adaptation_lr(self, rate: float) -> Self:
        """The same agent, but adapted at another step size; this one stays as it is.

        Raises:
            ConfigError: If the rate is out of range, or this agent's adaptation has none.
        """
        if not isinstance(self.config, GradientInnerConfig):
            return super().with_adaptation_lr(rate)
        other = type(self)(
            self.benchmark,
            seed=self.seed,
            num_workers=self.num_workers,
            worker_timeout=self.worker_timeout,
            device=str(self.device),
            **{**self.config.model_dump(), "adaptation_lr": rate},
        )
        other.meta_params = dict(self.meta_params)
        other.iteration, other.num_timesteps = self.iteration, self.num_timesteps
        other._outer.load_state(self._outer.state())
        other._skipped = copy.copy(self._skipped)
        return other

    @abstractmethod
    def sample_tasks(self) -> Sequence[Task]:
        """The tasks of this iteration; they follow from seed and iteration."""

    def set_initial_params(self, params: Params) -> None:
        """Sets the policy parameters that adaptation starts from, such as pretrained ones.

        Args:
            params: All of the policy's that are learned (CAVIA's context isn't), by its names; see
                :func:`metarl.agents.sb3.import_params` for those of Stable-Baselines3.

        Raises:
            ConfigError: If a name or a shape isn't the policy's.
        """
        policy = {
            name.removeprefix("policy."): value
            for name, value in self.meta_params.items()
            if name.startswith("policy.")
        }
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
            self.meta_params[f"policy.{name}"] = value.detach().to(policy[name]).clone()
        self._acting = None

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
                those it was saved with. Where ``outer`` or ``optimizer`` is another, the outer step
                begins anew: it can't take over the other's moments, and a warning says so.

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
        agent._restore(saved.without_foreign_moments(params, agent.config), saved, Path(path))
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

    def _adapter_generator(self) -> torch.Generator:
        """Source of the adapter's own initial values; each call draws them anew, and the same."""
        return self._stream.child(Purpose.INITIALISATION, 1).torch()

    @property
    def _inner_loss(self) -> Loss:
        return INNER_LOSSES[self.config.inner_loss]

    def _now(self, purpose: Purpose) -> Stream:
        return self._stream.child(purpose, self.iteration)
