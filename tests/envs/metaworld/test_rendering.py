import os
import subprocess
import sys
import textwrap

import pytest

RENDERING = """
    import sys
    import mujoco
    try:
        mujoco.GLContext(64, 64).free()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        sys.exit(77)
    import numpy as np
    from gymnasium.utils.env_checker import check_env
    from metarl.envs.metaworld import MetaWorldEnv, metaworld_task

    task = metaworld_task("reach-v3", [0.0, 0.6, 0.02, 0.05, 0.85, 0.2])
    env = MetaWorldEnv(task, render_mode="rgb_array")
    env.reset()
    before = env.render()
    assert before.shape == (480, 480, 3), before.shape
    assert before.dtype == np.uint8, before.dtype
    assert before.std() > 10, "the picture is blank"
    for _ in range(20):
        env.step(np.array([1, 1, 1, 0], dtype=np.float32))
    assert not np.array_equal(env.render(), before), "the hand has moved, the picture hasn't"
    assert np.array_equal(env.render()[::-1, ::-1], env.inner.render()), "isn't the right way up"
    env.close()
    checked = MetaWorldEnv(task, render_mode="rgb_array")
    check_env(checked)
    checked.close()
    blind = MetaWorldEnv(task)
    blind.reset()
    assert blind.render() is None
"""


def test_rendering():
    """In a process of its own, as MuJoCo chooses its renderer on import."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RENDERING)],
        env=os.environ | {"MUJOCO_GL": "egl"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode == 77:
        pytest.skip(f"EGL isn't available: {ended.stdout.strip()}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
