"""Ids that only this process knows."""

import gymnasium
import pytest

from metarl.envs.gymnasium import NoSplit, TaskFamily, Uniform
from metarl.envs.physics import Vary, physics_benchmark
from metarl.envs.registered import find_spec
from metarl.errors import ConfigError
from metarl.policies import make_mlp_policy
from metarl.rollouts import RolloutEngine
from metarl.seeding import Stream


@pytest.fixture
def register():
    """Registers ids until the test ends."""
    known = set(gymnasium.registry)
    yield gymnasium.register
    for env_id in set(gymnasium.registry) - known:
        del gymnasium.registry[env_id]


def pendulums(env_id):
    return TaskFamily(env_id, attributes={"m": Uniform(0.5, 2.0)}, split=NoSplit()).benchmark()


def reachers(env_id):
    return physics_benchmark(env_id, [Vary("body_mass", scale=(0.5, 2.0))], num_train_tasks=1)


@pytest.mark.parametrize(
    ("make", "entry_point"),
    [
        (pendulums, "gymnasium.envs.classic_control:PendulumEnv"),
        (reachers, "gymnasium.envs.mujoco.reacher_v5:ReacherEnv"),
    ],
)
def test_workers_step_an_id_that_this_process_registered(make, entry_point, register):
    register("OnlyHere-v0", entry_point, max_episode_steps=3)
    tasks = make("OnlyHere-v0").train
    policy = make_mlp_policy(tasks.observation_space, tasks.action_space, (4,))
    with RolloutEngine(tasks, policy, num_workers=1) as engine:
        drawn = tasks.sample(1, Stream(0).numpy())
        collected = engine.collect(drawn, policy.params(), Stream(1), num_episodes=1)
    assert collected.num_steps == 3


def test_ids_are_found_as_gymnasium_finds_them(register, tmp_path, monkeypatch):
    for name in ("Versioned-v1", "Versioned-v2", "Unversioned"):
        register(name, "gymnasium.envs.classic_control:PendulumEnv")
    assert find_spec("Versioned-v1").id == "Versioned-v1"
    assert find_spec("Versioned").id == "Versioned-v2"
    assert find_spec("Unversioned").id == "Unversioned"
    (tmp_path / "registers_one.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('One-v0', 'gymnasium.envs.classic_control:PendulumEnv')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert find_spec("registers_one:One-v0").id == "One-v0"
    assert pendulums("registers_one:Pendulum-v1").name == "registers_one:Pendulum-v1"


@pytest.mark.parametrize("env_id", ["Pendulm-v1", "Pendulum-v0", "no_such_module:Pendulum-v1", "?"])
@pytest.mark.parametrize("make", [pendulums, reachers])
def test_unknown_ids_are_refused(make, env_id):
    with pytest.raises(ConfigError, match=r"^env: "):
        make(env_id)
