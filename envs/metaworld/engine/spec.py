"""What a task declares, and what its reward function sees and returns.

Legend of axes: ``n`` is the number of worlds (rows) in a batch of one environment class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .narrowed import Narrowed
from .sources import (
    LEFT_FINGER,
    LEFT_PAD,
    RIGHT_FINGER,
    RIGHT_PAD,
    BoolArray,
    FloatArray,
    Readings,
    Source,
)

Values: TypeAlias = "FloatArray | Narrowed"
"""One scalar per row: ``[n]`` float64, or the same with some rows rounded to float32."""

Capture: TypeAlias = Callable[[Any], Mapping[str, npt.ArrayLike]]
"""Takes per-goal constants from a Meta-World environment that has just been reset."""


@dataclass(frozen=True)
class ObservedObject:
    """One object of the observation: a position and an orientation.

    Attributes:
        position: Where the object is, or a function of the readings for positions that are not
            simply stored (its sources belong in :attr:`TaskSpec.reads`).
        orientation: A quaternion is passed on with w first, a rotation matrix is turned into a
            quaternion with x first, as Meta-World does through scipy; a tuple is a constant.
        offset: Added to the position (m).
    """

    position: Source | Callable[[Readings], FloatArray]
    orientation: Source | tuple[float, float, float, float]
    offset: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class GraspContact:
    """Asks for :attr:`Rows.touching`: do both finger pads push on a geom?

    Reading contacts costs several microseconds, so rows that cannot count as a grasp are left
    out: with ``lifted`` set, contacts are read only where that quantity's z exceeds the z of
    ``reference`` by ``clearance``. The reward function must still apply the task's own test.

    Attributes:
        geom: Name of the geom that is to be held.
        lifted: The quantity whose z is tested, or None to read contacts of every row.
        reference: Name of the constant with the object's initial position.
        clearance: Never more than the clearance that the task itself demands (m).
    """

    geom: str
    lifted: Source | None = None
    reference: str = "obj_init_pos"
    clearance: float = 0.0


@dataclass(frozen=True)
class Rows:
    """A batch of worlds of one class after a step: all that a reward may depend on.

    Attributes:
        obs: ``[n, 39]`` the clipped observation.
        action: ``[n, 4]`` as given by the caller, not clipped, float32 or float64.
        readings: The task's sources after the step.
        constants: Per-goal constants, ``[n, ...]``: ``target``, ``init_tcp``, ``obj_init_pos``
            and what the task captures itself.
        memory: ``[n]`` values carried through the episode, NaN at its first step; the reward
            function writes them (see :func:`.rewards.primitives.once`).
        touching: ``[n]`` whether both pads push on the geom of :class:`GraspContact`.
    """

    obs: FloatArray
    action: npt.NDArray[np.floating[Any]]
    readings: Readings
    constants: Mapping[str, FloatArray]
    memory: Mapping[str, FloatArray]
    touching: BoolArray

    def read(self, source: Source) -> FloatArray:
        """Returns a declared quantity after the step."""
        return self.readings[source]

    def constant(self, name: str) -> FloatArray:
        """Returns a per-goal constant."""
        return self.constants[name]

    @cached_property
    def hand(self) -> FloatArray:
        """``[n, 3]`` position of the hand, clipped to the observation's bounds."""
        return self.obs[:, :3]

    @cached_property
    def opening(self) -> FloatArray:
        """``[n]`` gripper opening, 0 closed to 1 open."""
        return self.obs[:, 3]

    @cached_property
    def obj(self) -> FloatArray:
        """``[n, 3]`` observed position of the first object."""
        return self.obs[:, 4:7]

    @property
    def effort(self) -> npt.NDArray[np.floating[Any]]:
        """``[n]`` the action's gripper effort, in the caller's precision."""
        return self.action[:, 3]

    @cached_property
    def tcp(self) -> FloatArray:
        """``[n, 3]`` centre between the two fingertips."""
        centre: FloatArray = (self.readings[RIGHT_FINGER] + self.readings[LEFT_FINGER]) / 2.0
        return centre

    @property
    def left_pad(self) -> FloatArray:
        """``[n, 3]`` present position of the left pad (also Meta-World's ``init_left_pad``)."""
        return self.readings[LEFT_PAD]

    @property
    def right_pad(self) -> FloatArray:
        """``[n, 3]`` present position of the right pad (also Meta-World's ``init_right_pad``)."""
        return self.readings[RIGHT_PAD]

    @property
    def target(self) -> FloatArray:
        """``[n, 3]`` Meta-World's ``_target_pos``."""
        return self.constants["target"]

    @property
    def init_tcp(self) -> FloatArray:
        """``[n, 3]`` the fingertip centre at reset."""
        return self.constants["init_tcp"]

    @property
    def obj_init_pos(self) -> FloatArray:
        """``[n, 3]`` Meta-World's ``obj_init_pos``."""
        return self.constants["obj_init_pos"]


@dataclass(frozen=True)
class Outcome:
    """Reward and info of a step, one value per row; a plain number counts for every row.

    The fields are Meta-World's info keys; its ``unscaled_reward`` equals ``reward`` always.
    """

    reward: Values
    success: Values | BoolArray
    near_object: Values | BoolArray | float
    grasp_success: Values | BoolArray | float
    grasp_reward: Values | float
    in_place_reward: Values | float
    obj_to_target: Values | float


INFO_KEYS = (
    "success",
    "near_object",
    "grasp_success",
    "grasp_reward",
    "in_place_reward",
    "obj_to_target",
    "unscaled_reward",
)
"""What Meta-World reports with every step of every task."""


@dataclass(frozen=True)
class TaskSpec:
    """A Meta-World task, as far as it differs from the others.

    Attributes:
        name: Meta-World's name, such as ``reach-v3``.
        objects: What the observation shows after the hand, one or two objects.
        reward: The reward function, over rows.
        reads: Quantities that the reward needs; the robot's own and the observed ones are always
            there.
        capture: Takes further per-goal constants from a Meta-World environment after its reset.
            They overrule ``target``, ``init_tcp`` and ``obj_init_pos`` where names meet.
        memory: Names of values carried through an episode.
        contact: Set if the reward reads :attr:`Rows.touching`.
    """

    name: str
    objects: tuple[ObservedObject, ...]
    reward: Callable[[Rows], Outcome]
    reads: tuple[Source, ...] = ()
    capture: Capture | None = None
    memory: tuple[str, ...] = ()
    contact: GraspContact | None = field(default=None)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Everything to read for the observation and the reward beyond the robot's own."""
        observed = [
            source
            for item in self.objects
            for source in (item.position, item.orientation)
            if isinstance(source, Source)
        ]
        return (*self.reads, *observed)
