"""Runs to be evaluated, small enough for a second."""

import shutil
from pathlib import Path

import pytest

from metarl.cli import main

QUICK = ("--preset", "quick", "--num-workers", "0")


def train(path: Path, *arguments: object) -> Path:
    tiny = (
        *("train", "maml", "--benchmark", "navigation", "--max-episode-steps", "6"),
        *("--meta-batch-size", "3", "--episodes-per-task", "2", "--hidden-sizes", "4"),
        *("--num-workers", "0", "--total-timesteps", "144"),
    )
    assert main([*tiny, "--run", str(path), *map(str, arguments)]) == 0
    return path


def evaluate(path: Path, *arguments: object) -> None:
    assert main(["evaluate", str(path), *QUICK, *map(str, arguments)]) == 0


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A run of two iterations; don't change it."""
    return train(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def evaluated(trained, tmp_path_factory) -> Path:
    """The same with an evaluation and two controls; don't change it."""
    path = Path(shutil.copytree(trained, tmp_path_factory.mktemp("evaluated") / "run"))
    evaluate(path, "--controls", "untrained", "pretrained")
    return path


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def refused(capsys):
    """What a command that is refused says."""

    def say(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        return " ".join(capsys.readouterr().err.split())

    return say
