"""`metarl new-family`."""

from __future__ import annotations

import keyword
import shlex
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import tyro

from metarl.cli.output import say
from metarl.errors import ConfigError

_SKELETON = "payload_arm"
"""The name that the skeleton's files bear."""


def new_family(name: Annotated[str, tyro.conf.Positional], folder: Path = Path()) -> int:
    """Write a task family to start from: environment, tasks, test and README, in a new folder.

    The skeleton is a two-link arm with a payload of unknown mass, which the tutorial explains.
    Nothing that exists is overwritten.

    Args:
        name: Name of the new folder and its modules: lower case, digits and underscores.
        folder: Where the new folder goes.
    """
    check_name_of_family(name)
    target = folder / name
    if target.exists():
        raise ConfigError(f"name: {target} exists already; choose another name, or remove it.")
    target.mkdir(parents=True)
    for file, text in skeleton(name).items():
        (target / file).write_text(text)
        say(f"wrote {target / file}")
    say(f"next: cd {shlex.quote(str(target))} && metarl check-env {name}_tasks:family")
    return 0


def check_name_of_family(name: str) -> None:
    """Checks that modules can be called so.

    Raises:
        ConfigError: If not, or if a module of that name is there already.
    """
    proper = name.isidentifier() and name.isascii() and name == name.lower()
    if not proper or name.startswith("_") or keyword.iskeyword(name):
        raise ConfigError(
            f"name: got {name!r}; must be a module's name: lower case letters, digits and "
            "underscores, starting with a letter, and no word of Python's own."
        )
    if name in sys.stdlib_module_names or name == "test" or find_spec(name) is not None:
        raise ConfigError(f"name: got {name!r}; a module of this name is there already.")


def skeleton(name: str) -> dict[str, str]:
    """The files of a new family and their texts."""
    written = {}
    for template in files("metarl.cli").joinpath("skeleton").iterdir():
        text = template.read_text(encoding="utf-8")
        for old, new in zip(_spellings(_SKELETON), _spellings(name), strict=True):
            text = text.replace(old, new)
        file = template.name.removesuffix(".txt").replace(_SKELETON, name)
        written[file] = text
    return dict(sorted(written.items()))


def _spellings(name: str) -> list[str]:
    """As module, as class and as package."""
    return [name, "".join(map(str.capitalize, name.split("_"))), name.replace("_", "-")]
