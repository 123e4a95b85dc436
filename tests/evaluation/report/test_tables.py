from __future__ import annotations

import pytest

from metarl.evaluation.comparison import compare
from metarl.evaluation.report import Group, Method
from metarl.evaluation.report.tables import (
    summary_table,
    task_table,
    tiles,
    worth_sentences,
    worth_table,
)
from tests.evaluation.report.made_up import FLAT, IMPROVING, evaluation, facts, methods

MAML, PRETRAINED, ORACLE = methods()


def test_the_summary_has_a_line_per_method_and_step() -> None:
    table = summary_table(Group(methods()))
    assert [(row.cells[0].text, row.cells[1].text) for row in table.rows] == [
        *(("MAML", str(step)) for step in range(3)),
        *(("pretrained, no meta-learning", str(step)) for step in range(3)),
        ("oracle, sees the goal", "0"),
    ]
    assert [row.own for row in table.rows] == [True] * 3 + [False] * 4
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
    assert table.rows[1].cells[2].text.startswith("50 % [")
    assert table.rows[0].cells[6].text == ""  # no gain before adaptation


def test_tiles_are_the_first_method_s_numbers() -> None:
    found = {tile.what: tile for tile in tiles(MAML)}
    assert found["Success at the last step"].number == "25 → 50 → 50\N{NO-BREAK SPACE}%"
    assert found["Return"].number == "-7.5 → -4.2 → -3.4"
    assert found["Gain in return"].number == "+4.1"
    assert found["Tasks made worse"].number == "25 %"
    assert found["Return"].range == "before adaptation, after 1 step, after 2 steps"
    assert {tile.what for tile in tiles(ORACLE)} == {
        "Success at the last step",
        "Success at any step",
        "Return",
    }


def test_worth_is_the_paired_comparison() -> None:
    table = worth_table(MAML, PRETRAINED)
    line = compare([IMPROVING], [FLAT]).line("episode_return", 2)
    assert line is not None
    row = table.rows[-1]
    assert [cell.text for cell in row.cells[:2]] == ["return", "2"]
    assert row.cells[4].value == line.difference.mean == pytest.approx(2.375)
    assert row.cells[5].value == line.probability.mean
    assert row.cells[6].text == ("meta-learning helped" if line.decided else "no difference shown")
    said = worth_sentences(MAML, PRETRAINED)
    assert said[1].startswith("After 2 steps, success at the last step 50 % against 25 %, +25 [")
    assert said[2] == "Adapting gains the control 42 % of the return that it gains MAML."


def test_the_verdict_follows_the_interval() -> None:
    better, worse = worth_table(MAML, MAML), worth_table(MAML, PRETRAINED)
    assert {row.cells[6].text for row in better.rows} == {"no difference shown"}
    assert all(row.cells[6].text for row in worse.rows)


def test_every_task_has_its_line_with_numbers_to_sort_by() -> None:
    table = task_table(MAML, folded=False)
    assert len(table.rows) == 4
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
    texts = [cell.text for cell in table.rows[1].cells]
    assert texts == ["1", "navigation-2d", "goal 0.3, -0.4", "-8.0", "-3.0", "+5.0", "yes", "no"]
    assert [row.cells[5].value for row in table.rows] == [7.0, 5.0, -0.5, 5.0]
    assert table.rows[2].cells[5].kind == "down"
    assert table.sortable


def test_several_runs_are_averaged() -> None:
    both = Method("MAML", [IMPROVING, FLAT], [facts(), facts()])
    table = task_table(both, folded=False)
    assert [row.cells[5].value for row in table.rows] == [4.5, 3.5, 0.25, 3.5]
    assert table.rows[0].cells[7].text == "50 %"
    assert "2 runs" in table.caption


def test_a_single_run_beside_several_is_named() -> None:
    both = Method("MAML", [IMPROVING, FLAT], [facts(), facts()])
    caption = summary_table(Group([both, PRETRAINED])).caption
    assert "Intervals of a single run (pretrained, no meta-learning) are over tasks" in caption
    assert worth_table(both, PRETRAINED).caption.endswith("with 95 % intervals over tasks.")
    assert worth_table(both, both).caption.endswith("with 95 % intervals over runs and tasks.")


def test_tasks_that_are_all_there_are_give_one_run_no_interval() -> None:
    alone = evaluation([[-9, -8, -7, -6], [-3, -4, -8, -2]], exhaustive=True)
    own, control = Method("MAML", [alone], [facts()]), Method("pretrained", [alone])
    table = summary_table(Group([own, control]))
    assert "nothing to take an interval from" in table.caption
    assert not any("[" in cell.text for row in table.rows for cell in row.cells)
    assert (
        next(tile for tile in tiles(own) if tile.what == "Gain in return").range == "after 1 step"
    )
    table = worth_table(own, control)
    assert table.caption.endswith("no intervals.")
    assert {row.cells[6].text for row in table.rows} == {"undecided: no interval"}


def test_tasks_that_are_all_there_are_give_several_runs_intervals_over_seeds() -> None:
    runs = [evaluation([[0.0, 9.0, level, 5.0]], exhaustive=True) for level in (1.0, 2.0, 3.0)]
    table = summary_table(Group([Method("MAML", runs, [facts()] * 3)]))
    assert table.caption == (
        "Means over runs and tasks. These tasks are all there are, so they are no sample: "
        "intervals are over training seeds."
    )
    assert "[" in table.rows[0].cells[4].text
