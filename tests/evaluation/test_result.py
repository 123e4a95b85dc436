import hashlib
import json

import numpy as np
import pytest

from metarl.errors import EvaluationError
from metarl.evaluation import Evaluation
from metarl.storage import write_json
from tests.evaluation.stubs import made_up

RETURNS = [[[0.1, 100.1], [10.1, 110.1]], [[1.1, 101.1], [11.1, 111.1]], [[2.0, 3.0], [4.0, 6.0]]]
SUCCESS = [[[0, 1], [1, 1]], [[0, 0], [1, 0]], [[0, 0], [0, 0]]]


@pytest.fixture
def evaluation() -> Evaluation:
    return made_up(RETURNS, SUCCESS, tasks=("made, up",))


def test_values_are_by_task_and_episode(evaluation):
    assert evaluation.steps == [0, 1]
    assert np.array_equal(evaluation.values("episode_return", 1), np.array(RETURNS)[:, 1])
    assert np.array_equal(evaluation.values("success_final", 0), np.array(SUCCESS)[:, 0])
    assert np.array_equal(evaluation.per_task("success_final", 1), [1.0, 0.5, 0.0])
    assert made_up(RETURNS).values("success_any", 0) is None


def test_a_step_without_rows_is_refused(evaluation):
    with pytest.raises(EvaluationError, match=r"step: got 2; the rows are of \[0, 1\]"):
        evaluation.values("episode_return", 2)


def test_saved_and_loaded_it_is_the_same_to_the_bit(evaluation, tmp_path):
    assert evaluation.save(tmp_path / "out") == tmp_path / "out"
    loaded = Evaluation.load(tmp_path / "out")
    assert loaded.rows == evaluation.rows
    assert loaded.header == evaluation.header


def test_saving_leaves_exactly_the_files_it_promises(evaluation, tmp_path):
    for _ in range(2):
        evaluation.save(tmp_path)
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"rows.csv", "evaluation.json", "summary.json"}


def test_the_header_names_protocol_tasks_and_the_digest_of_the_rows(evaluation, tmp_path):
    evaluation.save(tmp_path)
    header = json.loads((tmp_path / "evaluation.json").read_text())
    digest = hashlib.sha256((tmp_path / "rows.csv").read_bytes()).hexdigest()
    assert header["rows_sha256"] == digest
    assert header["protocol"] == evaluation.protocol.model_dump(mode="json")
    assert header["tasks"][2] == {"family": "made, up", "parameters": {"number": 2}}
    assert header["manifest"] == "0" * 64


def test_the_summary_file_holds_every_estimate(evaluation, tmp_path):
    evaluation.save(tmp_path)
    first, second = json.loads((tmp_path / "summary.json").read_text())["steps"]
    assert first["episode_return"]["mean"] == np.array(RETURNS)[:, 0].mean()
    assert second["success_final"]["mean"] == 0.5
    assert (first["gain"], first["share_worse"]) == (None, None)
    assert second["share_worse"]["mean"] == 0.0


def test_a_folder_without_an_evaluation_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match=r"holds no evaluation \(it lacks evaluation.json\)"):
        Evaluation.load(tmp_path)


def test_missing_rows_are_refused(evaluation, tmp_path):
    evaluation.save(tmp_path)
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(EvaluationError, match=r"rows\.csv: no such file"):
        Evaluation.load(tmp_path)


def test_one_changed_digit_is_noticed(evaluation, tmp_path):
    path = evaluation.save(tmp_path) / "rows.csv"
    path.write_bytes(path.read_bytes().replace(b"100.1", b"100.2"))
    with pytest.raises(EvaluationError, match=r"rows.csv: is damaged \(its SHA-256 differs\)"):
        Evaluation.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "is no header of format 1"),
        ({"protocol": {"evaluation_episodes": 0}}, "evaluation_episodes: got 0"),
        ({"protocol": {"num_adaptation_steps": 2, "evaluation_episodes": 2}}, "rows are missing"),
        ({"tasks": [{"family": "one"}]}, "lacks the key 'parameters'"),
        ({"manifest": None, "max_episode_steps": "long"}, "long"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(evaluation, tmp_path, change, message):
    path = evaluation.save(tmp_path) / "evaluation.json"
    write_json(path, {**json.loads(path.read_text()), **change})
    with pytest.raises(EvaluationError, match=message):
        Evaluation.load(tmp_path)


def test_a_header_without_an_entry_is_refused_by_its_name(evaluation, tmp_path):
    path = evaluation.save(tmp_path) / "evaluation.json"
    header = json.loads(path.read_text())
    del header["benchmark"]
    write_json(path, header)
    with pytest.raises(EvaluationError, match=r"evaluation\.json: lacks 'benchmark'"):
        Evaluation.load(tmp_path)


def test_a_header_that_is_not_json_is_refused(evaluation, tmp_path):
    (evaluation.save(tmp_path) / "evaluation.json").write_text("{")
    with pytest.raises(EvaluationError, match="is not JSON"):
        Evaluation.load(tmp_path)


def test_a_header_that_does_not_say_whether_its_tasks_are_all_is_read_all_the_same(tmp_path):
    for protocol, expected in (
        ({}, True),
        ({"num_tasks": 3}, False),
        ({"tasks": ("made, up",)}, False),
    ):
        made_up(RETURNS, exhaustive=True, **protocol).save(tmp_path)
        header = json.loads((tmp_path / "evaluation.json").read_text())
        del header["exhaustive"]
        write_json(tmp_path / "evaluation.json", header)
        assert Evaluation.load(tmp_path).header.exhaustive is expected
