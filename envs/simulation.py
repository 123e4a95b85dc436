"""What every MuJoCo family here does alike: notice a simulation that has become unstable."""

from __future__ import annotations

import logging
from typing import Any

import mujoco

DIVERGED = slice(int(mujoco.mjtWarning.mjWARN_BADQPOS), int(mujoco.mjtWarning.mjWARN_BADQACC) + 1)
"""The warnings of ``MjData`` that say that MuJoCo found a bad state and reset the simulation."""

_LOG = logging.getLogger(__name__)


def has_diverged(data: Any) -> bool:
    """Whether MuJoCo reset the simulation since the last reset; nothing but a counter tells."""
    return bool(data.warning.number[DIVERGED].any())


def log_warnings() -> None:
    """Sends MuJoCo's warnings to the log, unless someone handles them already.

    MuJoCo would print, and write ``MUJOCO_LOG.TXT`` into the working directory.
    """
    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_LOG.info)
