"""NumPy's functions whose result is as long as the data says, as Selections of traced arrays.

`np.compress(mask, x)` is x[mask], `np.delete(x, mask)` is x[~mask], and `np.unique(x)` is what
differs from the one before among the sorted elements: so their sums, extremes and numbers are
known, and their elements where a size is stated (graphc.numpy.unique(x, size=n)).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .cell import Cell
from .masks import Masked
from .protocols import namespace
from .selection import Selection

UNIQUE_REMEDY = (
    "how many different elements there are depends on data. Write .size for their number, reduce "
    "them, or state how many: graphc.numpy.unique(x, size=n, fill_value=v)"
)


def _is_known(x: Any) -> bool:
    return not isinstance(x, Cell) or x.known() is not None


def _array(x: Any, like: Cell) -> Any:
    return x if isinstance(x, Cell) else like.fresh(like.as_value(x))


def _mask(x: Any) -> Any:
    return x if x.dtype == np.bool_ else x != 0


def _compress(condition: Any, a: Any, axis: Any = None) -> Any:
    if _is_known(condition):
        return None
    x = _array(a, condition)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, range(x.ndim)[axis])
    lead = (slice(None),) * axis
    if condition.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    if condition.shape[0] != x.shape[axis]:
        x = x[(*lead, slice(0, condition.shape[0]))]
    return x[(*lead, _mask(condition))]


def _extract(condition: Any, arr: Any) -> Any:
    if _is_known(condition):
        return None
    return _array(arr, condition).reshape(-1)[_mask(condition.reshape(-1))]


def _delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    if _is_known(obj) or obj.dtype != np.bool_:
        return None
    return _compress(~obj, arr, axis)


def _unique(ar: Any, return_index: Any = False, return_inverse: Any = False,
            return_counts: Any = False, axis: Any = None, *, equal_nan: bool = True,
            sorted: bool = True) -> Any:  # fmt: skip
    if axis is not None or return_index or return_inverse or return_counts or _is_known(ar):
        return None
    np_ = namespace()
    line = np_.sort(ar.reshape(-1))
    fresh = line[1:] != line[:-1]
    if equal_nan and ar.dtype.kind in "fc":
        fresh = fresh & ~(np_.isnan(line[1:]) & np_.isnan(line[:-1]))
    first = np_.concatenate([np_.ones(min(1, line.shape[0]), bool), fresh])
    meant = Masked((slice(None),), first.value, (0,), 0, UNIQUE_REMEDY, "numpy.unique(x)")
    return Selection(line, meant)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.compress: _compress,
    np.delete: _delete,
    np.extract: _extract,
    np.unique: _unique,
}
"""Each answers None where it is not meant: then the function of graphc.numpy runs."""


def chosen(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The Selection that a function answers; None for any other function or use."""
    found = FUNCTIONS.get(function)
    if found is None or kwargs.get("out") is not None:
        return None
    return found(*args, **{k: v for k, v in kwargs.items() if k != "out"})
