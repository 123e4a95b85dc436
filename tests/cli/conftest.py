"""Runs to be evaluated, small enough for a second."""

import shutil
from pathlib import Path

import pytest

from .commands import ITERATION, TINY, plain, run_main

QUICK = ("--preset", "quick", "--num-workers", "0")


def train(path: Path, *arguments: object) -> Path:
    total = ("--total-timesteps", 2 * ITERATION)
    assert run_main(*TINY, *total, "--run", path, *arguments) == 0
    return path


def evaluate(path: Path, *arguments: object) -> None:
    assert run_main("evaluate", path, *QUICK, *arguments) == 0


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
    """What a command that is refused says; its exit code must be 2."""

    def say(*arguments: object) -> str:
        capsys.readouterr()
        assert run_main(*arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "Traceback" not in captured.err
        return plain(captured.err)

    return say
