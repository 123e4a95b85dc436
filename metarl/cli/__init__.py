"""The ``metarl`` command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import tyro

from metarl.agents import ALGORITHMS
from metarl.cli.cards import card_runs
from metarl.cli.checking import check_env
from metarl.cli.comparing import compare_runs
from metarl.cli.evaluating import evaluate_run
from metarl.cli.listing import list_tasks
from metarl.cli.new_family import new_family
from metarl.cli.oracle import evaluate_oracle
from metarl.cli.output import ERR, OUT, say, warnings_go_to
from metarl.cli.parity import check_metaworld
from metarl.cli.recipes import show_pretrained, show_recipes
from metarl.cli.reporting import report_runs
from metarl.cli.resuming import resume_run, train_from_file, train_from_recipe
from metarl.cli.stopping import LeaveNow
from metarl.cli.tracing import trace_run
from metarl.cli.training import train, training_command
from metarl.cli.video import make_video
from metarl.config import checks_put_off
from metarl.errors import ConfigError, MetarlError
from metarl.recipes.loading import load_run
from metarl.recipes.settings import config_type

__all__ = ["COMMANDS", "config_type", "evaluate_run", "load_run", "main", "train"]


def _train_help() -> int:
    """Meta-train a policy: `metarl train maml --help`."""
    return main(["train", "--help"])


_TRAINING: dict[str, Callable[..., Callable[[], int]]] = {
    name: training_command(agent_type) for name, agent_type in ALGORITHMS.items()
}
# `train` stands here for the list of commands: `main` hands its arguments to _train.
COMMANDS: dict[str, Callable[..., int]] = {
    "train": _train_help,
    "recipes": show_recipes,
    "pretrained": show_pretrained,
    "evaluate": evaluate_run,
    "compare": compare_runs,
    "card": card_runs,
    "report": report_runs,
    "trace": trace_run,
    "oracle": evaluate_oracle,
    "video": make_video,
    "tasks": list_tasks,
    "check-env": check_env,
    "new-family": new_family,
    "check-metaworld": check_metaworld,
}
_DESCRIPTION = (
    "Meta-reinforcement learning for robots: train policies that adapt, and measure on held-out "
    "tasks what adaptation is worth."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments == ["--version"]:
        OUT.print(f"metarl {version('metarl')}", highlight=False)
        return 0
    try:
        with warnings_go_to(lambda message: say(message, ERR)):
            return _train(arguments[1:]) if arguments[:1] == ["train"] else _choose(arguments)
    except MetarlError as error:
        _say_error(error, str(error))
        return 2
    except OSError as error:  # a path that can't be read or written
        told = error.strerror or str(error)
        _say_error(error, told if error.filename is None else f"{error.filename}: {told}")
        return 2
    except LeaveNow as leaving:
        return leaving.code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _say_error(error: Exception, message: str) -> None:
    ERR.print(f"[bold red]error:[/] {type(error).__name__}", highlight=False)
    say("\n".join([message, *getattr(error, "__notes__", [])]), ERR)


def _choose(arguments: Sequence[str]) -> int:
    code: int = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="metarl",
        description=_DESCRIPTION,
        args=arguments,
        sort_subcommands=False,
    )
    return code


def _train(arguments: Sequence[str]) -> int:
    """``metarl train`` with an algorithm's name, ``--resume RUN``, ``--config`` or ``--recipe``."""
    option, _, value = (arguments or [""])[0].partition("=")
    rest = [value, *arguments[1:]] if value else arguments[1:]
    if option == "--resume":
        return tyro.cli(resume_run, prog="metarl train", args=arguments)
    if option == "--config":
        if not rest:
            raise ConfigError("--config: got no file; give that of a run, RUN/config.yaml.")
        return train_from_file(Path(rest[0]), rest[1:])
    if option == "--recipe":
        if not rest:
            raise ConfigError("--recipe: got no name; `metarl recipes` lists them.")
        return train_from_recipe(rest[0], rest[1:])
    with checks_put_off():
        chosen: Callable[[], int] = tyro.extras.subcommand_cli_from_dict(
            _TRAINING,
            prog="metarl train",
            description=f"{_DESCRIPTION} `metarl train --recipe NAME` takes settings that work, "
            "`--resume RUN` goes on with a run, `--config RUN/config.yaml` repeats one.",
            args=arguments,
            sort_subcommands=False,
            config=(tyro.conf.OmitArgPrefixes,),
        )
    return chosen()
