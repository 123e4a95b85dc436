import csv
import json

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import bootstrap

from metarl.evaluation import Estimate, Evaluation, EvaluationRow
from metarl.evaluation.result import estimate

PROTOCOL = {"benchmark": "made-up", "num_tasks": 3, "seed": 0}


def row(task_index: int, step: int, episode: int = 0, **values) -> EvaluationRow:
    return EvaluationRow(
        **{
            "task_index": task_index,
            "family": "reach, and more",
            "task": f"{task_index:016x}",
            "adaptation_step": step,
            "episode": episode,
            "length": 150,
            "episode_return": 0.1 + task_index + 10 * step + 100 * episode,
            "success_any": True,
            "success_final": (task_index + step) % 2 == 0,
            "unstable": False,
        }
        | values
    )


@pytest.fixture
def evaluation() -> Evaluation:
    rows = [row(task, step, e) for step in (0, 1) for task in range(3) for e in range(2)]
    return Evaluation(rows, PROTOCOL)


def scipys_interval(values) -> tuple[float, float]:
    interval = bootstrap(
        (np.asarray(values),),
        np.mean,
        confidence_level=0.95,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return interval.low, interval.high


def test_an_estimate_is_the_mean_with_scipys_percentile_bootstrap():
    values = np.random.default_rng(3).normal(5.0, 2.0, size=40)
    found = estimate(values)
    assert found.mean == values.mean()
    assert (found.low, found.high) == scipys_interval(values)
    assert found.low < found.mean < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 40**0.5, rel=0.15)
    assert estimate(values) == found


@pytest.mark.parametrize("values", [[0.25], [1.0, 1.0, 1.0]])
def test_an_estimate_without_spread_is_a_point(values):
    assert estimate(np.array(values)) == Estimate(values[0], values[0], values[0])


def test_tasks_weigh_the_same_and_their_episodes_are_averaged_first(evaluation):
    assert evaluation.steps == [0, 1]
    assert evaluation.per_task("episode_return", 1) == pytest.approx([60.1, 61.1, 62.1])
    first, second = evaluation.summary()
    assert (first.adaptation_step, second.adaptation_step) == (0, 1)
    assert first.num_tasks == second.num_tasks == 3
    assert first.success_final.mean == pytest.approx(2 / 3)
    assert second.success_final.mean == pytest.approx(1 / 3)
    assert first.success_any == Estimate(1.0, 1.0, 1.0)
    assert (second.episode_return.low, second.episode_return.high) == pytest.approx(
        scipys_interval([60.1, 61.1, 62.1])
    )


def test_a_task_with_more_episodes_weighs_no_more():
    rows = [row(0, 0, e, episode_return=1.0) for e in range(9)] + [row(1, 0, episode_return=0.0)]
    assert Evaluation(rows, PROTOCOL).summary()[0].episode_return.mean == 0.5


def test_a_family_without_success_has_no_success_rate():
    evaluation = Evaluation(
        [row(task, 0, success_any=None, success_final=None) for task in range(2)], PROTOCOL
    )
    (summary,) = evaluation.summary()
    assert (summary.success_any, summary.success_final) == (None, None)
    assert summary.episode_return.mean == pytest.approx(0.6)


def read_csv(path) -> list[EvaluationRow]:
    flags = {"True": True, "False": False, "": None}
    readers = {
        **dict.fromkeys(("task_index", "adaptation_step", "episode", "length"), int),
        **dict.fromkeys(("success_any", "success_final", "unstable"), flags.__getitem__),
        "episode_return": float,
    }
    with path.open(newline="") as file:
        return [
            EvaluationRow(**{name: readers.get(name, str)(text) for name, text in line.items()})
            for line in csv.DictReader(file)
        ]


def test_the_csv_file_holds_every_row_to_the_bit(evaluation, tmp_path):
    assert evaluation.save(tmp_path / "out") == tmp_path / "out"
    assert read_csv(tmp_path / "out" / "episodes.csv") == evaluation.rows


def test_the_csv_file_leaves_success_empty_where_there_is_none(tmp_path):
    rows = [row(0, 0, success_any=None, success_final=None), row(1, 0, unstable=True)]
    Evaluation(rows, PROTOCOL).save(tmp_path)
    assert read_csv(tmp_path / "episodes.csv") == rows


def test_the_summary_file_holds_protocol_and_estimates(evaluation, tmp_path):
    evaluation.save(tmp_path)
    saved = json.loads((tmp_path / "summary.json").read_text())
    assert saved["protocol"] == PROTOCOL
    for line, summary in zip(saved["steps"], evaluation.summary(), strict=True):
        assert line["adaptation_step"] == summary.adaptation_step
        assert line["num_tasks"] == 3
        for field in ("episode_return", "success_any", "success_final"):
            assert Estimate(**line[field]) == getattr(summary, field)


def test_saving_leaves_exactly_the_files_it_promises(evaluation, tmp_path):
    for _ in range(2):
        evaluation.save(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {
            "episodes.csv",
            "summary.json",
            "adaptation.png",
            "adaptation.svg",
        }


def printed(evaluation: Evaluation) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(evaluation.table("Heading"))
    return capture.get()


def test_the_table_shows_mean_and_interval_of_every_step(evaluation):
    text = printed(evaluation)
    assert "Heading" in text
    first, second = evaluation.summary()
    for line in (first, second):
        value = line.episode_return
        assert f"{value.mean:.1f} [{value.low:.1f}, {value.high:.1f}]" in text
    assert "67 % [0, 100]" in text
    assert "33 % [0, 100]" in text
    assert "100 % [100, 100]" in text


def test_the_table_has_a_dash_where_there_is_no_success():
    text = printed(Evaluation([row(0, 0, success_any=None, success_final=None)], PROTOCOL))
    assert text.count(" - ") == 2
    assert "%" not in text
