"""What a MuJoCo walker of Gymnasium's is: its start, what it observes and pays, when it falls.

Every formula is that of the environment's ``v5`` class, in its order of operations, over many
worlds at once. The weights in them are the class's own defaults unless a robot is given others.

Legend of axes: ``n`` worlds; ``d`` coordinates of the place, 1 (``x``) or 2 (``x, y``).
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import gymnasium
import numpy as np
import numpy.typing as npt

from metarl.errors import UnknownNameError

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Actions: TypeAlias = npt.NDArray[np.floating[Any]]

_TUNABLE = (
    "forward_reward_weight",
    "ctrl_cost_weight",
    "contact_cost_weight",
    "healthy_reward",
    "terminate_when_unhealthy",
    "exclude_current_positions_from_observation",
)


@dataclass(frozen=True)
class Frame:
    """What is read of ``n`` worlds after a step or a reset.

    Attributes:
        qpos: ``[n, nq]`` generalised positions (m, rad).
        qvel: ``[n, nv]`` generalised velocities (m/s, rad/s).
        ctrl: ``[n, nu]`` what the actuators were told.
        fields: The robot's :attr:`Robot.fields` of ``MjData``, ``[n, ...]`` each.
        body_mass: ``[n, nbody]`` kg.
    """

    qpos: FloatArray
    qvel: FloatArray
    ctrl: FloatArray
    fields: dict[str, FloatArray]
    body_mass: FloatArray


class Robot(ABC):
    """One of Gymnasium's walkers.

    Attributes:
        env_id: Gymnasium's id.
        env_class: The class behind it.
        dimensions: ``d``. The first ``d`` entries of ``qpos`` are the place; they aren't observed
            unless ``exclude_current_positions_from_observation`` is false.
        fields: Arrays of ``MjData`` that the formulas read beside the state.
        contact_forces: Whether they need ``mj_rnePostConstraint``.
        normal_velocities: Whether initial velocities are normal rather than uniform.

    Args:
        **settings: Constructor arguments of the class other than its defaults.

    Raises:
        UnknownNameError: If an argument isn't one of those that may differ.
    """

    env_id: ClassVar[str]
    env_class: ClassVar[type[Any]]
    dimensions: ClassVar[int] = 1
    fields: ClassVar[tuple[str, ...]] = ()
    contact_forces: ClassVar[bool] = False
    normal_velocities: ClassVar[bool] = False

    def __init__(self, **settings: float) -> None:
        parameters = inspect.signature(self.env_class.__init__).parameters
        for name in settings:
            if name not in parameters or name not in _TUNABLE:
                raise UnknownNameError("settings", name, set(_TUNABLE) & parameters.keys())
        self.settings = settings
        self.values: dict[str, Any] = {
            name: parameter.default for name, parameter in parameters.items()
        } | settings

    def make(self, render_mode: str | None = None, **arguments: Any) -> gymnasium.Env[Any, Any]:
        """Gymnasium's own environment with the robot's settings."""
        given: dict[str, Any] = {**self.settings, **arguments}
        return gymnasium.make(
            self.env_id, render_mode=render_mode, disable_env_checker=True, **given
        )

    @cached_property
    def reference(self) -> Any:
        """Gymnasium's own environment, unwrapped, to read model, spaces and start from."""
        return self.make().unwrapped

    @property
    def num_hidden(self) -> int:
        """How many of the first entries of ``qpos`` aren't observed."""
        return self.dimensions * bool(self.values["exclude_current_positions_from_observation"])

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "reference"}

    def initial(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draws ``qpos`` and ``qvel`` at the start of an episode."""
        env, scale = self.reference, self.values["reset_noise_scale"]
        qpos = env.init_qpos + rng.uniform(low=-scale, high=scale, size=env.model.nq)
        if self.normal_velocities:
            qvel = env.init_qvel + scale * rng.standard_normal(env.model.nv)
        else:
            qvel = env.init_qvel + rng.uniform(low=-scale, high=scale, size=env.model.nv)
        return qpos, qvel

    def place(self, frame: Frame) -> FloatArray:
        """``[n, d]`` where the robot is (m)."""
        return frame.qpos[:, : self.dimensions]

    def tracked(self, frame: Frame) -> FloatArray:
        """``[n, d]`` the point whose displacement makes the velocity (m)."""
        return self.place(frame)

    @abstractmethod
    def observe(self, frame: Frame) -> FloatArray:
        """``[n, size]`` observations."""

    def healthy(self, frame: Frame) -> BoolArray:
        """``[n]`` whether the robot stands."""
        return np.ones(len(frame.qpos), dtype=np.bool_)

    def control_cost(self, frame: Frame, actions: Actions) -> npt.NDArray[np.floating[Any]]:
        """``[n]`` cost of the actions, in their own precision."""
        del frame
        cost: npt.NDArray[np.floating[Any]] = self.values["ctrl_cost_weight"] * np.sum(
            np.square(actions), axis=1
        )
        return cost

    def contact_cost(self, frame: Frame) -> FloatArray:
        """``[n]`` cost of the forces at contacts."""
        return np.zeros(len(frame.qpos))

    def survival_reward(self, healthy: BoolArray) -> FloatArray:
        """``[n]`` what standing is worth."""
        reward: FloatArray = healthy * self.values["healthy_reward"]
        return reward

    def fallen(self, healthy: BoolArray) -> BoolArray:
        """``[n]`` whether the episode ends here."""
        return ~healthy & bool(self.values["terminate_when_unhealthy"])
