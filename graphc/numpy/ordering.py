"""Sorting, searching, and sets. The length of a set is data: `size` states it, and `fill_value`
fills the rest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TraceError
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast, full_like
from ..ops.indexing import GATHER, SCATTER
from ..ops.ordering import SEARCHSORTED, SORT
from ..types import BOOL, I64
from . import reductions as r
from . import scans
from . import ufuncs as u
from .dispatch import axis_of, extents, implements, value
from .joining import concatenate
from .shaping import part, pick, ravel, reshape


def _line(a: Any, axis: Any) -> tuple[Value, int]:
    x = value(a)
    if axis is None:
        return ravel(x), 0
    return x, axis_of(axis, len(x.shape))


@implements(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None,
         descending: bool = False) -> Value:  # fmt: skip
    """NaN last, also when descending."""
    x, axis = _line(a, axis)
    return SORT(x, axis=axis, keys=1, descending=bool(descending))


@implements(np.argsort)
def argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None,
            descending: bool = False) -> Value:  # fmt: skip
    """Always stable."""
    x, axis = _line(a, axis)
    return ordered(x, axis, descending)[1]


def ordered(x: Value, axis: int, descending: bool = False) -> tuple[Value, Value]:
    """x sorted, and where its elements came from."""
    places = build.iota(x.shape, axis, I64) if x.shape else build.zeros((), I64)
    return SORT(x, places, axis=axis, keys=1, descending=bool(descending))


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Value:
    """The last key is the first in weight."""
    if isinstance(keys, (list, tuple)):
        rows = [value(k) for k in keys]
    else:
        table = value(keys)
        rows = [
            reshape(part(table, 0, k, k + 1), table.shape[1:]) for k in range(int(table.shape[0]))
        ]
    axis = axis_of(axis, len(rows[0].shape))
    places = build.iota(rows[0].shape, axis, I64)
    return SORT(*rows[::-1], places, axis=axis, keys=len(rows), descending=False)[-1]


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
) -> Value:
    """A full sort, which is a partition at every place."""
    return sort(a, axis)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
) -> Value:
    """A full sort, which is a partition at every place."""
    return argsort(a, axis)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Value:
    found = sort(a)
    if found.dtype.is_complex:
        return found
    narrow = found.dtype.bits <= 16 and found.dtype.is_integer
    return cast(found, ty.C64 if narrow else ty.C128)


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Value:
    table = value(a)
    if len(table.shape) != 1:
        raise ShapeMismatch(f"searchsorted takes a sorted array of one axis, got {table.type}")
    if sorter is not None:
        table = GATHER(table, value(sorter), axes=(0,), mode="raise")
    dtype = u.result_dtype(table, v)
    return SEARCHSORTED(cast(table, dtype), value(v, dtype), side=side)


# ------------------------------------------------------------------------------------------- sets


class UniqueAllResult(NamedTuple):
    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCountsResult(NamedTuple):
    values: Any
    counts: Any


class UniqueInverseResult(NamedTuple):
    values: Any
    inverse_indices: Any


def _sized(what: str, size: Any) -> Any:
    if size is None:
        raise TraceError(
            f"the length of {what} depends on data. State it: graphc.numpy.{what}(x, size=n, "
            "fill_value=v)"
        )
    (count,) = extents(size)
    return count


def _groups(x: Value, size: Any, fill: Any, equal_nan: bool) -> UniqueAllResult:
    """The first `size` distinct elements in order, where they first stand, the group of each
    element, the counts.
    """
    flat = ravel(x)
    n = flat.shape[0]
    line, places = ordered(flat, 0)
    later, earlier = part(line, 0, 1, n), part(line, 0, 0, n - 1)
    changed = u.not_equal(later, earlier)
    if equal_nan and line.dtype.kind in "fc":
        changed = e.AND(changed, e.NOT(e.AND(u.isnan(later), u.isnan(earlier))))
    starts = concatenate((build.full((1,), True, BOOL), changed), 0)
    group = u.subtract(scans.scan("sum", cast(starts, I64), 0), 1)
    # groups beyond `size` go to a place that is cut off
    slot = u.minimum(group, build.extent(size))
    if fill is None:
        empty = build.broadcast_to(part(line, 0, 0, 1), (size + 1,))
    else:
        empty = build.broadcast_to(value(fill, line.dtype), (size + 1,))
    first = u.where(starts, slot, build.extent(size))

    def set_at(base: Value, new: Value, where: Value, combine: str = "set") -> Value:
        return SCATTER(base, new, where, axes=(0,), combine=combine, mode="promise")

    values = part(set_at(empty, line, first), 0, 0, size)
    zeros = build.zeros((size + 1,), I64)
    indices = part(set_at(zeros, places, first), 0, 0, size)
    counts = part(set_at(zeros, full_like(slot, 1), slot, "add"), 0, 0, size)
    inverse = set_at(full_like(group, 0), u.minimum(group, build.extent(size - 1)), places)
    return UniqueAllResult(values, indices, reshape(inverse, x.shape), counts)


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
    size: Any = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements in order: the first `size` of them, then `fill_value` (default: the
    least element).
    """
    if axis is not None:
        raise TraceError(
            "unique along an axis cannot be traced; without an axis it can, with size=n"
        )
    found = _groups(value(ar), _sized("unique", size), fill_value, equal_nan)
    asked = (True, return_index, return_inverse, return_counts)
    kept = tuple(f for f, wanted in zip(found, asked, strict=True) if wanted)
    return kept[0] if len(kept) == 1 else kept


@implements(np.unique_values)
def unique_values(x: Any, /, *, size: Any = None, fill_value: Any = None) -> Value:
    return _groups(value(x), _sized("unique_values", size), fill_value, False).values


@implements(np.unique_counts)
def unique_counts(x: Any, /, *, size: Any = None, fill_value: Any = None) -> UniqueCountsResult:
    found = _groups(value(x), _sized("unique_counts", size), fill_value, False)
    return UniqueCountsResult(found.values, found.counts)


@implements(np.unique_inverse)
def unique_inverse(x: Any, /, *, size: Any = None, fill_value: Any = None) -> UniqueInverseResult:
    found = _groups(value(x), _sized("unique_inverse", size), fill_value, False)
    return UniqueInverseResult(found.values, found.inverse_indices)


@implements(np.unique_all)
def unique_all(x: Any, /, *, size: Any = None, fill_value: Any = None) -> UniqueAllResult:
    return _groups(value(x), _sized("unique_all", size), fill_value, False)


@implements(np.isin)
def isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
         kind: Any = None) -> Value:  # fmt: skip
    dtype = u.result_dtype(value(element), value(test_elements))
    x, tests = value(element, dtype), ravel(value(test_elements, dtype))
    n = tests.shape[0]
    if n == 0:
        return build.full(x.shape, bool(invert), BOOL)
    if isinstance(n, int) and n <= 16:
        spread = reshape(x, (*x.shape, 1))
        found = r.any(u.equal(spread, tests), axis=len(x.shape))
    else:
        line = SORT(tests, axis=0, keys=1, descending=False)
        place = u.minimum(SEARCHSORTED(line, x, side="left"), build.extent(n - 1))
        found = u.equal(pick(line, place, 0), x)
    return u.logical_not(found) if invert else found


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any, *, size: Any = None, fill_value: Any = None) -> Value:
    both = concatenate((ravel(ar1), ravel(ar2)), 0)
    return _groups(both, _sized("union1d", size), fill_value, True).values


def _chosen(x: Value, keep: Value, size: Any, fill: Any) -> Value:
    """The first `size` elements of a line where `keep` holds."""
    order = u.subtract(scans.scan("sum", cast(keep, I64), 0), 1)
    place = u.where(
        u.logical_and(keep, u.less(order, build.extent(size))), order, build.extent(size)
    )
    empty = build.broadcast_to(value(0 if fill is None else fill, x.dtype), (size + 1,))
    return part(SCATTER(empty, x, place, axes=(0,), combine="set", mode="promise"), 0, 0, size)


def _first_of_each(line: Value) -> Value:
    n = line.shape[0]
    fresh = u.not_equal(part(line, 0, 1, n), part(line, 0, 0, n - 1))
    return concatenate((build.full((1,), True, BOOL), fresh), 0)


@implements(np.intersect1d)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False, *,
                size: Any = None, fill_value: Any = None) -> Value:  # fmt: skip
    if return_indices:
        raise TraceError("intersect1d with return_indices cannot be traced")
    count = _sized("intersect1d", size)
    dtype = u.result_dtype(value(ar1), value(ar2))
    line = sort(ravel(value(ar1, dtype)))
    return _chosen(
        line, e.AND(_first_of_each(line), isin(line, value(ar2, dtype))), count, fill_value
    )


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False, *, size: Any = None,
              fill_value: Any = None) -> Value:  # fmt: skip
    count = _sized("setdiff1d", size)
    x = ravel(ar1)
    line = x if assume_unique else sort(x)
    keep = isin(line, ar2, invert=True)
    if not assume_unique:
        keep = e.AND(keep, _first_of_each(line))
    return _chosen(line, keep, count, fill_value)


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False, *, size: Any = None,
             fill_value: Any = None) -> Value:  # fmt: skip
    count = _sized("setxor1d", size)
    dtype = u.result_dtype(value(ar1), value(ar2))
    a, b = ravel(value(ar1, dtype)), ravel(value(ar2, dtype))
    line = sort(concatenate((a, b), 0))
    once = e.AND(_first_of_each(line), u.not_equal(isin(line, a), isin(line, b)))
    return _chosen(line, once, count, fill_value)
