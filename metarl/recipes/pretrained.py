"""Policies that were trained by a recipe and come with the package.

Each is a run folder with its last checkpoint and its evaluation. Of a recipe's seeds, it is the
one whose training ended best by the figures of training: held-out tasks had no part in the choice.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from metarl.errors import UnknownNameError
from metarl.recipes.loading import load_run
from metarl.recipes.settings import AnyAgent
from metarl.runs import RunFolder

PRETRAINED = Path(__file__).parent / "pretrained"


def pretrained_names() -> list[str]:
    """All pretrained policies."""
    return sorted(path.name for path in PRETRAINED.iterdir() if path.is_dir())


def pretrained_folder(name: str) -> Path:
    """The run folder of a pretrained policy; it is to be read only.

    Raises:
        UnknownNameError: If there is none of this name; lists the nearest ones.
    """
    if name not in pretrained_names():
        raise UnknownNameError("pretrained", name, pretrained_names())
    return PRETRAINED / name


def load_pretrained(name: str, *, num_workers: int = 0, device: str = "cpu") -> AnyAgent:
    """Loads a pretrained policy, to be adapted, evaluated or trained on.

    Args:
        name: As ``metarl pretrained`` lists it, e.g. ``"ml1-reach-maml"``.
        num_workers: Processes that collect experience.
        device: Where updates are computed.

    Raises:
        UnknownNameError: If there is none of this name.
        ManifestMismatchError: If the benchmark isn't the one that it was trained on, as under
            another version of metaworld.
    """
    return load_run(pretrained_folder(name), num_workers=num_workers, device=device)


def copy_pretrained(name: str, path: Path) -> RunFolder:
    """Copies a pretrained policy into a run folder of one's own.

    Raises:
        UnknownNameError: If there is none of this name.
        RunExistsError: If there is something at ``path`` already.
    """
    source = pretrained_folder(name)
    run = RunFolder(path)
    run.check_free()
    shutil.copytree(source, path, dirs_exist_ok=True)
    return run
