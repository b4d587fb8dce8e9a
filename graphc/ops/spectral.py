"""Cards of eigenvalues and singular values: eigh, eig, svd.

Vectors are determined up to a sign (a phase; a rotation where values are equal): here they are
LAPACK's, as NumPy's are. Derivatives of vectors are those for which v^H dv is imaginary-free where
the phase is open, so only functions that do not depend on phases have derivatives that mean
something; equal values have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import TraceError, TypeMismatch
from ..ir import Value
from ..loops.ir import (
    Expr,
    Idx,
    If,
    Index,
    Let,
    Load,
    Name,
    Pair,
    Select,
    Stmt,
    Store,
    const,
    less,
    scalar,
)
from ..opdef import Attrs, OpDef, Sample, lookup, register
from ..types import C64, C128, F32, I32, I64, Dim, Extent, TensorType, parse_type
from . import batching as bt
from . import matrices as mx
from .emission import store
from .formula import Formula
from .formula import cast as to_dtype
from .lapack import (
    Matrices,
    at_least_one,
    check_matrices,
    check_square,
    larger,
    leading,
    smaller,
)
from .linear_algebra import BLOCK, QUIET, SOLVE, Values

_t = parse_type


def _check_flag(op: str, attrs: Attrs, *keys: str) -> None:
    for key in keys:
        if not isinstance(attrs.get(key), bool):
            raise TypeMismatch(f"{op}: {key} is {attrs.get(key)!r}, not a bool")


# ------------------------------------------------------------------------------------------ eigh


def _infer_eigh(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...] | TensorType:
    check_matrices("eigh", types, 1)
    check_square("eigh", types[0])
    _check_flag("eigh", attrs, "lower", "vectors")
    values = TensorType(types[0].dtype.real, types[0].shape[:-1])
    return (values, types[0]) if attrs["vectors"] else values


def _evaluate_eigh(operands: Sequence[Any], attrs: Attrs) -> Any:
    a, uplo = np.asarray(operands[0]), "L" if attrs["lower"] else "U"
    return tuple(np.linalg.eigh(a, uplo)) if attrs["vectors"] else np.linalg.eigvalsh(a, uplo)


def _emit_eigh(c: Any) -> tuple[Stmt, ...]:
    n = c.types[0].shape[-1]
    vectors, triangle = c.attrs["vectors"], "L" if c.attrs["lower"] else "U"
    m = Matrices(c, c.types[0].shape[:-2], n)
    real, is_complex = m.dtype.real, m.dtype.is_complex
    a = m.temp(m.dtype, n, n)
    if is_complex:
        lwork, lrwork = 2 * n + n * n, 1 + 5 * n + 2 * n * n
    else:
        lwork, lrwork = 1 + 6 * n + 2 * n * n, 0
    liwork = 3 + 5 * n
    lwork = lwork + BLOCK * n + 1
    work, iwork = m.temp(m.dtype, lwork), m.temp(I32, liwork)
    more = (m.temp(real, lrwork), lrwork) if is_complex else ()
    m.take(0, a)
    m.call(
        "heevd" if is_complex else "syevd", "V" if vectors else "N", triangle, n, a, leading(n),
        m.result(0), work, lwork, *more, iwork, liwork, work=9 * n * n * n,
    )  # fmt: skip
    m.fail("Eigenvalues did not converge")
    if vectors:
        m.give(1, a, n, n)
    return m.loops()


def _eigh_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    """With x = v^H da v: dw = the diagonal of x, dv = v (x / (w_j - w_i)).

    Source: Giles, An extended collection of matrix derivative results, 2008, 3.1
    """
    (da,) = tangents
    assert da is not None
    if attrs["vectors"]:
        w, v = results
    else:
        w, v = EIGH(operands[0], lower=attrs["lower"], vectors=True)
    x = mx.mm(mx.mm(mx.adjoint(v), mx.hermitian(da, attrs["lower"])), v)
    dw = mx.real(mx.diagonal(x))
    if not attrs["vectors"]:
        return [dw]
    part = to_dtype(mx.differences(w), v.dtype)
    return [dw, mx.mm(v, (Formula(part) * Formula(x)).value)]


def _eigh_samples() -> Sequence[Sample]:
    both = {"lower": True, "vectors": True}
    values = {"lower": False, "vectors": False}
    return (
        Sample((_t("f64[4, 4]"),), both),
        Sample((_t("f64[2, 3, 3]"),), {**both, "lower": False}),
        Sample((_t("c128[2, 3, 3]"),), values),
        Sample((_t("f32[3, 3]"),), values),
        Sample((_t("c64[2, 2]"),), {**values, "lower": True}),
        Sample((_t("c128[2, 1, 1]"),), both),
        Sample((_t("f64[0, 0]"),), both),
    )


EIGH = register(
    OpDef(
        name="eigh",
        doc="the eigenvalues of Hermitian matrices, ascending, and eigenvectors as columns; of a "
        "one triangle is read",
        kind="opaque",
        infer=_infer_eigh,
        evaluate=_evaluate_eigh,
        lower=_emit_eigh,
        source="numpy.linalg.eigh, eigvalsh; LAPACK syevd, heevd",
        batching=bt.elementwise("eigh"),
        derivative=mx.forward_only(_eigh_jvp),
        cost=64,
        samples=_eigh_samples,
    )
)


# ------------------------------------------------------------------------------------------- svd


def _infer_svd(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...] | TensorType:
    check_matrices("svd", types, 1)
    _check_flag("svd", attrs, "full", "vectors")
    *lead, m, n = types[0].shape
    few = smaller("svd", m, n)
    values = TensorType(types[0].dtype.real, (*lead, few))
    if not attrs["vectors"]:
        return values
    left = types[0].with_shape((*lead, m, m if attrs["full"] else few))
    return left, values, types[0].with_shape((*lead, n if attrs["full"] else few, n))


def _evaluate_svd(operands: Sequence[Any], attrs: Attrs) -> Any:
    a = np.asarray(operands[0])
    found = np.linalg.svd(a, full_matrices=attrs["full"], compute_uv=attrs["vectors"])
    return tuple(found) if attrs["vectors"] else found


def _emit_svd(c: Any) -> tuple[Stmt, ...]:
    rows, columns = c.types[0].shape[-2:]
    few, most = smaller("svd", rows, columns), larger(rows, columns)
    full, vectors = c.attrs["full"], c.attrs["vectors"]
    m = Matrices(c, c.types[0].shape[:-2], most)
    a = m.temp(m.dtype, columns, rows)
    lwork = at_least_one(4 * few * few + 10 * few + BLOCK * (rows + columns) + most)
    work, iwork = m.temp(m.dtype, lwork), m.temp(I32, at_least_one(8 * few))
    more = ()
    if m.dtype.is_complex:
        more = (m.temp(m.dtype.real, at_least_one(7 * few * few + 7 * few + 2 * most * few)),)
    wide = rows if full else few
    high = columns if full else few
    left = m.temp(m.dtype, wide, rows) if vectors else a
    right = m.temp(m.dtype, columns, high) if vectors else a
    m.take(0, a)
    if full and vectors:  # LAPACK leaves the vectors of a matrix without elements alone
        for target, extent in ((left, rows), (right, columns)):
            if few == 0 or not isinstance(few, int):
                m.loop((extent, extent), _unit(m, target))
    m.call(
        "gesdd", "N" if not vectors else "A" if full else "S", rows, columns, a, leading(rows),
        m.result(1 if vectors else 0), left, leading(rows), right, leading(high), work, lwork,
        *more, iwork, work=(22 if vectors else 4) * rows * columns * few,
    )  # fmt: skip
    m.fail("SVD did not converge")
    if vectors:
        m.give(0, left, rows, wide)
        m.give(2, right, high, columns)
    return m.loops()


def _unit(m: Matrices, target: Any) -> Any:
    """Stores of the identity."""

    def one(i: Index, j: Index) -> Sequence[Stmt]:
        real = m.dtype.real
        same = scalar("and", less(i, j + 1), less(j, i + 1))
        x: Any = Select(same, const(1, real), const(0, real))
        return store(target, (m.slot, i, j), Pair(x, const(0, real)) if m.dtype.is_complex else x)

    return one


def _svd_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    """With x = u^H da v: ds = Re of the diagonal of x; du and dv from x s + s x^H over the
    differences of squares, and what of da u and v do not reach.

    Source: Townsend, Differentiating the singular value decomposition, 2016; the complex case as
    in jax.lax.linalg.svd
    """
    (da,) = tangents
    assert da is not None
    a = operands[0]
    m, n = a.shape[-2:]
    if attrs["vectors"] and attrs["full"] and m != n:
        raise TraceError(
            f"svd of {a.type} with full_matrices=True has no derivative: the vectors beyond the "
            "singular values are not determined; use full_matrices=False"
        )
    u, s, vh = results if attrs["vectors"] else SVD(a, full=False, vectors=True)
    uh, v = mx.adjoint(u), mx.adjoint(vh)
    x = mx.mm(mx.mm(uh, da), v)
    ds = mx.real(mx.diagonal(x))
    if not attrs["vectors"]:
        return [ds]
    k = s.shape[-1]
    across, down = (Formula(f(s, k)) for f in (mx.along_rows, mx.along_columns))
    gaps = (across + down) * (across - down)
    part = Formula(to_dtype(mx.inverse_off_diagonal(gaps.value), u.dtype))
    across, down = (Formula(to_dtype(f.value, u.dtype)) for f in (across, down))
    xs, sx = across * Formula(x), down * Formula(x)
    some = s_or_one(s)
    inverse = Formula(to_dtype(mx.along_rows(some, k), u.dtype))
    turn = Formula(mx.kept("eq", ((Formula(x) - Formula(mx.adjoint(x))) * 0.5 / inverse).value))
    du = Formula(mx.mm(u, (part * (xs + Formula(mx.adjoint(xs.value))) + turn).value))
    dv = Formula(mx.mm(v, (part * (sx + Formula(mx.adjoint(sx.value)))).value))
    if m != k:
        du = du + _outside(mx.mm(da, v), u, uh, some)
    if n != k:
        dv = dv + _outside(mx.mm(mx.adjoint(da), u), v, vh, some)
    return [du.value, ds, mx.adjoint(dv.value)]


def s_or_one(s: Value) -> Value:
    """Singular values by which is divided: 1 instead of 0."""
    return Formula(s).unless(0, 1).value


def _outside(x: Value, q: Value, qh: Value, s: Value) -> Formula:
    """(x - q q^H x) / s: the part that q does not reach."""
    rest = Formula(x) - Formula(mx.mm(q, mx.mm(qh, x)))
    return rest / Formula(to_dtype(mx.along_rows(s, x.shape[-2]), x.dtype))


def _svd_samples() -> Sequence[Sample]:
    thin, values = {"full": False, "vectors": True}, {"full": False, "vectors": False}
    full = {"full": True, "vectors": True}
    return (
        Sample((_t("f64[4, 3]"),), thin),
        Sample((_t("f64[2, 2, 4]"),), thin),
        Sample((_t("f64[3, 3]"),), full),
        Sample((_t("f32[2, 3, 3]"),), values),
        Sample((_t("c128[2, 4, 3]"),), values),
        Sample((_t("c64[3, 2]"),), values),
        Sample((_t("f64[0, 3]"),), values),
        Sample((_t("c128[2, 1, 1]"),), thin),
    )


SVD = register(
    OpDef(
        name="svd",
        doc="u, s descending and v^H with a = u s v^H; full: square u and v; or s alone",
        kind="opaque",
        infer=_infer_svd,
        evaluate=_evaluate_svd,
        lower=_emit_svd,
        source="numpy.linalg.svd; LAPACK gesdd",
        batching=bt.elementwise("svd"),
        derivative=mx.forward_only(_svd_jvp),
        cost=64,
        samples=_svd_samples,
    )
)


# ------------------------------------------------------------------------------------------- eig


def _infer_eig(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...] | TensorType:
    check_matrices("eig", types, 1)
    check_square("eig", types[0])
    _check_flag("eig", attrs, "vectors")
    vectors = types[0].with_dtype(C64 if types[0].dtype.real is F32 else C128)
    values = vectors.with_shape(vectors.shape[:-1])
    return (values, vectors) if attrs["vectors"] else values


def _evaluate_eig(operands: Sequence[Any], attrs: Attrs) -> Any:
    a = np.asarray(operands[0])
    wide = np.result_type(a.dtype, np.complex64)
    if attrs["vectors"]:
        return tuple(np.asarray(x).astype(wide) for x in np.linalg.eig(a))
    return np.asarray(np.linalg.eigvals(a)).astype(wide)


def _emit_eig(c: Any) -> tuple[Stmt, ...]:
    n, vectors = c.types[0].shape[-1], c.attrs["vectors"]
    m = Matrices(c, c.types[0].shape[:-2], n)
    real, is_complex = m.dtype.real, m.dtype.is_complex
    a = m.temp(m.dtype, n, n)
    right = m.temp(m.dtype, n, n) if vectors else a
    lwork = at_least_one((4 + BLOCK) * n)
    work = m.temp(m.dtype, lwork)
    bad = _not_finite(m)
    before, m.stmts = m.stmts, []
    m.take(0, a)
    re, im = m.temp(real, n), m.temp(real, n)
    job = "V" if vectors else "N"
    trips = 25 * n * n * n
    if is_complex:
        m.call(
            "geev", "N", job, n, a, leading(n), m.result(0), a, leading(n), right, leading(n), work,
            lwork, m.temp(real, at_least_one(2 * n)), work=trips,
        )  # fmt: skip
    else:
        m.call(
            "geev", "N", job, n, a, leading(n), re, im, a, leading(n), right, leading(n), work,
            lwork, work=trips,
        )  # fmt: skip
    m.fail("Eigenvalues did not converge")
    if not is_complex:
        _real_results(m, re, im, right, n, vectors)
    elif vectors:
        m.give(1, right, n, n)
    m.stmts = [*before, If(bad, (), tuple(m.stmts))]
    return m.loops()


def _real_results(m: Matrices, re: Any, im: Any, right: Any, n: Extent, vectors: bool) -> None:
    """The results out of what the routine for real matrices answers."""

    def value(i: Index) -> Sequence[Stmt]:
        parts = [Load(x, (m.slot, i)) for x in (re, im)]
        return m.put(0, (i,), Pair(*parts))

    m.loop((n,), value)
    if vectors:
        m.loop((n, n), _joined(m, right, im, n))


def _not_finite(m: Matrices) -> Expr:
    """Fails where the matrix has an infinity or a NaN; the statements put after this one are for
    finite ones: with others LAPACK may not end.
    """
    n, finite, place = m.c.types[0].shape[-1], m.temp(I32, 1), (m.slot, 0)
    m.stmts.append(Store(finite, place, const(0, I32)))

    def one(i: Index, j: Index) -> Sequence[Stmt]:
        lets, x = m.element(0, i, j)
        parts: list[Expr] = [x.re, x.im] if isinstance(x, Pair) else [x]
        bad = (Store(finite, place, const(1, I32)),)
        return (*lets, *(If(scalar("not", scalar("isfinite", p)), bad) for p in parts))

    m.loop((n, n), one)
    bad = scalar("ne", Load(finite, place), const(0, I32))
    m.fail("Array must not contain infs or NaNs", cond=bad)
    return bad


def _joined(m: Matrices, right: Any, im: Any, n: Extent) -> Any:
    """Vectors of a pair of conjugate values are re and im, in columns side by side."""

    def one(i: Index, j: Index) -> Sequence[Stmt]:
        real = m.dtype.real
        sign, second, left = (m.c.fresh("t") for _ in range(3))
        zero = const(0, real)
        here = Name(sign, real)
        # the column of the real part: this one, or the one before for the second of a pair
        lets = (
            Let(sign, Load(im, (m.slot, j))),
            Let(second, Select(scalar("lt", here, zero), const(1, I64), const(0, I64))),
            Let(left, scalar("sub", Idx(j), Name(second, I64))),
        )
        column = Dim.symbol(left)
        paired = scalar("ne", here, zero)
        re = Load(right, (m.slot, column, i))
        # read within bounds: a first column of a pair is never the last one
        beside = m.c.fresh("t")
        last = scalar("min", scalar("add", Name(left, I64), const(1, I64)), Idx(n - 1))
        part = Load(right, (m.slot, Dim.symbol(beside), i))
        flipped = Select(scalar("lt", here, zero), scalar("neg", part), part)
        return (
            *lets,
            Let(beside, last),
            *m.put(1, (i, j), Pair(re, Select(paired, flipped, zero))),
        )

    return one


def _eig_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    """With x = v^-1 da v: dw = the diagonal of x, dv = v (x / (w_j - w_i)), less what would change
    the length of a vector.

    Source: Boeddeker, Hanebrink, Drude, Heymann and Haeb-Umbach, On the computation of complex-
    valued gradients with application to statistically optimum beamforming, 2017, 4.3
    """
    (da,) = tangents
    assert da is not None
    w, v = results if attrs["vectors"] else EIG(operands[0], vectors=True)
    x = SOLVE(v, mx.mm(to_dtype(da, v.dtype), v), **QUIET)
    dw = mx.diagonal(x)
    if not attrs["vectors"]:
        return [dw]
    turn = mx.mm(v, (Formula(mx.differences(w)) * Formula(x)).value)
    along = mx.real(mx.diagonal(mx.mm(mx.adjoint(v), turn)))
    rank = len(v.shape)
    length = lookup("broadcast")(
        to_dtype(along, v.dtype), shape=v.shape, axes=(*range(rank - 2), rank - 1)
    )
    return [dw, (Formula(turn) - Formula(v) * Formula(length)).value]


def _eig_samples() -> Sequence[Sample]:
    return (
        # two rows of positive numbers: real values that differ
        Sample((_t("f64[2, 2]"),), {"vectors": False}, 1.0, 3.0),
        Sample((_t("f64[2, 2, 2]"),), {"vectors": True}, 1.0, 3.0),
        Sample((_t("c128[2, 3, 3]"),), {"vectors": False}),
        Sample((_t("f32[3, 3]"),), {"vectors": False}),
        Sample((_t("c64[2, 2]"),), {"vectors": False}),
        Sample((_t("c128[2, 1, 1]"),), {"vectors": True}),
        Sample((_t("f64[0, 0]"),), {"vectors": True}),
    )


EIG = register(
    OpDef(
        name="eig",
        doc="the eigenvalues, complex numbers, and eigenvectors of length 1 as columns",
        kind="opaque",
        infer=_infer_eig,
        evaluate=_evaluate_eig,
        lower=_emit_eig,
        source="numpy.linalg.eig, whose results are real where all values are; LAPACK geev",
        batching=bt.elementwise("eig"),
        derivative=mx.forward_only(_eig_jvp),
        cost=64,
        samples=_eig_samples,
    )
)

__all__ = ["EIG", "EIGH", "SVD"]
