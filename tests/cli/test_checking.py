import json
import sys

import pytest

from own_modules import forget_modules_of

from .commands import run_main


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    forget_modules_of(tmp_path)


def text(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_a_sound_family_leaves_with_0(capsys):
    assert run_main("check-env", "navigation", "--max-episode-steps", 10) == 0
    said = text(capsys)
    assert "nothing found" in said
    assert "one seed gives one episode" in said
    assert said.count("passed") == 2 * 12
    assert "training tasks: milliseconds per step" in said


def test_a_fault_leaves_with_1_and_says_what_why_and_how(capsys):
    assert run_main("check-env", "broken_envs:LeakedTask") == 1
    said = text(capsys)
    assert "warning: task-leak, training tasks wind (R2 1.00): predicted from" in said
    assert "why it matters: A policy that reads the task" in said
    assert "usual fix: Leave the task out" in said
    assert said.endswith("1 found")


def test_what_is_accepted_is_no_fault():
    assert run_main("check-env", "broken_envs:LeakedTask", "--ignore", "task-leak") == 0


def test_findings_can_be_had_as_json(capsys):
    assert run_main("check-env", "broken_envs:RaisingReset", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["benchmark"] == "broken_envs:RaisingReset"
    assert found["ok"] is False
    assert [one["code"] for one in found["train"]["findings"]] == ["raising-reset"]
    assert found["train"]["checks"]["one seed gives one episode"] == "not checked"


@pytest.mark.parametrize("name", ["HangingStep", "BusyReset", "EndlessEpisode"])
def test_what_never_ends_is_left_in_time(capsys, name):
    assert run_main("check-env", f"broken_envs:{name}", "--call-seconds", 0.3) == 1
    expected = "endless-episode" if name == "EndlessEpisode" else "hangs"
    assert f"error: {expected}" in text(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required"),
        (["navigatoin"], "unknown name 'navigatoin'; did you mean navigation"),
        (["no_module:x"], "there is no module 'no_module'"),
        (["navigation", "--seconds", "0"], "seconds: got 0.0; must be above 0"),
        (["navigation", "--ignore", "slow"], "ignore: unknown name 'slow'; did you mean slow-step"),
        (["navigation", "--sed", "1"], "--sed"),
    ],
)
def test_usage_leaves_with_2(capsys, here, arguments, message):
    assert run_main("check-env", *arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())


FAMILY = """
from metarl.envs.gymnasium import TaskFamily, Uniform

family = TaskFamily("Pendulum-v1", attributes={"m": Uniform(0.5, 2.0)}, max_episode_steps=10)
"""


def test_a_module_in_the_working_folder_trains_evaluates_and_is_checked(capsys, here):
    (here / "folder_family.py").write_text(FAMILY)
    name = "folder_family:family"
    assert run_main("check-env", name) == 0
    small = ("--meta-batch-size", 2, "--episodes-per-task", 2, "--hidden-sizes", 4)
    small += ("--total-timesteps", 1)
    # A worker has to find the module too.
    assert run_main("train", "maml", "--benchmark", name, *small, "--num-workers", 1) == 0
    (folder,) = (here / "runs").iterdir()
    assert folder.name == "folder_family-family-maml-seed0"
    arguments = ("--num-adaptation-steps", 1, "--num-tasks", 2, "--adaptation-episodes", 2)
    assert run_main("evaluate", folder, *arguments, "--num-workers", 0) == 0
    assert "Pendulum-v1, test tasks, iteration 1" in text(capsys)


def test_a_run_whose_module_is_gone_says_so(capsys, here, monkeypatch):
    (here / "lost_family.py").write_text(FAMILY)
    small = ("--meta-batch-size", 2, "--episodes-per-task", 2, "--total-timesteps", 1)
    train = ("train", "maml", "--benchmark", "lost_family:family", *small)
    assert run_main(*train, "--num-workers", 0, "--run", here / "run") == 0
    sys.modules.pop("lost_family")
    (here / "lost_family.py").unlink()
    assert run_main("evaluate", here / "run") == 2
    assert "there is no module 'lost_family'" in capsys.readouterr().err


def test_families_of_other_packages_are_listed_and_broken_ones_named(capsys, here, monkeypatch):
    monkeypatch.syspath_prepend(here)
    (here / "folder_family.py").write_text(FAMILY)
    info = here / "arms-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: arms\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text(
        "[metarl.task_families]\nown-arm = folder_family:family\nbad-arm = folder_family:famly\n"
        "navigation = folder_family:family\n"
    )
    assert run_main("tasks") == 0
    captured = capsys.readouterr()
    assert "own-arm" in captured.out
    assert "arms 2.0" in captured.out
    assert "bad-arm" not in captured.out
    assert "bad-arm of arms 2.0 can't be used: benchmark: in folder_family: unknown" in captured.err
    assert "navigation of arms 2.0: the name is taken" in captured.err
