"""Pictures of any world of a batch, as Meta-World renders them."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from .physics import STATE
from .reset_cache import WorldTask
from .sources import FloatArray


class WorldRenderer:
    """Renders worlds through Meta-World's own environments.

    The engine's models carry no textures; a full environment is loaded per class on its first
    picture, put into the world's state, and rendered.

    Args:
        width: Of the picture (pixels).
        height: Of the picture.
        camera_name: A camera of the model, such as ``"corner2"``; by default the free camera, which
            Gymnasium points at the middle of the first state that it renders.
        camera_id: The same by number.
    """

    def __init__(
        self,
        width: int = 480,
        height: int = 480,
        camera_name: str | None = None,
        camera_id: int | None = None,
    ) -> None:
        self._settings = {
            "width": width,
            "height": height,
            "camera_name": camera_name,
            "camera_id": camera_id,
        }
        self._envs: dict[tuple[str, bool], Any] = {}
        self._shown: dict[tuple[str, bool], WorldTask] = {}

    def render(self, task: WorldTask, state: FloatArray) -> npt.NDArray[np.uint8]:
        """Returns the picture of a world, ``[height, width, 3]``.

        Args:
            task: What the world plays.
            state: ``[state_size]``, as :meth:`.worlds.Worlds.state` gives it.
        """
        key = (task.env_name, task.partially_observable)
        if key not in self._envs:
            make: Any = ALL_V3_ENVIRONMENTS[task.env_name]
            self._envs[key] = make(render_mode="rgb_array", **self._settings)
        env = self._envs[key]
        if self._shown.get(key) != task:
            env.set_task(task.to_metaworld())
            env.reset()  # places the goal's site and the task's bodies in the model
            self._shown[key] = task
        mujoco.mj_setState(env.model, env.data, state, STATE)
        mujoco.mj_forward(env.model, env.data)
        picture: npt.NDArray[np.uint8] = env.render()
        return picture

    def close(self) -> None:
        """Frees the environments."""
        while self._envs:
            self._envs.popitem()[1].close()
        self._shown.clear()
