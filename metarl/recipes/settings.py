"""Settings of a training run: the same typed model for flags, files and Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import Field, create_model, field_validator

from metarl.agents import ALGORITHMS, MetaPolicyGradient
from metarl.agents.settings import MetaPolicyGradientConfig
from metarl.config import Config
from metarl.envs.discovery import is_reference
from metarl.envs.registry import check_benchmark_name
from metarl.errors import CheckpointError, ConfigError, UnknownNameError
from metarl.rollouts import DEFAULT_WORKER_TIMEOUT
from metarl.runs import BestBy, OnDiskError, Retention, RunFolder
from metarl.seeding import MAX_SEED
from metarl.threads import torch_device

AnyAgent: TypeAlias = MetaPolicyGradient[Any]


def check_name(name: str) -> None:
    """Checks a benchmark's name; ``module:NAME`` may be in the current folder.

    Raises:
        ConfigError: If it leads to nothing.
    """
    here = str(Path.cwd())
    if is_reference(name) and here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    check_benchmark_name(name)


class RunConfig(Config):
    """Settings of a training run, whatever the algorithm."""

    benchmark: str = Field(
        description="What to train on: a name that `metarl tasks` lists, or module:NAME."
    )
    total_timesteps: int = Field(
        default=1_200_000,
        ge=1,
        le=10**15,
        description="Environment steps, before and after adaptation together.",
    )
    max_episode_steps: int | None = Field(
        default=None, ge=1, le=10**6, description="Horizon; by default the benchmark's own."
    )
    seed: int = Field(default=0, ge=0, le=MAX_SEED, description="Seed of the training run.")
    benchmark_seed: int = Field(
        default=0,
        ge=0,
        le=2**32 - 1,
        description="Seed of the benchmark's goals, and so of the train/test split.",
    )
    num_workers: int = Field(
        default=os.cpu_count() or 1,
        ge=0,
        le=4096,
        description="Processes that collect experience; the result is the same for any number.",
    )
    worker_timeout: float = Field(
        default=DEFAULT_WORKER_TIMEOUT,
        gt=0,
        le=10**6,
        description="Seconds without a step after which a worker counts as hung and is replaced.",
    )
    device: str = Field(default="cpu", description="Where updates are computed: cpu, cuda, cuda:1.")
    run: Path | None = Field(default=None, description="Run folder; by default named in runs/.")
    checkpoint_every: int = Field(default=1, ge=1, description="Iterations between checkpoints.")
    keep_checkpoints: int = Field(
        default=3, ge=1, description="Newest checkpoints to keep, beside best and milestones."
    )
    milestone_every: int | None = Field(
        default=None, ge=1, description="Iterations between checkpoints that are kept for good."
    )
    best_by: BestBy = Field(
        default="post/return", description="Figure that marks the best checkpoint."
    )
    on_disk_error: OnDiskError = Field(
        default="retry",
        description="When the run folder can't be written: go on in memory and retry, or stop.",
    )

    agent: MetaPolicyGradientConfig = Field(description="Settings of the algorithm.")

    @field_validator("benchmark")
    @classmethod
    def _check_benchmark(cls, name: str) -> str:
        try:
            check_name(name)
        except UnknownNameError as error:
            raise ValueError(error.advice) from None
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return name

    @field_validator("device")
    @classmethod
    def _check_device(cls, name: str) -> str:
        try:
            torch_device(name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return name

    @property
    def retention(self) -> Retention:
        """Which checkpoints are kept."""
        return Retention(self.keep_checkpoints, self.best_by, self.milestone_every)


def config_type(agent_type: type[AnyAgent]) -> type[RunConfig]:
    """The settings of a run of this agent: the run's own, and the agent's under ``agent``."""
    inner = agent_type.config_type
    made: type[RunConfig] = create_model(
        f"Train{agent_type.__name__}",
        __base__=RunConfig,
        __doc__=RunConfig.__doc__,
        agent=(inner, Field(default=inner(), description="Settings of the algorithm.")),
    )
    return made


def read_settings(config: Mapping[str, Any], source: str | Path) -> tuple[type[AnyAgent], Any]:
    """Checks settings that were read from a file.

    Args:
        config: What :func:`written_settings` gave, perhaps edited.
        source: The file, or what else they come from, for messages.

    Returns:
        The algorithm and its settings.

    Raises:
        CheckpointError: Listing every fault found.
    """
    rest = dict(config)
    algorithm = rest.pop("algorithm", None)
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        # Without the algorithm, what belongs to every run can still be checked.
        known = ", ".join(ALGORITHMS)
        faults = [f"algorithm: got {algorithm!r}; known: {known}."]
        rest["agent"] = {}
        try:
            RunConfig(**rest)
        except ConfigError as error:
            faults.append(str(error))
        raise CheckpointError("\n".join([f"{source}:", *faults]))
    agent_type = ALGORITHMS[algorithm]
    try:
        return agent_type, config_type(agent_type)(**rest)
    except ConfigError as error:
        raise CheckpointError(f"{source}:\n{error}") from None


def settings_of(run: RunFolder) -> tuple[type[AnyAgent], Any]:
    """The algorithm and settings of a run folder.

    Raises:
        CheckpointError: If it isn't one, or its settings are faulty.
    """
    return read_settings(run.config(), run.path / "config.yaml")


def written_settings(agent_type: type[AnyAgent], settings: RunConfig) -> dict[str, Any]:
    """The effective settings as they are written into the run folder."""
    return {"algorithm": agent_type.algorithm, **settings.model_dump(mode="json", exclude={"run"})}
