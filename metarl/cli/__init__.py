"""The ``metarl`` command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

import tyro

from metarl.agents import ALGORITHMS
from metarl.cli.cards import card_runs
from metarl.cli.checking import check_env
from metarl.cli.comparing import compare_runs
from metarl.cli.evaluating import evaluate_run
from metarl.cli.listing import list_tasks
from metarl.cli.loading import load_run
from metarl.cli.new_family import new_family
from metarl.cli.output import ERR, OUT, say
from metarl.cli.parity import check_metaworld
from metarl.cli.training import config_type, train, training_command
from metarl.errors import MetarlError

__all__ = ["COMMANDS", "config_type", "evaluate_run", "load_run", "main", "train"]


def _train_help() -> int:
    """Meta-train a policy: `metarl train maml --help`."""
    return main(["train", "--help"])


_TRAINING: dict[str, Callable[..., int]] = {
    name: training_command(agent_type) for name, agent_type in ALGORITHMS.items()
}
# `train` stands here for the list of commands: `main` hands its arguments to _TRAINING.
COMMANDS: dict[str, Callable[..., int]] = {
    "train": _train_help,
    "evaluate": evaluate_run,
    "compare": compare_runs,
    "card": card_runs,
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
    training = arguments[:1] == ["train"]
    try:
        code: int = tyro.extras.subcommand_cli_from_dict(
            _TRAINING if training else COMMANDS,
            prog="metarl train" if training else "metarl",
            description=_DESCRIPTION,
            args=arguments[1:] if training else arguments,
            sort_subcommands=False,
            config=(tyro.conf.OmitArgPrefixes,),
        )
    except MetarlError as error:
        ERR.print(f"[bold red]error:[/] {type(error).__name__}", highlight=False)
        say(str(error), ERR)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return code
