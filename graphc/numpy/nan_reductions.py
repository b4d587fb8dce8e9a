"""Reductions that leave NaN out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ir import Value
from ..ops import elementwise as e
from ..ops.build import full_like
from ..ops.reduction import identity
from . import ufuncs as u
from .dispatch import axes_of, implements, value
from .reductions import (
    argmax,
    argmin,
    broadcast_where,
    count_of,
    extreme,
    given,
    masked,
    mean,
    prod,
    reduce,
    spread,
    sum,
)
from .scans import scan


def _filled(a: Any, number: Any) -> tuple[Value, Any]:
    """x with NaN replaced, and where it was a number (True: everywhere)."""
    x = value(a)
    if x.dtype.kind not in "fc":
        return x, True
    bad = e.ISNAN(x)
    return e.SELECT(bad, full_like(x, number), x), e.NOT(bad)


def _also(where: Any, valid: Any) -> Any:
    if valid is True:
        return where if given(where) else True
    return valid if where is True or not given(where) else u.logical_and(valid, where)


@implements(np.nansum)
def nansum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
           initial: Any = None, where: Any = True) -> Value:  # fmt: skip
    return sum(_filled(a, 0)[0], axis, dtype, None, keepdims, initial, where)


@implements(np.nanprod)
def nanprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
            initial: Any = None, where: Any = True) -> Value:  # fmt: skip
    return prod(_filled(a, 1)[0], axis, dtype, None, keepdims, initial, where)


@implements(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *,
            where: Any = True) -> Value:  # fmt: skip
    x, valid = _filled(a, 0)
    return mean(x, axis, dtype, None, keepdims, where=_also(where, valid))


def _nan_spread(a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, center: Any,
                correction: Any) -> Value:  # fmt: skip
    x, valid = _filled(a, 0)
    chosen = _also(where, valid)
    found = spread(x, axis, dtype, keepdims, ddof, correction, chosen, center)
    if chosen is True:
        return found
    axes = axes_of(axis, len(x.shape))
    freedom = ddof if not given(correction) else correction
    enough = u.greater(count_of(x, axes, chosen, keepdims), freedom)
    return u.where(enough, found, full_like(found, math.nan))


@implements(np.nanvar)
def nanvar(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
           keepdims: Any = False, *, where: Any = True, mean: Any = None,
           correction: Any = None) -> Value:  # fmt: skip
    return _nan_spread(a, axis, dtype, ddof, keepdims, where, mean, correction)


@implements(np.nanstd)
def nanstd(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
           keepdims: Any = False, *, where: Any = True, mean: Any = None,
           correction: Any = None) -> Value:  # fmt: skip
    return e.SQRT(_nan_spread(a, axis, dtype, ddof, keepdims, where, mean, correction))


def _nan_extreme(kind: str, a: Any, axis: Any, keepdims: Any, initial: Any, where: Any) -> Value:
    x = value(a)
    if x.dtype.kind not in "f":
        return extreme(kind, x, axis, keepdims, initial, where)
    x = masked(broadcast_where(x, where), where, kind)
    worst = full_like(x, identity(kind, x.dtype))
    found = extreme(kind, e.SELECT(e.ISNAN(x), worst, x), axis, keepdims, initial, True)
    nothing = reduce("and", e.ISNAN(x), axes_of(axis, len(x.shape)), keepdims)
    if given(initial):
        return found
    return u.where(nothing, full_like(found, math.nan), found)


@implements(np.nanmax)
def nanmax(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None,
           where: Any = True) -> Value:  # fmt: skip
    return _nan_extreme("max", a, axis, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None,
           where: Any = True) -> Value:  # fmt: skip
    return _nan_extreme("min", a, axis, keepdims, initial, where)


def fmax_reduce(
    a: Any,
    axis: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
    dtype: Any = None,
) -> Value:
    return _nan_extreme("max", a, axis, keepdims, initial, where)


def fmin_reduce(
    a: Any,
    axis: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
    dtype: Any = None,
) -> Value:
    return _nan_extreme("min", a, axis, keepdims, initial, where)


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Value:
    """A lane of NaN alone gives 0 (NumPy raises)."""
    return argmax(_filled(a, -math.inf)[0], axis, keepdims=keepdims)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Value:
    """A lane of NaN alone gives 0 (NumPy raises)."""
    return argmin(_filled(a, math.inf)[0], axis, keepdims=keepdims)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Value:
    return scan("sum", _filled(a, 0)[0], axis, dtype)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Value:
    return scan("prod", _filled(a, 1)[0], axis, dtype)
