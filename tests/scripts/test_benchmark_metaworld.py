import importlib.util
from pathlib import Path

import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

from metarl.envs.metaworld import metaworld_task

PATH = Path(__file__).parents[2] / "scripts" / "benchmark_metaworld.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("benchmark_metaworld", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bare_loop_keeps_each_familys_hand_where_that_family_does(script, monkeypatch):
    monkeypatch.setattr(script, "EPISODES", 1)
    families = {
        "reach-v3": [0.0, 0.6, 0.02, 0.05, 0.85, 0.2],
        "door-lock-v3": [0.0, 0.85, 0.15],
    }
    tasks = [metaworld_task(family, vector) for family, vector in families.items()]
    lows = []
    for family, (_, _, low, high) in zip(families, script.physics_worlds(tasks), strict=True):
        env = ALL_V3_ENVIRONMENTS[family]()
        assert (low == env.mocap_low).all()
        assert (high == env.mocap_high).all()
        lows.append(low.tolist())
    assert lows[0] != lows[1]
