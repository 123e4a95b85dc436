"""What the bits of a run depend on beside its settings: packages and machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

PACKAGES = ("metarl", "torch", "numpy", "gymnasium", "metaworld", "mujoco", "stable-baselines3")

DECISIVE = ("metarl", "torch", "numpy", "gymnasium", "metaworld", "mujoco")
"""Packages that can change a run's bits: another version of one is another run."""


def versions() -> dict[str, Any]:
    """Python, packages and machine, as JSON data."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def version_differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Says which decisive packages differ between two records of :func:`versions`."""
    before, now = saved.get("packages", {}), current.get("packages", {})
    return [
        f"{name}: saved {before.get(name)}, now {now.get(name)}"
        for name in DECISIVE
        if before.get(name) != now.get(name)
    ]
