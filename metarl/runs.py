"""The run folder: everything about one training run, in one place.

::

    RUN/config.yaml            the effective settings
    RUN/manifest.json          which tasks, under which versions
    RUN/versions.json          packages, machine
    RUN/metrics.csv            one line per iteration
    RUN/tensorboard/           the same for TensorBoard
    RUN/checkpoints/iteration-000021/
    RUN/evaluation/            written by ``metarl evaluate``
    RUN/controls.json          which run is its pretrained control, if there is one
"""

from __future__ import annotations

import csv
import io
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import yaml

from metarl.agent import Agent
from metarl.errors import CheckpointError, RunExistsError
from metarl.storage import write_file, write_json

KEPT_CHECKPOINTS = 3
PACKAGES = ("metarl", "torch", "numpy", "gymnasium", "metaworld", "mujoco", "stable-baselines3")


class RunFolder:
    """One run's folder.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls, path: str | Path, config: Mapping[str, Any], manifest: Mapping[str, Any]
    ) -> Self:
        """Makes a new run folder and writes what is known before training.

        Raises:
            RunExistsError: If there is something at ``path`` already.
        """
        run = cls(path)
        run.check_free()
        text = yaml.safe_dump(dict(config), sort_keys=False)
        write_file(run.path / "config.yaml", text.encode())
        write_json(run.path / "manifest.json", manifest)
        write_json(run.path / "versions.json", _versions())
        return run

    def check_free(self) -> None:
        """Raises a RunExistsError if there is something at this path already."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise RunExistsError(
                f"run: {self.path} exists and isn't empty; choose another name, or remove it."
            )

    def config(self) -> dict[str, Any]:
        """The run's settings.

        Raises:
            CheckpointError: If this isn't a run folder.
        """
        try:
            loaded = yaml.safe_load((self.path / "config.yaml").read_text())
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointError(f"{self.path}: is no run folder (it lacks config.yaml)") from None
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise CheckpointError(f"{self.path / 'config.yaml'}: {error}") from None
        if not isinstance(loaded, dict):
            raise CheckpointError(f"{self.path / 'config.yaml'}: holds no settings")
        return loaded

    def checkpoints(self) -> list[Path]:
        """Checkpoint folders, oldest first."""
        return sorted((self.path / "checkpoints").glob("iteration-*"))

    def latest_checkpoint(self) -> Path:
        """The newest checkpoint.

        Raises:
            CheckpointError: If there is none.
        """
        found = self.checkpoints()
        if not found:
            raise CheckpointError(f"{self.path}: holds no checkpoint")
        return found[-1]

    def save_checkpoint(self, agent: Agent) -> Path:
        """Saves the agent and removes all but the newest checkpoints."""
        path = self.path / "checkpoints" / f"iteration-{agent.iteration:06d}"
        agent.save(path)
        for old in self.checkpoints()[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old)
        return path


class RunRecorder:
    """A callback that writes metrics after every iteration, and checkpoints now and then.

    Args:
        run: Where to.
        iteration: Iterations that the agent has behind it. Metrics of later ones, written by a run
            that was interrupted after its last checkpoint, are dropped: they will come again.
        checkpoint_every: Iterations between checkpoints.
    """

    def __init__(self, run: RunFolder, iteration: int = 0, checkpoint_every: int = 10) -> None:
        # Its import takes seconds, so it waits until something is to be recorded.
        from torch.utils.tensorboard import SummaryWriter

        self.run = run
        self.checkpoint_every = checkpoint_every
        self._metrics = run.path / "metrics.csv"
        self._columns, rows = _read_metrics(self._metrics)
        kept = [row for row in rows if float(row["iteration"]) <= iteration]
        purge_step = None
        if self._columns:
            self._write_metrics(kept)
            purge_step = 1 + int(float(kept[-1]["timesteps"])) if kept else 0
        self._board = SummaryWriter(str(run.path / "tensorboard"), purge_step=purge_step)

    def __call__(self, agent: Agent, figures: Mapping[str, float]) -> None:
        """Records one iteration."""
        if figures.keys() - set(self._columns):
            names = {*self._columns, *figures}
            _, rows = _read_metrics(self._metrics)
            self._columns = sorted(names, key=lambda name: ("/" in name, name))  # iteration first
            self._write_metrics(rows)
        with self._metrics.open("a", newline="") as file:
            csv.DictWriter(file, self._columns, lineterminator="\n").writerow(dict(figures))
            file.flush()
            os.fsync(file.fileno())
        for name, value in figures.items():
            if "/" in name:
                self._board.add_scalar(name, value, agent.num_timesteps)
        if agent.iteration % self.checkpoint_every == 0:
            self.run.save_checkpoint(agent)

    def close(self) -> None:
        """Flushes the event file."""
        self._board.close()

    def _write_metrics(self, rows: Sequence[Mapping[str, str]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_file(self._metrics, text.getvalue().encode())


def _read_metrics(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a table, without a last line that a killed run left unended."""
    if not path.exists():
        return [], []
    lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    reader = csv.DictReader(lines)
    return list(reader.fieldnames or []), list(reader)


def _versions() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }
