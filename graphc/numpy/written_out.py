"""The cards of linear algebra written out as graphs of elementwise ops, for small matrices.

Loops over columns are unrolled, the leading axes are a batch. `passes.small_matrices` puts these in
the place of the cards where that is faster than LAPACK, and up to MOST where there is no LAPACK.
What LAPACK refuses is refused by a `require`. Eigenvalues of Hermitian matrices and singular values
come from Jacobi rotations: all disjoint pairs of columns are rotated at once, and a round-robin
constant permutation brings the next pairs together, so a sweep over n columns is about n steps.
Source: Golub and Van Loan, sections 8.5 and 8.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .. import types as ty
from ..ir import Value
from ..opdef import Attrs
from ..ops import build
from ..ops import elementwise as e
from ..ops.build import cast, full_like
from ..ops.linear_algebra import SINGULAR
from ..ops.ordering import SORT
from ..ops.requirements import REQUIRE
from ..types import I64
from . import products
from . import reductions as r
from . import ufuncs as u
from .creation import eye, tril, triu
from .indexing import diagonal, take_along_axis
from .joining import concatenate
from .shaping import at, expand, matrix_transpose, part, pick, reshape

MOST = 16
"""Matrices are written out up to this extent."""


def _required(x: Value, fine: Value, message: str) -> Value:
    """x, which is reported where the condition of its matrix does not hold."""
    spread = reshape(fine, (*fine.shape, *(1 for _ in range(len(x.shape) - len(fine.shape)))))
    return REQUIRE(x, build.broadcast_to(spread, x.shape), message=message)


def _squares(x: Value) -> Value:
    if x.dtype.is_complex:
        re, im = e.REAL(x), e.IMAG(x)
        return e.ADD(e.MUL(re, re), e.MUL(im, im))
    return e.MUL(x, x)


def _row(x: Value, k: int) -> Value:
    return expand(at(x, -2, k), (len(x.shape) - 2,))


def _column(x: Value, k: int) -> Value:
    return expand(at(x, -1, k), (len(x.shape) - 1,))


def _places(n: int) -> Value:
    """i64[n, 1]: the number of each row."""
    return build.iota((n, 1), 0, I64)


def _transposed(x: Value) -> Value:
    """The conjugate transpose."""
    return u.conjugate(matrix_transpose(x)) if x.dtype.is_complex else matrix_transpose(x)


def _eliminated(a: Value, b: Value | None) -> tuple[Value, Value | None, Value]:
    """Gauss elimination with partial pivoting: the upper triangle, b under the same steps, the
    sign of the swaps.
    """
    n = int(a.shape[-1])
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


def _solve(operands: Sequence[Value], attrs: Attrs) -> tuple[Value, ...]:
    a, b = operands
    if a.shape[-1] == 0:
        return (b,)
    upper, changed, _ = _eliminated(a, b)
    assert changed is not None
    fine = r.all(u.not_equal(diagonal(upper, 0, -2, -1), 0), -1)
    found = back_substituted(upper, changed)
    if attrs["singular"] == "raise":
        return (_required(found, fine, SINGULAR),)
    spread = expand(fine, (len(fine.shape), len(fine.shape) + 1))
    return (u.where(spread, found, full_like(found, np.nan)),)


def _triangular_solve(operands: Sequence[Value], attrs: Attrs) -> tuple[Value, ...]:
    a, b = operands
    n = int(a.shape[-1])
    if n == 0:
        return (b,)
    if attrs["turned"]:
        a = matrix_transpose(a)
    if attrs["unit"]:
        a = u.where(u.equal(_places(n), matrix_transpose(_places(n))), full_like(a, 1), a)
    fine = r.all(u.not_equal(diagonal(a, 0, -2, -1), 0), -1)
    if attrs["lower"] != attrs["turned"]:  # backwards, a lower triangle is an upper one
        back = np.arange(n)[::-1]
        a = pick(pick(a, back, len(a.shape) - 1), back, len(a.shape) - 2)
        found = back_substituted(a, pick(b, back, len(b.shape) - 2))
        found = pick(found, back, len(b.shape) - 2)
    else:
        found = back_substituted(a, b)
    return (_required(found, fine, SINGULAR),)


def _slogdet(operands: Sequence[Value], attrs: Attrs) -> tuple[Value, ...]:
    upper, _, sign = _eliminated(operands[0], None)
    line = diagonal(upper, 0, -2, -1)
    sign = u.multiply(r.prod(u.sign(line), -1), sign)
    return sign, r.sum(e.LOG(e.ABS(line)), -1)


def _cholesky(operands: Sequence[Value], attrs: Attrs) -> tuple[Value, ...]:
    (x,) = operands
    n = int(x.shape[-1])
    rows = _places(n)
    columns = []
    fine = build.full(x.shape[:-2], True, ty.BOOL)
    for k in range(n):
        pivot = _column(_row(x, k), k)
        pivot = e.REAL(pivot) if x.dtype.is_complex else pivot
        positive = u.logical_not(u.less_equal(pivot, 0))  # a NaN goes on, as in OpenBLAS
        fine = u.logical_and(fine, reshape(positive, fine.shape))
        root = e.SQRT(u.where(positive, pivot, 1.0))
        root = cast(root, x.dtype)
        column = u.where(u.equal(rows, k), root, u.divide(_column(x, k), root))
        column = u.where(u.less(rows, k), full_like(column, 0), column)
        columns.append(column)
        x = u.subtract(x, u.multiply(column, _transposed(column)))
    if not columns:
        return (x,)
    return (_required(concatenate(columns, -1), fine, "Matrix is not positive definite"),)


def _qr(operands: Sequence[Value], attrs: Attrs) -> tuple[Value, ...]:
    """By Householder reflections with LAPACK's signs."""
    (x,), mode = operands, attrs["mode"]
    n, m = (int(extent) for extent in x.shape[-2:])
    few = min(n, m)
    rows = _places(n)
    reflections: list[tuple[Value, Value]] = []
    for k in range(few):
        v, factor = _reflection(x, rows, k)
        x = _reflected(x, v, _conj(factor))
        reflections.append((v, factor))
    upper = triu(x) if mode == "complete" else part(triu(x), -2, 0, few)
    if mode == "r":
        return (upper,)
    width = n if mode == "complete" else few
    q = build.broadcast_to(eye(n, width, dtype=x.dtype), (*x.shape[:-2], n, width))
    for v, factor in reversed(reflections):
        q = _reflected(q, v, factor)
    return q, upper


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


def _diagonal_of(x: Value, rows: tuple[int, int], columns: tuple[int, int]) -> Value:
    return diagonal(part(part(x, -2, *rows), -1, *columns), 0, -2, -1)


def _eigh(operands: Sequence[Value], attrs: Attrs) -> tuple[Value, ...]:
    (x,) = operands
    n = int(x.shape[-1])
    lower = tril(x, -1) if attrs["lower"] else _transposed(triu(x, 1))
    main = diagonal(x, 0, -2, -1)
    main = cast(e.REAL(main), x.dtype) if x.dtype.is_complex else main
    identity = eye(n, dtype=x.dtype)
    x = u.add(
        u.add(lower, _transposed(lower)),
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
            x = _transposed(_turned(_transposed(x), c, s, n))
            v = _turned(v, c, s, n)
            x = _permuted(_permuted(x, order, -1), order, -2)
            v = _permuted(v, order, -1)
    found = diagonal(x, 0, -2, -1)
    found = e.REAL(found) if found.dtype.is_complex else found
    places = build.iota(found.shape, -1, I64)
    values, places = SORT(found, places, axis=len(found.shape) - 1, keys=1, descending=False)
    vectors = take_along_axis(v, expand(places, (len(places.shape) - 1,)), -1)
    fine = r.all(u.isfinite(values), -1)
    found = [_required(z, fine, "Eigenvalues did not converge") for z in (values, vectors)]
    return tuple(found) if attrs["vectors"] else (found[0],)


def _orthogonal_columns(a: Value, vectors: bool) -> tuple[Value, Value, Value]:
    """a V with orthogonal columns in descending length, the lengths, and V; a [..., m, n] with m
    >= n.
    """
    n = int(a.shape[-1])
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
            c, s = _rotation(r.sum(_squares(p), -2), r.sum(_squares(q), -2), cross)
            x = _permuted(_turned(x, c, s, n), order, -1)
            v = _permuted(_turned(v, c, s, n), order, -1) if vectors else v
    lengths = u.multiply(u.sqrt(r.sum(_squares(x), -2)), reshape(scale, (*scale.shape[:-2], 1)))
    places = build.iota(lengths.shape, -1, I64)
    lengths, places = SORT(lengths, places, axis=len(lengths.shape) - 1, keys=1, descending=True)
    spread = expand(places, (len(places.shape) - 1,))
    return take_along_axis(x, spread, -1), lengths, take_along_axis(v, spread, -1)


def _svd(operands: Sequence[Value], attrs: Attrs) -> tuple[Value, ...]:
    (a,), full = operands, attrs["full"]
    turned = int(a.shape[-2]) < int(a.shape[-1])
    x = _transposed(a) if turned else a
    columns, lengths, v = _orthogonal_columns(x, attrs["vectors"])
    fine = r.all(u.isfinite(lengths), -1)

    def checked(z: Value) -> Value:
        return _required(z, fine, "SVD did not converge")

    if not attrs["vectors"]:
        return (checked(lengths),)
    # the columns over their lengths are U; QR keeps it orthonormal where lengths vanish, up to
    # phases
    q, upper = _qr((columns,), {"mode": "complete" if full else "reduced"})
    main = diagonal(upper, 0, -2, -1)
    phase = u.where(u.equal(main, 0), full_like(main, 1), u.sign(main))
    missing = int(q.shape[-1]) - int(phase.shape[-1])
    if missing:
        ones = build.full((*phase.shape[:-1], missing), 1, phase.dtype)
        phase = concatenate((phase, ones), -1)
    left = u.multiply(q, expand(phase, (len(phase.shape) - 1,)))
    first, last = (v, _transposed(left)) if turned else (left, _transposed(v))
    return checked(first), checked(lengths), checked(last)


Form = Callable[[Sequence[Value], Attrs], tuple[Value, ...]]
FORMS: dict[str, Form] = {
    "cholesky": _cholesky,
    "eigh": _eigh,
    "qr": _qr,
    "slogdet": _slogdet,
    "solve": _solve,
    "svd": _svd,
    "triangular_solve": _triangular_solve,
}
"""What stands for a card, by its name."""
