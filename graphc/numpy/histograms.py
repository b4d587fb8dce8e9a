"""Counts of numbers in bins: the number of bins is static."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..errors import TraceError, TypeMismatch
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast
from ..ops.indexing import SCATTER
from ..ops.ordering import SEARCHSORTED
from ..types import F64, I64, U64, Extent
from . import reductions as r
from . import scans
from . import ufuncs as u
from .dispatch import extents, implements, is_traced, number, static, value
from .rearranging import flip
from .shaping import at, part, ravel, reshape


def _counted(places: Value, weights: Any, length: Extent, mode: str) -> Value:
    """How often each place occurs, or the sum of the weights there."""
    places = ravel(places)
    if weights is None:
        ones = build.full(places.shape, 1, I64)
        return SCATTER(
            build.zeros((length,), I64), ones, places, axes=(0,), combine="add", mode=mode
        )
    w = ravel(weights)
    return SCATTER(build.zeros((length,), w.dtype), w, places, axes=(0,), combine="add", mode=mode)


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: Any = 0, *, length: Any = None) -> Value:
    """The number of bins has to be stated: `length`, or `minlength`; a greater number raises
    IndexError.
    """
    places = value(x)
    if places.dtype.kind not in "iub" or places.dtype is U64:
        raise TypeMismatch(f"bincount counts integers, got {places.type}")
    count: Any = static(minlength if length is None else length, "the number of bins")
    if isinstance(count, (int, np.integer)) and count == 0 and places.type.size != 0:
        raise TraceError(
            "the length of bincount depends on data. State it: graphc.numpy.bincount(x, "
            "length=n) or minlength=n"
        )
    w = None if weights is None else cast(value(weights), F64)
    (bins,) = extents(count)
    return _counted(cast(places, I64), w, bins, "raise")


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Value:
    """Bins increase or decrease; of traced ones the ends decide."""
    side, other = ("left", "right") if right else ("right", "left")
    if not is_traced(bins):
        edges = np.asarray(bins)
        if edges.size > 1 and np.any(np.diff(edges) < 0):
            if np.any(np.diff(edges) > 0):
                raise ValueError("bins must be monotonically increasing or decreasing")
            return u.subtract(edges.size, _searched(edges[::-1], x, other))
        return _searched(bins, x, side)
    line = value(bins)
    n = line.shape[0]
    rising = _searched(line, x, side)
    if n == 0:
        return rising
    falling = u.subtract(build.extent(n), _searched(flip(line), x, other))
    return u.where(u.less_equal(at(line, 0, 0), at(line, 0, n - 1)), rising, falling)


def _searched(edges: Any, x: Any, side: str) -> Value:
    dtype = u.result_dtype(value(edges), value(x))
    return SEARCHSORTED(value(edges, dtype), value(x, dtype), side=side)


def bin_edges(a: Any, bins: Any, range: Any) -> Value:
    """The edges of a histogram: stated ones, or equal steps from the least to the greatest
    number.
    """
    from .creation import linspace

    if isinstance(bins, str):
        raise TraceError(
            f"bins={bins!r} makes the number of bins depend on data; state a number or the edges"
        )
    if is_traced(bins) or np.ndim(bins):
        return value(bins)
    count = int(static(bins, "the number of bins"))
    if count < 1:
        raise ValueError("`bins` must be positive, when an integer")
    x = value(a)
    dtype = u.result_dtype(x, 0.0) if x.dtype.is_float else F64
    if range is not None:
        low, high = (value(b, dtype) for b in range)
        if not is_traced(range) and range[0] == range[1]:
            low, high = u.subtract(low, 0.5), u.add(high, 0.5)
    elif x.type.size == 0:
        low, high = value(0.0, dtype), value(1.0, dtype)
    else:
        low, high = cast(r.min(x), dtype), cast(r.max(x), dtype)
        flat = u.equal(low, high)
        low, high = u.where(flat, u.subtract(low, 0.5), low), u.where(flat, u.add(high, 0.5), high)
    return linspace(low, high, count + 1)


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Value:
    return bin_edges(a, bins, range)


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None,
              weights: Any = None) -> tuple[Value, Value]:  # fmt: skip
    edges = bin_edges(a, bins, range)
    x = ravel(a)
    counts = _binned(((x, edges),), weights)
    return _density(counts, (edges,), density), edges


def _binned(pairs: Any, weights: Any) -> Value:
    """Counts over the product of bins; what lies outside goes to a bin of its own, which is
    dropped.
    """
    flat: Any = None
    outside: Any = None
    total: Extent = 1
    sizes = []
    for x, edges in pairs:
        n = edges.shape[0] - 1
        place = u.subtract(_searched(edges, x, "right"), 1)
        last = part(edges, 0, n, n + 1)
        place = u.where(u.equal(x, last), u.subtract(build.extent(n), 1), place)
        wrong = u.logical_or(u.less(place, 0), u.greater_equal(place, build.extent(n)))
        outside = wrong if outside is None else e.OR(outside, wrong)
        flat = place if flat is None else u.add(u.multiply(flat, build.extent(n)), place)
        total = total * n
        sizes.append(n)
    flat = u.where(outside, build.extent(total), flat)
    w = None if weights is None else value(weights)
    if w is not None and w.dtype.kind in "biu":
        w = cast(w, F64 if len(sizes) > 1 else r.sum_dtype(w.dtype))
    counts = part(_counted(flat, w, total + 1, "promise"), 0, 0, total)
    return reshape(counts, tuple(sizes))


def _density(counts: Value, edges: Any, density: Any) -> Value:
    if not density:
        return counts
    found: Any = u.divide(counts, r.sum(counts))
    for axis, one in enumerate(edges):
        widths = scans.diff(one)
        found = u.divide(
            found, reshape(widths, tuple(-1 if d == axis else 1 for d, _ in enumerate(edges)))
        )
    return found


@implements(np.histogram2d)
def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None,
                weights: Any = None) -> tuple[Value, Value, Value]:  # fmt: skip
    both = [ravel(x), ravel(y)]
    counts, edges = _histogram_nd(both, bins, range, density, weights)
    return counts, edges[0], edges[1]


def _histogram_nd(columns: list[Value], bins: Any, range: Any, density: Any, weights: Any) -> Any:
    rank = len(columns)
    alone = is_traced(bins) is False and np.ndim(bins) == 0
    each = [bins] * rank if alone or (not alone and len(bins) != rank) else list(bins)
    ranges = [None] * rank if range is None else list(range)
    edges = [bin_edges(c, b, s) for c, b, s in zip(columns, each, ranges, strict=True)]
    counts = cast(_binned(tuple(zip(columns, edges, strict=True)), weights), F64)
    return _density(counts, edges, density), edges


@implements(np.histogramdd)
def histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None,
                weights: Any = None) -> tuple[Value, Any]:  # fmt: skip
    x = value(sample)
    if len(x.shape) == 1:
        x = reshape(x, (-1, 1))
    columns = [at(x, 1, k) for k in builtins.range(number(x.shape[1], "histogramdd"))]
    counts, edges = _histogram_nd(columns, bins, range, density, weights)
    return counts, tuple(edges)
