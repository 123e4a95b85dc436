"""`metarl train --resume` and `metarl train --config`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
import yaml

from metarl.cli.loading import benchmark_of
from metarl.cli.output import say
from metarl.cli.settings import (
    config_type,
    read_settings,
    settings_of,
    written_settings,
)
from metarl.cli.training import make_agent, train, train_from_settings
from metarl.config import check, checks_put_off
from metarl.errors import CheckpointError
from metarl.runs import RunFolder, resume


def resume_run(
    run: Annotated[Path, tyro.conf.arg(name="resume")],
    num_workers: int | None = None,
    total_timesteps: int | None = None,
    device: str | None = None,
    accept_changes: bool = False,
) -> int:
    """Go on with a run that was stopped or killed, to the same bits as if it never had been.

    Settings are those of RUN/config.yaml. Goes on from the newest checkpoint that is whole.

    Args:
        run: The run folder.
        num_workers: Processes that collect experience, if other than before.
        total_timesteps: Where training ends, if elsewhere than before.
        device: Where updates are computed, if elsewhere than before.
        accept_changes: Go on although versions, benchmark or settings differ from those that the
            run was begun with; its history then says so, and it isn't the same run any more.
    """
    folder = RunFolder(run)
    agent_type, settings = settings_of(folder)
    flags = {
        "num_workers": num_workers,
        "total_timesteps": total_timesteps,
        "device": device,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    values = {**settings.model_dump(), **given}
    settings = config_type(agent_type)(**values)
    folder = RunFolder(run, settings.retention)
    with folder.lock():
        if folder.checkpoints():
            agent = resume(
                folder,
                agent_type,
                benchmark_of(settings.model_dump()),
                accept_changes=accept_changes,
                num_workers=settings.num_workers,
                worker_timeout=settings.worker_timeout,
                device=settings.device,
                settings=settings.agent.model_dump(mode="json"),
            )
        else:  # it was killed before its first checkpoint
            agent = make_agent(agent_type, settings)
            folder.prepare(0)
        folder.write_beginning(written_settings(agent_type, settings), agent.benchmark.manifest())
        say(f"run folder: {run}; going on after iteration {agent.iteration}")
        return train(
            agent,
            folder,
            settings.total_timesteps,
            settings.checkpoint_every,
            settings.on_disk_error,
        )


def train_from_file(path: Path, arguments: Sequence[str]) -> int:
    """Begins a run with the settings of a file, and of flags, which go before those of the file.

    Raises:
        CheckpointError: If the file can't be read, or settings are faulty.
    """
    agent_type, settings = read_settings(_load_yaml(path), path)
    with checks_put_off():
        changed: Any = tyro.cli(
            config_type(agent_type),
            prog=f"metarl train --config {path}",
            args=list(arguments),
            default=settings,
            config=(tyro.conf.OmitArgPrefixes,),
        )
    return train_from_settings(agent_type, check(changed))


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text())
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise CheckpointError(f"{path}: holds no settings")
    return loaded
