"""The tutorial is what runs: its files, in its folder, and its commands one after another.

Training and evaluation are shortened, by settings put behind those of the text.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from metarl import cli
from metarl.cli.new_family import skeleton
from own_modules import forget_modules_of
from test_readme import Block, blocks_of

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"
FILE = re.compile(r"^<!-- file: (?P<name>\S+) -->\n\n```\w+\n(?P<text>.*?)^```$", re.M | re.S)
SHORTER = {
    "train": "--total-timesteps 1 --meta-batch-size 2 --episodes-per-task 2 --num-workers 0",
    "evaluate": "--num-tasks 2 --adaptation-episodes 2 --num-workers 0",
    "check-env": "--seconds 250",
}


def command_lines(block: Block) -> list[list[str]]:
    lines = block.code.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def shortened(arguments: list[str]) -> list[str]:
    """The same command; of an option given twice, the shorter run's counts."""
    extra = SHORTER.get(arguments[0], "").split()
    kept = list(arguments)
    for name in extra[::2]:
        if name in kept:
            del kept[kept.index(name) : kept.index(name) + 2]
    return kept + extra


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    forget_modules_of(tmp_path)


def test_the_files_shown_are_those_that_the_command_writes():
    shown = {match["name"]: match["text"] for match in FILE.finditer(TUTORIAL.read_text())}
    written = skeleton("payload_arm")
    written.pop("README.md")
    assert shown == written


@pytest.mark.timeout(900)
def test_commands_and_code_run_from_an_empty_folder(empty_folder, monkeypatch, capsys):
    ran = []
    for block in blocks_of(TUTORIAL.read_text()):
        if block.language == "sh":
            for program, *arguments in command_lines(block):
                ran.append(" ".join([program, *arguments[:2]]))
                if program == "metarl":
                    assert cli.main(shortened(arguments)) == 0, capsys.readouterr()
                elif program == "cd":
                    monkeypatch.chdir(*arguments)
                else:  # python -m pytest
                    line = [sys.executable, *arguments, "-q", "-p", "no:cacheprovider"]
                    done = subprocess.run(line, capture_output=True, text=True, check=False)
                    assert done.returncode == 0, done.stdout + done.stderr
                    assert "3 passed" in done.stdout
        elif block.language == "python" and "import evaluate" in block.code:
            place = "\n" * (block.line - 1)
            exec(compile(place + block.code, TUTORIAL, "exec"), {"__name__": "__main__"})
            ran.append("python")
    assert ran == [
        "metarl new-family payload_arm",
        "cd payload_arm",
        "metarl check-env payload_arm_tasks:family",
        "python -m pytest",
        "metarl train maml",
        "metarl evaluate runs/payload_arm",
        "python",
    ]
    assert (empty_folder / "payload_arm" / "runs" / "payload_arm" / "evaluation").is_dir()
