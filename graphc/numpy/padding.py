"""pad in all of NumPy's modes that compose, and windows that slide."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TraceError
from ..ir import Value
from ..ops import build
from ..ops.build import cast
from ..ops.indexing import GATHER
from ..ops.movement import CONCATENATE, PAD
from ..types import Extent
from . import reductions
from . import ufuncs as u
from .dispatch import axes_of, extents, implements, is_traced, number, static, value
from .shaping import part, pick, transpose
from .statistics import median

_BY_PLACE = ("edge", "reflect", "symmetric", "wrap")
_BY_VALUE = {
    "maximum": reductions.max, "minimum": reductions.min, "mean": reductions.mean,
    "median": median,
}  # fmt: skip


def _pairs(spec: Any, rank: int, what: str) -> list[tuple[Any, Any]]:
    """(before, after) of every axis: from one number, a pair, or a pair for each axis."""
    static(spec, what)
    if isinstance(spec, dict):
        table: list[tuple[Any, Any]] = [(0, 0)] * rank
        for axis, width in spec.items():
            table[axis] = (width, width) if np.ndim(width) == 0 else tuple(width)
        return table
    if isinstance(spec, ty.Dim):
        return [(spec, spec)] * rank
    array = np.asarray(spec, dtype=object if _symbolic(spec) else None)
    return [tuple(row) for row in np.broadcast_to(array, (rank, 2)).tolist()]


def _symbolic(spec: Any) -> bool:
    if isinstance(spec, (list, tuple)):
        return any(_symbolic(one) for one in spec)
    return isinstance(spec, ty.Dim)


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Value:
    """Axis by axis, as NumPy: later axes see what earlier ones added."""
    x = value(array)
    widths = _pairs(pad_width, len(x.shape), "pad_width")
    for low, high in widths:
        if any(not isinstance(w, ty.Dim) and w < 0 for w in (low, high)):
            raise ValueError("index can't contain negative values")
    if mode in ("constant", "empty"):
        return _constant(x, widths, kwargs.get("constant_values", 0))
    if callable(mode):
        raise TraceError("pad by a function writes into an array; compose concatenate instead")
    for axis, (low, high) in enumerate(widths):
        if mode in _BY_PLACE:
            if kwargs.get("reflect_type", "even") != "even":
                raise TraceError(
                    "pad with reflect_type='odd' cannot be traced; compose 2*edge - reflected"
                )
            x = _placed(x, axis, low, high, mode)
        elif mode == "linear_ramp":
            ends = _pairs(kwargs.get("end_values", 0), len(x.shape), "end_values")[axis]
            x = _ramped(x, axis, (low, high), ends)
        elif mode in _BY_VALUE:
            lengths = kwargs.get("stat_length")
            pairs = (
                [(None, None)] * len(x.shape)
                if lengths is None
                else _pairs(lengths, len(x.shape), "stat_length")
            )
            x = _summarised(x, axis, (low, high), pairs[axis], mode)
        else:
            raise ValueError(f"mode '{mode}' is not supported")
    return x


def _constant(x: Value, widths: list[tuple[Any, Any]], fill: Any) -> Value:
    rank = len(x.shape)
    if is_traced(fill) or np.ndim(fill) == 0:
        low, high = tuple(w[0] for w in widths), tuple(w[1] for w in widths)
        return PAD(x, value(fill, x.dtype), low=low, high=high, interior=(0,) * rank)
    fills = _pairs(fill, rank, "constant_values")
    for axis, ((low, high), (before, after)) in enumerate(zip(widths, fills, strict=True)):
        x = _joined(x, axis, _block(x, axis, low, before), _block(x, axis, high, after))
    return x


def _block(x: Value, axis: int, width: Extent, fill: Any) -> Value:
    shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
    return build.broadcast_to(value(fill, x.dtype), shape)


def _joined(x: Value, axis: int, before: Value, after: Value) -> Value:
    parts = [
        p for p in (before, x, after) if isinstance(p.shape[axis], ty.Dim) or p.shape[axis] > 0
    ]
    return CONCATENATE(*parts, axis=axis) if len(parts) > 1 else x


def _placed(x: Value, axis: int, low: Any, high: Any, mode: str) -> Value:
    if low == 0 and high == 0:
        return x
    if mode == "edge" and x.shape[axis] != 0:
        n = x.shape[axis]
        first, last = part(x, axis, 0, 1), part(x, axis, n - 1, n)
        shape = list(x.shape)
        shape[axis] = low
        before = build.broadcast_to(first, shape)
        shape[axis] = high
        return _joined(x, axis, before, build.broadcast_to(last, shape))
    n = number(x.shape[axis], f"pad with mode {mode!r}")
    return pick(x, np.pad(np.arange(n), (low, high), mode=mode), axis)  # type: ignore[call-overload]


def _ramped(x: Value, axis: int, widths: tuple[Any, Any], ends: tuple[Any, Any]) -> Value:
    n = x.shape[axis]
    low, high = (number(w, "pad with linear_ramp") for w in widths)
    first, last = part(x, axis, 0, 1), part(x, axis, n - 1, n)
    return _joined(
        x, axis, _ramp(first, axis, low, ends[0], False), _ramp(last, axis, high, ends[1], True)
    )


def _ramp(edge: Value, axis: int, width: int, end: Any, reverse: bool) -> Value:
    """`width` steps from the end value to the edge, which is left out."""
    shape = (*edge.shape[:axis], width, *edge.shape[axis + 1 :])
    wide = ty.promote(edge.dtype, ty.F64) if edge.dtype.kind in "biu" else edge.dtype
    steps = build.iota(shape, axis, ty.I64)
    if reverse:
        steps = u.subtract(width - 1, steps)
    start = value(end, wide)
    slope = u.divide(u.subtract(cast(edge, wide), start), max(width, 1))
    found = u.add(u.multiply(cast(steps, wide), slope), start)
    return cast(u.floor(found) if edge.dtype.is_integer else found, edge.dtype)


def _summarised(
    x: Value, axis: int, widths: tuple[Any, Any], lengths: tuple[Any, Any], mode: str
) -> Value:
    n = x.shape[axis]
    blocks = []
    for width, length, side in zip(widths, lengths, (0, 1), strict=True):
        count = n if length is None else min(int(length), number(n, "stat_length"))
        region = part(x, axis, 0, count) if side == 0 else part(x, axis, n - count, n)
        one = _BY_VALUE[mode](region, axis=axis, keepdims=True)
        if x.dtype.is_integer:
            one = u.rint(one) if one.dtype.is_float else one
        shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
        blocks.append(build.broadcast_to(cast(one, x.dtype), shape))
    return _joined(x, axis, *blocks)


@implements(np.lib.stride_tricks.sliding_window_view, name="lib.stride_tricks.sliding_window_view")
def sliding_window_view(x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False,
                        writeable: bool = False) -> Value:  # fmt: skip
    """Windows as new last axes; a copy by meaning, free when fused."""
    z = value(x)
    windows = extents(window_shape)
    axes = axes_of(axis, len(z.shape)) if axis is not None else tuple(range(len(z.shape)))
    if len(axes) != len(windows):
        raise ValueError("Must provide matching length window_shape and axis")
    for one, width in zip(axes, windows, strict=True):
        count = z.shape[one] - width + 1
        if not isinstance(count, ty.Dim) and count <= 0:
            raise ShapeMismatch("window shape cannot be larger than input array shape")
        z = windowed(z, one, count, width)
    return z


def windowed(x: Value, axis: int, count: Extent, width: Extent) -> Value:
    """The axis becomes `count` starts; a new last axis holds `width` elements from each start
    on.
    """
    shape = (count, width)
    places = u.add(build.iota(shape, 0), build.iota(shape, 1))
    found = GATHER(x, places, axes=(axis,), mode="promise")  # count, width, rest...
    rank = len(x.shape)
    order = [*range(2, 2 + rank - 1)]
    order.insert(axis, 0)
    return transpose(found, (*order, 1))
