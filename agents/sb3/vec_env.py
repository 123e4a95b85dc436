"""Stable-Baselines3 on Gymnasium's vector environments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from metarl.errors import ConfigError


class SB3VecEnv(VecEnv):
    """A Gymnasium vector environment as Stable-Baselines3 expects one.

    What Stable-Baselines3 looks for is put into each row's info: ``terminal_observation`` and
    ``TimeLimit.truncated`` at the end of an episode, and ``is_success`` where there is
    ``success``. ``episode`` is passed on, so no ``VecMonitor`` is needed where the environment
    records its episodes.

    Args:
        envs: With autoreset ``SAME_STEP``, as Stable-Baselines3 has it, or ``DISABLED``, as task
            distributions make them (``distribution.make_vec(tasks, num_envs_per_task)``): then
            rows whose episode has ended are reset here.

    Raises:
        ConfigError: If it has another mode.

    Example:
        >>> import gymnasium, metarl.envs
        >>> from stable_baselines3 import PPO
        >>> envs = gymnasium.make_vec("metarl/MT10-v0", seed=0, use_one_hot=True)
        >>> PPO("MlpPolicy", SB3VecEnv(envs)).learn(100_000)  # doctest: +SKIP
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.DISABLED):
            raise ConfigError(f"envs: got autoreset mode {mode}; must be SAME_STEP or DISABLED.")
        self.envs = envs
        self._resets_itself = mode == AutoresetMode.SAME_STEP
        self.render_mode = envs.render_mode
        self._actions: npt.NDArray[Any] | None = None
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> VecEnvObs:
        """Starts an episode in every row, with the seeds given to ``seed``."""
        seeds: Any = None if all(seed is None for seed in self._seeds) else list(self._seeds)
        observations, infos = self.envs.reset(seed=seeds)
        self.reset_infos = [_row(infos, i) for i in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        result: VecEnvObs = observations
        return result

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keeps the actions for :meth:`step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Steps every row."""
        observations, rewards, terminated, truncated, infos = self.envs.step(self._actions)
        rows = [_row(infos, i) for i in range(self.num_envs)]
        ended = terminated | truncated
        for i, info in enumerate(rows):
            if ended[i]:
                info["terminal_observation"] = (
                    info.pop("final_obs") if self._resets_itself else observations[i].copy()
                )
                info.update(info.pop("final_info", {}))
                info["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
            if "success" in info:
                info["is_success"] = bool(info["success"])
        if ended.any() and not self._resets_itself:
            observations, infos = self.envs.reset(options={"reset_mask": ended})
            for i in np.flatnonzero(ended).tolist():
                self.reset_infos[i] = _row(infos, i)
        return observations, rewards.astype(np.float32), ended, rows

    def close(self) -> None:
        """Closes the environment."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Reads an attribute of the chosen rows."""
        values = (
            (self.render_mode,) * self.num_envs
            if attr_name == "render_mode"
            else self.envs.get_attr(attr_name)  # type: ignore[attr-defined]
        )
        return [values[i] for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Sets an attribute of all rows.

        Raises:
            ConfigError: If only some rows are chosen.
        """
        self._check_all(indices)
        self.envs.set_attr(attr_name, [value] * self.num_envs)  # type: ignore[attr-defined]

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method of all rows.

        Raises:
            ConfigError: If only some rows are chosen.
        """
        self._check_all(indices)
        return list(self.envs.call(method_name, *method_args, **method_kwargs))  # type: ignore[attr-defined]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Rows have no wrappers that could be looked up."""
        del wrapper_class
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[npt.NDArray[np.uint8] | None]:
        """Renders every row."""
        images: Any = self.envs.render()
        return list(images)

    def _check_all(self, indices: Iterable[int] | int | None) -> None:
        if indices is not None and len(list(self._get_indices(indices))) != self.num_envs:
            raise ConfigError(f"indices: got {indices}; Gymnasium's vectors act on all rows.")


def _row(infos: dict[str, Any], row: int) -> dict[str, Any]:
    """One row's part of the infos of a Gymnasium vector environment."""
    found: dict[str, Any] = {}
    for key, values in infos.items():
        there = infos.get(f"_{key}")
        if not key.startswith("_") and (there is None or there[row]):
            found[key] = _row(values, row) if isinstance(values, dict) else values[row]
    return found
