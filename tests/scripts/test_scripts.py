import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELL_SCRIPTS = [
    path
    for path in sorted([*(ROOT / "scripts").iterdir(), *(ROOT / ".ci").iterdir()])
    if path.is_file() and path.read_bytes().startswith(b"#!")
]
PYTHON_SCRIPTS = sorted(
    path for path in (ROOT / "scripts").glob("*.py") if "__main__" in path.read_text()
)


def test_the_scripts_that_the_readme_names_are_there():
    names = {path.name for path in SHELL_SCRIPTS}
    assert {"setup", "quickstart", "test", "run"} <= names


@pytest.mark.parametrize("path", SHELL_SCRIPTS, ids=lambda path: path.name)
def test_a_shell_script_is_executable_and_stops_at_the_first_failure(path):
    assert os.access(path, os.X_OK)
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines


@pytest.mark.parametrize("path", SHELL_SCRIPTS, ids=lambda path: path.name)
def test_a_shell_script_parses(path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash isn't installed")
    checked = subprocess.run([bash, "-n", path], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("path", PYTHON_SCRIPTS, ids=lambda path: path.name)
def test_a_python_script_explains_itself(path, tmp_path):
    """From another folder, as scripts may be called from anywhere."""
    search = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    helped = subprocess.run(
        [sys.executable, path, "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=False,
    )
    assert helped.returncode == 0, helped.stderr
    assert helped.stdout.startswith(f"usage: {path.name}")
    assert list(tmp_path.iterdir()) == []
