"""What card, report and compare ask of run folders, and what they refuse."""

import json

import pytest
import yaml

from metarl.cli.loading import check_each_once, config_of, versions_of
from metarl.errors import CheckpointError, EvaluationError


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"algorithm": None}, "algorithm: got None; known: "),
        ({"algorithm": "mamal"}, "algorithm: got 'mamal'; known: "),
        ({"algorithm": ["maml"]}, r"algorithm: got \['maml'\]; known: "),
        ({"benchmark": None}, "benchmark: got None; must be a name."),
        ({"agent": None}, "agent: got None; must be settings by name."),
        ({"agent": "x", "benchmark": 3}, r"benchmark: got 3(?s:.*)agent: got 'x'"),
    ],
)
def test_settings_that_a_page_needs_are_checked(tmp_path, change, fault):
    good = {"algorithm": "maml", "benchmark": "a", "agent": {"of_an_older_version": 1}}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(good))
    assert config_of(tmp_path) == good
    path.write_text(yaml.safe_dump({k: v for k, v in (good | change).items() if v is not None}))
    with pytest.raises(CheckpointError, match=rf"config\.yaml:\n.*{fault}"):
        config_of(tmp_path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({}, "lists no packages"),
        ([], "lists no packages"),
        ({"packages": {}, "python": "3.12"}, "lacks platform, cpu_count"),
    ],
)
def test_versions_that_a_page_needs_are_checked(tmp_path, content, fault):
    (tmp_path / "versions.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=rf"versions\.json: {fault}"):
        versions_of(tmp_path)


def test_pages_refuse_what_is_damaged(run, evaluated, refused):
    (evaluation := run / "evaluation").symlink_to(evaluated / "evaluation")
    assert evaluation.is_dir()
    (run / "versions.json").write_text("{}")
    for command in ("card", "report"):
        assert f"CheckpointError {run / 'versions.json'}: lists" in refused(command, run)
    (run / "config.yaml").write_text("benchmark: navigation\n")
    for command in ("card", "report"):
        assert f"CheckpointError {run / 'config.yaml'}: algorithm: got" in refused(command, run)


def test_a_run_named_twice_is_refused(evaluated, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(evaluated.parent)
    (tmp_path / "link").symlink_to(evaluated)
    for again in (evaluated, evaluated.name, tmp_path / "link"):
        for command in (
            ("card", evaluated, again, "--output", tmp_path / "card"),
            ("report", evaluated, again, "--output", tmp_path / "report.html"),
            ("compare", evaluated, again),
            ("compare", evaluated, tmp_path / "other", "--more-a", again),
            ("compare", tmp_path / "other", evaluated, "--more-b", again),
        ):
            assert f"{evaluated} and {again}, which are one run" in refused(*command)


def test_different_runs_may_be_named_together(tmp_path):
    check_each_once([tmp_path / "a", tmp_path / "b", tmp_path / "a" / "b"])
    with pytest.raises(EvaluationError, match="named once"):
        check_each_once([tmp_path / "a", tmp_path / "b" / ".." / "a"])
