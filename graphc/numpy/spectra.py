"""Eigenvalues of Hermitian matrices and singular values of small matrices, by Jacobi rotations.

All disjoint pairs of columns are rotated at once, and a round-robin constant permutation brings the
next pairs together, so a sweep over n columns is about n steps in the graph. Source: Golub and Van
Loan, sections 8.5 and 8.6.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import types as ty
from ..errors import ShapeMismatch
from ..ir import Value
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast, full_like
from ..ops.ordering import SORT
from ..types import I64
from . import decompositions as d
from . import products
from . import reductions as r
from . import ufuncs as u
from .creation import eye, tril, triu
from .dispatch import implements, number, value
from .indexing import diagonal, take_along_axis
from .joining import concatenate
from .shaping import expand, matrix_transpose, part, pick, reshape


class EighResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class SVDResult(NamedTuple):
    U: Any
    S: Any
    Vh: Any


def _sweeps(n: int, dtype: ty.DType) -> int:
    """Convergence is quadratic; the number grows with log n."""
    return (6 if dtype.real is ty.F32 else 7) + (n > 4) + (n > 8)


def _next_round(n: int) -> np.ndarray:
    """The order of the columns [first halves | second halves | idle one] that brings the next
    pairs together.
    """
    half = n // 2
    # the circle method: column 0 stays (none when n is odd), the others move one place round the
    # table
    ring = list(range(half)) + ([n - 1] if n % 2 else []) + list(range(half, 2 * half))[::-1]
    fixed = [] if n % 2 else ring[:1]
    moved = ring[len(fixed) :]
    turned = fixed + moved[-1:] + moved[:-1]
    top, rest = turned[:half], turned[half:]
    idle = rest[:1] if n % 2 else []
    bottom = rest[len(idle) :][::-1]
    return np.array(top + bottom + idle)


def _rotation(p: Value, q: Value, cross: Value) -> tuple[Value, Value]:
    """c and s*e of the rotations that make the crosses vanish, of the diagonal entries p and q."""
    size = e.ABS(cross)
    nothing = u.equal(size, 0)
    safe = u.where(nothing, full_like(size, 1), size)
    phase = u.where(nothing, full_like(cross, 1), u.divide(cross, safe))
    slope = u.divide(u.subtract(q, p), u.multiply(safe, 2.0))
    tangent = u.divide(
        u.copysign(1.0, slope), u.add(e.ABS(slope), u.hypot(full_like(slope, 1), slope))
    )
    tangent = u.where(nothing, full_like(tangent, 0), tangent)
    cosine = u.divide(1.0, u.hypot(full_like(tangent, 1), tangent))
    return cosine, u.multiply(u.multiply(tangent, cosine), phase)


def _turned(x: Value, c: Value, s: Value, n: int) -> Value:
    """Columns p and q become c*p - conj(s)*q and s*p + c*q."""
    half = n // 2
    p, q, rest = part(x, -1, 0, half), part(x, -1, half, 2 * half), part(x, -1, 2 * half, n)
    conj = u.conjugate(s) if s.dtype.is_complex else s
    c, s, conj = (expand(z, (len(z.shape) - 1,)) for z in (c, s, conj))
    first = u.subtract(u.multiply(c, p), u.multiply(conj, q))
    second = u.add(u.multiply(s, p), u.multiply(c, q))
    return concatenate((first, second, rest) if n % 2 else (first, second), -1)


def _permuted(x: Value, order: np.ndarray, axis: int) -> Value:
    return pick(x, order, axis % len(x.shape))


def _conj_transposed(x: Value) -> Value:
    return u.conjugate(matrix_transpose(x)) if x.dtype.is_complex else matrix_transpose(x)


def _diagonal_of(x: Value, rows: tuple[int, int], columns: tuple[int, int]) -> Value:
    return diagonal(part(part(x, -2, *rows), -1, *columns), 0, -2, -1)


def _hermitian(a: Any, uplo: str) -> tuple[Value, Value]:
    """The eigenvalues, ascending, and the eigenvectors of the Hermitian matrix in one triangle of
    a.
    """
    x = d._matrix_operand(a, "eigh")
    d._square(x, "eigh")
    n = d._small(x.shape[-1], "eigh")
    lower = tril(x, -1) if uplo.upper() == "L" else _conj_transposed(triu(x, 1))
    main = diagonal(x, 0, -2, -1)
    main = cast(e.REAL(main), x.dtype) if x.dtype.is_complex else main
    identity = eye(n, dtype=x.dtype)
    x = u.add(
        u.add(lower, _conj_transposed(lower)),
        u.multiply(expand(main, (len(main.shape) - 1,)), identity),
    )
    v = build.broadcast_to(identity, x.shape)
    if n > 1:
        half, order = n // 2, _next_round(n)
        first, second = (0, half), (half, 2 * half)
        for _ in range(_sweeps(n, x.dtype) * (n - 1 + n % 2)):
            p, q = _diagonal_of(x, first, first), _diagonal_of(x, second, second)
            p, q = (e.REAL(z) if z.dtype.is_complex else z for z in (p, q))
            c, s = _rotation(p, q, _diagonal_of(x, first, second))
            x = _turned(x, c, s, n)
            x = _conj_transposed(_turned(_conj_transposed(x), c, s, n))
            v = _turned(v, c, s, n)
            x = _permuted(_permuted(x, order, -1), order, -2)
            v = _permuted(v, order, -1)
    found = diagonal(x, 0, -2, -1)
    found = e.REAL(found) if found.dtype.is_complex else found
    places = build.iota(found.shape, -1, I64)
    values, places = SORT(found, places, axis=len(found.shape) - 1, keys=1, descending=False)
    return values, take_along_axis(v, expand(places, (len(places.shape) - 1,)), -1)


@implements(np.linalg.eigh, name="linalg.eigh")
def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Of matrices up to 16 x 16; the signs (phases) of the eigenvectors are not LAPACK's."""
    return EighResult(*_hermitian(a, UPLO))


@implements(np.linalg.eigvalsh, name="linalg.eigvalsh")
def eigvalsh(a: Any, UPLO: str = "L") -> Value:
    return _hermitian(a, UPLO)[0]


# --------------------------------------------------------------------------------- singular values


def _orthogonal_columns(a: Value, vectors: bool) -> tuple[Value, Value, Value]:
    """a V with orthogonal columns in descending length, the lengths, and V; a [..., m, n] with m
    >= n.
    """
    n = d._small(a.shape[-1], "svd")
    # extents are scaled to about 1, so that squares neither overflow nor vanish
    greatest = r.max(e.ABS(a), (-2, -1), keepdims=True, initial=0)
    usable = u.logical_and(u.greater(greatest, 0), u.isfinite(greatest))
    scale = u.where(usable, greatest, full_like(greatest, 1))
    x = u.divide(a, scale)
    v = build.broadcast_to(eye(n, dtype=a.dtype), (*a.shape[:-2], n, n))
    if n > 1:
        half, order = n // 2, _next_round(n)
        for _ in range(_sweeps(n, a.dtype) * (n - 1 + n % 2)):
            p, q = part(x, -1, 0, half), part(x, -1, half, 2 * half)
            cross = r.sum(u.multiply(u.conjugate(p) if p.dtype.is_complex else p, q), -2)
            c, s = _rotation(r.sum(d._squares(p), -2), r.sum(d._squares(q), -2), cross)
            x = _permuted(_turned(x, c, s, n), order, -1)
            v = _permuted(_turned(v, c, s, n), order, -1) if vectors else v
    lengths = u.multiply(u.sqrt(r.sum(d._squares(x), -2)), reshape(scale, (*scale.shape[:-2], 1)))
    places = build.iota(lengths.shape, -1, I64)
    lengths, places = SORT(lengths, places, axis=len(lengths.shape) - 1, keys=1, descending=True)
    spread = expand(places, (len(places.shape) - 1,))
    return take_along_axis(x, spread, -1), lengths, take_along_axis(v, spread, -1)


def _tall(a: Any, what: str) -> tuple[Value, bool]:
    """The matrix, transposed when it has more columns than rows."""
    x = d._matrix_operand(a, what)
    if len(x.shape) < 2:
        raise ShapeMismatch(f"{what}: {x.type} has fewer than two axes")
    rows, columns = (number(n, what) for n in x.shape[-2:])
    return (_conj_transposed(x), True) if rows < columns else (x, False)


@implements(np.linalg.svdvals, name="linalg.svdvals")
def svdvals(x: Any, /) -> Value:
    return _orthogonal_columns(_tall(x, "svdvals")[0], False)[1]


@implements(np.linalg.svd, name="linalg.svd")
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """The smaller extent up to 16; the signs (phases) of the vectors are not LAPACK's."""
    x, turned = _tall(a, "svd")
    columns, lengths, v = _orthogonal_columns(x, compute_uv)
    if not compute_uv:
        return lengths
    # the columns over their lengths are U; QR keeps it orthonormal where lengths vanish, up to
    # phases
    q, upper = d.qr(columns, "complete" if full_matrices else "reduced")
    main = diagonal(upper, 0, -2, -1)
    phase = u.where(u.equal(main, 0), full_like(main, 1), u.sign(main))
    missing = int(q.shape[-1]) - int(phase.shape[-1])
    if missing:
        ones = build.full((*phase.shape[:-1], missing), 1, phase.dtype)
        phase = concatenate((phase, ones), -1)
    left = u.multiply(q, expand(phase, (len(phase.shape) - 1,)))
    if turned:
        return SVDResult(v, lengths, _conj_transposed(left))
    return SVDResult(left, lengths, _conj_transposed(v))


def _epsilon(dtype: ty.DType) -> float:
    return float(np.finfo(dtype.real.numpy).eps)


@implements(np.linalg.matrix_rank, name="linalg.matrix_rank")
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Value:
    x = value(A)
    if len(x.shape) < 2:
        return cast(r.any(u.not_equal(x, 0)), I64)
    lengths = svdvals(x)
    if tol is None:
        relative = (
            max(int(n) for n in x.shape[-2:]) * _epsilon(lengths.dtype) if rtol is None else rtol
        )
        greatest = r.max(lengths, -1, keepdims=True, initial=0)
        limit = u.multiply(greatest, _per_matrix(relative))
    else:
        limit = _per_matrix(tol)
    return r.count_nonzero(u.greater(lengths, limit), -1)


def _per_matrix(x: Any) -> Any:
    """A tolerance with an axis for the singular values."""
    if isinstance(x, (int, float)):
        return x
    z = value(x)
    return expand(z, (len(z.shape),))


@implements(np.linalg.pinv, name="linalg.pinv")
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = r._MISSING) -> Value:
    x = value(a)
    shape = x.shape
    if ty.product(shape) == 0:
        return build.zeros((*shape[:-2], shape[-1], shape[-2]), d._floats(x).dtype)
    left, lengths, right = svd(x, full_matrices=False)
    if rcond is None:
        eps = max(int(n) for n in shape[-2:]) * _epsilon(lengths.dtype)
        rcond = 1e-15 if rtol is r._MISSING else eps if rtol is None else rtol
    limit = u.multiply(_per_matrix(rcond), r.max(lengths, -1, keepdims=True))
    large = u.greater(lengths, limit)
    inverse = u.where(large, u.divide(1, u.where(large, lengths, 1)), full_like(lengths, 0))
    scaled = u.multiply(_conj_transposed(right), expand(inverse, (len(inverse.shape) - 1,)))
    return products.matmul(scaled, _conj_transposed(left))


def spectral(x: Value, order: Any, axes: tuple[int, int], keepdims: bool) -> Value:
    """The matrix norms of order 2, -2 and "nuc"."""
    from .shaping import moveaxis

    lengths = svdvals(moveaxis(x, axes, (-2, -1)))
    if order == "nuc":
        found = r.sum(lengths, -1)
    else:
        found = r.max(lengths, -1, initial=0) if order == 2 else r.min(lengths, -1)
    return r.keep(found, x, axes) if keepdims else found
