"""Plays the same actions in Meta-World's and in our environments and compares all they return."""

import warnings

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.policies import ENV_POLICY_MAP

NAME_OF_CLASS = {cls.__name__: name for name, cls in ALL_V3_ENVIRONMENTS.items()}


def make_both(name, **kwargs):
    """Returns Meta-World's environment and ours, made alike."""
    ours = gymnasium.make_vec(f"metarl/{name}-v0", **kwargs)
    if name.startswith("custom"):
        kwargs = {"vector_strategy": "sync", **kwargs}
    return quietly(gymnasium.make_vec, f"Meta-World/{name}", **kwargs), ours


def quietly(function, *args, **kwargs):
    """Calls Meta-World, which warns about its own spaces and bounds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


class Actor:
    """Experts with noise, and in every fourth row random actions, some beyond bounds."""

    def __init__(self, envs, dtype, seed=0):
        names = [NAME_OF_CLASS[name] for name in envs.get_attr("task_name")]
        self.experts = [ENV_POLICY_MAP[name]() for name in names]
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype

    def __call__(self, obs):
        actions = self.rng.uniform(-1.3, 1.3, (len(obs), 4))
        for row in range(len(obs)):
            if row % 4 == 1:
                continue
            shown = obs[row, :39].astype(np.float64)
            expert = quietly(self.experts[row].get_action, shown)
            actions[row] = expert + 0.05 * actions[row]
        return actions.astype(self.dtype)


def assert_same(theirs, ours, where=""):
    """Asserts equality down to the bit, durations apart.

    Gymnasium gives an info array the type of the first row's value, which can be bool, int or
    float32, and rounds the other rows to it; our values have to be those before that rounding.
    """
    if isinstance(theirs, dict):
        assert set(theirs) == set(ours), where
        for key, value in theirs.items():
            if key != "t":
                assert_same(value, ours[key], f"{where}[{key!r}]")
    elif isinstance(theirs, np.ndarray) and theirs.dtype == object:
        for row, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            assert (a is None) == (b is None), f"{where}[{row}]"
            if a is not None:
                assert_same(a, b, f"{where}[{row}]")
    else:
        assert theirs.shape == ours.shape, where
        np.testing.assert_array_equal(theirs, ours.astype(theirs.dtype), where, strict=True)


def assert_same_step(theirs, ours, where):
    for name, a, b in zip(
        ("obs", "reward", "terminated", "truncated", "infos"), theirs, ours, strict=True
    ):
        if name != "infos":
            assert a.dtype == b.dtype, (where, name)
        assert_same(a, b, f"{where}: {name}")


def play(theirs, ours, *, steps, dtype=np.float32, sample_tasks=False, seed=0):
    """Plays some steps, resetting by hand where that is needed.

    Returns:
        How many episodes ended, by truncation and by termination.
    """
    ends = np.zeros(2, dtype=int)
    actor = Actor(ours, dtype, seed)
    mode = ours.metadata["autoreset_mode"]
    assert mode == theirs.metadata["autoreset_mode"]
    if sample_tasks:
        assert_same_calls(theirs, ours, "sample_tasks")
    expected, got = theirs.reset(), ours.reset()
    assert_same(*(np.asarray(r[0]) for r in (expected, got)), "reset obs")
    assert expected[1] == got[1] == {}
    obs = got[0]
    for t in range(steps):
        actions = actor(obs)
        expected, got = theirs.step(actions), ours.step(actions)
        assert_same_step(expected, got, f"step {t}")
        obs, _, terminated, truncated, _ = got
        done = terminated | truncated
        ends += truncated.sum(), terminated.sum()
        if sample_tasks and done.all():
            assert_same_calls(theirs, ours, "sample_tasks")
        if mode == AutoresetMode.DISABLED and done.any():
            expected, got = (e.reset(options={"reset_mask": done.copy()}) for e in (theirs, ours))
            assert_same(expected[0], got[0], f"masked reset at step {t}")
            obs = got[0]
    return ends


def assert_same_calls(theirs, ours, name, *args):
    for row, (a, b) in enumerate(
        zip(theirs.call(name, *args), ours.call(name, *args), strict=True)
    ):
        assert_same(a[0], b[0], f"call({name!r}) row {row}")
        assert a[1] == b[1] == {}
