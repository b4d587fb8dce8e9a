"""numpy.linalg over values: norms, products, systems of equations and factors of matrices.

Factors are cards (graphc/ops/linear_algebra.py), which call LAPACK when the program runs; the
leading axes are a batch. What NumPy refuses at run time (singular, not positive definite) raises
LinAlgError in the call of the compiled function.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch, TraceError, TypeMismatch
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast, full_like
from ..ops.linear_algebra import CHOLESKY, QR, SLOGDET, SOLVE
from ..ops.matrices import adjoint
from ..types import F64
from . import products
from . import reductions as r
from . import ufuncs as u
from .creation import eye
from .dispatch import axes_of, implements, static, value
from .indexing import diagonal as _diagonal
from .shaping import at, expand, matrix_transpose, moveaxis, ravel, reshape

Ord = Any


class QRResult(NamedTuple):
    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    sign: Any
    logabsdet: Any


# ------------------------------------------------------------------------------------------- norms


def _floats(x: Any) -> Value:
    z = value(x)
    return cast(z, F64) if z.dtype.kind in "biu" else z


def _squares(x: Value) -> Value:
    if x.dtype.is_complex:
        re, im = e.REAL(x), e.IMAG(x)
        return e.ADD(e.MUL(re, re), e.MUL(im, im))
    return e.MUL(x, x)


def _vector(x: Value, order: Ord, axes: tuple[int, ...], keepdims: bool) -> Value:
    """The norm over the axes. Not scaled: squares of numbers beyond the root of the greatest one
    overflow.
    """
    if order is None or order == 2:
        return e.SQRT(r.sum(_squares(x), axes, keepdims=keepdims))
    size = e.ABS(x)
    if order == math.inf:
        return r.max(size, axes, keepdims=keepdims, initial=0)
    if order == -math.inf:
        return r.min(size, axes, keepdims=keepdims, initial=math.inf)
    if order == 0:
        nonzero = cast(u.not_equal(x, 0), size.dtype)
        return r.sum(nonzero, axes, keepdims=keepdims)
    if order == 1:
        return r.sum(size, axes, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order {order!r} for vectors")
    return u.power(r.sum(u.power(size, order), axes, keepdims=keepdims), 1 / order)


def _matrix(x: Value, order: Ord, axes: tuple[int, int], keepdims: bool) -> Value:
    row, column = axes
    if order in (None, "fro", "f"):
        return e.SQRT(r.sum(_squares(x), axes, keepdims=keepdims))
    if order in (1, -1, math.inf, -math.inf):
        inner, outer = (row, column) if abs(order) == 1 else (column, row)
        lines = r.sum(e.ABS(x), inner, keepdims=True)
        found = (r.max if order > 0 else r.min)(lines, outer, keepdims=True)
        return found if keepdims else _without(found, axes)
    if order in (2, -2, "nuc"):
        from .spectra import spectral  # which is built on this module

        return spectral(x, order, axes, keepdims)
    raise ValueError(f"Invalid norm order {order!r} for matrices")


def _without(x: Value, axes: tuple[int, ...]) -> Value:
    return reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in axes))


@implements(np.linalg.norm, name="linalg.norm")
def norm(x: Any, ord: Ord = None, axis: Any = None, keepdims: bool = False) -> Value:
    z = _floats(x)
    rank = len(z.shape)
    if axis is None:
        if ord is None or (ord in ("f", "fro") and rank == 2) or (ord == 2 and rank == 1):
            return _vector(z, None, tuple(range(rank)), keepdims)
        axes = tuple(range(rank))
    else:
        axes = tuple(int(a) % rank for a in (axis if isinstance(axis, tuple) else (axis,)))
        axes_of(axis, rank)
    if len(axes) == 1:
        return _vector(z, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    if axes[0] == axes[1]:
        raise ValueError("Duplicate axes given.")
    return _matrix(z, ord, axes, keepdims)


@implements(np.linalg.vector_norm, name="linalg.vector_norm")
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Ord = 2) -> Value:
    z = _floats(x)
    return _vector(z, ord, axes_of(axis, len(z.shape)), keepdims)


@implements(np.linalg.matrix_norm, name="linalg.matrix_norm")
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Ord = "fro") -> Value:
    z = _floats(x)
    rank = len(z.shape)
    if rank < 2:
        raise ShapeMismatch(f"matrix_norm takes at least two axes, got {z.type}")
    return _matrix(z, ord, (rank - 2, rank - 1), keepdims)


# ---------------------------------------------------------------------------------------- products


implements(np.linalg.matmul, name="linalg.matmul")(products.matmul)
implements(np.linalg.tensordot, name="linalg.tensordot")(products.tensordot)
implements(np.linalg.multi_dot, name="linalg.multi_dot")(products.multi_dot)
implements(np.linalg.vecdot, name="linalg.vecdot")(products.vecdot)
implements(np.linalg.matrix_transpose, name="linalg.matrix_transpose")(matrix_transpose)


@implements(np.linalg.matrix_power, name="linalg.matrix_power")
def matrix_power(a: Any, n: int) -> Value:
    _square(value(a), "matrix_power")
    return products.matrix_power(a, int(static(n, "the exponent")))


@implements(np.linalg.cross, name="linalg.cross")
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Value:
    a, b = value(x1), value(x2)
    if a.shape[axis] != 3 or b.shape[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors")
    return products.cross(a, b, axis=axis)


@implements(np.linalg.outer, name="linalg.outer")
def outer(x1: Any, x2: Any, /) -> Value:
    a, b = value(x1), value(x2)
    if len(a.shape) != 1 or len(b.shape) != 1:
        raise ValueError("Input arrays must be one-dimensional")
    return products.outer(a, b)


@implements(np.linalg.diagonal, name="linalg.diagonal")
def diagonal(x: Any, /, *, offset: int = 0) -> Value:
    return _diagonal(x, offset, -2, -1)


@implements(np.linalg.trace, name="linalg.trace")
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Value:
    return r.sum(_diagonal(x, offset, -2, -1), -1, dtype)


# ------------------------------------------------------------------------- equations and factors


def _square(x: Value, what: str) -> None:
    if len(x.shape) < 2:
        raise np.linalg.LinAlgError(f"{what}: {x.type} has fewer than two axes")
    if x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")


def _matrix_operand(a: Any, what: str) -> Value:
    x = _floats(a)
    if x.dtype not in (ty.F32, ty.F64, ty.C64, ty.C128):
        raise TypeMismatch(f"{what}: array type {x.dtype.numpy_name} is unsupported in linalg")
    return x


def _solved(a: Value, b: Value, singular: str = "raise") -> Value:
    dtype = u.result_dtype(a, b)
    lead = ty.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = build.broadcast_to(cast(a, dtype), (*lead, *a.shape[-2:]))
    b = build.broadcast_to(cast(b, dtype), (*lead, *b.shape[-2:]))
    return SOLVE(a, b, singular=singular)


@implements(np.linalg.solve, name="linalg.solve")
def solve(a: Any, b: Any) -> Value:
    """b of one axis is one vector; anything else is matrices."""
    x, y = _matrix_operand(a, "solve"), _matrix_operand(b, "solve")
    _square(x, "solve")
    if len(y.shape) == 1:
        found = _solved(x, expand(y, (1,)))
        return reshape(found, found.shape[:-1])
    return _solved(x, y)


@implements(np.linalg.inv, name="linalg.inv")
def inv(a: Any) -> Value:
    return _inverse(a, "raise")


def _inverse(a: Any, singular: str) -> Value:
    x = _matrix_operand(a, "inv")
    _square(x, "inv")
    return _solved(x, eye(x.shape[-1], dtype=x.dtype), singular)


@implements(np.linalg.det, name="linalg.det")
def det(a: Any) -> Value:
    """By the formula up to 3 x 3, so that singular matrices have derivatives too; then the sign
    times the exponential of the logarithm, as NumPy.
    """
    x = _matrix_operand(a, "det")
    _square(x, "det")
    n = x.shape[-1]
    if isinstance(n, int) and n <= 3:
        return _expanded(x, tuple(range(n)), 0)
    sign, size = SLOGDET(x)
    return u.multiply(sign, cast(u.exp(size), x.dtype))


def _expanded(x: Value, columns: tuple[int, ...], row: int) -> Value:
    """The determinant of some columns, from a row on, along that row."""
    if not columns:
        return build.full(x.shape[:-2], 1, x.dtype)
    found: Value | None = None
    for k, column in enumerate(columns):
        entry = at(at(x, -1, column), -1, row)
        rest = tuple(c for c in columns if c != column)
        term = u.multiply(entry, _expanded(x, rest, row + 1)) if rest else entry
        if found is None:
            found = term
        else:
            found = (u.subtract if k % 2 else u.add)(found, term)
    assert found is not None
    return found


@implements(np.linalg.slogdet, name="linalg.slogdet")
def slogdet(a: Any) -> SlogdetResult:
    x = _matrix_operand(a, "slogdet")
    _square(x, "slogdet")
    return SlogdetResult(*SLOGDET(x))


@implements(np.linalg.cholesky, name="linalg.cholesky")
def cholesky(a: Any, /, *, upper: bool = False) -> Value:
    """The lower (upper) factor, from the lower (upper) triangle."""
    x = _matrix_operand(a, "cholesky")
    _square(x, "cholesky")
    return adjoint(CHOLESKY(adjoint(x))) if upper else CHOLESKY(x)


@implements(np.linalg.qr, name="linalg.qr")
def qr(a: Any, mode: str = "reduced") -> Any:
    """Mode reduced, complete or r."""
    if mode not in ("reduced", "complete", "r"):
        raise TraceError(f"qr with mode {mode!r} cannot be traced; reduced, complete and r can")
    x = _matrix_operand(a, "qr")
    if len(x.shape) < 2:
        raise np.linalg.LinAlgError(f"qr: {x.type} has fewer than two axes")
    found = QR(x, mode=mode)
    return found if mode == "r" else QRResult(*found)


@implements(np.linalg.tensorsolve, name="linalg.tensorsolve")
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Value:
    x, y = value(a), value(b)
    if axes is not None:
        x = moveaxis(x, tuple(axes), tuple(range(len(x.shape) - len(axes), len(x.shape))))
    rest = x.shape[len(y.shape) :]
    count = ty.product(rest)
    return reshape(solve(reshape(x, (count, count)), ravel(y)), rest)


@implements(np.linalg.tensorinv, name="linalg.tensorinv")
def tensorinv(a: Any, ind: int = 2) -> Value:
    x = value(a)
    shape = (*x.shape[ind:], *x.shape[:ind])
    count = ty.product(x.shape[ind:])
    return reshape(inv(reshape(x, (count, count))), shape)


@implements(np.linalg.cond, name="linalg.cond")
def cond(x: Any, p: Ord = None) -> Value:
    """A singular matrix has an infinite one."""
    z = _matrix_operand(x, "cond")
    rank = len(z.shape)
    axes = (rank - 2, rank - 1)
    if 0 in z.shape[-2:]:
        raise np.linalg.LinAlgError("cond is not defined on empty arrays")
    if p in (None, 2, -2):
        from .spectra import svdvals

        lengths = svdvals(z)
        first, last = at(lengths, -1, 0), at(lengths, -1, lengths.shape[-1] - 1)
        found = u.divide(last, first) if p == -2 else u.divide(first, last)
    else:
        _square(z, "cond")
        found = u.multiply(_matrix(z, p, axes, False), _matrix(_inverse(z, "nan"), p, axes, False))
    given = r.any(u.isnan(z), axes)
    unknown = u.logical_and(u.isnan(found), u.logical_not(given))
    return u.where(unknown, full_like(found, np.inf), found)
