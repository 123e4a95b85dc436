"""What holds for every vector environment of this package."""

import numpy as np
import pytest

from metarl.envs import make_benchmark
from metarl.envs.gymnasium import NoSplit, TaskFamily, Uniform
from metarl.envs.metaworld import MetaWorldTasks, metaworld_task
from metarl.vector import DeferredVectorEnv

REACH = [
    metaworld_task("reach-v3", [0.0, 0.6, 0.02, x, 0.85, 0.2], goal_observable=True)
    for x in (-0.05, 0.05)
]


def metaworlds(backend):
    return MetaWorldTasks(REACH, max_episode_steps=4, backend=backend)


def pendulums():
    family = TaskFamily("Pendulum-v1", attributes={"m": Uniform(0.5, 2.0)}, split=NoSplit())
    return family.benchmark(max_episode_steps=4).train


DISTRIBUTIONS = {
    "navigation": lambda: make_benchmark("navigation", max_episode_steps=4).train,
    "tabular": lambda: make_benchmark("tabular-mdps", max_episode_steps=4).train,
    "locomotion": lambda: make_benchmark("halfcheetah-vel", max_episode_steps=4).train,
    "batched Meta-World": lambda: metaworlds("fast"),
    "one by one": lambda: metaworlds("reference"),
    "any environment": pendulums,
}


@pytest.fixture(params=DISTRIBUTIONS)
def vec(request):
    distribution = DISTRIBUTIONS[request.param]()
    vec = distribution.make_vec(distribution.sample(2, np.random.default_rng(0)), 2)
    vec.action_space.seed(0)
    yield vec
    vec.close()


def arrays_of(result):
    return [part for part in result if isinstance(part, np.ndarray)]


def test_results_are_not_overwritten_by_later_calls(vec):
    """Whoever keeps what a call returned finds it unchanged after later steps and resets."""
    kept = arrays_of(vec.reset(seed=1))
    for _ in range(2):
        kept += arrays_of(vec.step(vec.action_space.sample()))
    if isinstance(vec, DeferredVectorEnv):
        kept += arrays_of(vec.advance(vec.action_space.sample()))
        kept += arrays_of(vec.settle())
    copies = [array.copy() for array in kept]
    vec.reset(seed=2, options={"reset_mask": np.array([True, False, False, True])})
    vec.step(vec.action_space.sample())
    vec.reset(seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(kept, copies, strict=True))


def test_actions_of_rows_that_have_ended_may_be_anything(vec):
    if vec.single_action_space.shape == ():
        pytest.skip("whole numbers are always finite")
    vec.reset(seed=1)
    for _ in range(3):
        vec.step(vec.action_space.sample())
    ended = vec.step(vec.action_space.sample())
    assert (ended[2] | ended[3]).all()
    again = vec.step(np.full(vec.action_space.shape, np.nan, dtype=np.float32))
    assert np.array_equal(again[0], ended[0])
    assert not again[1].any()
