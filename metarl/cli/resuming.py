"""`metarl train --resume`, `--config` and `--recipe`: runs whose settings are written somewhere."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
import yaml

from metarl.cli.output import say
from metarl.cli.training import make_agent, train, train_from_settings
from metarl.config import check, checks_put_off
from metarl.errors import CheckpointError, ConfigError
from metarl.recipes import benchmark_of, load_recipe
from metarl.recipes.settings import (
    config_type,
    read_settings,
    settings_of,
    written_settings,
)
from metarl.runs import RunFolder, resume
from metarl.runs.metrics import read_metrics


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
        else:
            _check_never_saved(folder, settings.checkpoint_every)
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


def _check_never_saved(run: RunFolder, checkpoint_every: int) -> None:
    """Checks that a run without checkpoints was killed before its first one.

    Raises:
        CheckpointError: If it has metrics of more iterations than come before the first
            checkpoint, so that its checkpoints must have been removed.
    """
    path = run.path / "metrics.csv"
    _, rows = read_metrics(path)
    if len(rows) > checkpoint_every:
        again = shlex.join(["metarl", "train", "--config", str(run.path / "config.yaml")])
        raise CheckpointError(
            f"{run.path}: holds no checkpoint, but {path.name} holds {len(rows)} iterations; bring "
            f"the checkpoints back, or begin anew: {again} --run OTHER"
        )


def train_from_file(path: Path, arguments: Sequence[str]) -> int:
    """Begins a run with the settings of a file, and of flags, which go before those of the file.

    Raises:
        CheckpointError: If the file can't be read, or settings are faulty.
    """
    agent_type, settings = read_settings(_load_yaml(path), path)
    return train_from_settings(
        agent_type, _changed_by_flags(settings, f"--config {path}", arguments)
    )


def train_from_recipe(name: str, arguments: Sequence[str]) -> int:
    """Begins a run of a recipe; flags go before its settings, ``--variant`` chooses another way.

    Raises:
        UnknownNameError: If there is no such recipe or variant.
        ConfigError: If settings are faulty.
    """
    recipe = load_recipe(name)
    variant, rest = _take_variant(arguments)
    chosen = next(iter(recipe.variants)) if variant is None else variant
    agent_type, settings = recipe.settings(chosen)
    changed = _changed_by_flags(settings, f"--recipe {name} --variant {chosen}", rest)
    return train_from_settings(agent_type, changed, run_name(name, chosen))


def run_name(recipe: str, variant: str) -> str:
    """Name of the run folders of a recipe's variant, less the seed."""
    return f"{recipe}-{variant.lower().replace(' ', '-')}"


def _take_variant(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The value of ``--variant`` among the arguments, if it is there, and the other arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--variant")
    try:
        known, rest = parser.parse_known_args(arguments)
    except argparse.ArgumentError:
        raise ConfigError("--variant: got none; `metarl recipes NAME` lists them.") from None
    return known.variant, rest


def _changed_by_flags(settings: Any, source: str, arguments: Sequence[str]) -> Any:
    with checks_put_off():
        changed: Any = tyro.cli(
            type(settings),
            prog=f"metarl train {source}",
            args=list(arguments),
            default=settings,
            config=(tyro.conf.OmitArgPrefixes,),
        )
    return check(changed)


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
