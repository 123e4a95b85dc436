import json

import numpy as np
import pytest

from metarl.evaluation.cards import thinned


def metrics(iterations: int) -> dict[str, np.ndarray]:
    counts = np.arange(1.0, iterations + 1)
    return {"timesteps": 100 * counts, "pre/return": counts, "post/return": -counts}


def test_points_are_means_over_equal_stretches():
    found = thinned(metrics(12), num_points=4)
    assert found is not None
    assert found.environment_steps == [200, 500, 800, 1100]
    assert found.before == {"episode_return": [2.0, 5.0, 8.0, 11.0]}
    assert found.after == {"episode_return": [-2.0, -5.0, -8.0, -11.0]}


@pytest.mark.parametrize(
    ("iterations", "points"), [(1, 1), (99, 99), (100, 100), (101, 51), (1234, 95)]
)
def test_a_hundred_points_at_most_and_every_iteration_counts(iterations, points):
    found = thinned(metrics(iterations))
    assert found is not None
    assert len(found.environment_steps) == points
    assert len(set(np.diff(found.environment_steps)[:-1])) <= 1
    assert len(found.before["episode_return"]) == len(found.environment_steps)
    assert found.before["episode_return"][-1] <= iterations
    short = thinned(metrics(iterations), num_points=1)
    assert short is not None
    assert short.before["episode_return"] == [pytest.approx((iterations + 1) / 2, rel=1e-4)]


def test_success_is_there_where_it_was_recorded():
    recorded = metrics(2) | {"post/success_final": np.array([0.25, 0.75])}
    found = thinned(recorded)
    assert found is not None
    assert found.after["success_final"] == [0.25, 0.75]
    assert list(found.before) == ["episode_return"]


def test_iterations_without_a_number_are_left_out():
    recorded = metrics(4) | {"pre/success_any": np.array([np.nan, np.nan, np.nan, 0.5])}
    found = thinned(recorded, num_points=2)
    assert found is not None
    assert found.before["success_any"] == [None, 0.5]
    assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()


@pytest.mark.parametrize("recorded", [{}, {"timesteps": [1.0], "time/fps": [2.0]}])
def test_a_run_that_recorded_no_return_has_no_curve(recorded):
    assert thinned(recorded) is None
