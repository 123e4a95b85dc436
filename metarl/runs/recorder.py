"""Writes a run's figures and checkpoints as it goes, and what to do when the disk fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self, TypeAlias

from metarl.agent import Agent
from metarl.errors import ConfigError, DiskError
from metarl.runs.events import EventFile
from metarl.runs.folder import RunFolder
from metarl.runs.memory import peak_memory_mib
from metarl.runs.metrics import MetricsTable

LOG = logging.getLogger(__name__)

OnDiskError: TypeAlias = Literal["retry", "stop"]

_LAST_RETRIES_S = (1, 2, 4, 8, 15, 30)
"""Pauses between the attempts to write a run's end."""


class RunRecorder:
    """A callback that writes metrics after every iteration, and checkpoints now and then.

    When the disk is full, read-only or gone, what was written before stays whole. By policy the run
    then stops, or training goes on in memory: everything is held, tried again after every
    iteration, and written in order once that works.

    Args:
        run: Where to.
        iteration: Iterations that the agent has behind it. Metrics of later ones, written by a run
            that was interrupted after its last checkpoint, are dropped: they will come again.
        checkpoint_every: Iterations between checkpoints.
        on_disk_error: ``retry`` or ``stop``.

    Raises:
        ConfigError: If an argument isn't allowed.
    """

    def __init__(
        self,
        run: RunFolder,
        iteration: int = 0,
        checkpoint_every: int = 1,
        on_disk_error: OnDiskError = "retry",
    ) -> None:
        if checkpoint_every < 1:
            raise ConfigError(f"checkpoint_every: got {checkpoint_every}; must be at least 1.")
        if on_disk_error not in ("retry", "stop"):
            raise ConfigError(f"on_disk_error: got {on_disk_error!r}; allowed: retry, stop.")
        self.run = run
        self.checkpoint_every = checkpoint_every
        self.on_disk_error: OnDiskError = on_disk_error
        self._metrics = MetricsTable(run.path / "metrics.csv", iteration)
        self._rows: list[Mapping[str, float]] = []  # not in the table yet
        self._board = _Board(run.path / "tensorboard", self._metrics)
        self._checkpoint_is_due = False
        self._saved: tuple[int, Path] | None = None
        self._latest: tuple[int, Mapping[str, float]] | None = None  # the last iteration's figures
        self._failing = False

    def __call__(self, agent: Agent, figures: Mapping[str, float]) -> None:
        """Records one iteration.

        Raises:
            DiskError: If the disk fails and the policy is to stop.
        """
        figures = {**figures, **_memory()}
        self._rows.append(figures)
        self._board.add(figures)
        self._checkpoint_is_due |= agent.iteration % self.checkpoint_every == 0
        self._latest = agent.iteration, figures
        self._attempt(lambda: self._write(agent))

    def finish(self, agent: Agent) -> Path:
        """Writes all that is held, and a checkpoint of the agent as it is.

        Tries for about a minute.

        Returns:
            The checkpoint.

        Raises:
            DiskError: If it can't be written.
        """
        self._checkpoint_is_due = True
        for pause in (*_LAST_RETRIES_S, None):
            if self._attempt(lambda: self._write(agent), stop=pause is None):
                break
            time.sleep(pause or 0)
        assert self._saved is not None
        return self._saved[1]

    def close(self) -> None:
        """Closes the event file."""
        self._board.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self, agent: Agent) -> None:
        self.run.check_present()
        if self._rows:
            self._metrics.append(self._rows)
            self._rows = []
        self._board.write()
        if self._checkpoint_is_due and self._saved_iteration != agent.iteration:
            iteration, figures = self._latest or (None, None)
            of_agent = figures if iteration == agent.iteration else None
            self._saved = agent.iteration, self.run.save_checkpoint(agent, of_agent)
        self._checkpoint_is_due = False

    @property
    def _saved_iteration(self) -> int | None:
        return None if self._saved is None else self._saved[0]

    def _attempt(self, write: Callable[[], None], *, stop: bool = False) -> bool:
        """Writes, or does what the policy says."""
        try:
            write()
        except OSError as error:
            newest = self.run.checkpoints()[-1:]
            safe = f"; the newest checkpoint there is {newest[0].name}" if newest else ""
            fault = f"{self.run.path} can't be written: {error.strerror or error}{safe}"
            if stop or self.on_disk_error == "stop":
                raise DiskError(fault) from error
            if not self._failing:
                LOG.warning("%s; training goes on in memory, and writing is tried again", fault)
            self._failing = True
            return False
        if self._failing:
            LOG.warning("%s can be written again; nothing was lost", self.run.path)
        self._failing = False
        return True


def _memory() -> dict[str, float]:
    peak = peak_memory_mib()
    return {} if peak is None else {"memory/peak_mib": peak}


class _Board:
    """TensorBoard's copy of the table; after a failure it goes on in a new file."""

    def __init__(self, folder: Path, metrics: MetricsTable) -> None:
        self._folder = folder
        self._file: EventFile | None = None
        self._held: list[Mapping[str, float]] = []
        self._purge_step = None if not metrics.is_continued else 1 + (metrics.last_timesteps or -1)

    def add(self, figures: Mapping[str, float]) -> None:
        self._held.append(dict(figures))

    def write(self) -> None:
        """Writes what is held.

        Raises:
            OSError: If that fails; what is held stays.
        """
        try:
            if self._file is None:
                self._file = EventFile(self._folder, self._purge_step)
            for figures in self._held:
                scalars = {name: value for name, value in figures.items() if "/" in name}
                self._file.add_scalars(scalars, int(figures["timesteps"]))
        except OSError:
            self.close()
            if self._held:
                self._purge_step = int(self._held[0]["timesteps"])
            raise
        self._held = []

    def close(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                LOG.warning("%s: the event file couldn't be closed: %s", self._folder, error)
            self._file = None
