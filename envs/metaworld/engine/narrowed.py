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
        values: ``[n]`` float64; exactly representable in float32 where ``single``.
        single: ``[n]`` the rows whose scalar is an ``np.float32``.
    """

    def __init__(self, values: npt.NDArray[np.float64], single: npt.NDArray[np.bool_]) -> None:
        self.values = values
        self.single = single

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Scalars, **kwargs: Any) -> Any:
        """Applies an elementwise function in the precision of each row."""
        if method != "__call__" or ufunc not in _UFUNCS or kwargs:
            return NotImplemented
        wide = ufunc(*(np.asarray(operand) for operand in inputs))
        masks = [operand.single for operand in inputs if isinstance(operand, Narrowed)]
        single = np.logical_or.reduce(masks)
        rows = np.flatnonzero(single)
        wide[rows] = ufunc(*(_in_single(operand, rows) for operand in inputs))
        return wide if wide.dtype == np.bool_ else Narrowed(wide, single)


def _in_single(operand: Scalars, rows: npt.NDArray[np.intp]) -> Any:
    values = np.asarray(operand)
    return (values[rows] if values.ndim else values).astype(np.float32)


def narrowed(values: npt.NDArray[np.float64], single: npt.NDArray[np.bool_]) -> Any:
    """Returns a :class:`Narrowed`, or ``values`` themselves if no row is single."""
    return Narrowed(values, single) if single.any() else values


def select(condition: npt.NDArray[np.bool_], yes: Scalars, no: Scalars) -> Any:
    """Like ``np.where``, for operands that may be narrowed: each row keeps its precision."""
    values = np.where(condition, np.asarray(yes), np.asarray(no))
    if not isinstance(yes, Narrowed) and not isinstance(no, Narrowed):
        return values
    single_yes = yes.single if isinstance(yes, Narrowed) else False
    single_no = no.single if isinstance(no, Narrowed) else False
    return narrowed(values, np.where(condition, single_yes, single_no))
