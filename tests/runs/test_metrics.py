import errno
import os

import pytest

from metarl.runs.metrics import MetricsTable, read_metrics


def row(iteration, **more):
    return {"iteration": iteration, "timesteps": 10 * iteration, "x/y": 0.5, **more}


def iterations(table):
    return [int(line["iteration"]) for line in read_metrics(table.path)[1]]


def test_rows_of_a_write_that_failed_are_there_once(tmp_path, monkeypatch):
    """Half a line may be on the disk by then."""
    table = MetricsTable(tmp_path / "metrics.csv")
    table.append([row(1)])
    before = table.path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            table.append([row(2)])
    assert len(table.path.read_bytes()) > len(before), "nothing was left, so nothing is shown"
    table.append([row(2), row(3)])
    assert iterations(table) == [1, 2, 3]


def test_a_table_that_was_removed_begins_again(tmp_path):
    table = MetricsTable(tmp_path / "metrics.csv")
    table.append([row(1)])
    table.path.unlink()
    table.append([row(2)])
    assert iterations(table) == [2]


def test_new_columns_come_in_their_place(tmp_path):
    table = MetricsTable(tmp_path / "metrics.csv")
    table.append([row(1)])
    table.append([row(2, **{"a/b": 3})])
    columns, rows = read_metrics(table.path)
    assert columns == ["iteration", "timesteps", "a/b", "x/y"]
    assert [line["a/b"] for line in rows] == ["", "3"]


def test_a_table_that_is_continued_drops_what_comes_again(tmp_path):
    table = MetricsTable(tmp_path / "metrics.csv")
    table.append([row(1), row(2), row(3)])
    again = MetricsTable(tmp_path / "metrics.csv", iteration=2)
    assert again.is_continued
    assert again.last_timesteps == 20
    assert iterations(again) == [1, 2]
