"""`metarl video`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from metarl.cli import video
from metarl.errors import ConfigError, UnknownNameError
from metarl.tasks import Benchmark, FiniteTaskDistribution, Task

from .commands import TINY, run_main


class Several(FiniteTaskDistribution):
    """Tasks that are never played."""

    def make_env(self, task: Task, render_mode: str | None = None) -> Any:
        raise NotImplementedError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    assert run_main(*TINY, "--total-timesteps", 1, "--run", path) == 0
    return path


@pytest.fixture(autouse=True)
def any_opengl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Navigation draws without OpenGL."""
    monkeypatch.setattr(video, "choose_opengl", lambda: None)


def test_a_goal_is_filmed_before_and_after(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out.gif"
    assert run_main("video", run, "--goal", 3, "--out", out, "--adaptation-episodes", 2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("before adaptation: return -")
    assert lines[1].startswith("after 1 adaptation step: return -")
    assert lines[2] == f"video: {out}"
    with Image.open(out) as animation:
        assert animation.n_frames == 7


def test_by_default_it_goes_into_the_run_folder(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "can_write_mp4", lambda: False)
    assert run_main("video", run, "--num-adaptation-steps", 2, "--adaptation-episodes", 1) == 0
    assert (run / "video" / "navigation-2d-test-goal0.gif").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "navigation-3d"], ["UnknownNameError", "task", "navigation-2d"]),
        (["--goal", 40], ["goal: got 40; navigation-2d has 40 goals here, 0 to 39."]),
        (["--goal", -1], ["goal: got -1; must be at least 0."]),
        (["--num-adaptation-steps", 0], ["num_adaptation_steps: got 0; must be at least 1."]),
        (["--height", 20], ["height: got 20; must be at least 64."]),
        (["--out", "film.avi"], ["out: got 'film.avi'; must end in .gif, .webp, .mp4."]),
    ],
)
def test_bad_input_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[object], words: list[str]
) -> None:
    assert run_main("video", run, *arguments) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert all(word in said for word in words), said


def test_a_folder_that_is_no_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main("video", tmp_path) == 2
    assert "is no run folder" in capsys.readouterr().err


def test_goals_are_counted_within_their_family() -> None:
    tasks = [Task(f"family-{index % 2}", {"number": index}) for index in range(10)]
    several = Several(tasks)
    assert video.find_task(several, "family-1", 3) == tasks[7]
    assert video.find_task(several, None, 0) == tasks[0]
    with pytest.raises(ConfigError, match="has 5 goals here, 0 to 4"):
        video.find_task(several, "family-1", 5)
    with pytest.raises(UnknownNameError, match=r"task.*did you mean family-\d"):
        video.find_task(several, "family-7", 0)


def test_where_nothing_is_held_out_only_training_tasks_can_be_filmed() -> None:
    several = Several([Task("family", {})])
    benchmark = Benchmark("several", several, None, seed=0, settings={})
    agent: Any = SimpleNamespace(benchmark=benchmark)
    assert video.distribution_of(agent, "train") is several
    with pytest.raises(ConfigError, match="several holds nothing out: use --split train"):
        video.distribution_of(agent, "test")
