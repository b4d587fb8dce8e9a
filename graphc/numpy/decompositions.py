"""numpy.linalg over values: norms, products, and decompositions of small matrices.

The decompositions unroll a loop over the columns in the graph, for extents up to MOST; the leading
axes are a batch. A matrix that NumPy refuses at run time (singular, not positive definite) gives
infinities and NaN here.
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
from ..types import F64, I64
from . import products
from . import reductions as r
from . import ufuncs as u
from .creation import eye, triu
from .dispatch import axes_of, implements, number, static, value
from .indexing import diagonal as _diagonal
from .indexing import take_along_axis
from .joining import concatenate
from .shaping import at, expand, matrix_transpose, moveaxis, part, ravel, reshape

MOST = 16
"""Decompositions are unrolled up to this extent."""

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


# ----------------------------------------------------------------------------- small decompositions


def _square(x: Value, what: str) -> None:
    if len(x.shape) < 2:
        raise np.linalg.LinAlgError(f"{what}: {x.type} has fewer than two axes")
    if x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")


def _small(extent: ty.Extent, what: str) -> int:
    n = number(extent, what)
    if n > MOST:
        raise TraceError(
            f"{what} of a {n} x {n} matrix is not there yet: decompositions are unrolled up to "
            f"{MOST}. "
            f"Compute it with NumPy outside of the traced function and pass the result in"
        )
    return n


def _matrix_operand(a: Any, what: str) -> Value:
    x = _floats(a)
    if x.dtype not in (ty.F32, ty.F64, ty.C64, ty.C128):
        raise TypeMismatch(f"{what}: array type {x.dtype.numpy_name} is unsupported in linalg")
    return x


def _row(x: Value, k: int) -> Value:
    return expand(at(x, -2, k), (len(x.shape) - 2,))


def _column(x: Value, k: int) -> Value:
    return expand(at(x, -1, k), (len(x.shape) - 1,))


def _places(n: int) -> Value:
    """i64[n, 1]: the number of each row."""
    return build.iota((n, 1), 0, I64)


def _eliminated(a: Value, b: Value | None, what: str) -> tuple[Value, Value | None, Value]:
    """Gauss elimination with partial pivoting: the upper triangle, b under the same steps, the
    sign of the swaps.
    """
    _square(a, what)
    n = _small(a.shape[-1], what)
    rows = _places(n)
    sign = build.full(a.shape[:-2], 1, a.dtype.real)
    for k in range(n - 1):
        size = e.ABS(_column(a, k))
        size = u.where(u.less(rows, k), -1.0, size)
        best = r.argmax(size, axis=-2, keepdims=True)
        swap = u.where(u.equal(rows, k), best, u.where(u.equal(rows, best), k, rows))
        a = take_along_axis(a, swap, -2)
        b = None if b is None else take_along_axis(b, swap, -2)
        moved = reshape(u.not_equal(best, k), sign.shape)
        sign = u.where(moved, u.negative(sign), sign)
        pivot = _column(_row(a, k), k)
        fine = u.not_equal(pivot, 0)
        factor = u.divide(_column(a, k), u.where(fine, pivot, 1.0))
        below = u.logical_and(u.greater(rows, k), fine)
        factor = u.where(below, factor, full_like(factor, 0))
        a = u.subtract(a, u.multiply(factor, _row(a, k)))
        b = None if b is None else u.subtract(b, u.multiply(factor, _row(b, k)))
    return a, b, sign


def back_substituted(upper: Value, b: Value) -> Value:
    n = int(upper.shape[-1])
    rows = _places(n)
    for k in range(n - 1, -1, -1):
        found = u.divide(_row(b, k), _column(_row(upper, k), k))
        rest = u.subtract(b, u.multiply(_column(upper, k), found))
        b = u.where(u.equal(rows, k), found, u.where(u.less(rows, k), rest, b))
    return b


def _solved(a: Value, b: Value, what: str) -> Value:
    dtype = u.result_dtype(a, b)
    lead = ty.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = build.broadcast_to(cast(a, dtype), (*lead, *a.shape[-2:]))
    b = build.broadcast_to(cast(b, dtype), (*lead, *b.shape[-2:]))
    if a.shape[-1] == 0:
        return b
    upper, changed, _ = _eliminated(a, b, what)
    assert changed is not None
    return back_substituted(upper, changed)


@implements(np.linalg.solve, name="linalg.solve")
def solve(a: Any, b: Any) -> Value:
    """b of one axis is one vector; anything else is matrices."""
    x, y = _matrix_operand(a, "solve"), _matrix_operand(b, "solve")
    _square(x, "solve")
    if len(y.shape) == 1:
        found = _solved(x, expand(y, (1,)), "solve")
        return reshape(found, found.shape[:-1])
    return _solved(x, y, "solve")


@implements(np.linalg.inv, name="linalg.inv")
def inv(a: Any) -> Value:
    x = _matrix_operand(a, "inv")
    _square(x, "inv")
    return _solved(x, eye(x.shape[-1], dtype=x.dtype), "inv")


@implements(np.linalg.det, name="linalg.det")
def det(a: Any) -> Value:
    x = _matrix_operand(a, "det")
    upper, _, sign = _eliminated(x, None, "det")
    return u.multiply(r.prod(_diagonal(upper, 0, -2, -1), -1), sign)


@implements(np.linalg.slogdet, name="linalg.slogdet")
def slogdet(a: Any) -> SlogdetResult:
    x = _matrix_operand(a, "slogdet")
    upper, _, sign = _eliminated(x, None, "slogdet")
    line = _diagonal(upper, 0, -2, -1)
    sign = u.multiply(r.prod(u.sign(line), -1), sign)
    return SlogdetResult(sign, r.sum(e.LOG(e.ABS(line)), -1))


@implements(np.linalg.cholesky, name="linalg.cholesky")
def cholesky(a: Any, /, *, upper: bool = False) -> Value:
    """The lower (upper) factor, from the lower (upper) triangle."""
    x = _matrix_operand(a, "cholesky")
    _square(x, "cholesky")
    n = _small(x.shape[-1], "cholesky")
    if upper:
        x = u.conjugate(matrix_transpose(x)) if x.dtype.is_complex else matrix_transpose(x)
    rows = _places(n)
    columns = []
    for k in range(n):
        pivot = _column(_row(x, k), k)
        if x.dtype.is_complex:
            pivot = cast(e.REAL(pivot), x.dtype)
        root = u.sqrt(e.REAL(pivot)) if x.dtype.is_complex else e.SQRT(pivot)
        column = u.where(u.less(rows, k), full_like(_column(x, k), 0), _column(x, k))
        column = u.where(u.equal(rows, k), cast(root, x.dtype), u.divide(column, root))
        columns.append(column)
        x = u.subtract(x, u.multiply(column, _transposed(column)))
    if not columns:
        return x
    found = concatenate(columns, -1)
    return _transposed(found) if upper else found


def _transposed(x: Value) -> Value:
    """The conjugate transpose."""
    return u.conjugate(matrix_transpose(x)) if x.dtype.is_complex else matrix_transpose(x)


@implements(np.linalg.qr, name="linalg.qr")
def qr(a: Any, mode: str = "reduced") -> Any:
    """By Householder reflections with LAPACK's signs: mode reduced, complete or r."""
    if mode not in ("reduced", "complete", "r"):
        raise TraceError(f"qr with mode {mode!r} cannot be traced; reduced, complete and r can")
    x = _matrix_operand(a, "qr")
    if len(x.shape) < 2:
        raise np.linalg.LinAlgError(f"qr: {x.type} has fewer than two axes")
    n, m = number(x.shape[-2], "qr"), number(x.shape[-1], "qr")
    few = _small(min(n, m), "qr")
    rows = _places(n)
    reflections: list[tuple[Value, Value]] = []
    for k in range(few):
        v, factor = _reflection(x, rows, k)
        x = _reflected(x, v, _conj(factor))
        reflections.append((v, factor))
    upper = triu(x) if mode == "complete" else part(triu(x), -2, 0, few)
    if mode == "r":
        return upper
    width = n if mode == "complete" else few
    q = build.broadcast_to(eye(n, width, dtype=x.dtype), (*x.shape[:-2], n, width))
    for v, factor in reversed(reflections):
        q = _reflected(q, v, factor)
    return QRResult(q, upper)


def _reflected(x: Value, v: Value, factor: Value) -> Value:
    """x - factor * v v^H x."""
    return u.subtract(x, u.multiply(u.multiply(factor, v), products.matmul(_transposed(v), x)))


def _conj(x: Value) -> Value:
    return u.conjugate(x) if x.dtype.is_complex else x


def _reflection(x: Value, rows: Value, k: int) -> tuple[Value, Value]:
    """v and tau of I - tau v v^H that clears column k below row k (Source: LAPACK larfg)."""
    column = _column(x, k)
    alpha = _row(column, k)
    zero = full_like(column, 0)
    below = u.where(u.greater(rows, k), column, zero)
    rest = r.sum(_squares(below), -2, keepdims=True)
    real = e.REAL(alpha) if alpha.dtype.is_complex else alpha
    length = u.sqrt(u.add(_squares(alpha), rest))
    beta = u.negative(u.copysign(length, real))
    nothing = u.equal(rest, 0)
    if alpha.dtype.is_complex:
        nothing = u.logical_and(nothing, u.equal(e.IMAG(alpha), 0))
    safe_beta = u.where(nothing, full_like(beta, 1), beta)
    scale = u.where(nothing, full_like(alpha, 1), u.subtract(alpha, beta))
    v = u.where(u.equal(rows, k), full_like(column, 1), u.divide(below, scale))
    v = u.where(u.less(rows, k), zero, v)
    tau = u.divide(u.subtract(safe_beta, alpha), safe_beta)
    return v, u.where(nothing, full_like(tau, 0), tau)


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
    z = _matrix_operand(x, "cond")
    rank = len(z.shape)
    axes = (rank - 2, rank - 1)
    if p in (None, 2, -2):
        from .spectra import svdvals

        lengths = svdvals(z)
        first, last = at(lengths, -1, 0), at(lengths, -1, int(lengths.shape[-1]) - 1)
        return u.divide(last, first) if p == -2 else u.divide(first, last)
    return u.multiply(_matrix(z, p, axes, False), _matrix(inv(z), p, axes, False))
