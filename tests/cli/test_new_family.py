import shlex

import pytest

from metarl.cli.new_family import skeleton

from .commands import run_main


def test_a_family_is_written_under_the_name_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_main("new-family", "six_legs") == 0
    written = {path.name: path.read_text() for path in (tmp_path / "six_legs").iterdir()}
    assert written.keys() == {
        "README.md",
        "pyproject.toml",
        "six_legs.py",
        "six_legs_tasks.py",
        "test_six_legs.py",
    }
    assert written == skeleton("six_legs")
    assert not any("payload_arm" in text or "payload-arm" in text for text in written.values())
    assert "class SixLegs(" in written["six_legs.py"]
    assert 'six-legs = "six_legs_tasks:family"' in written["pyproject.toml"]
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "next: cd six_legs && metarl check-env six_legs_tasks:family"


def test_nothing_is_overwritten(tmp_path, capsys):
    (tmp_path / "arm").mkdir()
    (tmp_path / "arm" / "arm.py").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("arm", "file"):
        assert run_main("new-family", name, "--folder", tmp_path) == 2
        assert "exists already; choose another name" in capsys.readouterr().err
    assert (tmp_path / "arm" / "arm.py").read_text() == "mine"
    assert [path.name for path in (tmp_path / "arm").iterdir()] == ["arm.py"]


@pytest.mark.parametrize(
    "name",
    ["", "my-arm", "my arm", "MyArm", "1arm", "_arm", "class", "ärm", "../arm", "a.b", "json"],
)
def test_what_is_no_name_of_a_module_is_refused(tmp_path, capsys, name):
    assert run_main("new-family", name, "--folder", tmp_path) == 2
    assert f"name: got {name!r}; " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["metarl", "test", "numpy", "torch", "yaml", "winreg"])
def test_names_that_would_hide_a_module_are_refused(tmp_path, capsys, name):
    assert run_main("new-family", name, "--folder", tmp_path) == 2
    assert "a module of this name is there already" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_next_command_can_be_pasted(tmp_path, capsys):
    assert run_main("new-family", "six_legs", "--folder", tmp_path / "a b") == 0
    _, following = capsys.readouterr().out.splitlines()[-1].split("next: ")
    assert shlex.split(following)[:2] == ["cd", str(tmp_path / "a b" / "six_legs")]
