"""What a checkpoint says beside its tensors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from metarl.config import Config
from metarl.errors import CheckpointError, ConfigError, RunChangedError
from metarl.seeding import MAX_KEY, MAX_SEED
from metarl.types import Params

from .settings import MetaPolicyGradientConfig

LOG = logging.getLogger(__name__)
OUTER = "outer."


class SavedState(Config):
    """The state of a gradient-based agent; random streams follow from seed and iteration."""

    algorithm: str
    config: dict[str, Any]
    seed: int = Field(ge=0, le=MAX_SEED)
    iteration: int = Field(ge=0, le=MAX_KEY)
    num_timesteps: int = Field(ge=0)
    skipped_updates: int = Field(default=0, ge=0)
    skipped_in_row: int = Field(default=0, ge=0)
    manifest: dict[str, Any]

    @classmethod
    def read(cls, state: Mapping[str, Any], path: Path, algorithm: str) -> Self:
        """Checks the state that a checkpoint holds.

        Raises:
            CheckpointError: If it isn't that of an agent of this algorithm.
        """
        if state.get("algorithm") != algorithm:
            raise CheckpointError(
                f"{path}: holds algorithm {state.get('algorithm')!r}, not {algorithm!r}"
            )
        try:
            return cls(**state)
        except (ConfigError, TypeError) as error:
            raise CheckpointError(f"{path}: state.json: {error}") from None

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Checks that an agent's settings are those it was saved with.

        Raises:
            RunChangedError: Naming each setting that differs.
        """
        different = [
            f"{name}: saved {self.config.get(name)!r}, now {settings.get(name)!r}"
            for name in sorted({*self.config, *settings})
            if self.config.get(name) != settings.get(name)
        ]
        if different:
            raise RunChangedError("the run was begun with other settings:\n" + "\n".join(different))

    def without_foreign_moments(self, params: Params, config: MetaPolicyGradientConfig) -> Params:
        """Leaves out the outer step's own state if the settings now name another outer step.

        Args:
            params: What was saved.
            config: The settings now; whoever loads has accepted that they differ.
        """
        now = {name: getattr(config, name) for name in ("outer", "optimizer")}
        then = {name: self.config.get(name, value) for name, value in now.items()}
        if then == now:
            return params
        kept = {name: value for name, value in params.items() if not name.startswith(OUTER)}
        if len(kept) < len(params):
            LOG.warning("the outer step begins anew: saved %s, now %s", then, now)
        return kept


def join_params(meta_params: Params, outer: Params) -> Params:
    """Meta-parameters and the outer step's own state under one set of names."""
    return {**meta_params, **{OUTER + name: value for name, value in outer.items()}}


def split_params(params: Params, like: Params, path: Path) -> tuple[Params, Params]:
    """Undoes :func:`join_params`.

    Args:
        params: What was saved.
        like: Meta-parameters of the agent that is to have them.
        path: Of the checkpoint, for messages.

    Raises:
        CheckpointError: If names, shapes or dtypes aren't those of ``like``, or a moment of the
            outer step hasn't the shape of its parameter.
    """
    outer = {n.removeprefix(OUTER): v for n, v in params.items() if n.startswith(OUTER)}
    learned = {name: value for name, value in params.items() if not name.startswith(OUTER)}
    expected = {name: (value.shape, value.dtype) for name, value in like.items()}
    found = {name: (value.shape, value.dtype) for name, value in learned.items()}
    if found != expected:
        odd = sorted(n for n in {*found, *expected} if found.get(n) != expected.get(n))
        raise CheckpointError(f"{path}: parameters don't fit the policy: {', '.join(odd)}")
    for name, value in outer.items():
        owner = like.get(name.rpartition(":")[0])
        if owner is not None and value.shape not in (owner.shape, ()):
            raise CheckpointError(f"{path}: a moment fits no parameter: {name}")
    return {name: learned[name] for name in like}, outer
