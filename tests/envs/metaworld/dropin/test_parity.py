"""The ids return what Meta-World's ids return, to the bit."""

import gymnasium
import metaworld
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from .rollouts import Actor, assert_same, make_both, play, quietly

# Beside float32 actions their rewards are: always float32; int at success; never float32; float32
# once the gripper closes around the object.
CLASSES = ["dial-turn-v3", "faucet-close-v3", "reach-v3", "push-v3"]
MODES = [mode.value for mode in AutoresetMode]
WRAPPERS = [
    {"use_one_hot": True, "terminate_on_success": True},
    {"recurrent_info_in_obs": True},
    {"reward_normalization_method": "gymnasium", "terminate_on_success": True},
    {"reward_normalization_method": "exponential", "reward_alpha": 0.01},
    {"normalize_observations": True},
]
EVERYTHING = {
    "use_one_hot": True,
    "recurrent_info_in_obs": True,
    "normalize_reward_in_recurrent_info": False,
    "reward_normalization_method": "exponential",
    "normalize_observations": True,
    "task_select": "pseudorandom",
    "terminate_on_success": True,
}


def play_custom(steps=130, dtype=np.float32, classes=CLASSES, **arguments):
    theirs, ours = make_both(
        "custom-mt-envs", envs_list=classes, seed=3, max_episode_steps=55, **arguments
    )
    try:
        return play(theirs, ours, steps=steps, dtype=dtype, sample_tasks="task_select" in arguments)
    finally:
        theirs.close()
        ours.close()


@pytest.mark.parametrize("wrappers", WRAPPERS, ids=lambda w: next(iter(w)))
def test_wrappers(wrappers):
    truncated, terminated = play_custom(**wrappers)
    assert truncated >= 2
    assert (terminated > 0) == ("terminate_on_success" in wrappers)


@pytest.mark.parametrize("mode", MODES)
def test_all_wrappers_in_every_autoreset_mode(mode):
    dtype = np.float64 if mode == "SameStep" else np.float32
    play_custom(dtype=dtype, autoreset_mode=mode, **EVERYTHING)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wrappers", [*WRAPPERS, EVERYTHING], ids=lambda w: next(iter(w)))
@pytest.mark.slow
def test_wrappers_modes_and_precisions(wrappers, mode, dtype):
    classes = [*CLASSES, "pick-place-v3", "drawer-close-v3", "stick-push-v3", "door-open-v3"]
    play_custom(300, dtype, classes, autoreset_mode=mode, **wrappers)


def test_ml10_test_split():
    play_benchmark("ML10-test", "SameStep", meta_batch_size=5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "name",
    ["ML1-test", "custom-ml-envs"]
    + [f"{name}-{split}" for name in ("ML10", "ML25", "ML45") for split in ("train", "test")]
    + ["MT10", "MT25", "MT50"],
)
@pytest.mark.slow
def test_every_benchmark_in_every_mode(name, mode):
    arguments = {}
    if name == "ML1-test":
        arguments = {"env_name": "push-v3", "meta_batch_size": 4}
    elif name == "custom-ml-envs":
        arguments = {
            "train_envs": ["push-v3", "reach-v3"],
            "test_envs": ["door-open-v3"],
            "meta_batch_size": 4,
            "total_tasks_per_cls": 2,
        }
    elif name.endswith("test"):
        arguments = {"meta_batch_size": 10}
    elif name.startswith("ML"):
        arguments = {"meta_batch_size": int(name[2:4])}
    play_benchmark(name, mode, **arguments)


def play_benchmark(name, mode, **arguments):
    theirs, ours = make_both(name, seed=5, max_episode_steps=13, autoreset_mode=mode, **arguments)
    meta_learning = name.startswith("ML")
    assert theirs.get_attr("task_name") == ours.get_attr("task_name")
    assert theirs.action_space == ours.action_space
    if meta_learning:  # where the goal is observable Meta-World's space hasn't room for it
        assert theirs.observation_space == ours.observation_space
    truncated, _ = play(theirs, ours, steps=60, sample_tasks=meta_learning)
    assert truncated >= 4 * ours.num_envs
    theirs.close()
    ours.close()


def test_ml1_train_serves_the_training_tasks():
    arguments = {"env_name": "reach-v3", "seed": 4, "meta_batch_size": 4}
    ours = gymnasium.make_vec("metarl/ML1-train-v0", max_episode_steps=10, **arguments)
    theirs = quietly(
        metaworld.make_ml_envs_train, "reach-v3", seed=4, meta_batch_size=4, max_episode_steps=10
    )
    play(theirs, ours, steps=25, sample_tasks=True)
    benchmark = metaworld.ML1("reach-v3", seed=4)

    def goals(tasks):
        return {task.data for task in tasks}

    served = goals(task for tasks in ours.get_attr("tasks") for task in tasks)
    assert len(served) == len(benchmark.train_tasks)
    theirs.close()
    ours.close()


@pytest.mark.parametrize(
    "wrappers", [{}, {"normalize_observations": True, "task_select": "random"}]
)
def test_single_environment(wrappers):
    arguments = {"env_name": "push-v3", "seed": 2, "max_episode_steps": 40, **wrappers}
    theirs = quietly(gymnasium.make, "Meta-World/MT1", **arguments)
    ours = gymnasium.make("metarl/MT1-v0", **arguments)
    actor = Actor(gymnasium.vector.SyncVectorEnv([lambda: ours]), np.float32)
    for _ in range(2):
        expected, got = quietly(theirs.reset, seed=1), ours.reset(seed=1)
        assert_same(expected[0], got[0], "reset")
        done = False
        while not done:
            action = actor(got[0][None])[0]
            expected, got = quietly(theirs.step, action), ours.step(action)
            assert_same(expected[0], got[0], "obs")
            assert expected[1:4] == got[1:4]
            assert expected[4] == got[4]
            done = got[2] or got[3]
    theirs.close()
    ours.close()


def test_copies_of_mt1():
    arguments = {"env_name": "reach-v3", "seed": 2, "num_envs": 2}
    theirs = quietly(gymnasium.make_vec, "Meta-World/MT1", **arguments)
    ours = gymnasium.make_vec("metarl/MT1-v0", **arguments)
    quietly(play, theirs, ours, steps=20)
    theirs.close()
    ours.close()
