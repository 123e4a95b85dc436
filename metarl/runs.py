"""The run folder: everything about one training run, in one place.

::

    RUN/config.yaml            the effective settings
    RUN/manifest.json          which tasks, under which versions
    RUN/versions.json          packages, machine
    RUN/metrics.csv            one line per iteration
    RUN/tensorboard/           the same for TensorBoard
    RUN/checkpoints/iteration-000021/
    RUN/evaluation/            written by ``metarl evaluate``
"""

from __future__ import annotations

import csv
import os
import platform
import shutil
from collections.abc import Mapping
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
        except FileNotFoundError:
            raise CheckpointError(f"{self.path}: is no run folder (it lacks config.yaml)") from None
        except yaml.YAMLError as error:
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
        self._board = SummaryWriter(str(run.path / "tensorboard"))
        self._metrics = run.path / "metrics.csv"
        if self._metrics.exists():
            head, *lines = self._metrics.read_text().splitlines(keepends=True)
            kept = [line for line in lines if float(line.split(",")[0]) <= iteration]
            write_file(self._metrics, "".join([head, *kept]).encode())

    def __call__(self, agent: Agent, figures: Mapping[str, float]) -> None:
        """Records one iteration."""
        names = sorted(figures, key=lambda name: ("/" in name, name))  # iteration comes first
        new = not self._metrics.exists()
        with self._metrics.open("a", newline="") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(dict(figures))
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


def _versions() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }
