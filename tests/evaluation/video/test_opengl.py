from __future__ import annotations

import os
import subprocess
import sys

import pytest

from metarl.evaluation.video import opengl


@pytest.fixture
def headless(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No display, and nothing chosen; what a test sets is undone."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(opengl.VARIABLE, "")
    monkeypatch.setattr(sys, "platform", "linux")
    return monkeypatch


@pytest.mark.parametrize(
    ("working", "chosen"), [({"egl", "osmesa"}, "egl"), ({"osmesa"}, "osmesa"), (set(), None)]
)
def test_the_first_way_that_works_is_taken(
    headless: pytest.MonkeyPatch, working: set[str], chosen: str | None
) -> None:
    headless.setattr(opengl, "_opens", lambda backend: backend in working)
    assert opengl.choose_opengl() == chosen
    assert os.environ[opengl.VARIABLE] == (chosen or "")


def test_a_choice_and_a_display_are_left_alone(headless: pytest.MonkeyPatch) -> None:
    def never(backend: str) -> bool:
        raise AssertionError(backend)

    headless.setattr(opengl, "_opens", never)
    headless.setenv(opengl.VARIABLE, "glfw")
    assert opengl.choose_opengl() == "glfw"
    headless.setenv(opengl.VARIABLE, "")
    headless.setenv("DISPLAY", ":0")
    opengl.choose_opengl()
    assert os.environ[opengl.VARIABLE] == ""


def test_ways_are_tried_in_a_process_of_their_own() -> None:
    assert not opengl._opens("no_such_way")


def test_the_advice_names_variable_and_packages(headless: pytest.MonkeyPatch) -> None:
    assert "unset" in opengl.advice()
    headless.setenv(opengl.VARIABLE, "egl")
    text = opengl.advice()
    for word in ("MUJOCO_GL is 'egl'", "libegl1", "libgl1-mesa-dri", "libosmesa6", "display"):
        assert word in text


PROGRAM = """
from metarl.evaluation.video import choose_opengl
from metarl.envs import make_benchmark
print(choose_opengl())
tasks = make_benchmark("ml1/push-v3", max_episode_steps=5).test
env = tasks.make_env(tasks.tasks[7], render_mode="rgb_array")
for _ in range(2):
    env.reset()
    assert env.render().std() > 20
env.close()
"""


def test_meta_world_draws_without_a_display() -> None:
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL", "PYOPENGL_PLATFORM"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        timeout=200,
    )
    if done.stdout.strip() == "None":
        pytest.skip("neither EGL nor OSMesa is installed here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in opengl.HEADLESS
