"""The locomotion benchmarks of the meta-RL literature, on Gymnasium's v5 environments.

Sources: Finn et al. 2017 (MAML; their code ``maml_rl``), Rothfuss et al. 2019 (ProMP), Rakelly et
al. 2019 (PEARL). A reward below is that of the source's code, ``a`` an action, ``v`` the robot's
mean velocity during the step (m/s). What differs from all of them: the simulator and the models
are those of Gymnasium v5; falling is judged by v5's ranges of height and angle; actions are
Gymnasium's, not scaled by ten as in ProMP; Ant and Humanoid observe v5's vectors. ``maml_rl`` also
lets the robot observe where its torso is, and measures the velocity of its centre of mass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from metarl.errors import ConfigError
from metarl.seeding import Purpose, Stream
from metarl.tasks import Benchmark, Task

from .distribution import MAX_EPISODE_STEPS, LocomotionTasks
from .families import Family, family_of

Draw: TypeAlias = Callable[[Family, int, np.random.Generator], list[Task]]


def halfcheetah_dir(seed: int = 0, *, max_episode_steps: int = MAX_EPISODE_STEPS) -> Benchmark:
    """HalfCheetah, to run forward or backward: ``±v_x - 0.05 |a|^2`` (all three sources).

    There are two tasks, so training and test tasks are the same ones, as everywhere in the
    literature; the manifest says ``"disjoint": false``.

    Args:
        seed: Recorded in the manifest; nothing is drawn.
        max_episode_steps: Horizon.
    """
    return _directions("halfcheetah-dir", [[1.0], [-1.0]], seed, max_episode_steps)


def halfcheetah_vel(
    seed: int = 0,
    *,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    velocity_range: tuple[float, float] = (0.0, 2.0),
    num_train_tasks: int = 100,
    num_test_tasks: int = 30,
) -> Benchmark:
    """HalfCheetah, to run at a velocity: ``-|v_x - goal| - 0.05 |a|^2`` (all three sources).

    Goals are uniform on 0 to 2 m/s as in the paper of Finn et al. (ProMP and PEARL: 0 to 3). They
    draw new goals for every iteration; here, as in PEARL, a fixed set is trained on, so that the
    test goals are surely new. The numbers of tasks are PEARL's.

    Args:
        seed: Seed of the goals.
        max_episode_steps: Horizon.
        velocity_range: Least and greatest goal (m/s).
        num_train_tasks: Goals to train on.
        num_test_tasks: Other goals, to test on.

    Raises:
        ConfigError: If a number is out of range.
    """
    return _drawn(
        "halfcheetah-vel",
        _velocities(velocity_range),
        seed,
        max_episode_steps,
        (num_train_tasks, num_test_tasks),
        {"velocity_range": list(velocity_range)},
    )


def ant_dir(seed: int = 0, *, max_episode_steps: int = MAX_EPISODE_STEPS) -> Benchmark:
    """Ant, to run forward or backward: ``±v_x + 1 - 0.5 |a|^2 - contact`` (ProMP, PEARL).

    The two tasks are both trained and tested on; see :func:`halfcheetah_dir` for the arguments.
    ``contact`` is v5's cost of contact forces, ``0.0005 |f|^2`` with forces clipped to 1.
    The ant of Finn et al. has the same two tasks with other constants, ``+ 0.05 - 0.005 |a|^2``.
    """
    return _directions("ant-dir", [[1.0, 0.0], [-1.0, 0.0]], seed, max_episode_steps)


def ant_dir_2d(
    seed: int = 0,
    *,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    num_train_tasks: int = 100,
    num_test_tasks: int = 30,
) -> Benchmark:
    """Ant, to run in a direction of the plane: ``u . v + 1 - 0.5 |a|^2 - contact`` (ProMP, PEARL).

    Directions ``u`` are uniform on the circle. For the arguments see :func:`halfcheetah_vel`.
    """
    numbers = num_train_tasks, num_test_tasks
    return _drawn("ant-dir-2d", _circle, seed, max_episode_steps, numbers, {})


def ant_vel(
    seed: int = 0,
    *,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    velocity_range: tuple[float, float] = (0.0, 3.0),
    num_train_tasks: int = 100,
    num_test_tasks: int = 30,
) -> Benchmark:
    """Ant, at a velocity: ``-|v_x - goal| + 1.05 - 0.005 |a|^2 - contact`` (Finn et al.).

    Goals are uniform on 0 to 3 m/s. For the arguments see :func:`halfcheetah_vel`.
    """
    return _drawn(
        "ant-vel",
        _velocities(velocity_range),
        seed,
        max_episode_steps,
        (num_train_tasks, num_test_tasks),
        {"velocity_range": list(velocity_range)},
    )


def ant_goal(
    seed: int = 0,
    *,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    num_train_tasks: int = 150,
    num_test_tasks: int = 30,
) -> Benchmark:
    """Ant, to reach a place: ``-|x - g_x| - |y - g_y| - 0.1 |a|^2 - contact`` (ProMP, PEARL).

    Goals are uniform on the disc of 3 m around the start. The ant observes where it is, and
    episodes don't end when it falls. For the arguments see :func:`halfcheetah_vel`.
    """
    numbers = num_train_tasks, num_test_tasks
    return _drawn("ant-goal", _disc, seed, max_episode_steps, numbers, {"radius": 3.0})


def walker2d_dir(seed: int = 0, *, max_episode_steps: int = MAX_EPISODE_STEPS) -> Benchmark:
    """Walker2d, to walk forward or backward: ``±v_x + 1 - 0.001 |a|^2`` (ProMP).

    The two tasks are both trained and tested on; see :func:`halfcheetah_dir` for the arguments. A
    step is four simulation steps as in v5 (ProMP: eight).
    """
    return _directions("walker2d-dir", [[1.0], [-1.0]], seed, max_episode_steps)


def walker2d_vel(
    seed: int = 0,
    *,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    velocity_range: tuple[float, float] = (0.0, 10.0),
    num_train_tasks: int = 100,
    num_test_tasks: int = 30,
) -> Benchmark:
    """Walker2d, to walk at a velocity: ``-|v_x - goal| + 15 - 0.001 |a|^2`` (ProMP).

    Goals are uniform on 0 to 10 m/s. For the arguments see :func:`halfcheetah_vel`.
    """
    return _drawn(
        "walker2d-vel",
        _velocities(velocity_range),
        seed,
        max_episode_steps,
        (num_train_tasks, num_test_tasks),
        {"velocity_range": list(velocity_range)},
    )


def walker2d_params(
    seed: int = 0,
    *,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    num_train_tasks: int = 40,
    num_test_tasks: int = 10,
) -> Benchmark:
    """Walker2d with random masses, inertia, damping and friction (ProMP, PEARL).

    Reward: Gymnasium's own, ``v_x + 1 - 0.001 |a|^2``. See :data:`.RANDOM_PARAMETERS`. Beyond the
    sources, ``mj_setConst`` makes derived quantities follow the masses. The numbers of tasks are
    PEARL's. For the arguments see :func:`halfcheetah_vel`.
    """
    numbers = num_train_tasks, num_test_tasks
    return _drawn("walker2d-params", _physics, seed, max_episode_steps, numbers, {})


def hopper_params(
    seed: int = 0,
    *,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    num_train_tasks: int = 40,
    num_test_tasks: int = 10,
) -> Benchmark:
    """Hopper with random masses, inertia, damping and friction; see :func:`walker2d_params`."""
    numbers = num_train_tasks, num_test_tasks
    return _drawn("hopper-params", _physics, seed, max_episode_steps, numbers, {})


def humanoid_dir(seed: int = 0, *, max_episode_steps: int = MAX_EPISODE_STEPS) -> Benchmark:
    """Humanoid, forward or backward: ``±1.25 v_x + 5 - 0.1 |a|^2 - contact`` (ProMP).

    The two tasks are both trained and tested on; see :func:`halfcheetah_dir` for the arguments.
    """
    return _directions("humanoid-dir", [[1.0, 0.0], [-1.0, 0.0]], seed, max_episode_steps)


def humanoid_dir_2d(
    seed: int = 0,
    *,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    num_train_tasks: int = 100,
    num_test_tasks: int = 30,
) -> Benchmark:
    """Humanoid, in a direction: ``1.25 u . v + 5 - 0.1 |a|^2 - contact`` (ProMP, PEARL).

    Directions ``u`` are uniform on the circle. For the arguments see :func:`halfcheetah_vel`.
    """
    numbers = num_train_tasks, num_test_tasks
    return _drawn("humanoid-dir-2d", _circle, seed, max_episode_steps, numbers, {})


def _directions(
    name: str, directions: Sequence[Sequence[float]], seed: int, max_episode_steps: int
) -> Benchmark:
    family = family_of(name)
    distribution = LocomotionTasks(
        [family.task(direction) for direction in directions],
        max_episode_steps=max_episode_steps,
        replace=True,
    )
    return Benchmark(name, distribution, distribution, seed, settings={}, shares_tasks=True)


def _drawn(
    name: str,
    draw: Draw,
    seed: int,
    max_episode_steps: int,
    numbers: tuple[int, int],
    settings: dict[str, Any],
) -> Benchmark:
    for field, number in zip(("num_train_tasks", "num_test_tasks"), numbers, strict=True):
        if number < 1:
            raise ConfigError(f"{field}: got {number}; must be at least 1.")
    tasks = draw(family_of(name), sum(numbers), Stream(seed).child(Purpose.SPLIT).numpy())
    train, test = tasks[: numbers[0]], tasks[numbers[0] :]
    return Benchmark(
        name,
        train=LocomotionTasks(train, max_episode_steps=max_episode_steps),
        test=LocomotionTasks(test, max_episode_steps=max_episode_steps),
        seed=seed,
        settings=settings,
    )


def _velocities(velocity_range: tuple[float, float]) -> Draw:
    low, high = velocity_range
    if not -np.inf < low < high < np.inf:
        raise ConfigError(f"velocity_range: got {velocity_range}; must rise and be finite.")

    def draw(family: Family, count: int, rng: np.random.Generator) -> list[Task]:
        return [family.task([goal]) for goal in rng.uniform(low, high, size=count).tolist()]

    return draw


def _circle(family: Family, count: int, rng: np.random.Generator) -> list[Task]:
    angles = rng.uniform(0.0, 2.0 * np.pi, size=count)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return [family.task(direction) for direction in directions.tolist()]


def _disc(family: Family, count: int, rng: np.random.Generator) -> list[Task]:
    angles = rng.uniform(0.0, 2.0 * np.pi, size=count)
    radii = 3.0 * np.sqrt(rng.uniform(size=count))
    places = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return [family.task(place) for place in places.tolist()]


def _physics(family: Family, count: int, rng: np.random.Generator) -> list[Task]:
    return family.sample_physics(count, rng)
