import errno
import os

import pytest

from metarl.errors import CheckpointError
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


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"garbage\n", "line 1 is no heading"),
        (b"garbage\n1,10\n", "line 1 is no heading"),
        (b"iteration,timesteps\n1,10\ngarbage\n", "line 3 is damaged: it has more or fewer"),
        (b"iteration,timesteps\n1,10,3\n", "line 2 is damaged: it has more or fewer"),
        (b"iteration,timesteps\nx,10\n", "iteration is 'x', which is no number"),
        (b"iteration,timesteps\n1,nan\n", "timesteps is 'nan'; must be a finite number"),
        (b"iteration,timesteps\n1,\n", "timesteps is ''; must be a finite number"),
        (b"iteration,timesteps,x/y\n1,10,abc\n", "x/y is 'abc', which is no number"),
        (b"iteration,timesteps\n\xff\xfe,10\n", "can't be read: 'utf-8'"),
        (b"iteration,timesteps\n" + b"1" * 200_000 + b",1\n", "can't be read: field larger"),
    ],
)
def test_a_damaged_table_is_refused_and_left_alone(tmp_path, content, fault):
    path = tmp_path / "metrics.csv"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"metrics\.csv: .*{fault}"):
        MetricsTable(path)
    assert path.read_bytes() == content


def test_figures_that_are_not_finite_or_missing_are_no_damage(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("iteration,timesteps,x/y\n1,10,inf\n2,20,nan\n3,30,\n")
    assert MetricsTable(path, iteration=3).last_timesteps == 30
