"""The locomotion benchmarks of the meta-RL literature."""

from __future__ import annotations

from metarl.errors import ConfigError
from metarl.seeding import Purpose, Stream
from metarl.tasks import Benchmark

from .distribution import MAX_EPISODE_STEPS, LocomotionTasks
from .families import family_of

NUM_TRAIN_TASKS, NUM_TEST_TASKS = 100, 30
"""As many as PEARL (Rakelly et al. 2019) trains and tests on."""


def halfcheetah_dir(seed: int = 0, *, max_episode_steps: int = MAX_EPISODE_STEPS) -> Benchmark:
    """HalfCheetah, to run forward or backward (Finn et al. 2017, section 5.3.2).

    Reward: ``direction * v_x - 0.05 |a|^2``, as in their code and in ProMP's (Rothfuss et al.
    2019). There are two tasks, so training and test tasks are the same ones, as everywhere in the
    literature; the manifest says ``"disjoint": false``.

    Differences from Finn et al.: Gymnasium's v5 model with five simulation steps of 10 ms per
    action, velocity of the root rather than of the centre of mass, 17 observations (theirs also
    hold the torso's position). From ProMP: the model, and no scaling of actions by ten.

    Args:
        seed: Recorded in the manifest; nothing is drawn.
        max_episode_steps: Horizon.
    """
    family = family_of("halfcheetah-dir")
    tasks = [family.task([direction]) for direction in (1.0, -1.0)]
    distribution = LocomotionTasks(tasks, max_episode_steps=max_episode_steps, replace=True)
    return Benchmark(
        name=family.name,
        train=distribution,
        test=distribution,
        seed=seed,
        settings={},
        shares_tasks=True,
    )


def halfcheetah_vel(
    seed: int = 0,
    *,
    max_episode_steps: int = MAX_EPISODE_STEPS,
    velocity_range: tuple[float, float] = (0.0, 2.0),
    num_train_tasks: int = NUM_TRAIN_TASKS,
    num_test_tasks: int = NUM_TEST_TASKS,
) -> Benchmark:
    """HalfCheetah, to run at a velocity (Finn et al. 2017, section 5.3.2).

    Reward: ``-|v_x - goal| - 0.05 |a|^2``. Goals are uniform on 0 to 2 m/s as in the paper (ProMP
    and PEARL: 0 to 3). Finn et al. draw new goals for every iteration; here a fixed set is trained
    on, as in PEARL, so that the test goals are surely new. For the rest see
    :func:`halfcheetah_dir`.

    Args:
        seed: Seed of the goals.
        max_episode_steps: Horizon.
        velocity_range: Least and greatest goal (m/s).
        num_train_tasks: Goals to train on.
        num_test_tasks: Other goals, to test on.

    Raises:
        ConfigError: If a number is out of range.
    """
    low, high = velocity_range
    if not -float("inf") < low < high < float("inf"):
        raise ConfigError(f"velocity_range: got {velocity_range}; must rise and be finite.")
    for name, number in (("num_train_tasks", num_train_tasks), ("num_test_tasks", num_test_tasks)):
        if number < 1:
            raise ConfigError(f"{name}: got {number}; must be at least 1.")
    family = family_of("halfcheetah-vel")
    rng = Stream(seed).child(Purpose.SPLIT).numpy()
    goals = rng.uniform(low, high, size=num_train_tasks + num_test_tasks).tolist()
    tasks = [family.task([goal]) for goal in goals]
    return Benchmark(
        name=family.name,
        train=LocomotionTasks(tasks[:num_train_tasks], max_episode_steps=max_episode_steps),
        test=LocomotionTasks(tasks[num_train_tasks:], max_episode_steps=max_episode_steps),
        seed=seed,
        settings={"velocity_range": [low, high]},
    )
