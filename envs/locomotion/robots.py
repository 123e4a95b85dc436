"""Gymnasium's MuJoCo walkers as array formulas; see :mod:`.robot`."""

from __future__ import annotations

from math import prod

import numpy as np
from gymnasium.envs.mujoco.ant_v5 import AntEnv
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.envs.mujoco.humanoid_v5 import HumanoidEnv
from gymnasium.envs.mujoco.walker2d_v5 import Walker2dEnv

from .robot import Actions, BoolArray, FloatArray, Frame, Robot


class HalfCheetah(Robot):
    """Two legs in the plane; never falls."""

    env_id = "HalfCheetah-v5"
    env_class = HalfCheetahEnv
    normal_velocities = True

    def observe(self, frame: Frame) -> FloatArray:
        """Positions but ``x``, and velocities: 17 numbers."""
        return np.concatenate((frame.qpos[:, self.num_hidden :], frame.qvel), axis=1)

    def survival_reward(self, healthy: BoolArray) -> FloatArray:
        """Nothing: there is no falling."""
        return np.zeros(len(healthy))

    def fallen(self, healthy: BoolArray) -> BoolArray:
        """Never."""
        return np.zeros(len(healthy), dtype=np.bool_)


class PlanarWalker(Robot):
    """What Walker2d and Hopper share."""

    def observe(self, frame: Frame) -> FloatArray:
        """Positions but ``x``, and velocities within 10."""
        velocities = np.clip(frame.qvel, -10, 10)
        return np.concatenate((frame.qpos[:, self.num_hidden :], velocities), axis=1)

    def upright(self, frame: Frame) -> BoolArray:
        """Height and angle within their ranges."""
        height, angle = frame.qpos[:, 1], frame.qpos[:, 2]
        return self.within("healthy_z_range", height) & self.within("healthy_angle_range", angle)

    def within(self, name: str, quantity: FloatArray) -> BoolArray:
        """Where a quantity is inside one of the ranges of the settings."""
        low, high = self.values[name]
        inside: BoolArray = (low < quantity) & (quantity < high)
        return inside


class Walker2d(PlanarWalker):
    """Two legs in the plane; falls below 0.8 m, above 2 m, or tilted by more than 1 rad."""

    env_id = "Walker2d-v5"
    env_class = Walker2dEnv

    def healthy(self, frame: Frame) -> BoolArray:
        """Upright."""
        return self.upright(frame)


class Hopper(PlanarWalker):
    """One leg in the plane; falls below 0.7 m, tilted by more than 0.2 rad, or running wild."""

    env_id = "Hopper-v5"
    env_class = HopperEnv

    def healthy(self, frame: Frame) -> BoolArray:
        """Upright, and the rest of the state within its range too."""
        rest = np.concatenate((frame.qpos[:, 2:], frame.qvel), axis=1)
        return self.upright(frame) & self.within("healthy_state_range", rest).all(axis=1)


class Ant(Robot):
    """Four legs in space; falls below 0.2 m or above 1 m."""

    env_id = "Ant-v5"
    env_class = AntEnv
    dimensions = 2
    fields = ("xpos", "cfrc_ext")
    contact_forces = True
    normal_velocities = True

    def tracked(self, frame: Frame) -> FloatArray:
        """The torso's frame, which MuJoCo updates one evaluation behind ``qpos``."""
        torso: FloatArray = frame.fields["xpos"][:, self.values["main_body"], :2]
        return torso

    def observe(self, frame: Frame) -> FloatArray:
        """Positions but the place, velocities, clipped contact forces: 105 numbers."""
        forces = _flat(self._forces(frame)[:, 1:])
        return np.concatenate((frame.qpos[:, self.num_hidden :], frame.qvel, forces), axis=1)

    def healthy(self, frame: Frame) -> BoolArray:
        """Finite, and the height within its range."""
        low, high = self.values["healthy_z_range"]
        height = frame.qpos[:, 2]
        finite = np.isfinite(frame.qpos).all(axis=1) & np.isfinite(frame.qvel).all(axis=1)
        standing: BoolArray = finite & (low <= height) & (height <= high)
        return standing

    def contact_cost(self, frame: Frame) -> FloatArray:
        """Squares of the clipped contact forces, weighted."""
        forces = _flat(self._forces(frame))
        cost: FloatArray = self.values["contact_cost_weight"] * np.sum(np.square(forces), axis=1)
        return cost

    def _forces(self, frame: Frame) -> FloatArray:
        low, high = self.values["contact_force_range"]
        forces: FloatArray = np.clip(frame.fields["cfrc_ext"], low, high)
        return forces


class Humanoid(Robot):
    """A body of 13 parts in space; falls below 1 m or above 2 m."""

    env_id = "Humanoid-v5"
    env_class = HumanoidEnv
    dimensions = 2
    fields = ("xipos", "cinert", "cvel", "qfrc_actuator", "cfrc_ext")
    contact_forces = True

    def tracked(self, frame: Frame) -> FloatArray:
        """The centre of mass."""
        mass = frame.body_mass
        weighted: FloatArray = np.sum(mass[:, :, None] * frame.fields["xipos"], axis=1)
        centre: FloatArray = weighted / np.sum(mass, axis=1)[:, None]
        return centre[:, :2]

    def observe(self, frame: Frame) -> FloatArray:
        """Positions but the place, velocities, inertias, forces: 348 numbers."""
        fields = frame.fields
        return np.concatenate(
            (
                frame.qpos[:, self.num_hidden :],
                frame.qvel,
                _flat(fields["cinert"][:, 1:]),
                _flat(fields["cvel"][:, 1:]),
                fields["qfrc_actuator"][:, 6:],
                _flat(fields["cfrc_ext"][:, 1:]),
            ),
            axis=1,
        )

    def healthy(self, frame: Frame) -> BoolArray:
        """Height within its range."""
        low, high = self.values["healthy_z_range"]
        height = frame.qpos[:, 2]
        standing: BoolArray = (low < height) & (height < high)
        return standing

    def control_cost(self, frame: Frame, actions: Actions) -> FloatArray:
        """Of what the actuators were told, in double precision."""
        del actions
        cost: FloatArray = self.values["ctrl_cost_weight"] * np.sum(np.square(frame.ctrl), axis=1)
        return cost

    def contact_cost(self, frame: Frame) -> FloatArray:
        """Squares of the contact forces, weighted and clipped."""
        forces = _flat(frame.fields["cfrc_ext"])
        cost = self.values["contact_cost_weight"] * np.sum(np.square(forces), axis=1)
        clipped: FloatArray = np.clip(cost, *self.values["contact_cost_range"])
        return clipped


def _flat(rows: FloatArray) -> FloatArray:
    """``[n, ...]`` as ``[n, k]``, also where ``n`` is 0."""
    return rows.reshape(len(rows), prod(rows.shape[1:]))
