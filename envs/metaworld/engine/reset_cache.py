"""What a world is right after a reset, taken once from Meta-World itself and kept.

A reset of Meta-World costs 7 to 9 ms: fifty environment steps to place the hand, twice. For a
frozen task its result depends on nothing but the class, the random vector and whether the goal
is observable, so it is captured from a real environment on first use. Nothing of it is computed
here: several attributes are float32 rounded, or read before the last kinematics update.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.types import Task as MetaWorldTask

from metarl.errors import TaskError

from .lean import make_lean
from .physics import Physics
from .rewards import TASKS
from .sources import ROBOT, FloatArray
from .spec import TaskSpec

_MAX_DRAWS = 16


@dataclass(frozen=True)
class WorldTask:
    """One Meta-World task: a class and what is drawn at random for it.

    Attributes:
        env_name: Meta-World's name of the class, such as ``reach-v3``.
        rand_vec: The random vector: initial object position, goal, or both.
        partially_observable: Whether the goal is hidden from the observation.
    """

    env_name: str
    rand_vec: tuple[float, ...]
    partially_observable: bool

    @classmethod
    def from_metaworld(cls, task: MetaWorldTask) -> WorldTask:
        """Reads the task of a Meta-World benchmark made in this process."""
        data = pickle.loads(task.data)  # noqa: S301 Meta-World's own in-memory encoding
        rand_vec = tuple(np.asarray(data["rand_vec"], dtype=np.float64).tolist())
        return cls(task.env_name, rand_vec, bool(data["partially_observable"]))

    def to_metaworld(self) -> MetaWorldTask:
        """Returns the same task in Meta-World's own form."""
        data = {
            "env_cls": ALL_V3_ENVIRONMENTS[self.env_name],
            "rand_vec": np.array(self.rand_vec),
            "partially_observable": self.partially_observable,
        }
        return MetaWorldTask(self.env_name, pickle.dumps(data))


@dataclass(frozen=True)
class ResetPoint:
    """A world right after a reset.

    Attributes:
        state: ``[state_size]`` simulation state, see :class:`.physics.Physics`.
        body_pos: ``[nbody, 3]`` the model's body positions, as this goal has them.
        obs: ``[39]`` the observation that the reset returns.
        constants: The goal's constants by name.
    """

    state: FloatArray
    body_pos: FloatArray
    obs: FloatArray
    constants: Mapping[str, FloatArray]


class EnvClass:
    """A Meta-World class: its specification, its physics, and an environment to ask.

    Args:
        env_name: Meta-World's name of the class.

    Raises:
        ValueError: If there is no such class.
    """

    def __init__(self, env_name: str) -> None:
        if env_name not in TASKS:
            raise ValueError(f"env_name={env_name!r} is none of the tasks: {', '.join(TASKS)}")
        self.spec: TaskSpec = TASKS[env_name]
        self._env = make_lean(env_name)
        self._draws = 0
        self._draw = self._env._get_state_rand_vec
        self._env._get_state_rand_vec = self._counted_draw
        goal_space = self._env.goal_space
        self.goal_bounds: FloatArray = np.stack((goal_space.low, goal_space.high))
        self.physics = Physics(
            self._env.model,
            (*ROBOT, *self.spec.sources),
            self._env.mocap_low,
            self._env.mocap_high,
            self.spec.contact,
        )

    def reset(self, task: WorldTask) -> ResetPoint:
        """Resets the Meta-World environment to a task and captures the result.

        Raises:
            TaskError: If the random vector has the wrong length, or is one that Meta-World
                rejects (it would draw the same vector again, forever).
        """
        expected = self._env._random_reset_space.shape[0]
        if len(task.rand_vec) != expected:
            raise TaskError(
                f"rand_vec: got {list(task.rand_vec)}; {task.env_name} needs {expected} numbers."
            )
        env = self._env
        self._draws = 0
        # When the observability changes, set_task deletes this cached property and fails if it
        # was not computed since.
        assert env.sawyer_observation_space is not None
        env.set_task(task.to_metaworld())
        obs, _ = env.reset()
        constants = {
            "target": env._target_pos,
            "init_tcp": env.init_tcp,
            "obj_init_pos": env.obj_init_pos,
            **(self.spec.capture(env) if self.spec.capture else {}),
        }
        return ResetPoint(
            state=self.physics.capture(env.data),
            body_pos=env.model.body_pos.copy(),
            obs=obs,
            constants={k: np.array(v, dtype=np.float64) for k, v in constants.items()},
        )

    def _counted_draw(self) -> FloatArray:
        self._draws += 1
        if self._draws > _MAX_DRAWS:
            raise TaskError(
                f"rand_vec: got {self._env._last_rand_vec.tolist()}; {self.spec.name} refuses it "
                "(in Meta-World's own tasks, object and goal keep a distance)."
            )
        vector: FloatArray = self._draw()
        return vector


class ResetCache:
    """Environment classes loaded so far, and the most recently used reset points.

    Args:
        capacity: How many reset points to keep, about 4 kB each.
    """

    def __init__(self, capacity: int = 16_384) -> None:
        self._capacity = capacity
        self._classes: dict[str, EnvClass] = {}
        self._points: OrderedDict[WorldTask, ResetPoint] = OrderedDict()

    def env_class(self, env_name: str) -> EnvClass:
        """Returns the class, loading its model (about 5 MB) on first use."""
        if env_name not in self._classes:
            self._classes[env_name] = EnvClass(env_name)
        return self._classes[env_name]

    def get(self, task: WorldTask) -> ResetPoint:
        """Returns the task's reset point, capturing it on first use."""
        point = self._points.get(task)
        if point is None:
            point = self._points[task] = self.env_class(task.env_name).reset(task)
            if len(self._points) > self._capacity:
                self._points.popitem(last=False)
        else:
            self._points.move_to_end(task)
        return point
