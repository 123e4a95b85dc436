"""One run's folder.

::

    RUN/config.yaml            the effective settings
    RUN/manifest.json          which tasks, under which versions
    RUN/versions.json          packages, machine
    RUN/history.jsonl          what happened: begun, resumed, disturbed, stopped
    RUN/metrics.csv            one line per iteration
    RUN/tensorboard/           the same for TensorBoard
    RUN/checkpoints/iteration-000021/
    RUN/checkpoints.json       which one is best, which are milestones
    RUN/evaluation/            written by ``metarl evaluate``
    RUN/controls.json          which run is its pretrained control, if there is one
"""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

import yaml

from metarl.agent import Agent
from metarl.errors import CheckpointError, RunExistsError
from metarl.runs.history import History
from metarl.runs.locking import locked
from metarl.runs.retention import Marks, Retention
from metarl.runs.versions import version_differences, versions
from metarl.storage import (
    clean_folder,
    is_left_over,
    make_folder,
    read_checkpoint,
    read_json,
    remove_folder,
    write_file,
    write_json,
)

LOG = logging.getLogger(__name__)

_NAME = re.compile(r"iteration-(\d{6,})")
_MAX_CONFIG_BYTES = 2**20


class RunFolder:
    """Everything about one run.

    Args:
        path: The folder.
        retention: Which checkpoints are kept.
    """

    def __init__(self, path: str | Path, retention: Retention | None = None) -> None:
        self.path = Path(path)
        self.retention = Retention() if retention is None else retention
        self.history = History(self.path / "history.jsonl")

    @classmethod
    def create(
        cls,
        path: str | Path,
        config: Mapping[str, Any],
        manifest: Mapping[str, Any],
        retention: Retention | None = None,
    ) -> Self:
        """Makes a new run folder and writes what is known before training.

        Raises:
            RunExistsError: If there is something at ``path`` already.
            RunBusyError: If another process is about to train there.
        """
        run = cls(path, retention)
        with run.begin(config, manifest):
            return run

    @contextmanager
    def begin(self, config: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[None]:
        """Makes the folder and writes what is known before training; the block holds the lock.

        Of two processes that begin a run at one path, only one writes anything there.

        Raises:
            RunExistsError: If there is something at this path already.
            RunBusyError: If another process trains there, or is about to.
        """
        self.check_free()
        make_folder(self.path)
        with self.lock():
            self.check_free()  # another process may have trained here in the meantime
            self.write_beginning(config, manifest)
            yield

    def write_beginning(self, config: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
        """Writes settings, manifest and versions where they aren't there, or are others."""
        # The settings come first: with them alone a run that was killed here can be begun again.
        text = yaml.safe_dump(dict(config), sort_keys=False).encode()
        path = self.path / "config.yaml"
        if not path.exists() or path.read_bytes() != text:
            write_file(path, text)
        for name, data in (("manifest.json", manifest), ("versions.json", versions())):
            if not (self.path / name).exists() or read_json(self.path / name) != data:
                write_json(self.path / name, data)

    def check_free(self) -> None:
        """Raises a RunExistsError if there is something at this path already."""
        if self.path.is_dir():
            # What a writer left that was killed before the first file was whole isn't a run.
            taken = any(not is_left_over(entry) for entry in self.path.iterdir())
        else:
            taken = self.path.exists()
        if taken:
            raise RunExistsError(
                f"run: {self.path} exists and isn't empty; choose another name, or remove it."
            )

    def check_present(self) -> None:
        """Raises a FileNotFoundError if the folder has vanished, as a lost disk does."""
        path = self.path / "config.yaml"
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "the run folder has vanished", str(self.path))

    def config(self) -> dict[str, Any]:
        """The run's settings.

        Raises:
            CheckpointError: If this isn't a run folder.
        """
        path = self.path / "config.yaml"
        try:
            if path.stat().st_size > _MAX_CONFIG_BYTES:
                raise CheckpointError(f"{path}: is larger than {_MAX_CONFIG_BYTES} bytes")
            loaded = yaml.safe_load(path.read_text())
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointError(f"{self.path}: is no run folder (it lacks config.yaml)") from None
        except OSError as error:
            raise CheckpointError(f"{path}: {error.strerror or error}") from None
        except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
            raise CheckpointError(f"{path}: {error}") from None
        if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
            raise CheckpointError(f"{path}: holds no settings")
        return loaded

    def checkpoints(self) -> list[Path]:
        """Checkpoint folders, oldest first."""
        found = (self.path / "checkpoints").glob("iteration-*")
        return sorted((path for path in found if _NAME.fullmatch(path.name)), key=iteration_of)

    def latest_checkpoint(self) -> Path:
        """The newest checkpoint that is whole; damaged ones are named in a warning.

        Raises:
            CheckpointError: If there is none.
        """
        faults = []
        for path in reversed(self.checkpoints()):
            try:
                read_checkpoint(path)
            except CheckpointError as error:
                faults.append(str(error))
                continue
            if faults:
                LOG.warning("going back to %s: %s", path.name, "; ".join(faults))
            return path
        if faults:
            raise CheckpointError("no checkpoint is whole: " + "; ".join(faults))
        raise CheckpointError(f"{self.path}: holds no checkpoint")

    def checkpoint(self, which: str) -> Path:
        """The checkpoint called ``latest``, ``best``, or by its iteration.

        Raises:
            CheckpointError: If there is none.
        """
        if which == "latest":
            return self.latest_checkpoint()
        there = {iteration_of(path): path for path in self.checkpoints()}
        if which.isdecimal() and int(which) in there:
            return there[int(which)]
        best = self.marks().best
        if which == "best" and best is not None and best in there:
            return there[best]
        names = ["latest", *(["best"] if best in there else []), *map(str, there)]
        allowed = f"; allowed: {', '.join(names)}" if there else ""
        raise CheckpointError(f"{self.path}: holds no checkpoint {which!r}{allowed}")

    def save_checkpoint(self, agent: Agent, figures: Mapping[str, float] | None = None) -> Path:
        """Saves the agent and removes the checkpoints that are no longer to be kept.

        Args:
            agent: What to save.
            figures: Those of its last iteration, where there was one; they decide what is best.
        """
        path = self.path / "checkpoints" / f"iteration-{agent.iteration:06d}"
        agent.save(path)
        marks = self.marks().with_candidate(
            agent.iteration, (figures or {}).get(self.retention.best_by)
        )
        if self.retention.is_milestone(agent.iteration):
            marks = marks.with_milestone(agent.iteration)
        self._write_marks(marks)
        there = {iteration_of(one): one for one in self.checkpoints()}
        for iteration in self.retention.surplus(there, marks):
            remove_folder(there[iteration])
        return path

    def mark_milestone(self, iteration: int) -> None:
        """Keeps a checkpoint for good.

        Raises:
            CheckpointError: If there is none of this iteration.
        """
        self.checkpoint(str(iteration))
        self._write_marks(self.marks().with_milestone(iteration))

    def marks(self) -> Marks:
        """Which checkpoint is best, and which are milestones.

        Raises:
            CheckpointError: If the list is damaged.
        """
        path = self._marks_path
        if not path.exists():
            return Marks()
        data = read_json(path)
        try:
            return Marks.from_json(data)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None

    def prepare(self, iteration: int) -> None:
        """Makes the folder ready to go on from a checkpoint.

        What killed writers left is removed, and so are checkpoints of later iterations: they are
        damaged, or of another course of the run. Only the process that holds :meth:`lock` may call
        this.
        """
        for folder in (self.path, self.path / "checkpoints"):
            clean_folder(folder)
        for path in self.checkpoints():
            if iteration_of(path) > iteration:
                remove_folder(path)
        try:
            before = self.marks()
            after = before.up_to(iteration)
        except CheckpointError as error:
            # Nothing that is there now is lost: all of it is kept for good.
            LOG.warning("%s; keeping every checkpoint that is there", error)
            before = None
            after = Marks(frozenset(iteration_of(path) for path in self.checkpoints()))
        if after != before or not self._marks_path.exists():
            self._write_marks(after)

    def version_changes(self) -> list[str]:
        """Says which packages are others than those that the run was begun with.

        Raises:
            CheckpointError: If the run's record of them is damaged.
        """
        saved = read_json(self.path / "versions.json")
        if not isinstance(saved, dict) or not isinstance(saved.get("packages"), dict):
            raise CheckpointError(f"{self.path / 'versions.json'}: lists no packages")
        return version_differences(saved, versions())

    def lock(self) -> AbstractContextManager[None]:
        """Keeps other processes from training in this folder; ends with the process at the latest.

        Raises:
            RunBusyError: If another process trains in it.
        """
        return locked(self.path)

    @property
    def _marks_path(self) -> Path:
        return self.path / "checkpoints.json"

    def _write_marks(self, marks: Marks) -> None:
        write_json(self._marks_path, marks.to_json())


def iteration_of(checkpoint: Path) -> int:
    """The iteration that a checkpoint's name says."""
    match = _NAME.fullmatch(checkpoint.name)
    assert match is not None, checkpoint
    return int(match[1])
