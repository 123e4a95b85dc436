import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"metarl": "metarl", "envs": "metarl.envs", "agents": "metarl.agents"}
LINKS = {"metarl/envs": "../envs", "metarl/agents": "../agents"}


def setuptools_settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def package_folders(root: Path) -> set[str]:
    """Every folder with Python files, by the name that it is installed under."""
    found = set()
    for room, package in ROOMS.items():
        for folder, _, files in os.walk(root / room, followlinks=False):
            if any(name.endswith(".py") for name in files):
                found.add(".".join([package, *Path(folder).relative_to(root / room).parts]))
    return found


def test_every_package_folder_is_listed_and_every_listed_package_exists():
    listed = setuptools_settings()["packages"]
    assert set(listed) == package_folders(ROOT)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("folder", "package"),
    [
        ("metarl/new", "metarl.new"),
        ("envs/new", "metarl.envs.new"),
        ("agents/new/deep", "metarl.agents.new.deep"),
    ],
)
def test_a_folder_that_is_not_listed_would_be_noticed(tmp_path, folder, package):
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    for link, target in LINKS.items():
        (tmp_path / link).symlink_to(target)
    assert package_folders(tmp_path) == set(ROOMS.values())
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "module.py").touch()
    assert package_folders(tmp_path) == {*ROOMS.values(), package}


def test_rooms_are_mapped_into_the_package():
    assert setuptools_settings()["package-dir"] == {name: room for room, name in ROOMS.items()}


@pytest.mark.parametrize(("link", "target"), LINKS.items())
def test_links_for_static_readers_are_relative(link, target):
    path = ROOT / link
    assert path.is_symlink()
    assert str(path.readlink()) == target
    assert (path / "__init__.py").samefile(ROOT / Path(target).name / "__init__.py")


@pytest.mark.parametrize(("link", "target"), LINKS.items())
def test_links_are_tracked_by_git_as_links(link, target):
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "--stage", link], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert listed[:1] == ["120000"], f"{link} isn't tracked as a link"
    blob = subprocess.run(
        [git, "cat-file", "blob", listed[1]], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert blob == target


def test_every_file_beside_the_modules_is_shipped():
    settings = setuptools_settings()
    rooms = {name: ROOT / room for name, room in settings["package-dir"].items()}
    found, shipped = set(), set()
    for package in settings["packages"]:
        room = max((name for name in rooms if f"{package}.".startswith(f"{name}.")), key=len)
        folder = rooms[room].joinpath(*package.removeprefix(room).strip(".").split("."))
        for pattern in settings["package-data"].get(package, ()):
            shipped |= {path for path in folder.glob(pattern) if path.is_file()}
    for room in ROOMS:
        for folder, folders, files in os.walk(ROOT / room, followlinks=False):
            folders[:] = [name for name in folders if name != "__pycache__"]
            found |= {Path(folder, name) for name in files if not name.endswith(".py")}
    assert found == shipped


def test_the_marker_of_inline_types_is_shipped():
    assert "py.typed" in setuptools_settings()["package-data"]["metarl"]
    assert (ROOT / "metarl" / "py.typed").is_file()
