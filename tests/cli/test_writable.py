from pathlib import Path

import pytest

from metarl.cli.writable import check_writable
from metarl.errors import DiskError


def test_a_folder_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b", "none")
    check_writable(tmp_path, "none")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DiskError, match=f"{folder}: can't be written: Not a .*; go home."):
            check_writable(folder, "go home")
