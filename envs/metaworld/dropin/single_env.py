"""One Meta-World environment for ``gymnasium.make``, on the batched engine."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from .batch import RowBatch, as_actions
from .settings import Settings
from .spaces import METADATA
from .splits import Row
from .sub_environment import SETTABLE, SubEnvironment


class SingleEnv(gymnasium.Env[npt.NDArray[Any], npt.NDArray[Any]]):
    """A batch of one row. It answers the names that a row of the vector environments answers.

    Args:
        row: What it plays.
        settings: How it is wrapped.
    """

    metadata = METADATA

    def __init__(self, row: Row, settings: Settings) -> None:
        self._batch = RowBatch([row], settings)
        self._row = SubEnvironment(self._batch, 0)
        self.observation_space = self._row.observation_space
        self.action_space = self._row.action_space
        if row.seed is not None:
            self.action_space.seed(row.seed)
        self._np_random, self._np_random_seed = self._row.np_random, self._row.np_random_seed

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.floating[Any]], dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: Ignored, as by Meta-World: tasks are drawn from the seed given to ``make``.
            options: Ignored.
        """
        del seed, options
        return self._batch.reset([0])[0], {}

    def step(
        self, action: npt.NDArray[np.floating[Any]]
    ) -> tuple[npt.NDArray[np.floating[Any]], float, bool, bool, dict[str, Any]]:
        """Acts once; ``info["episode"]`` tells of an episode that ends."""
        active = np.ones(1, dtype=np.bool_)
        step = self._batch.step(as_actions(np.asarray(action)[None], 1, active), active)
        info: dict[str, Any] = {key: float(values[0]) for key, values in step.info.items()}
        if step.episode is not None:
            info["episode"] = {key: values[0].item() for key, values in step.episode.items()}
        return (
            step.obs[0],
            float(step.reward[0]),
            bool(step.terminated[0]),
            bool(step.truncated[0]),
            info,
        )

    def has_wrapper_attr(self, name: str) -> bool:
        """Whether the environment, or the row it holds, has an attribute."""
        return hasattr(self, name) or _is_public(name)

    def get_wrapper_attr(self, name: str) -> Any:
        """Reads an attribute of the environment, or of the row it holds."""
        of_row = _is_public(name) and not hasattr(self, name)
        return getattr(self._row if of_row else self, name)

    def set_wrapper_attr(self, name: str, value: Any, *, force: bool = True) -> bool:
        """Sets an attribute of the environment, or of the row it holds."""
        if name in SETTABLE:
            setattr(self._row, name, value)
            return True
        return super().set_wrapper_attr(name, value, force=force)


def _is_public(name: str) -> bool:
    return not name.startswith("_") and hasattr(SubEnvironment, name)
