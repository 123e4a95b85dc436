"""OpenGL where there is no display.

MuJoCo draws through GLFW, which needs a display, unless the variable ``MUJOCO_GL`` names another
way: ``egl`` (a graphics card, or Mesa's software) or ``osmesa`` (software). Whether a way is open
only shows when it is tried, and one that failed spoils the next in the same process; so each is
tried in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys

VARIABLE = "MUJOCO_GL"
HEADLESS = ("egl", "osmesa")
PACKAGES = {"egl": "libegl1 and libgl1-mesa-dri", "osmesa": "libosmesa6"}
"""What Debian and Ubuntu call the libraries."""

_TRIAL = """
import os
os.environ["MUJOCO_GL"] = {backend!r}
from mujoco.{backend} import GLContext
context = GLContext(16, 16)
context.make_current()
context.free()
"""


def choose_opengl() -> str | None:
    """Sets ``MUJOCO_GL`` for this process, where it is unset and there is no display.

    Call it before the first picture is drawn.

    Returns:
        The way that MuJoCo will draw, ``None`` for its default.
    """
    chosen = os.environ.get(VARIABLE)
    displays = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if chosen or displays or not sys.platform.startswith("linux"):
        return chosen
    for backend in HEADLESS:
        if _opens(backend):
            os.environ[VARIABLE] = backend
            return backend
    return None


def advice() -> str:
    """What to do where nothing can be drawn."""
    options = ", or ".join(
        f"{packages} ({VARIABLE}={backend})" for backend, packages in PACKAGES.items()
    )
    found = os.environ.get(VARIABLE)
    return (
        f"{VARIABLE} is {f'{found!r}' if found else 'unset, as no way of drawing works here'}; "
        f"on Debian and Ubuntu install {options}, or run where there is a display"
    )


def _opens(backend: str) -> bool:
    trial = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _TRIAL.format(backend=backend)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    return trial.returncode == 0
