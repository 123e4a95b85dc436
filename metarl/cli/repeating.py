"""The commands that give a run, its evaluation and its oracle again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from metarl.agents import ALGORITHMS
from metarl.cli.loading import UPSTREAM, belongs_to_rows, evaluation_folder, load_evaluation
from metarl.cli.oracle import NAME as ORACLE
from metarl.evaluation.controls import Control
from metarl.recipes.settings import config_type
from metarl.runs import RunFolder
from metarl.runs.folder import iteration_of


def command_of(run: Path, config: Mapping[str, Any]) -> str:
    """The command that trains a run into its folder; defaults are left out.

    Args:
        run: The folder, which the commands that evaluate it name too.
        config: Its settings.
    """
    algorithm = str(config["algorithm"])
    defaults = config_type(ALGORITHMS[algorithm]).model_fields
    words = ["metarl", "train", algorithm]
    inner = defaults["agent"].default.model_dump(mode="json")
    given = {
        name: value
        for name, value in config.items()
        if name not in ("algorithm", "agent", "num_workers")
        and value != getattr(defaults.get(name), "default", None)
    }
    given |= {name: value for name, value in config["agent"].items() if inner.get(name) != value}
    for name, value in given.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
            continue
        values = value if isinstance(value, list) else [value]
        words += [f"--{flag}", *(str(one) for one in values)]
    return shlex.join([*words, "--run", str(run)])


def evaluation_command(run: Path, split: str = "test") -> str:
    """The command that evaluates a run as it was evaluated; defaults are left out."""
    evaluation = load_evaluation(run, split)
    protocol = evaluation.protocol
    words = ["metarl", "evaluate", str(run)]
    for name, value in protocol.model_dump(mode="json", exclude_defaults=True).items():
        values = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *(str(one) for one in values)]
    if split != "test":
        words += ["--split", split]
    controls = sorted(
        name
        for name in get_args(Control)
        if name != ORACLE and evaluation_folder(run, split, name).is_dir()
    )
    if controls:
        words += ["--controls", *controls]
    if belongs_to_rows(evaluation_folder(run, split) / UPSTREAM):
        words.append("--as-upstream")
    iteration = evaluation.header.subject.get("iteration")
    if iteration not in (None, *map(iteration_of, RunFolder(run).checkpoints()[-1:])):
        words += ["--checkpoint", str(iteration)]
    return shlex.join(words)


def oracle_commands(run: Path, split: str = "test") -> list[str]:
    """The command that trains and evaluates a run's oracle again; none if it has none.

    One of its own, because `metarl evaluate` would train the default one.
    """
    if not evaluation_folder(run, split, ORACLE).is_dir():
        return []
    subject = load_evaluation(run, split, ORACLE).header.subject
    words = ["metarl", "oracle", str(run), "--total-timesteps", str(subject["num_timesteps"])]
    algorithm = str(subject["algorithm"]).partition(",")[0]
    words += ["--algorithm", algorithm] if algorithm != "ppo" else []
    words += ["--seed", str(subject["seed"])] if subject["seed"] else []
    words += ["--split", split] if split != "test" else []
    return [shlex.join(words)]
