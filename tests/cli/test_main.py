"""Errors of the system, which every command may meet: a line, never a traceback."""

import errno

import pytest

from metarl import cli
from metarl.recipes import pretrained_names

from .commands import TINY, run_main


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "afile"
    path.write_text("mine")
    return path


def test_a_run_below_a_file_is_refused(refused, file):
    said = refused(*TINY, "--run", file / "sub")
    assert said == f"error: NotADirectoryError {file / 'sub'}: Not a directory"


def test_a_family_below_a_file_is_refused(refused, file):
    said = refused("new-family", "six_legs", "--folder", file)
    assert said == f"error: NotADirectoryError {file / 'six_legs'}: Not a directory"


def test_a_pretrained_policy_cannot_be_copied_below_a_file(refused, file):
    said = refused("pretrained", pretrained_names()[0], "--run", file / "sub")
    assert said == f"error: NotADirectoryError {file / 'sub'}: Not a directory"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError(errno.EROFS, "Read-only file system", "a [bold] path"),
            "OSError a [bold] path: Read-only file system",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "OSError No space left on device"),
        (OSError("of a kind of its own"), "OSError of a kind of its own"),
    ],
)
def test_an_error_of_the_system_is_told_in_a_line(refused, monkeypatch, error, told):
    def fail(arguments):
        raise error

    monkeypatch.setattr(cli, "_choose", fail)
    assert refused("recipes") == f"error: {told}"


def test_no_other_error_is_hidden(monkeypatch):
    def fail(arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_choose", fail)
    with pytest.raises(ZeroDivisionError):
        run_main("recipes")
