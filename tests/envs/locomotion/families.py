"""Two or three tasks of every locomotion family, for the tests."""

import numpy as np

from metarl.envs.locomotion import FAMILIES
from metarl.tasks import Task

GOALS = {
    "halfcheetah-dir": [[1.0], [-1.0]],
    "halfcheetah-vel": [[0.3], [1.7]],
    "ant-dir": [[1.0, 0.0], [-1.0, 0.0]],
    "ant-dir-2d": [[0.6, 0.8], [-0.8, 0.6]],
    "ant-vel": [[0.3], [2.7]],
    "ant-goal": [[1.0, -2.0], [0.5, 0.25]],
    "walker2d-dir": [[1.0], [-1.0]],
    "walker2d-vel": [[3.0], [7.5]],
    "humanoid-dir": [[1.0, 0.0], [-1.0, 0.0]],
    "humanoid-dir-2d": [[0.6, 0.8], [-0.8, 0.6]],
}


def tasks_of(name):
    """Two tasks of a family."""
    family = FAMILIES[name]
    if family.varies:
        return family.sample_physics(2, np.random.default_rng(0))
    return [family.task(goal) for goal in GOALS[name]]


def plain_task(name):
    """The task of a family that is nearest to Gymnasium's own environment."""
    return Task(name, {"physics": []}) if FAMILIES[name].varies else tasks_of(name)[0]


def random_actions(space, steps, rows, dtype=np.float32):
    """Uniform actions, ``[steps, rows, ...]``."""
    shape = (steps, rows, *space.shape)
    return np.random.default_rng(3).uniform(space.low, space.high, shape).astype(dtype)
