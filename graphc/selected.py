"""Functions of the elements that a traced mask selects, where the mask need not be applied.

Each takes a Selection (graphc/selection.py) and what NumPy's function takes after the array. What
is not here needs the elements side by side, and their number: it is refused with the remedy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .locations import refuse
from .masks import place_of
from .protocols import namespace


def _whole(s: Any, name: str, axis: Any = None) -> None:
    """Refuses what is not a reduction over all the selected elements, in one axis."""
    if s.ndim != 1 or axis not in (None, 0, -1):
        refuse(f"numpy.{name} of {s.what} along an axis, or of several: {s.meant.remedy}")


def _count_nonzero(s: Any, axis: Any = None) -> Any:
    return (s != 0).sum(axis)


def _ptp(s: Any, axis: Any = None) -> Any:
    return s.max(axis) - s.min(axis)


def _average(s: Any, axis: Any = None, weights: Any = None) -> Any:
    if weights is None:
        return s.mean(axis)
    return (s * weights).sum(axis) / weights.sum(axis)


def _without_nan(name: str) -> Callable[..., Any]:
    def reduced(s: Any, *args: Any, **options: Any) -> Any:
        numbers = s.narrowed(~namespace().isnan(s.source)) if s.dtype.kind in "fc" else s
        return getattr(numbers, name)(*args, **options)

    return reduced


def _quantile(s: Any, q: Any, axis: Any = None, name: str = "quantile") -> Any:
    """By the quantile that leaves NaN out, which stands where nothing is selected."""
    _whole(s, name, axis)
    np_ = namespace()
    x = s.source if s.dtype.kind == "f" else s.source.astype(np.float64)
    mask = s.mask
    found = getattr(np_, f"nan{name}")(np_.where(mask, x, np.nan), q)
    return np_.where((mask & np_.isnan(x)).any(), np.nan, found)


def _median(s: Any, axis: Any = None) -> Any:
    return _quantile(s, 0.5, axis)


def _percentile(s: Any, q: Any, axis: Any = None) -> Any:
    return _quantile(s, q, axis, "percentile")


def _place(name: str) -> Callable[..., Any]:
    """argmax, argmin: how many are selected before the first that is the extreme, or NaN."""

    def place(s: Any, axis: Any = None) -> Any:
        _whole(s, f"arg{name}", axis)
        np_ = namespace()
        extreme, x, mask = getattr(s, name)(), s.source.reshape(-1), s.mask.reshape(-1)
        hit = x == extreme
        if s.dtype.kind == "f":
            hit = hit | (np_.isnan(x) & np_.isnan(extreme))
        first = (mask & hit).argmax()
        return (mask & (np_.arange(x.shape[0]) < first)).sum()

    return place


def _dot(s: Any, other: Any) -> Any:
    if not hasattr(other, "meant") or s.ndim != 1 or other.ndim != 1:
        refuse(f"a product of {s.what} with another array: {s.meant.remedy}")
    return (s * other).sum()


def _vdot(s: Any, other: Any) -> Any:
    return _dot(np.conjugate(s), other)


def _norm(s: Any, ord: Any = None, axis: Any = None) -> Any:
    _whole(s, "linalg.norm", axis)
    size = np.abs(s if s.dtype.kind in "fc" else s.astype(np.float64))
    if ord in (None, 2):
        return namespace().sqrt((size * size).sum())
    simple: dict[Any, Callable[[], Any]] = {
        1: size.sum, np.inf: size.max, -np.inf: size.min,
        0: lambda: (size != 0).astype(size.dtype).sum(),
    }  # fmt: skip
    if ord not in simple:
        refuse(f"numpy.linalg.norm of {s.what} with ord={ord!r}: sum powers of it instead")
    return simple[ord]()


def _bincount(s: Any, minlength: int = 0) -> Any:
    _whole(s, "bincount")
    x, mask = s.source.reshape(-1), s.mask.reshape(-1)
    np_ = namespace()
    return np_.bincount(np_.where(mask, x, 0), mask, minlength).astype(np.int64)


def element(s: Any, k: Any) -> Any:
    """The k-th selected element, or row where the mask is of the first axes alone.

    Where there are fewer, the program raises IndexError, as NumPy does.
    """
    rank, covered = s.source.ndim, s.meant.axes
    number = hasattr(k, "__index__") and not isinstance(k, (bool, np.bool_))
    if not number or s.meant.lost < 0 or covered != tuple(range(len(covered))):
        return refuse(f"{s.what} is indexed by what is not a number: {s.meant.remedy}")
    mask = s.source.fresh(s.meant.mask)
    if mask.ndim > len(covered):
        mask = mask.reshape(mask.shape[: len(covered)])
    mask = namespace().broadcast_to(mask, s.source.shape[: len(covered)])
    line = s.source.reshape((-1, *s.source.shape[len(covered) :]))
    found = line[place_of(mask, int(k))]
    return found if rank == len(covered) else found.copy()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "argmax": _place("max"),
    "argmin": _place("min"),
    "average": _average,
    "bincount": _bincount,
    "count_nonzero": _count_nonzero,
    "dot": _dot,
    "inner": _dot,
    "matmul": _dot,
    "median": _median,
    "nanmax": _without_nan("max"),
    "nanmean": _without_nan("mean"),
    "nanmin": _without_nan("min"),
    "nanprod": _without_nan("prod"),
    "nanstd": _without_nan("std"),
    "nansum": _without_nan("sum"),
    "nanvar": _without_nan("var"),
    "norm": _norm,
    "percentile": _percentile,
    "ptp": _ptp,
    "quantile": _quantile,
    "vdot": _vdot,
}
"""By the name of NumPy's function."""
