"""Registration, keyword arguments, specs, spaces."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from metarl.envs.metaworld.dropin import register_envs
from metarl.errors import ConfigError, UnknownNameError

MT1 = {"env_name": "reach-v3", "seed": 0}


def make_mt1(**arguments):
    return gymnasium.make_vec("metarl/MT1-v0", **MT1, **arguments)


def test_registering_again_changes_nothing():
    before = dict(gymnasium.registry)
    register_envs()
    assert before == gymnasium.registry
    ids = {name for name in before if name.startswith("metarl/")}
    splits = {f"{name}-{split}" for name in ("ML1", "ML10", "ML25", "ML45") for split in SPLITS}
    others = {"MT1", "MT10", "MT25", "MT50", "custom-ml-envs", "custom-mt-envs"}
    assert ids == {f"metarl/{name}-v0" for name in splits | others}


SPLITS = ("train", "test")


def test_spec_survives_json():
    envs = make_mt1(num_envs=2, autoreset_mode="SameStep")
    spec = EnvSpec.from_json(envs.spec.to_json())
    again = gymnasium.make_vec(spec)
    assert again.num_envs == 2
    assert again.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    single = gymnasium.make("metarl/MT1-v0", **MT1)
    assert EnvSpec.from_json(single.spec.to_json()).kwargs == MT1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_epsiode_steps": 5}, "did you mean max_episode_steps"),
        ({"num_worker": 2}, "did you mean num_workers"),
        ({"task_select": "uniform"}, "'pseudorandom'"),
        ({"reward_normalization_method": "vtrace"}, "'exponential'"),
        ({"max_episode_steps": 0}, "at least 1"),
        ({"autoreset_mode": "Never"}, "'SameStep'"),
        ({"vector_strategy": "ray"}, "'async'"),
        ({"num_workers": -1}, "at least 0"),
        ({"num_workers": 1, "reward_function_version": "v1"}, "must be 0"),
        ({"use_one_hot": True}, "env_id"),
        ({"seed": -1}, "at least 0"),
        ({"seed": 2**32}, f"at most {2**32 - 1}"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ConfigError, match=message):
        gymnasium.make_vec("metarl/MT1-v0", **{**MT1, **arguments})


def test_bad_benchmark_arguments():
    ml1 = {"env_name": "reach-v3", "seed": 0}
    with pytest.raises(ConfigError, match="meta_batch_size: got 3; must be a multiple"):
        gymnasium.make_vec("metarl/ML10-test-v0", seed=0, meta_batch_size=3)
    with pytest.raises(ConfigError, match="total_tasks_per_cls: 4 tasks of reach-v3"):
        gymnasium.make_vec("metarl/ML1-train-v0", meta_batch_size=3, **ml1)
    with pytest.raises(ConfigError, match="no task index"):
        gymnasium.make_vec("metarl/ML1-train-v0", use_one_hot=True, **ml1)
    with pytest.raises(ConfigError, match=f"at most {2**32 - 2}"):
        gymnasium.make_vec("metarl/ML1-train-v0", env_name="reach-v3", seed=2**32 - 1)
    with pytest.raises(ConfigError, match="ML1 needs one"):
        gymnasium.make_vec("metarl/ML1-train-v0", seed=0)
    with pytest.raises(UnknownNameError, match="did you mean reach-v3"):
        gymnasium.make_vec("metarl/ML1-train-v0", env_name="reech-v3")
    with pytest.raises(ConfigError, match="also in train_envs"):
        gymnasium.make_vec(
            "metarl/custom-ml-envs-v0", train_envs=["reach-v3"], test_envs=["reach-v3"]
        )


def test_other_reward_version_runs_on_metaworld():
    envs = make_mt1(reward_function_version="v1", max_episode_steps=5)
    assert isinstance(envs, SyncVectorEnv)
    envs.reset()
    assert np.isfinite(envs.step(np.zeros((1, 4), dtype=np.float32))[1]).all()
    envs.close()


@pytest.mark.parametrize("appended", [{}, {"use_one_hot": True, "env_id": 1, "num_tasks": 3}])
def test_observations_lie_in_the_declared_space(appended):
    envs = make_mt1(num_envs=2, max_episode_steps=10, **appended)
    obs, _ = envs.reset()
    for _ in range(25):
        assert obs in envs.observation_space
        obs, *_ = envs.step(envs.action_space.sample())
    assert obs.shape == (2, 39 + 3 * bool(appended))


def test_single_environment_passes_gymnasium_checks():
    env = gymnasium.make("metarl/MT1-v0", max_episode_steps=5, **MT1)
    env.reset()
    for _ in range(4):
        obs, reward, terminated, truncated, _ = env.step(env.action_space.sample())
    assert obs in env.observation_space
    assert isinstance(reward, float)
    assert not terminated
    assert not truncated
    assert env.step(env.action_space.sample())[3]


def test_single_ml1_takes_a_task_at_every_reset():
    env = gymnasium.make("metarl/ML1-train-v0", env_name="reach-v3", seed=0)
    seen = []
    for _ in range(5):
        env.reset()
        seen.append(env.get_wrapper_attr("current_task_idx"))
    assert seen == [0, 1, 2, 3, 0]
    env.get_wrapper_attr("toggle_sample_tasks_on_reset")(False)
    env.reset()
    assert env.get_wrapper_attr("current_task_idx") == 0
