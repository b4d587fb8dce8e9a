"""Order statistics, averages, and correlation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import types as ty
from ..errors import TraceError, TypeMismatch
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast, full_like
from ..ops.ordering import SORT
from ..types import F64, I64, Extent
from . import reductions as r
from . import ufuncs as u
from .dispatch import axes_of, implements, is_traced, value
from .joining import concatenate
from .shaping import at, expand, moveaxis, pick, reshape, transpose

# -------------------------------------------------------------------------------- order statistics


def _lanes(x: Value, axis: Any) -> tuple[Value, tuple[int, ...]]:
    """x with the reduced axes moved last and merged into one, sorted; and those axes."""
    axes = axes_of(axis, len(x.shape))
    kept = [d for d in range(len(x.shape)) if d not in axes]
    merged = ty.product(x.shape[d] for d in axes)
    lanes = reshape(transpose(x, (*kept, *axes)), (*(x.shape[d] for d in kept), merged))
    return SORT(lanes, axis=len(kept), keys=1, descending=False), axes


def _back(found: Value, x: Value, axes: tuple[int, ...], keepdims: Any, lead: int = 0) -> Value:
    if not r.flag(keepdims):
        return found
    shape = tuple(1 if d in axes else n for d, n in enumerate(x.shape))
    return reshape(found, (*found.shape[:lead], *shape))


@implements(np.median)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
           keepdims: Any = False) -> Value:  # fmt: skip
    x = value(a)
    ordered, axes = _lanes(x, axis)
    last = len(ordered.shape) - 1
    n = ordered.shape[last]
    if n == 0:
        found = r.mean(ordered, last)
    else:
        low, high = at(ordered, last, (n - 1) // 2), at(ordered, last, n // 2)
        found = r.mean(concatenate((expand(low, (0,)), expand(high, (0,))), 0), 0)
        if x.dtype.kind in "fc":
            worst = at(ordered, last, n - 1)
            found = e.SELECT(e.ISNAN(worst), worst, found)
    return _back(found, x, axes, keepdims)


_ALPHA_BETA = {
    "interpolated_inverted_cdf": (0.0, 1.0), "hazen": (0.5, 0.5), "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3.0, 1 / 3.0), "normal_unbiased": (3 / 8.0, 3 / 8.0),
}  # fmt: skip
_DISCRETE = ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")


def _virtual(n: Value, q: Any, method: str) -> Value:
    """The place of a quantile among n sorted elements, between 0 and n - 1 (Source: Hyndman and
    Fan 1996).
    """
    count = cast(n, F64)
    if method in _ALPHA_BETA:
        alpha, beta = _ALPHA_BETA[method]
        inside = u.add(alpha, u.multiply(q, 1 - alpha - beta))
        place = u.subtract(u.add(u.multiply(count, q), inside), 1.0)
    else:
        place = u.multiply(u.subtract(count, 1.0), q)
        if method == "lower":
            place = u.floor(place)
        elif method == "higher":
            place = u.ceil(place)
        elif method == "nearest":
            place = u.rint(place)
        elif method == "midpoint":
            place = u.multiply(0.5, u.add(u.floor(place), u.ceil(place)))
        elif method != "linear":
            raise TraceError(
                f"quantile method {method!r} needs q and the number of elements as numbers; "
                f"method 'linear' does not"
            )
    return u.minimum(u.maximum(place, 0.0), u.subtract(count, 1.0))


def _mixed(low: Value, high: Value, weight: Any) -> Value:
    """NumPy's linear interpolation: from the nearer end, so that it is monotonic."""
    gap = u.subtract(high, low)
    if isinstance(weight, float):  # stays a weak number
        near = u.subtract(high, u.multiply(gap, 1 - weight))
        return near if weight >= 0.5 else u.add(low, u.multiply(gap, weight))
    return u.where(
        u.greater_equal(weight, 0.5),
        u.subtract(high, u.multiply(gap, u.subtract(1, weight))),
        u.add(low, u.multiply(gap, weight)),
    )


def _quantile(x: Value, q: Any, axis: Any, method: str, keepdims: Any, skip_nan: bool) -> Value:
    if x.dtype.is_complex:
        raise TypeMismatch("a must be an array of real numbers")
    weak = isinstance(q, (int, float)) and not isinstance(q, np.generic)
    if not is_traced(q) and (np.any(np.asarray(q) < 0) or np.any(np.asarray(q) > 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    ordered, axes = _lanes(x, axis)
    last = len(ordered.shape) - 1
    n = ordered.shape[last]
    if not isinstance(n, ty.Dim) and n == 0:
        shape = (*value(q).shape, *ordered.shape[:-1])
        return _back(
            build.full(shape, math.nan, r._inner(x.dtype)), x, axes, keepdims, len(value(q).shape)
        )
    skip_nan = skip_nan and x.dtype.is_float
    if is_traced(q) or isinstance(n, ty.Dim) or skip_nan:
        found = _quantile_at(ordered, q, n, method, skip_nan, weak)
    else:
        found = _quantile_static(ordered, np.asarray(q, np.float64), int(n), method, weak, q)
    if x.dtype.is_float and not skip_nan:
        worst = at(ordered, last, n - 1)
        found = u.where(e.ISNAN(worst), cast(worst, found.dtype), found)
    return _back(found, x, axes, keepdims, len(found.shape) - last)


def _quantile_static(x: Value, q: np.ndarray, n: int, method: str, weak: bool, given: Any) -> Value:
    """q and n are numbers: NumPy itself says between which places each quantile lies."""
    places = np.quantile(np.arange(n, dtype=np.float64), q, method=method)  # type: ignore[call-overload]
    below = np.floor(places).astype(np.int64)
    last = len(x.shape) - 1
    front = moveaxis(x, last, 0)
    low = pick(front, below, 0)
    whole = method == "linear" and np.asarray(given).dtype.kind in "biu" and not x.dtype.is_float
    if method in _DISCRETE or whole:
        # whole numbers as places: no interpolation, and the dtype stays
        return low
    high = pick(front, np.minimum(below + 1, n - 1), 0)
    if weak:
        return _mixed(low, high, float(places - below))
    dtype = np.asarray(given).dtype if np.asarray(given).dtype.kind == "f" else np.float64
    weight = np.asarray(places - below, dtype).reshape(*q.shape, *(1,) * last)
    return _mixed(low, high, weight)


def _quantile_at(x: Value, q: Any, n: Extent, method: str, skip_nan: bool, weak: bool) -> Value:
    """The places are computed: for traced q, symbolic n, or lanes of different counts of
    numbers.
    """
    last = len(x.shape) - 1
    if skip_nan:
        counts = r.reduce("sum", cast(e.NOT(e.ISNAN(x)), I64), (last,))
    else:
        counts = build.extent(n)
    asked = value(q, F64)
    rank = len(asked.shape)
    spread = reshape(asked, (*asked.shape, *(1,) * last))
    # NaN lanes have no place; 0 is inside, and what stands there is NaN
    place = u.maximum(_virtual(counts, spread, method), 0.0)
    shape = ty.broadcast_shapes((*asked.shape, *(1,) * last), (*(1,) * rank, *x.shape[:-1]))
    place = build.broadcast_to(place, shape)
    below = cast(u.floor(place), I64)
    low = _along_last(x, below, rank)
    if method in _DISCRETE:
        return low
    top = u.maximum(u.subtract(counts, 1), 0)
    high = _along_last(x, u.minimum(u.add(below, 1), top), rank)
    weight = u.subtract(place, u.floor(place))
    return _mixed(low, high, cast(weight, r._inner(x.dtype)) if weak else weight)


def _along_last(x: Value, places: Value, rank: int) -> Value:
    """x[..., p] for places of shape q axes + the axes of x but the last."""
    from ..ops.indexing import GATHER

    lead = len(x.shape) - 1
    own = [build.iota(places.shape, rank + d, I64) for d in range(lead)]
    return GATHER(x, *own, places, axes=tuple(range(lead + 1)), mode="promise")


def _percent(q: Any) -> Any:
    if is_traced(q) or not isinstance(q, (int, float)):
        return u.divide(q, 100) if is_traced(q) else np.true_divide(q, 100)
    return q / 100


@implements(np.quantile)
def quantile(a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
             method: str = "linear", keepdims: Any = False, *, weights: Any = None,
             interpolation: Any = None) -> Value:  # fmt: skip
    _no_weights(weights)
    return _quantile(value(a), q, axis, method, keepdims, False)


@implements(np.percentile)
def percentile(a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
               method: str = "linear", keepdims: Any = False, *, weights: Any = None,
               interpolation: Any = None) -> Value:  # fmt: skip
    _no_weights(weights)
    return _quantile(value(a), _percent(q), axis, method, keepdims, False)


@implements(np.nanquantile)
def nanquantile(a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
                method: str = "linear", keepdims: Any = False, *, weights: Any = None,
                interpolation: Any = None) -> Value:  # fmt: skip
    _no_weights(weights)
    return _quantile(value(a), q, axis, method, keepdims, True)


@implements(np.nanpercentile)
def nanpercentile(a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
                  method: str = "linear", keepdims: Any = False, *, weights: Any = None,
                  interpolation: Any = None) -> Value:  # fmt: skip
    _no_weights(weights)
    return _quantile(value(a), _percent(q), axis, method, keepdims, True)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
              keepdims: Any = False) -> Value:  # fmt: skip
    x = value(a)
    if not x.dtype.is_float:
        return median(x, axis, keepdims=keepdims)
    found = _quantile(x, 0.5, axis, "linear", keepdims, True)
    return cast(found, x.dtype)


def _no_weights(weights: Any) -> None:
    if r.given(weights):
        raise TraceError("quantiles with weights cannot be traced; compute them before the call")


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *,
            keepdims: Any = False) -> Any:  # fmt: skip
    x = value(a)
    if weights is None:
        found = r.mean(x, axis, keepdims=keepdims)
        axes = axes_of(axis, len(x.shape))
        scale = cast(r.count_of(x, axes), found.dtype)
    else:
        w = value(weights)
        axes = axes_of(axis, len(x.shape))
        if w.shape != x.shape:
            if axis is None:
                raise TypeError("Axis must be specified when shapes of a and weights differ.")
            order = sorted(range(len(axes)), key=lambda k: axes[k])
            w = transpose(w, order) if len(axes) > 1 else w
            w = reshape(w, tuple(n if d in axes else 1 for d, n in enumerate(x.shape)))
        dtype = u.result_dtype(
            x, w, *([full_like(x, 0)] if x.dtype.kind not in "biu" else [value(0.0)])
        )
        w = cast(w, dtype)
        scale = r.sum(
            build.broadcast_to(w, x.shape) if axis is None else w, axis, keepdims=keepdims
        )
        found = u.divide(r.sum(u.multiply(cast(x, dtype), w), axis, keepdims=keepdims), scale)
    return (found, build.broadcast_to(scale, found.shape)) if returned else found


# ------------------------------------------------------------------------------------- correlation


@implements(np.cov)
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None,
        fweights: Any = None, aweights: Any = None, *, dtype: Any = None) -> Value:  # fmt: skip
    """Frequency and analytic weights are not there (TraceError)."""
    if fweights is not None or aweights is not None:
        raise TraceError("cov with weights cannot be traced; weight the deviations yourself")
    rows = [value(z) for z in (m, y) if z is not None]
    target = ty.dtype(dtype) if dtype is not None else u.result_dtype(*rows, value(0.0))
    matrices = []
    for z in rows:
        z = cast(z, target)
        z = reshape(z, (1, -1)) if len(z.shape) < 2 else z
        if not rowvar and len(matrices) == 0 and z.shape[0] != 1:
            z = transpose(z)
        elif not rowvar and len(matrices) > 0 and z.shape[0] != 1:
            z = transpose(z)
        matrices.append(z)
    x = matrices[0] if len(matrices) == 1 else concatenate(matrices, 0)
    freedom = (0 if bias else 1) if ddof is None else ddof
    x = u.subtract(x, r.mean(x, 1, keepdims=True))
    from .products import matmul

    total = matmul(x, u.conjugate(transpose(x)))
    divisor = u.subtract(build.extent(x.shape[1], target.real), freedom)
    return _squeezed(u.divide(total, u.maximum(divisor, 0.0)))


def _squeezed(x: Value) -> Value:
    return reshape(x, tuple(n for n in x.shape if n != 1))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Value:
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.shape:
        return u.divide(c, c)
    from .indexing import diagonal

    deviation = u.sqrt(e.REAL(diagonal(c)) if c.dtype.is_complex else diagonal(c))
    c = u.divide(u.divide(c, expand(deviation, (1,))), expand(deviation, (0,)))
    if c.dtype.is_complex:
        parts = (u.minimum(u.maximum(part_(c), -1.0), 1.0) for part_ in (e.REAL, e.IMAG))
        return e.COMPLEX(*parts)
    return u.minimum(u.maximum(c, -1.0), 1.0)
