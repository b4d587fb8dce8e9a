"""Functions that choose and place elements: where, take, put, select, diagonals, masks, positions.

Those that write (put, copyto, fill_diagonal...) answer the new value; the public function assigns
it to its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TraceError
from ..ir import Value
from ..ops import build
from ..ops.build import cast, full_like
from ..ops.indexing import GATHER, SCATTER
from ..ops.movement import RESHAPE
from ..types import BOOL, I64
from . import reductions as r
from . import scans
from . import ufuncs as u
from .dispatch import axis_of, extents, implements, is_traced, number, value, wrap
from .joining import concatenate
from .shaping import moveaxis, part, pick, ravel, reshape, transpose


def _integers(index: Any) -> Value:
    x = value(index)
    if x.dtype.kind not in "iu":
        raise IndexError(f"arrays used as indices must be of integer type, got {x.type}")
    return x


@implements(np.where)
def where(
    condition: Any, x: Any = None, y: Any = None, /, *, size: Any = None, fill_value: Any = 0
) -> Any:
    """x where the condition holds, else y. With one argument: nonzero, which needs `size`."""
    if x is None and y is None:
        return nonzero(condition, size=size, fill_value=fill_value)
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    # Python numbers are weak here too
    return u.where(condition, x, y)


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Value:
    x = value(a)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, len(x.shape))
    places = _integers(indices)
    found = GATHER(x, places, axes=(axis,), mode=mode)
    rank = len(places.shape)
    order = (*range(rank, rank + axis), *range(rank), *range(rank + axis, len(found.shape)))
    return transpose(found, order)


def _lane_indices(x: Value, places: Value, axis: int) -> tuple[tuple[int, ...], list[Value]]:
    """All axes of x and an index for each: `places` along one axis, the own position along the
    others.
    """
    shape = ty.broadcast_shapes(
        places.shape, tuple(1 if d == axis else n for d, n in enumerate(x.shape))
    )
    spread = build.broadcast_to(places, shape)
    own = [spread if d == axis else build.iota(shape, d, I64) for d in range(len(shape))]
    return tuple(range(len(shape))), own


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Value:
    x, places = value(arr), _integers(indices)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, len(x.shape))
    if len(places.shape) != len(x.shape):
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    axes, index = _lane_indices(x, places, axis)
    return GATHER(x, *index, axes=axes, mode="raise")


@implements(np.put_along_axis, inplace=True)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> Value:
    x, places = value(arr), _integers(indices)
    if axis is None:
        flat = put_along_axis(ravel(x), places, values, 0)
        return reshape(flat, x.shape)
    axis = axis_of(axis, len(x.shape))
    axes, index = _lane_indices(x, places, axis)
    new = build.broadcast_to(value(values, x.dtype), index[0].shape)
    return SCATTER(x, new, *index, axes=axes, combine="set", mode="raise")


@implements(np.put, inplace=True)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> Value:
    x, places = value(a), ravel(_integers(ind))
    count = number(places.shape[0], "put")
    new = ravel(value(v, x.dtype))
    if new.shape[0] != count:
        new = pick(new, np.arange(count) % number(new.shape[0], "put"), 0)
    found = SCATTER(ravel(x), new, places, axes=(0,), combine="set", mode=mode)
    return reshape(found, x.shape)


def combine_at(a: Any, indices: Any, update: Value, combine: str) -> Value:
    """ufunc.at over the leading axes of a; indices are an integer array or a tuple of them."""
    x = value(a)
    parts = indices if isinstance(indices, tuple) else (indices,)
    index = build.broadcast(*(_integers(i) for i in parts))
    axes = tuple(range(len(index)))
    shape = (*index[0].shape, *x.shape[len(index) :])
    new = build.broadcast_to(cast(update, x.dtype), shape)
    return SCATTER(x, new, *index, axes=axes, combine=combine, mode="raise")


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Value:
    places = _integers(a) if value(a).dtype is not BOOL else cast(value(a), I64)
    if isinstance(choices, (list, tuple)):
        dtype = u.result_dtype(*choices)
        values = [value(c, dtype) for c in choices]
    else:
        table = value(choices)
        values = [
            reshape(part(table, 0, k, k + 1), table.shape[1:])
            for k in range(number(table.shape[0], "choose"))
        ]
    spread = build.broadcast(places, *values)
    index, options = spread[0], spread[1:]
    stacked = concatenate([RESHAPE(o, shape=(1, *o.shape)) for o in options], 0)
    own = [build.iota(index.shape, d, I64) for d in range(len(index.shape))]
    return GATHER(stacked, cast(index, I64), *own, axes=tuple(range(len(own) + 1)), mode=mode)


@implements(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Value:
    """The first choice whose condition holds."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not condlist:
        raise ValueError("select with an empty condition list is not possible")
    for one in condlist:
        if value(one).dtype is not BOOL:
            raise TypeError("every entry of condlist should be a boolean array")
    dtype = u.result_dtype(*choicelist, default)
    found = value(default, dtype)
    for cond, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        found = u.where(cond, value(choice, dtype), found)
    return found


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Value:
    """Every function is applied to all of x; the conditions choose."""
    z = value(x)
    if is_traced(condlist) and not isinstance(condlist, (list, tuple)):
        condlist = [condlist]
    conditions = [
        value(c, BOOL) for c in (condlist if isinstance(condlist, (list, tuple)) else [condlist])
    ]
    count = len(conditions)
    if len(funclist) not in (count, count + 1):
        raise ValueError(
            f"with {count} condition(s), either {count} or {count + 1} functions are expected"
        )

    def branch(f: Any) -> Value:
        made = f(wrap(z), *args, **kw) if callable(f) else f
        return build.broadcast_to(value(made, z.dtype), z.shape)

    found = branch(funclist[count]) if len(funclist) > count else full_like(z, 0)
    for cond, f in zip(conditions, funclist, strict=False):
        found = u.where(cond, branch(f), found)
    return found


# ------------------------------------------------------------------------------------- static masks


def _kept(what: str, x: Value, condition: Any, axis: int, size: Any, fill_value: Any) -> Value:
    """x along an axis where a mask of that axis holds; where it is traced, the first `size` of
    them, then `fill_value`.
    """
    if size is None and not is_traced(condition):
        return pick(x, np.flatnonzero(np.asarray(condition)), axis)
    if size is None:
        raise TraceError(
            f"how many elements {what} keeps depends on data. State it: graphc.numpy.{what}("
            "mask, x, size=n, fill_value=v); or reduce x[mask], or use np.where(mask, x, v) over "
            "the whole array"
        )
    mask = value(condition)
    if len(mask.shape) != 1:
        raise ShapeMismatch(f"the condition of {what} has one axis, got {mask.type}")
    line = part(x, axis, 0, mask.shape[0]) if mask.shape[0] != x.shape[axis] else x
    places = flatnonzero(mask, size=size, fill_value=-1)
    missing = u.less(places, 0)
    found = pick(line, u.maximum(places, 0), axis)
    lead, tail = (1,) * axis, (1,) * (len(x.shape) - axis - 1)
    spread = reshape(missing, (*lead, *missing.shape, *tail))
    fill = value(0 if fill_value is None else fill_value, x.dtype)
    return u.where(spread, fill, found)


@implements(np.compress)
def compress(
    condition: Any,
    a: Any,
    axis: Any = None,
    out: Any = None,
    *,
    size: Any = None,
    fill_value: Any = None,
) -> Value:
    """Where the condition is traced: the first `size` slices that it keeps, then `fill_value`."""
    x = value(a)
    if axis is None:
        x, axis = ravel(x), 0
    return _kept("compress", x, condition, axis_of(axis, len(x.shape)), size, fill_value)


@implements(np.extract)
def extract(condition: Any, arr: Any, *, size: Any = None, fill_value: Any = None) -> Value:
    """Where the condition is traced: the first `size` elements that it keeps, then `fill_value`."""
    mask = ravel(condition) if is_traced(condition) else np.ravel(condition)
    return _kept("extract", ravel(arr), mask, 0, size, fill_value)


@implements(np.nonzero)
def nonzero(a: Any, *, size: Any = None, fill_value: Any = 0) -> tuple[Value, ...]:
    """The first `size` places of nonzero elements; `fill_value` where there are fewer."""
    x = value(a)
    if not x.shape:
        raise ValueError(
            "Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() "
            "instead."
        )
    flat = _positions("nonzero", x, size, -1)
    found = unravel(flat, x.shape)
    missing = u.less(flat, 0)
    return tuple(u.where(missing, value(fill_value, I64), f) for f in found)


@implements(np.flatnonzero)
def flatnonzero(a: Any, *, size: Any = None, fill_value: Any = 0) -> Value:
    """The first `size` places of nonzero elements in C order; `fill_value` where there are
    fewer.
    """
    return _positions("flatnonzero", a, size, fill_value)


def _positions(what: str, a: Any, size: Any, fill_value: Any) -> Value:
    if size is None:
        raise TraceError(
            f"how many elements are nonzero depends on data. State it: graphc.numpy.{what}(x, "
            "size=n, fill_value=k); np.count_nonzero(x) is their number, and np.where(mask, x, y) "
            "chooses over the whole array"
        )
    (count,) = extents(size)
    hit = cast(ravel(a), BOOL)
    order = u.subtract(scans.scan("sum", cast(hit, I64), 0), 1)
    # the k-th hit goes to place k; what is no hit, or beyond, to a place that is cut off
    target = u.where(
        u.logical_and(hit, u.less(order, build.extent(count))), order, build.extent(count)
    )
    places = build.iota(hit.shape, 0, I64)
    empty = build.broadcast_to(value(fill_value, I64), (count + 1,))
    found = SCATTER(empty, places, target, axes=(0,), combine="set", mode="promise")
    return part(found, 0, 0, count)


@implements(np.argwhere)
def argwhere(a: Any, *, size: Any = None, fill_value: Any = 0) -> Value:
    """The first `size` places of nonzero elements, a row each; `fill_value` where they end."""
    from .joining import stack

    x = value(a)
    flat = _positions("argwhere", x, size, -1)
    missing = u.less(flat, 0)
    return stack([u.where(missing, value(fill_value, I64), f) for f in unravel(flat, x.shape)], 1)


# ---------------------------------------------------------------------------------------- diagonals


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    x = value(a)
    if len(x.shape) < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    i, j = axis_of(axis1, len(x.shape)), axis_of(axis2, len(x.shape))
    if i == j:
        raise ValueError("axis1 and axis2 cannot be the same")
    n, m = x.shape[i], x.shape[j]
    rows, columns = n + min(offset, 0), m - max(offset, 0)
    if rows == columns:
        count = rows
    else:
        count = max(min(number(rows, "diagonal"), number(columns, "diagonal")), 0)
    places = build.iota((count,), 0, I64)
    index = (u.add(places, max(-offset, 0)), u.add(places, max(offset, 0)))
    return moveaxis(GATHER(x, *index, axes=(i, j), mode="promise"), 0, -1)


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Value:
    return r.sum(diagonal(a, offset, axis1, axis2), -1, dtype)


@implements(np.fill_diagonal, inplace=True)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> Value:
    x = value(a)
    rank = len(x.shape)
    if rank < 2:
        raise ValueError("array must be at least 2-d")
    if rank > 2 and len(set(x.shape)) > 1:
        raise ValueError("All dimensions of input must be of equal length")
    if wrap and rank == 2:
        raise TraceError("fill_diagonal with wrap cannot be traced")
    count = min(number(n, "fill_diagonal") for n in x.shape)
    new = ravel(value(val, x.dtype))
    if len(new.shape) and new.shape[0] != count:
        new = pick(new, np.arange(count) % number(new.shape[0], "fill_diagonal"), 0)
    places = build.iota((count,), 0, I64)
    return SCATTER(
        x, new, *((places,) * rank), axes=tuple(range(rank)), combine="set", mode="promise"
    )


# ----------------------------------------------------------------------------------- writes by mask


@implements(np.copyto, inplace=True)
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> Value:
    x = value(dst)
    if not np.can_cast(value(src).dtype.numpy, x.dtype.numpy, casting) and not isinstance(
        src, (int, float)
    ):
        raise TypeError(f"Cannot cast array data from {value(src).dtype} to {x.dtype}")
    new = build.broadcast_to(value(src, x.dtype), x.shape)
    return (
        new if where is True else u.where(build.broadcast_to(value(where, BOOL), x.shape), new, x)
    )


def _masked_places(x: Value, mask: Any) -> tuple[Value, Value]:
    hit = build.broadcast_to(value(mask, BOOL), x.shape)
    return ravel(hit), reshape(x, (x.type.size,))


@implements(np.putmask, inplace=True)
def putmask(a: Any, mask: Any, values: Any) -> Value:
    """Element i takes values[i % len(values)]."""
    x = value(a)
    hit, flat = _masked_places(x, mask)
    new = ravel(value(values, x.dtype))
    if new.shape != flat.shape:
        places = u.remainder(build.iota(flat.shape, 0, I64), build.extent(new.shape[0]))
        new = pick(new, places, 0)
    return reshape(u.where(hit, new, flat), x.shape)


@implements(np.place, inplace=True)
def place(arr: Any, mask: Any, vals: Any) -> Value:
    """The k-th chosen element takes vals[k % len(vals)]."""
    x = value(arr)
    hit, flat = _masked_places(x, mask)
    new = ravel(value(vals, x.dtype))
    rank = u.maximum(u.subtract(scans.scan("sum", cast(hit, I64), 0), 1), 0)
    chosen = pick(new, u.remainder(rank, build.extent(new.shape[0])), 0)
    return reshape(u.where(hit, chosen, flat), x.shape)


# ---------------------------------------------------------------------------------------- positions


def unravel(flat: Value, shape: Sequence[Any]) -> list[Value]:
    """The places along each axis of flat positions in C order."""
    found = []
    for n in reversed(tuple(shape)):
        extent = build.extent(n, flat.dtype)
        found.append(u.remainder(flat, extent))
        flat = u.floor_divide(flat, extent)
    return found[::-1]


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Value, ...]:
    """Positions beyond the shape are not noticed."""
    flat, lengths = cast(_integers(indices), I64), extents(shape)
    if order == "F":
        return tuple(unravel(flat, lengths[::-1])[::-1])
    return tuple(unravel(flat, lengths))


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Value:
    """In mode "raise" positions beyond the shape are not noticed."""
    lengths = extents(dims)
    parts = list(multi_index) if isinstance(multi_index, (list, tuple)) else None
    if parts is None:
        table = value(multi_index)
        parts = [reshape(part(table, 0, k, k + 1), table.shape[1:]) for k in range(len(lengths))]
    modes = mode if isinstance(mode, tuple) else (mode,) * len(lengths)
    rows = list(zip(parts, lengths, modes, strict=True))
    found: Any = None
    for one, n, how in rows if order == "C" else rows[::-1]:
        index, extent = cast(_integers(one), I64), build.extent(n)
        if how == "wrap":
            index = u.remainder(index, extent)
        elif how == "clip":
            index = u.maximum(u.minimum(index, u.subtract(extent, 1)), 0)
        found = index if found is None else u.add(u.multiply(found, extent), index)
    if found is None:
        raise ShapeMismatch("ravel_multi_index needs at least one axis")
    return found


def diag_positions(n: Any, ndim: int = 2) -> tuple[Value, ...]:
    return (build.iota(extents(n), 0, I64),) * ndim


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> tuple[Value, ...]:
    x = value(arr)
    return diag_positions(x.shape[0], len(x.shape))


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> tuple[Value, ...]:
    n, m = (number(s, "tril_indices_from") for s in value(arr).shape[-2:])
    return tuple(value(i) for i in np.tril_indices(n, k, m))


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> tuple[Value, ...]:
    n, m = (number(s, "triu_indices_from") for s in value(arr).shape[-2:])
    return tuple(value(i) for i in np.triu_indices(n, k, m))
