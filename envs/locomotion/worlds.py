"""Many worlds of one walker in one process: one ``MjData``, the worlds as rows of an array.

To step a world, its row is copied into the data, ``mj_step`` runs, and the row is copied back. All
worlds so share one working set that stays in the processor's cache, and everything around the
physics (observations, rewards, ends) is array arithmetic over all of them. Worlds may differ in
their model, as long as its structure is one. The state that is carried holds MuJoCo's warm start
(``qacc_warmstart``): without it the solver starts elsewhere and the last bits differ. Meta-World's
worlds (:mod:`metarl.envs.metaworld.engine.physics`) are stepped in the same manner, but with a
moving hand, and other calls around the step.

``mj_rnePostConstraint``, which Gymnasium calls after every step, is left out for robots that read
no contact forces: it writes nothing that any other computation reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from metarl.envs.simulation import DIVERGED, log_warnings

from .robot import Actions, BoolArray, FloatArray, Frame, Robot

_STATE = int(
    mujoco.mjtState.mjSTATE_QPOS
    | mujoco.mjtState.mjSTATE_QVEL
    | mujoco.mjtState.mjSTATE_WARMSTART
    | mujoco.mjtState.mjSTATE_CTRL
)


@dataclass(frozen=True)
class Motion:
    """A step of ``n`` worlds.

    Attributes:
        observations: ``[n, size]``.
        place: ``[n, d]`` where the robot is (m).
        velocity: ``[n, d]`` its mean velocity during the step (m/s).
        control_cost: ``[n]``.
        contact_cost: ``[n]``.
        survival: ``[n]`` reward for standing.
        fallen: ``[n]`` the episode ends here.
        diverged: ``[n]`` the simulation became unstable, and MuJoCo reset it.
    """

    observations: FloatArray
    place: FloatArray
    velocity: FloatArray
    control_cost: npt.NDArray[np.floating[Any]]
    contact_cost: FloatArray
    survival: FloatArray
    fallen: BoolArray
    diverged: BoolArray


class Worlds:
    """Steps worlds of one robot; what a world does depends on nothing beside it.

    Args:
        robot: The robot.
        num_worlds: ``N``, how many.
    """

    def __init__(self, robot: Robot, num_worlds: int) -> None:
        model = robot.reference.model
        assert model.na == 0, "activations would belong to the state"
        log_warnings()
        self._robot = robot
        self._models = [model] * num_worlds
        self._data = mujoco.MjData(model)
        self._states = np.zeros((num_worlds, mujoco.mj_stateSize(model, _STATE)))
        ends = np.cumsum([model.nq, model.nv, model.nv, model.nu]).tolist()
        self._qpos, self._qvel, self._ctrl = (
            slice(0, ends[0]),
            slice(ends[0], ends[1]),
            slice(ends[2], ends[3]),
        )
        self._tracked = np.zeros((num_worlds, robot.dimensions))
        self._body_mass = np.tile(model.body_mass, (num_worlds, 1))

    def set_models(self, models: Sequence[Any]) -> None:
        """Gives every world an ``MjModel`` of the robot's structure, which isn't changed."""
        self._models = list(models)
        self._body_mass[:] = [model.body_mass for model in models]

    def reset(self, rows: Sequence[int], rngs: Sequence[np.random.Generator]) -> FloatArray:
        """Starts an episode in some worlds, each with noise from its own generator.

        Returns:
            ``[n, size]`` observations.
        """
        data = self._data
        blocks = self._blocks(len(rows))
        for index, (row, rng) in enumerate(zip(rows, rngs, strict=True)):
            model = self._models[row]
            mujoco.mj_resetData(model, data)
            data.qpos[:], data.qvel[:] = self._robot.initial(rng)
            mujoco.mj_forward(model, data)
            mujoco.mj_getState(model, data, self._states[row], _STATE)
            for block, view in blocks.values():
                block[index] = view
        frame = self._frame(rows, self._states[rows], blocks)
        self._tracked[rows] = self._robot.tracked(frame)
        return self._robot.observe(frame)

    def advance(self, rows: npt.NDArray[np.intp], actions: Actions) -> Motion:
        """Moves some worlds by one step of the environment.

        Args:
            rows: ``[n]`` which.
            actions: ``[n, nu]``, float32 or float64.
        """
        data, robot = self._data, self._robot
        frame_skip = robot.reference.frame_skip
        warnings = data.warning.number
        states = self._states[rows]
        states[:, self._ctrl] = actions
        blocks = self._blocks(len(rows))
        copies = list(blocks.values())
        diverged = np.zeros(len(rows), dtype=np.bool_)
        warnings[:] = 0
        calm = warnings[DIVERGED].tolist()
        models = [self._models[row] for row in rows.tolist()]
        for index, (model, state) in enumerate(zip(models, states, strict=True)):
            mujoco.mj_setState(model, data, state, _STATE)
            mujoco.mj_step(model, data, frame_skip)
            if robot.contact_forces:
                mujoco.mj_rnePostConstraint(model, data)
            mujoco.mj_getState(model, data, state, _STATE)
            for block, view in copies:
                block[index] = view
            if warnings[DIVERGED].tolist() != calm:
                diverged[index] = True
                warnings[:] = 0
        self._states[rows] = states
        frame = self._frame(rows, states, blocks)
        tracked = robot.tracked(frame)
        velocity = (tracked - self._tracked[rows]) / robot.reference.dt
        self._tracked[rows] = tracked
        healthy = robot.healthy(frame)
        return Motion(
            observations=robot.observe(frame),
            place=robot.place(frame).copy(),
            velocity=velocity,
            control_cost=robot.control_cost(frame, actions),
            contact_cost=robot.contact_cost(frame),
            survival=robot.survival_reward(healthy),
            fallen=robot.fallen(healthy),
            diverged=diverged,
        )

    def _blocks(self, num_worlds: int) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Per field that the robot reads: room for all worlds, and a live view of the data."""
        views = {name: getattr(self._data, name) for name in self._robot.fields}
        return {name: (np.empty((num_worlds, *view.shape)), view) for name, view in views.items()}

    def _frame(
        self,
        rows: Sequence[int] | npt.NDArray[np.intp],
        states: FloatArray,
        blocks: dict[str, tuple[FloatArray, FloatArray]],
    ) -> Frame:
        return Frame(
            qpos=states[:, self._qpos],
            qvel=states[:, self._qvel],
            ctrl=states[:, self._ctrl],
            fields={name: block for name, (block, _) in blocks.items()},
            body_mass=self._body_mass[rows],
        )
