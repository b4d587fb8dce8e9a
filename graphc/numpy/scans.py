"""Running sums, products and extremes, and differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import types as ty
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast
from ..ops.movement import RESHAPE
from ..ops.reduction import CUMULATIVE
from ..types import BOOL
from . import ufuncs as u
from .dispatch import axis_of, implements, value
from .joining import concatenate
from .reductions import given, sum_dtype
from .shaping import part


def scan(kind: str, a: Any, axis: Any, dtype: Any = None) -> Value:
    """ufunc.accumulate; without an axis over all elements."""
    x = value(a)
    if axis is None:
        x, axis = RESHAPE(x, shape=(x.type.size,)), 0
    if given(dtype):
        x = cast(x, ty.dtype(dtype))
    elif kind in ("sum", "prod"):
        x = cast(x, sum_dtype(x.dtype))
    if not x.shape:
        x = RESHAPE(x, shape=(1,))
    return CUMULATIVE(x, kind=kind, axis=axis_of(axis, len(x.shape)))


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Value:
    return scan("sum", a, axis, dtype)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Value:
    return scan("prod", a, axis, dtype)


def _cumulative(kind: str, x: Any, axis: Any, dtype: Any, include_initial: bool) -> Value:
    z = value(x)
    if axis is None:
        if len(z.shape) > 1:
            raise ValueError(
                "For arrays which have more than one dimension ``axis`` argument is required."
            )
        axis = 0
    found = scan(kind, z, axis, dtype)
    if not include_initial:
        return found
    axis = axis_of(axis, len(found.shape))
    shape = (*found.shape[:axis], 1, *found.shape[axis + 1 :])
    return concatenate((build.full(shape, 0 if kind == "sum" else 1, found.dtype), found), axis)


@implements(np.cumulative_sum)
def cumulative_sum(x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None,
                   include_initial: bool = False) -> Value:  # fmt: skip
    return _cumulative("sum", x, axis, dtype, include_initial)


@implements(np.cumulative_prod)
def cumulative_prod(x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None,
                    include_initial: bool = False) -> Value:  # fmt: skip
    return _cumulative("prod", x, axis, dtype, include_initial)


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Value:
    x = value(a)
    if not n:
        return x
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    axis = axis_of(axis, len(x.shape))
    ends = []
    for one in (prepend, append):
        if given(one):
            v = value(one)
            edge = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
            ends.append([build.broadcast_to(v, edge) if not v.shape else v])
        else:
            ends.append([])
    if ends[0] or ends[1]:
        x = concatenate([*ends[0], x, *ends[1]], axis)
    for _ in range(n):
        m = x.shape[axis]
        if m == 0:
            return x
        later, earlier = part(x, axis, 1, m), part(x, axis, 0, m - 1)
        x = u.not_equal(later, earlier) if x.dtype is BOOL else e.SUB(later, earlier)
    return x
