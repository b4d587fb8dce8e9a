"""The old polynomial functions: coefficients from the highest power down."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TraceError
from ..ir import Value
from ..ops import build
from ..ops.build import cast
from ..types import F64
from . import reductions as r
from . import ufuncs as u
from .creation import pad_by, vander
from .dispatch import implements, number, value
from .joining import concatenate
from .sequences import convolve
from .shaping import at, expand, part, reshape
from .spectra import lstsq


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Value:
    """Horner's scheme."""
    coefficients, z = value(p), value(x)
    found: Any = build.full_like(z, 0)
    for k in range(number(coefficients.shape[0], "polyval")):
        found = u.add(u.multiply(found, z), at(coefficients, 0, k))
    return found


def _line(a: Any) -> Value:
    x = value(a)
    return reshape(x, (1,)) if not x.shape else x


def _aligned(a1: Any, a2: Any) -> tuple[Value, Value]:
    x, y = _line(a1), _line(a2)
    n, m = (number(z.shape[0], "a polynomial") for z in (x, y))
    return pad_by(x, max(m - n, 0), 0), pad_by(y, max(n - m, 0), 0)


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Value:
    return u.add(*_aligned(a1, a2))


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Value:
    return u.subtract(*_aligned(a1, a2))


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Value:
    """Leading zeros stay (NumPy trims them)."""
    return convolve(_line(a1), _line(a2))


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Value:
    x = _line(p)
    for _ in range(m):
        n = number(x.shape[0], "polyder")
        x = u.multiply(part(x, 0, 0, n - 1), np.arange(n - 1, 0, -1)) if n > 1 else part(x, 0, 0, 0)
    return x


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Value:
    x = _line(p)
    constants = value(0.0 if k is None else k)
    constants = build.broadcast_to(constants, (m,)) if len(constants.shape) < 2 else constants
    for step in range(m):
        n = number(x.shape[0], "polyint")
        raised = u.divide(x, np.arange(n, 0, -1))
        x = concatenate((raised, part(constants, 0, step, step + 1)), 0)
    return x


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Value:
    """The polynomial with these zeros; of a matrix it takes eigenvalues, which are not there."""
    zeros = _line(seq_of_zeros)
    if len(zeros.shape) != 1:
        raise ShapeMismatch(
            "poly of a traced matrix takes its eigenvalues, which are not there; give the zeros"
        )
    dtype = ty.promote(zeros.dtype, F64) if zeros.dtype.kind in "biu" else zeros.dtype
    found = build.full((1,), 1, dtype)
    for k in range(number(zeros.shape[0], "poly")):
        root = cast(part(zeros, 0, k, k + 1), dtype)
        found = convolve(found, concatenate((build.full((1,), 1, dtype), u.negative(root)), 0))
    return found


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None,
            cov: bool = False) -> Value:  # fmt: skip
    """Least squares with the scaled Vandermonde matrix; the coefficients alone."""
    if full or cov:
        raise TraceError("polyfit with full or cov cannot be traced; the coefficients alone can")
    points, heights = value(x), value(y)
    dtype = u.result_dtype(points, value(0.0))
    matrix = vander(cast(points, dtype), int(deg) + 1)
    heights = cast(heights, u.result_dtype(heights, value(0.0)))
    if w is not None:
        weights = value(w)
        matrix = u.multiply(matrix, expand(weights, (1,)))
        heights = u.multiply(heights, weights if len(heights.shape) == 1 else expand(weights, (1,)))
    scale = u.sqrt(r.sum(u.multiply(matrix, matrix), 0))
    columns = heights if len(heights.shape) == 2 else expand(heights, (1,))
    rcond = points.shape[0] * np.finfo(dtype.numpy).eps if rcond is None else rcond
    found = lstsq(u.divide(matrix, scale), columns, rcond).x
    found = u.divide(found, expand(scale, (1,)))
    return found if len(heights.shape) == 2 else reshape(found, (int(deg) + 1,))
