"""Can the task be read from an observation? Kernel regression against chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NUM_PERMUTATIONS = 199
MIN_R2 = 0.2
"""A parameter whose prediction explains less of its variance than this isn't called a leak."""


@dataclass(frozen=True)
class Prediction:
    """How well one task parameter can be predicted.

    Attributes:
        parameter: Its name; of a list ``name[0]``, of a category ``name=value``.
        r2: Share of variance explained, leaving one out.
        p_value: How often chance does as well, over all parameters.
    """

    parameter: str
    r2: float
    p_value: float

    @property
    def leaks(self) -> bool:
        """Whether the prediction is neither poor nor chance."""
        return self.r2 >= MIN_R2 and self.p_value <= 0.01


def predict_parameters(
    observations: npt.NDArray[Any],
    parameters: Sequence[Mapping[str, Any]],
    rng: np.random.Generator,
) -> list[Prediction]:
    """Predicts task parameters from observations, and from observations of other tasks.

    Ridge regression on three kernels (linear; Gaussian in all features, as wide as the mean squared
    distance; a sum of Gaussians in each feature), two strengths each, scored by leaving one
    observation out (closed form), the best counting. The null distribution of the best score over
    all parameters comes from permuting the tasks.

    Args:
        observations: ``[N, O]``, one per episode.
        parameters: Of each observation's task.
        rng: Randomness of the permutations.

    Returns:
        One prediction per parameter that varies, best first.
    """
    names, targets = numeric_parameters(parameters)
    features = np.asarray(observations, dtype=np.float64)
    spread = features.std(axis=0)
    features = features[:, spread > 1e-12 * (1 + np.abs(features).max(axis=0, initial=0))]
    if not names:
        return []
    if not features.shape[1]:  # all first observations are equal
        return [Prediction(name, 0.0, 1.0) for name in names]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    orders = [np.arange(len(features))]
    orders += [rng.permutation(len(features)) for _ in range(NUM_PERMUTATIONS)]
    scores = _scores(features, np.stack([targets[order] for order in orders]))
    best_by_chance = scores[1:].max(axis=1)
    predictions = [
        Prediction(name, float(r2), float((1 + (best_by_chance >= r2).sum()) / len(orders)))
        for name, r2 in zip(names, scores[0], strict=True)
    ]
    return sorted(predictions, key=lambda prediction: -prediction.r2)


def numeric_parameters(parameters: Sequence[Mapping[str, Any]]) -> tuple[list[str], Floats]:
    """The varying parameters as columns of numbers ``[N, T]``, standardised, and their names."""
    flat = [dict(_flattened("", one)) for one in parameters]
    columns: dict[str, list[float]] = {}
    for name in sorted({name for one in flat for name in one}):
        values = [one.get(name) for one in flat]
        if all(isinstance(value, int | float) for value in values):
            columns[name] = [float(value) for value in values if value is not None]
        else:
            for value in sorted({repr(value) for value in values}):
                columns[f"{name}={value}"] = [float(repr(one) == value) for one in values]
    varying = {name: column for name, column in columns.items() if len(set(column)) > 1}
    if not varying:
        return [], np.zeros((len(parameters), 0))
    table = np.array(list(varying.values())).T
    return list(varying), (table - table.mean(axis=0)) / table.std(axis=0)


def _flattened(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        inner = [(f"{name}.{key}" if name else str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        inner = [(f"{name}[{index}]", item) for index, item in enumerate(value)]
    else:
        return [(name, value)]
    return [pair for key, item in inner for pair in _flattened(key, item)]


def _scores(features: Floats, targets: Floats) -> Floats:
    """Best leave-one-out R^2 of each target: ``[N, F]`` and ``[R, N, T]`` to ``[R, T]``."""
    repeats, rows, columns = targets.shape
    flat = np.moveaxis(targets, 1, 0).reshape(rows, -1)
    products = features @ features.T
    norms = np.diag(products)
    distances = norms[:, None] + norms[None, :] - 2 * products
    gaussian = np.exp(-distances / distances.mean())
    kernels = (products / features.shape[1], gaussian, _additive_kernel(features))
    best = np.full(flat.shape[1], -np.inf)
    for kernel in kernels:
        for strength in (1e-4, 1e-2):
            # A constant in the kernel stands for the intercept.
            gram = kernel + 1 + strength * rows * np.eye(rows)
            residuals = left_out_residuals(gram, flat)
            best = np.maximum(best, 1 - (residuals**2).sum(axis=0) / (flat**2).sum(axis=0))
    return best.reshape(repeats, columns)


def left_out_residuals(gram: Floats, targets: Floats) -> Floats:
    """Errors of predicting each row by kernel ridge regression on all others.

    In closed form, ``(G^-1 y)_i / (G^-1)_ii`` (Rasmussen and Williams 2006, section 5.4.2).

    Args:
        gram: ``G``, the kernel plus the ridge on its diagonal, ``[N, N]``.
        targets: ``y``, ``[N, T]``.

    Returns:
        ``[N, T]``.
    """
    inverse = np.linalg.inv(gram)
    residuals: Floats = (inverse @ targets) / np.diag(inverse)[:, None]
    return residuals


def _additive_kernel(features: Floats) -> Floats:
    """Mean over features of a Gaussian in that feature alone, half a standard deviation wide."""
    kernel = np.zeros((len(features), len(features)))
    for column in features.T:
        kernel += np.exp(-2 * (column[:, None] - column[None, :]) ** 2)
    kernel /= features.shape[1]
    return kernel
