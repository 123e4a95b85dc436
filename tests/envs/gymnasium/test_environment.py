import pytest

from metarl.envs.gymnasium import NoSplit, OneOf, TaskFamily, Uniform
from metarl.errors import TaskError
from metarl.tasks import Task
from tests.envs.gymnasium.walkers import WALKERS, Walker


def test_an_attribute_is_found_through_the_wrappers():
    family = TaskFamily("Pendulum-v1", attributes={"m": Uniform(0.5, 2.0)})
    train = family.benchmark().train
    env = train.make_env(train.tasks[0])
    env.reset(seed=0)
    assert env.unwrapped.m == train.tasks[0].parameters["m"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("mx", r"mx: PendulumEnv has no attribute 'mx'; did you mean m"),
        ("unwrapped.mx", r"unwrapped.mx: PendulumEnv has no attribute 'mx'; did you mean m"),
        ("unwrapped.model.mass", "unwrapped.model.mass: PendulumEnv has no attribute 'model'"),
        ("unwrapped.unwrapped", r"unwrapped.unwrapped: can't be set to 0\."),
    ],
)
def test_an_attribute_that_is_not_there_is_refused_with_the_nearest(path, message):
    family = TaskFamily("Pendulum-v1", attributes={path: Uniform(0.0, 1.0)})
    with pytest.raises(TaskError, match=message):
        family.benchmark()


def test_an_array_attribute_keeps_its_shape():
    settings = {**WALKERS, "attributes": {"gains": Uniform(0.0, 1.0)}}
    with pytest.raises(TaskError, match=r"gains: got shape \(\); the attribute's is \(2,\)"):
        TaskFamily(Walker, **settings).benchmark()


class Drifting(Walker):
    """Changes the lists that it is given."""

    def __init__(self, path=()):
        super().__init__()
        self.path, self.goal, self.home = path, [0.0], [0.0]

    def reset(self, *, seed=None, options=None):
        self.way = options["way"]
        self.seen = [list(values) for values in (self.path, self.goal, self.way, self.home)]
        for values in (self.path, self.goal, self.way, self.home):
            values[0] += 1
        return super().reset(seed=seed)


def take_home(env, parameters):
    env.unwrapped.home = parameters["home"]


def test_an_environment_that_changes_what_it_is_given_does_not_change_the_task():
    values = OneOf([[0.5], [0.25]])
    family = TaskFamily(
        Drifting,
        arguments={"path": values},
        attributes={"goal": values},
        options={"way": values},
        parameters={"home": values},
        apply=take_home,
        reuse=True,
        split=NoSplit(),
        max_episode_steps=4,
    )
    task = Task(family.name, {name: [0.5] for name in ("path", "goal", "way", "home")})
    tasks = family.benchmark().train
    env = tasks.make_env(task)
    for _ in range(2):
        env.reset()
    assert env.unwrapped.seen[1:3] == [[0.5], [0.5]]  # what a reset sets
    assert tasks.retask(env, task)
    env.reset()
    assert env.unwrapped.seen[1:] == [[0.5], [0.5], [0.5]]
    assert env.parameters == task.parameters
