"""Arrays of scalars of which some are float32, as numpy's promotion rules make them.

Meta-World computes a reward from Python floats. Where a float32 action enters, ``np.float32``
meets Python floats, the result is ``np.float32`` (NEP 50), and all that follows is rounded to
single precision; in rows where the action doesn't enter nothing is. Bit-for-bit agreement needs
the same rounding in the same rows, so a :class:`Narrowed` carries the rows it applies to.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

_UFUNCS = frozenset(
    {
        np.add,
        np.subtract,
        np.multiply,
        np.divide,
        np.negative,
        np.absolute,
        np.minimum,
        np.maximum,
        np.less,
        np.less_equal,
        np.greater,
        np.greater_equal,
        np.equal,
        np.not_equal,
    }
)

Scalars: TypeAlias = "Narrowed | npt.NDArray[Any] | float"
"""An operand: a plain array or number stands for Python floats, which take the other's type."""


class Narrowed(np.lib.mixins.NDArrayOperatorsMixin):
    """One scalar per row, ``np.float32`` in some rows and a Python float in the others.

    Arithmetic and comparisons follow what numpy does with such scalars. A plain array or number
    beside it counts as Python floats; use ``np.asarray`` first where Meta-World's other operand
    is an ``np.float64``, which widens the result.

    Attributes:
        wide: ``[n]`` float64, the values of the other rows (without meaning in ``rows``).
        rows: ``[k]`` indices of the rows whose scalar is an ``np.float32``.
        narrow: ``[k]`` float32, their values.
    """

    def __init__(
        self,
        wide: npt.NDArray[np.float64],
        rows: npt.NDArray[np.intp],
        narrow: npt.NDArray[np.float32],
    ) -> None:
        self.wide = wide
        self.rows = rows
        self.narrow = narrow

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        values = self.wide.astype(dtype or np.float64)
        values[self.rows] = self.narrow
        return values

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Scalars, **kwargs: Any) -> Any:
        """Applies an elementwise function in the precision of each row."""
        if method != "__call__" or ufunc not in _UFUNCS or kwargs:
            return NotImplemented
        operands = [operand for operand in inputs if isinstance(operand, Narrowed)]
        rows = self.rows
        if any(operand.rows is not rows for operand in operands):
            rows = np.unique(np.concatenate([operand.rows for operand in operands]))
        wide = ufunc(*(_wide(operand) for operand in inputs))
        narrow = ufunc(*(_narrow(operand, rows) for operand in inputs))
        if wide.dtype == np.bool_:
            wide[rows] = narrow
            return wide
        return Narrowed(wide, rows, narrow)


def _wide(operand: Scalars) -> Any:
    return operand.wide if isinstance(operand, Narrowed) else operand


def _narrow(operand: Scalars, rows: npt.NDArray[np.intp]) -> Any:
    if isinstance(operand, Narrowed):
        return operand.narrow if operand.rows is rows else np.asarray(operand, np.float32)[rows]
    if isinstance(operand, np.ndarray) and operand.ndim:
        return operand[rows].astype(np.float32)
    return np.float32(operand)


def narrowed(values: npt.NDArray[np.float64], single: npt.NDArray[np.bool_]) -> Any:
    """Returns ``values`` as a :class:`Narrowed` where ``single``, or as they are if nowhere.

    Args:
        values: ``[n]``, exactly representable in float32 where ``single``.
        single: ``[n]`` the rows whose scalar is an ``np.float32``.
    """
    rows = np.flatnonzero(single)
    return Narrowed(values, rows, values[rows].astype(np.float32)) if rows.size else values


def select(condition: npt.NDArray[np.bool_], yes: Scalars, no: Scalars) -> Any:
    """Like ``np.where``, for operands that may be narrowed: each row keeps its precision."""
    if not isinstance(yes, Narrowed) and not isinstance(no, Narrowed):
        return np.where(condition, yes, no)
    single = np.zeros(len(condition), dtype=np.bool_)
    if isinstance(yes, Narrowed):
        single[yes.rows] = condition[yes.rows]
    if isinstance(no, Narrowed):
        single[no.rows] |= ~condition[no.rows]
    return narrowed(np.where(condition, np.asarray(yes), np.asarray(no)), single)
