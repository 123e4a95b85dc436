import numpy as np
import pytest

from metarl.testing.task_distribution.leak import (
    left_out_residuals,
    numeric_parameters,
    predict_parameters,
)

N = 96


def predicted(observations, values, seed=0):
    parameters = [{"mass": float(value)} for value in values]
    (one,) = predict_parameters(observations, parameters, np.random.default_rng(seed))
    return one


def masses(seed=1):
    return np.random.default_rng(seed).uniform(0.5, 2.0, N)


@pytest.mark.parametrize(
    "encode",
    [
        lambda m, rng: np.c_[rng.normal(size=(N, 9)), m],
        lambda m, rng: np.c_[rng.normal(size=(N, 30)), m + 0.3 * rng.normal(size=N)],
        lambda m, rng: np.c_[rng.normal(size=(N, 3)), np.log(m)],
        lambda m, rng: np.c_[rng.normal(size=(N, 3)), m < 1.0],
        lambda m, rng: (lambda a: np.c_[m * np.cos(a), m * np.sin(a)])(rng.uniform(0, 6.28, N)),
    ],
    ids=["plain", "noisy", "logarithm", "flag", "radius"],
)
def test_a_parameter_in_the_observation_is_found(encode):
    one = predicted(encode(masses(), np.random.default_rng(2)), masses())
    assert one.leaks
    assert one.p_value == pytest.approx(1 / 200)


def test_chance_is_rarely_taken_for_a_leak():
    found = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        parameters = [{"a": float(rng.normal()), "b": float(rng.normal())} for _ in range(48)]
        found += any(
            one.leaks for one in predict_parameters(rng.normal(size=(48, 8)), parameters, rng)
        )
    assert found <= 3


def test_leaving_out_is_refitting_without():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 3))
    gram = x @ x.T + 0.05 * np.eye(12)
    residuals = left_out_residuals(gram, y)
    for i in range(12):
        rest = [j for j in range(12) if j != i]
        weights = np.linalg.solve(gram[np.ix_(rest, rest)], y[rest])
        np.testing.assert_allclose(residuals[i], y[i] - gram[i, rest] @ weights)


def test_equal_observations_tell_nothing():
    one = predicted(np.ones((N, 4)), masses())
    assert (one.r2, one.p_value, one.leaks) == (0.0, 1.0, False)


def test_parameters_of_every_kind_become_columns_and_constants_go():
    names, table = numeric_parameters(
        [
            {"goal": [0.0, 5.0], "kind": "open", "body": {"mass": 1, "flag": True}, "same": 3},
            {"goal": [1.0, 5.0], "kind": "close", "body": {"mass": 2, "flag": True}, "same": 3},
            {"goal": [2.0, 5.0], "kind": "open", "body": {"mass": 4, "flag": False}, "same": 3},
        ]
    )
    assert names == ["body.flag", "body.mass", "goal[0]", "kind='close'", "kind='open'"]
    np.testing.assert_allclose(table.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(table.std(axis=0), 1)


def test_parameters_that_never_vary_are_left_out():
    assert predict_parameters(np.eye(40), [{"mass": 1.0}] * 40, np.random.default_rng(0)) == []
