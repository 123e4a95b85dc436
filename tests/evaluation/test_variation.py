import numpy as np
import pytest

from metarl.evaluation.variation import strata_of, stretch_factor, variation

RNG = np.random.default_rng(0)


def test_a_family_of_one_task_shows_no_variation_so_all_are_drawn_as_one():
    assert len(strata_of(4, ["a", "a", "b", "b"])) == 2
    assert [group.tolist() for group in strata_of(3, ["a", "a", "b"])] == [[0, 1, 2]]


def test_variation_adds_runs_and_families():
    matrix = RNG.normal(size=(4, 1)) + RNG.normal(size=(4, 6))
    found = variation([matrix], [np.arange(3), np.arange(3, 6)])
    by_run, by_task = matrix.mean(axis=1), matrix.mean(axis=0)
    parts = [
        by_run.var(ddof=1) / 4,
        by_task[:3].var(ddof=1) * 3 / 36,
        by_task[3:].var(ddof=1) * 3 / 36,
    ]
    assert found.variance == pytest.approx(sum(parts))
    satterthwaite = sum(parts) ** 2 / (parts[0] ** 2 / 3 + parts[1] ** 2 / 2 + parts[2] ** 2 / 2)
    assert found.degrees_of_freedom == pytest.approx(satterthwaite)
    assert found.shrunken == pytest.approx(parts[0] * 3 / 4 + (parts[1] + parts[2]) * 2 / 3)


@pytest.mark.parametrize("rows", [[[0.1, 0.0]] * 3, [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]])
def test_differences_by_rounding_are_no_variation(rows):
    """Means of equal runs differ from their own mean, or from each other, in their last bits."""
    matrix = np.array(rows)
    assert matrix.mean(axis=1).var() > 0
    assert variation([matrix], []).variance == 0.0
    matrix[0, 0] += 1e-6
    assert variation([matrix], []).variance > 0.0


def test_without_strata_runs_alone_vary():
    """Tasks that are fixed add nothing, however different they are."""
    matrix = RNG.normal(size=(4, 1)) + np.array([[0.0, 100.0]])
    found = variation([matrix], [])
    assert found.variance == pytest.approx(matrix[:, 0].var(ddof=1) / 4)
    assert found.degrees_of_freedom == pytest.approx(3)
    assert stretch_factor([matrix], []) == pytest.approx(3.182446 / 1.959964 * (4 / 3) ** 0.5)
