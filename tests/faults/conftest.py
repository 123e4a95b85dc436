from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.launcher import Launcher
from tests.faults.runs import Outcome, outcome_of, tiny_run


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture(scope="session")
def undisturbed(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What comes of the tiny run when nothing happens to it."""
    folder: Path = tmp_path_factory.mktemp("undisturbed")
    output = folder / "output"
    assert launcher.run(tiny_run(folder / "run"), output) == 0, output.read_text()
    return outcome_of(folder / "run")
