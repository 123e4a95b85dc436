"""Episodes with their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from metarl.adapted_policy import AdaptedPolicy
from metarl.errors import RenderingError
from metarl.evaluation.video.opengl import advice

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """One picture of an episode.

    Attributes:
        picture: ``[height, width, 3]``.
        step: Steps taken so far.
        episode_return: Rewards so far.
        success: Whether the success flag is up, or None if the family reports none.
    """

    picture: Picture
    step: int
    episode_return: float
    success: bool | None


@dataclass(frozen=True)
class Clip:
    """An episode's pictures.

    Attributes:
        label: What it shows, in a few words.
        frames: From the start to the last step, evenly spaced but for the last.
        horizon: Steps that the episode may last.
    """

    label: str
    frames: tuple[Frame, ...]
    horizon: int


def record(
    policy: AdaptedPolicy,
    env: gymnasium.Env[Any, Any],
    *,
    label: str,
    horizon: int,
    every: int = 1,
    seed: int = 0,
) -> Clip:
    """Records one episode by the mean action.

    Args:
        policy: Who acts.
        env: Made with ``render_mode="rgb_array"``; it isn't closed.
        label: What the episode shows.
        horizon: Steps at which it ends, if the environment doesn't end it before.
        every: Steps from picture to picture.
        seed: Of the episode's reset.

    Raises:
        RenderingError: If the environment can't draw here, or draws nothing.
    """
    observation, _ = env.reset(seed=seed)
    frames = [Frame(_draw(env), 0, 0.0, None)]
    state, episode_return = None, 0.0
    for step in range(1, horizon + 1):
        action, state = policy.predict(np.asarray(observation), state, deterministic=True)
        observation, reward, terminated, truncated, info = env.step(action)
        episode_return += float(reward)
        ended = bool(terminated or truncated) or step == horizon
        if step % every == 0 or ended:
            success = bool(info["success"]) if "success" in info else None
            frames.append(Frame(_draw(env), step, episode_return, success))
        if ended:
            break
    return Clip(label, tuple(frames), horizon)


def _draw(env: gymnasium.Env[Any, Any]) -> Picture:
    try:
        picture: Any = env.render()
    # Drivers, bindings and simulators fail with errors of their own, FatalError among them.
    except Exception as error:
        raise RenderingError(f"can't draw {env}: {error}; {advice()}.") from error
    if not isinstance(picture, np.ndarray) or picture.ndim != 3 or picture.shape[2] != 3:
        raise RenderingError(
            f"can't draw {env}: its render() gives {type(picture).__name__} instead of a picture "
            '[height, width, 3]; does its make_env pass render_mode="rgb_array" on?'
        )
    return picture.astype(np.uint8, copy=False)
