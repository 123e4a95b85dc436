"""Observation and action spaces of Meta-World's wrapped environments."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from metaworld.sawyer_xyz_env import SawyerXYZEnv

from metarl.envs.metaworld.engine.observations import FRAME, SIZE
from metarl.envs.metaworld.engine.worlds import ACTION_SIZE

from .settings import Settings

METADATA: dict[str, Any] = dict(SawyerXYZEnv.metadata)


def action_space() -> gymnasium.spaces.Box:
    """Hand displacement per axis and gripper effort, each in [-1, 1]."""
    return gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)


def observation_size(settings: Settings) -> int:
    """Length of an observation with all that the settings append."""
    one_hot = (settings.num_tasks or 0) if settings.use_one_hot else 0
    return SIZE + one_hot + (ACTION_SIZE + 2 if settings.recurrent_info_in_obs else 0)


def observation_space(
    settings: Settings, goal_is_zero: bool, dtype: type[np.floating[Any]]
) -> gymnasium.spaces.Box:
    """The space of one environment's observations.

    Meta-World declares that the goal is zero, observable or not; here it is unbounded unless told.

    Args:
        settings: What is appended to observations, and whether they are normalised.
        goal_is_zero: Whether to declare that the goal is zero.
        dtype: Of the observations.
    """
    size = observation_size(settings)
    low, high = np.full((2, size), np.inf)
    if not settings.recurrent_info_in_obs and not settings.normalize_observations:
        hand = SawyerXYZEnv._HAND_SPACE
        for start in (0, FRAME):
            low[start : start + 4] = -np.append(hand.low, -1.0)
            high[start : start + 4] = np.append(hand.high, 1.0)
        if goal_is_zero:
            low[2 * FRAME : SIZE] = high[2 * FRAME : SIZE] = 0.0
        low[SIZE:], high[SIZE:] = 0.0, 1.0
    return gymnasium.spaces.Box(-low.astype(dtype), high.astype(dtype), dtype=dtype)


def vector_dtype(settings: Settings) -> type[np.floating[Any]]:
    """Precision of a vector environment's observations.

    Meta-World's wrappers that append to the observation declare float32, and Gymnasium's vector
    environments convert to what is declared; the final observation of an episode keeps float64.
    """
    appended = settings.use_one_hot or settings.recurrent_info_in_obs
    return np.float32 if appended or settings.normalize_observations else np.float64
