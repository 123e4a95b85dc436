"""The physics of one environment class: many worlds, one MuJoCo model and data.

The worlds are rows of a state array. To step one, its row is copied into the data, five
``mj_step`` and one ``mj_forward`` run, the task's quantities are read, and the state is copied
back. All rows thus share one working set that stays in the processor's cache, which is faster
than a data structure per world, and a world costs about 2 kB.

Two calls of Meta-World's step are left out because they change nothing that is read:
``mj_rnePostConstraint``, and the writes to target sites that ``mj_forward`` overwrites. The
``mj_forward`` itself must stay: it replaces the warm start of the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from .sources import BoolArray, FloatArray, Readings, Source
from .spec import GraspContact

FRAME_SKIP = 5
ACTION_SCALE = 1.0 / 100
MOCAP_QUAT = (1.0, 0.0, 1.0, 0.0)

STATE = int(
    mujoco.mjtState.mjSTATE_QPOS
    | mujoco.mjtState.mjSTATE_QVEL
    | mujoco.mjtState.mjSTATE_WARMSTART
    | mujoco.mjtState.mjSTATE_CTRL
    | mujoco.mjtState.mjSTATE_MOCAP_POS
)
_LONG_AFTER_RESET = 1.0
"""A time that tells whether MuJoCo reset the data by itself: it then starts again from zero."""


@dataclass(frozen=True)
class PhysicsStep:
    """What a step of ``n`` worlds yields beside the new states.

    Attributes:
        blocks: ``[n, ...]`` stretches of the data's arrays, for :meth:`Physics.readings`.
        touching: ``[n]`` whether both pads push on the object, where that was asked.
        diverged: ``[n]`` MuJoCo found a bad state and reset the world to the model's defaults.
    """

    blocks: list[FloatArray]
    touching: BoolArray
    diverged: BoolArray


class Physics:
    """Steps worlds of one class.

    Args:
        model: The class's ``MjModel``. Its ``body_pos`` is written before every step.
        sources: The quantities to read.
        mocap_low: ``[3]`` least position of the hand's target (m).
        mocap_high: ``[3]`` greatest position.
        contact: Contact to watch, if any.
    """

    def __init__(
        self,
        model: Any,
        sources: Sequence[Source],
        mocap_low: FloatArray,
        mocap_high: FloatArray,
        contact: GraspContact | None = None,
    ) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        self.state_size: int = mujoco.mj_stateSize(model, STATE)
        self._mocap_low = mocap_low
        self._mocap_high = mocap_high
        ctrl = model.nq + 2 * model.nv
        self._ctrl = slice(ctrl, ctrl + model.nu)
        self._mocap = slice(ctrl + model.nu, ctrl + model.nu + 3)
        self._windows = _windows(model, self.data, sources)
        self._joints = {s: s.index(model) for s in sources if s.field == "qpos"}
        self._contact = None if contact is None else _ContactReader(model, self.data, contact)

    def capture(self, data: Any) -> FloatArray:
        """Returns the ``[state_size]`` state of another ``MjData`` of the same class."""
        state = np.empty(self.state_size)
        mujoco.mj_getState(self.model, data, state, STATE)
        return state

    def apply(self, states: FloatArray, actions: npt.NDArray[np.floating[Any]]) -> None:
        """Writes actions into states: moves the hand's target and sets the gripper.

        Args:
            states: ``[n, state_size]``, changed in place.
            actions: ``[n, 4]``. The displacement is computed in their own precision.
        """
        displacement = np.minimum(np.maximum(actions[:, :3], -1), 1) * ACTION_SCALE
        target = np.maximum(states[:, self._mocap] + displacement, self._mocap_low)
        states[:, self._mocap] = np.minimum(target, self._mocap_high)
        states[:, self._ctrl.start] = actions[:, 3]
        states[:, self._ctrl.start + 1] = -actions[:, 3]

    def step(
        self,
        states: FloatArray,
        body_pos: Sequence[FloatArray],
        floors: FloatArray | None = None,
    ) -> PhysicsStep:
        """Advances every world by one environment step.

        Args:
            states: ``[n, state_size]``, changed in place.
            body_pos: ``[nbody, 3]`` the model's body positions, which differ between goals, ``n``
                times. Worlds that share an array are faster side by side.
            floors: ``[n]`` height above which contacts are read, if contacts are watched.
        """
        model, data, contact = self.model, self.data, self._contact
        set_state, get_state = mujoco.mj_setState, mujoco.mj_getState
        mj_step, mj_forward = mujoco.mj_step, mujoco.mj_forward
        num_worlds = len(states)
        blocks = [np.empty((num_worlds, *view.shape)) for _, _, view in self._windows]
        copies = [(block, view) for block, (_, _, view) in zip(blocks, self._windows, strict=True)]
        diverged = np.zeros(num_worlds, dtype=np.bool_)
        touching = np.zeros(num_worlds, dtype=np.bool_)
        heights = floors.tolist() if floors is not None else None
        placed: FloatArray | None = None
        model_body_pos = model.body_pos
        data.mocap_quat[:] = MOCAP_QUAT
        data.time = _LONG_AFTER_RESET

        for i, state in enumerate(states):
            if body_pos[i] is not placed:
                placed = body_pos[i]
                model_body_pos[:] = placed
            set_state(model, data, state, STATE)
            mj_step(model, data, FRAME_SKIP)
            mj_forward(model, data)
            get_state(model, data, state, STATE)
            for block, view in copies:
                block[i] = view
            if contact is not None:
                touching[i] = contact.read(None if heights is None else heights[i])
            if data.time < _LONG_AFTER_RESET:
                diverged[i] = True
                data.mocap_quat[:] = MOCAP_QUAT
                data.time = _LONG_AFTER_RESET

        if self._joints:
            blocks.append(states[:, : model.nq].copy())
        return PhysicsStep(blocks, touching, diverged)

    def readings(self, blocks: Sequence[FloatArray]) -> Readings:
        """Finds the sources in the blocks of a step, or of several steps laid end to end."""
        readings: dict[Source, FloatArray] = {}
        for block, (first, sources, _) in zip(blocks, self._windows, strict=False):
            for source, index in sources.items():
                readings[source] = block[:, index - first]
        for source, index in self._joints.items():
            readings[source] = blocks[-1][:, index]
        return readings


def _windows(
    model: Any, data: Any, sources: Sequence[Source]
) -> list[tuple[int, dict[Source, int], FloatArray]]:
    """Per field of ``MjData``: the first row to read, each source's row, and a live view of them.

    One contiguous copy per field is cheaper than one per source.
    """
    windows = []
    for field in sorted({source.field for source in sources} - {"qpos"}):
        rows = {s: s.index(model) for s in sources if s.field == field}
        first, last = min(rows.values()), max(rows.values())
        view = getattr(data, field)[first : last + 1]
        windows.append((first, rows, view))
    return windows


class _ContactReader:
    """Tells whether both finger pads push on a geom of the world just stepped."""

    def __init__(self, model: Any, data: Any, contact: GraspContact) -> None:
        def geom(name: str) -> int:
            return int(mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, name))

        self._data = data
        self._object = geom(contact.geom)
        self._pads = (geom("leftpad_geom"), geom("rightpad_geom"))
        self._position: FloatArray | None = None
        if contact.lifted is not None:
            self._position = getattr(data, contact.lifted.field)[contact.lifted.index(model)]

    def read(self, floor: float | None) -> bool:
        """Returns whether both pads push; False, unread, for an object not above ``floor``."""
        if self._position is not None and floor is not None and not self._position[2] > floor:
            return False
        if self._data.ncon < 2:
            return False
        contacts = self._data.contact
        held = [
            (number, side)
            for number, pair in enumerate(contacts.geom.tolist())
            if self._object in pair
            for side, pad in enumerate(self._pads)
            if pad in pair
        ]
        if len({side for _, side in held}) < 2:
            return False
        address = contacts.efc_address
        force = [0.0, 0.0]
        for number, side in held:
            # A contact without constraint has address -1; Meta-World then adds the last
            # constraint's force, and so does this.
            force[side] += float(self._data.efc_force[address[number]])
        return force[0] > 0 and force[1] > 0
