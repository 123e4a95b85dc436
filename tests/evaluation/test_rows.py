from dataclasses import replace

import pytest

from metarl.errors import EvaluationError
from metarl.evaluation.rows import check_rows, rows_from_csv, rows_to_csv
from tests.evaluation.stubs import made_up

EVALUATION = made_up([[[0.1, 1e-300], [1 / 3, -7.25]], [[3.0, 4.0], [5.0, 6.0]]])
ROWS, TASKS = list(EVALUATION.rows), EVALUATION.tasks


def test_a_csv_file_holds_every_row_to_the_bit():
    rows = [*ROWS, replace(ROWS[0], success_any=True, success_final=False, unstable=True)]
    assert rows_from_csv(rows_to_csv(rows)) == rows


def test_a_flag_that_is_not_there_is_left_empty():
    assert rows_to_csv(ROWS[:1]).decode().splitlines()[1].endswith(",0.1,,,False")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns are None"),
        (b"a,b\n1,2\n", "columns are \\['a', 'b'\\]"),
        (b"\xff\xfe", "is no CSV file"),
        (rows_to_csv(ROWS).replace(b",150,", b",many,", 1), "line 2 can't be read"),
        (rows_to_csv(ROWS).replace(b",,,False", b",,,perhaps", 1), "line 2 can't be read"),
        (rows_to_csv(ROWS).replace(b",,,False", b",,,", 1), "doesn't say whether .* unstable"),
        (rows_to_csv(ROWS)[:-30], "line 9 can't be read"),
    ],
)
def test_what_is_no_file_of_rows_is_refused(content, message):
    with pytest.raises(EvaluationError, match=message):
        rows_from_csv(content)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, ROWS[3]], "task 1, adaptation step 0, episode 1: is counted twice"),
        (ROWS[1:], "1 rows are missing, e.g. task 0, adaptation step 0, episode 0"),
        ([replace(ROWS[0], task_index=2), *ROWS[1:]], "task 2, .* isn't part of the protocol"),
        ([replace(ROWS[0], adaptation_step=2), *ROWS[1:]], "step 2, .* isn't part of the protocol"),
        ([replace(ROWS[0], task="f" * 16), *ROWS[1:]], "is of made, up f{16}; the task there is"),
        ([replace(ROWS[0], episode_return=float("nan")), *ROWS[1:]], "return is nan; must be fin"),
        ([replace(ROWS[0], length=0), *ROWS[1:]], "got length 0; must be at least 1"),
    ],
)
def test_rows_that_are_not_each_episode_once_are_refused(rows, message):
    check_rows(ROWS, TASKS, num_steps=1, num_episodes=2)
    with pytest.raises(EvaluationError, match=message):
        check_rows(rows, TASKS, num_steps=1, num_episodes=2)
