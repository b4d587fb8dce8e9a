"""Cards of systems of equations and of factors: solve, triangular_solve, cholesky, lu, slogdet, qr.

Matrices stand in the last two axes, the axes before are a batch. They are LAPACK's routines (see
lapack.py), and what NumPy raises in such a case is raised: LinAlgError.
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
    cast,
    const,
    less,
    scalar,
)
from ..opdef import Attrs, OpDef, Rules, Sample, lookup, register
from ..types import I32, I64, Dim, Extent, TensorType, bounds, parse_type
from . import batching as bt
from . import matrices as mx
from .emission import Cells
from .formula import Formula, reshape, transpose, zeros
from .formula import cast as to_dtype
from .lapack import (
    Matrices,
    at_least_one,
    check_matrices,
    check_square,
    larger,
    leading,
    smaller,
    where,
)

SINGULAR = "Singular matrix"
STRICT, QUIET = {"singular": "raise"}, {"singular": "nan"}
BLOCK = 64
"""Columns that LAPACK works on at once: what more memory would bring is not asked for."""

Values = Sequence["Value | None"]


def arrays(operands: Sequence[Any]) -> list[np.ndarray]:
    return [np.asarray(x) for x in operands]


# ----------------------------------------------------------------------------------------- solve


def _infer_solve(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_matrices("solve", types, 2)
    check_square("solve", types[0])
    if types[1].shape[-2] != types[0].shape[-1]:
        raise TypeMismatch(f"solve: operand 1 is {types[1]}, operand 0 {types[0]}")
    return types[1]


def _infer_general(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    if attrs.get("singular") not in ("raise", "nan"):
        raise TypeMismatch(f"solve: singular is {attrs.get('singular')!r}; expected raise or nan")
    return _infer_solve(types, attrs)


def _evaluate_solve(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    a, b = arrays(operands)
    if attrs["singular"] == "raise":
        return np.linalg.solve(a, b) if a.shape[-1] else b.copy()
    found = np.full_like(b, np.nan)
    for at in np.ndindex(*a.shape[:-2]):
        try:
            found[at] = np.linalg.solve(a[at], b[at])
        except np.linalg.LinAlgError:
            continue
    return found


def _emit_solve(c: Any) -> tuple[Stmt, ...]:
    n, k = c.types[1].shape[-2:]
    m = Matrices(c, c.types[0].shape[:-2], larger(n, k))
    a, b, pivots = m.temp(m.dtype, n, n), m.temp(m.dtype, k, n), m.temp(I32, n)
    m.take(0, a)
    m.take(1, b)
    m.call("gesv", n, k, a, leading(n), pivots, b, leading(n), work=n * n * n + 2 * n * n * k)
    if c.attrs["singular"] == "raise":
        m.fail(SINGULAR)
        m.give(0, b, n, k)
    else:
        good = scalar("eq", m.status(), const(0, I32))
        m.give(0, b, n, k, lambda i, j: good, float("nan"))
    return m.loops()


def _solve_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    """dx = a^-1 (db - da x)."""
    da, db = tangents
    change = None if db is None else Formula(db)
    if da is not None:
        moved = Formula(mx.mm(da, results[0]))
        change = -moved if change is None else change - moved
    assert change is not None
    return [SOLVE(operands[0], change.value, **attrs)]


def _solve_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Values,
    wanted: Sequence[bool],
) -> Values:  # fmt: skip
    (g,) = cotangents
    assert g is not None
    by_b = SOLVE(mx.turned(operands[0]), g, **attrs)
    by_a = (-Formula(mx.mm(by_b, mx.turned(results[0])))).value if wanted[0] else None
    return [by_a, by_b if wanted[1] else None]


def columns_together(name: str) -> bt.Rule:
    """Many right-hand sides of one matrix are the columns of one."""

    def rule(operands: Sequence[Value], batched: bt.Flags, attrs: Attrs, size: Extent) -> Any:
        a, b = operands
        if batched[0] or not batched[1]:
            return lookup(name)(*bt.all_spread(operands, batched, size), **attrs)
        rank = len(b.shape)  # size, lead, n, k -> lead, n, size, k
        wide = transpose(b, (*range(1, rank - 1), 0, rank - 1))
        k = b.shape[-1]
        found = lookup(name)(a, reshape(wide, (*wide.shape[:-2], size * k)), **attrs)
        apart = reshape(found, (*found.shape[:-1], size, k))
        return transpose(apart, (rank - 2, *range(rank - 2), rank - 1))

    return rule


_t = parse_type

SOLVE = register(
    OpDef(
        name="solve",
        doc="the x with a x = b, by elimination with partial pivoting; singular: raise or nan",
        kind="opaque",
        infer=_infer_general,
        evaluate=_evaluate_solve,
        lower=_emit_solve,
        source="numpy.linalg.solve; LAPACK gesv",
        batching=columns_together("solve"),
        derivative=Rules(_solve_jvp, _solve_vjp),
        cost=64,
        samples=lambda: (
            Sample((_t("f64[3, 3]"), _t("f64[3, 2]")), STRICT),
            Sample((_t("f64[2, 5, 5]"), _t("f64[2, 5, 1]")), {"singular": "nan"}),
            Sample((_t("f32[1, 1]"), _t("f32[1, 4]")), STRICT, 0.5, 3.0),
            Sample((_t("c128[2, 2, 2, 2]"), _t("c128[2, 2, 2, 3]")), STRICT),
            Sample((_t("c64[2, 2]"), _t("c64[2, 1]")), STRICT),
            Sample((_t("f64[0, 0]"), _t("f64[0, 2]")), STRICT),
            Sample((_t("f64[0, 2, 2]"), _t("f64[0, 2, 2]")), STRICT),
        ),
    )
)


# ----------------------------------------------------------------------------- triangular_solve


def _infer_triangular(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    for key in ("lower", "turned", "unit"):
        if not isinstance(attrs.get(key), bool):
            raise TypeMismatch(f"triangular_solve: {key} is {attrs.get(key)!r}, not a bool")
    return _infer_solve(types, attrs)


def _evaluate_triangular(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    a, b = arrays(operands)
    a = np.tril(a) if attrs["lower"] else np.triu(a)
    n = a.shape[-1]
    if attrs["unit"]:
        a = np.where(np.eye(n, dtype=bool), np.ones((), a.dtype), a)
    lower = attrs["lower"] != attrs["turned"]
    a = np.swapaxes(a, -1, -2) if attrs["turned"] else a
    if np.any(np.einsum("...ii->...i", a) == 0):
        raise np.linalg.LinAlgError(SINGULAR)
    x = b.copy()
    with np.errstate(all="ignore"):
        for i in range(n) if lower else reversed(range(n)):
            x[..., i, :] /= a[..., i, i, None]
            rest = slice(i + 1, n) if lower else slice(0, i)
            x[..., rest, :] -= a[..., rest, i, None] * x[..., i, None, :]
    return x


def _emit_triangular(c: Any) -> tuple[Stmt, ...]:
    n, k = c.types[1].shape[-2:]
    m = Matrices(c, c.types[0].shape[:-2], larger(n, k))
    a, b = m.temp(m.dtype, n, n), m.temp(m.dtype, k, n)
    m.take(0, a)
    m.take(1, b)
    m.call(
        "trtrs", "L" if c.attrs["lower"] else "U", "T" if c.attrs["turned"] else "N",
        "U" if c.attrs["unit"] else "N", n, k, a, leading(n), b, leading(n), work=n * n * k,
    )  # fmt: skip
    m.fail(SINGULAR)
    m.give(0, b, n, k)
    return m.loops()


def _triangle(x: Value, attrs: Attrs) -> Value:
    """What of a matrix is read."""
    return mx.kept("ge" if attrs["lower"] else "le", x, _edge(attrs))


def _edge(attrs: Attrs) -> int:
    """The first diagonal that is read."""
    return 0 if not attrs["unit"] else 1 if attrs["lower"] else -1


def _triangular_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    da, db = tangents
    change = None if db is None else Formula(db)
    if da is not None:
        part = _triangle(da, attrs)
        moved = Formula(mx.mm(mx.turned(part) if attrs["turned"] else part, results[0]))
        change = -moved if change is None else change - moved
    assert change is not None
    return [TRIANGULAR_SOLVE(operands[0], change.value, **attrs)]


def _triangular_vjp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, cotangents: Values,
    wanted: Sequence[bool],
) -> Values:  # fmt: skip
    (g,) = cotangents
    assert g is not None
    other = {**attrs, "turned": not attrs["turned"]}
    by_b = TRIANGULAR_SOLVE(operands[0], g, **other)
    by_a = None
    if wanted[0]:
        pair = (by_b, mx.turned(results[0]))
        if attrs["turned"]:
            pair = (results[0], mx.turned(by_b))
        by_a = _triangle((-Formula(mx.mm(*pair))).value, attrs)
    return [by_a, by_b if wanted[1] else None]


def _triangular_samples() -> Sequence[Sample]:
    found = []
    for k, name in enumerate(("f64", "f32", "c128", "c64")):
        for lower in (False, True):
            attrs = {"lower": lower, "turned": k % 2 == 0, "unit": k == 3}
            types = (_t(f"{name}[2, 3, 3]"), _t(f"{name}[2, 3, 2]"))
            found.append(Sample(types, attrs, 0.5, 2.0))
    attrs = {"lower": True, "turned": False, "unit": True}
    return (*found, Sample((_t("f64[4, 4]"), _t("f64[4, 1]")), attrs))


TRIANGULAR_SOLVE = register(
    OpDef(
        name="triangular_solve",
        doc="the x with t x = b (turned: t^T x = b), t a triangle of a, with ones where it is unit",
        kind="opaque",
        infer=_infer_triangular,
        evaluate=_evaluate_triangular,
        lower=_emit_triangular,
        source="scipy.linalg.solve_triangular; LAPACK trtrs",
        batching=columns_together("triangular_solve"),
        derivative=Rules(_triangular_jvp, _triangular_vjp),
        cost=64,
        samples=_triangular_samples,
    )
)


# -------------------------------------------------------------------------------------- cholesky


def _infer_cholesky(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_matrices("cholesky", types, 1)
    check_square("cholesky", types[0])
    return types[0]


def _evaluate_cholesky(operands: Sequence[Any], attrs: Attrs) -> np.ndarray:
    return np.linalg.cholesky(np.asarray(operands[0]))


def _emit_cholesky(c: Any) -> tuple[Stmt, ...]:
    """In place: rows of the lower triangle are columns of the upper one, of conj(a) = u^H u.

    Then a = u^T conj(u), and the rows of the lower factor u^T are the columns of u.
    """
    n = c.types[0].shape[-1]
    m = Matrices(c, c.types[0].shape[:-2], n)

    def lower(i: Index, j: Index) -> Sequence[Stmt]:
        lets, element = m.element(0, i, j)
        return (*lets, *m.put(0, (i, j), where(below(i, j), element, 0)))

    m.loop((n, n), lower)
    m.call("potrf", "U", n, m.result(0), leading(n), work=n * n * n)
    m.fail("Matrix is not positive definite")
    return m.loops()


def below(i: Index, j: Index) -> Expr:
    """On or below the diagonal."""
    return less(j, i + 1)


def _cholesky_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    """dl = l phi(l^-1 da l^-H), phi the lower triangle with half the diagonal.

    Source: Murray, Differentiation of the Cholesky decomposition, 2016
    """
    (da,) = tangents
    assert da is not None
    (factor,) = results
    solve = {"lower": True, "turned": False, "unit": False}
    left = TRIANGULAR_SOLVE(factor, mx.hermitian(da, True), **solve)
    both = mx.adjoint(TRIANGULAR_SOLVE(factor, mx.adjoint(left), **solve))
    half = Formula(mx.kept("ge", both)) - Formula(mx.kept("eq", both)) * 0.5
    return [mx.mm(factor, half.value)]


CHOLESKY = register(
    OpDef(
        name="cholesky",
        doc="the lower triangular l with l l^H = a; of a the lower triangle is read",
        kind="opaque",
        infer=_infer_cholesky,
        evaluate=_evaluate_cholesky,
        lower=_emit_cholesky,
        source="numpy.linalg.cholesky; LAPACK potrf",
        batching=bt.elementwise("cholesky"),
        derivative=mx.forward_only(_cholesky_jvp),
        cost=64,
        # a matrix of numbers drawn at random is positive definite if it has one row
        samples=lambda: (
            Sample((_t("f64[2, 1, 1]"),), {}, 0.5, 3.0),
            Sample((_t("f32[1, 1]"),), {}, 0.5, 3.0),
            Sample((_t("c128[2, 3, 1, 1]"),), {}, 0.5, 3.0),
            Sample((_t("c64[0, 0]"),)),
        ),
    )
)


# -------------------------------------------------------------------------------------------- lu


def _infer_lu(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...]:
    check_matrices("lu", types, 1)
    *lead, m, n = types[0].shape
    few = smaller("lu", m, n)
    return types[0], TensorType(I32, (*lead, few)), TensorType(I32, (*lead, m))


def _evaluate_lu(operands: Sequence[Any], attrs: Attrs) -> Any:
    a = np.array(operands[0])
    *lead, m, n = a.shape
    pivots = np.zeros((*lead, min(m, n)), np.int32)
    order = np.broadcast_to(np.arange(m, dtype=np.int32), (*lead, m)).copy()
    with np.errstate(all="ignore"):
        for at in np.ndindex(*lead):
            _eliminate(a[at], pivots[at], order[at])
    return a, pivots, order


def _eliminate(a: np.ndarray, pivots: np.ndarray, order: np.ndarray) -> None:
    """One matrix, in place."""
    for k in range(len(pivots)):
        column = a[k:, k]
        size = np.abs(np.real(column)) + np.abs(np.imag(column))
        best = k + int(np.argmax(np.where(np.isnan(size), -1, size)))
        pivots[k] = best
        a[[k, best]], order[[k, best]] = a[[best, k]], order[[best, k]]
        if a[k, k] != 0:
            a[k + 1 :, k] /= a[k, k]
        a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])


def _emit_lu(c: Any) -> tuple[Stmt, ...]:
    rows, columns = c.types[0].shape[-2:]
    few = smaller("lu", rows, columns)
    m = Matrices(c, c.types[0].shape[:-2], larger(rows, columns))
    a, pivots = m.temp(m.dtype, columns, rows), m.temp(I32, few)
    m.take(0, a)
    m.call("getrf", rows, columns, a, leading(rows), pivots, work=rows * columns * few)
    m.give(0, a, rows, columns)

    def place(i: Index) -> Sequence[Stmt]:
        lets, found = m.held(pivots, I32, i)
        return (*lets, *m.put(1, (i,), scalar("sub", found, const(1, I32))))  # type: ignore[arg-type]

    m.loop((few,), place)
    m.loop((rows,), lambda i: m.put(2, (i,), cast(Idx(i), I32)))

    def swap(i: Index) -> Sequence[Stmt]:
        buffer = c.result(2)
        lets, one = m.held(pivots, I32, i)
        name, first, second = c.fresh("p"), c.fresh("t"), c.fresh("t")
        other = (*m.at, Dim.symbol(name))
        return (
            *lets,
            Let(name, scalar("sub", cast(one, I64), const(1, I64))),  # type: ignore[arg-type]
            Let(first, Load(buffer, (*m.at, i))),
            Let(second, Load(buffer, other)),
            Store(buffer, (*m.at, i), Name(second, I32)),
            Store(buffer, other, Name(first, I32)),
        )

    m.loop((few,), swap)
    return m.loops()


def _lu_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    """With p a = l u and x = l^-1 p da u^-1: dl = l tril(x, -1), du = triu(x) u.

    Rows past the square of l, and columns past that of u, are those of the identity.
    """
    (da,) = tangents
    assert da is not None
    packed, _, order = results
    *lead, m, n = packed.shape
    few = smaller("lu", m, n)
    moved = _rows_in_order(da, order)
    lower = _padded(mx.kept("gt", _corner(packed, m, few)), m, m)
    upper = _padded(mx.kept("le", _corner(packed, few, n)), n, n)
    if few != n:  # ones where u has no rows
        unit = lookup("and")(mx.compared("eq", upper.shape), _line_from(upper.shape, few))
        upper = (Formula(upper) + Formula(to_dtype(unit, upper.dtype))).value
    left = TRIANGULAR_SOLVE(lower, moved, lower=True, turned=False, unit=True)
    both = mx.turned(TRIANGULAR_SOLVE(upper, mx.turned(left), lower=False, turned=True, unit=False))
    one = Formula(mx.identity((*lead, m, m), packed.dtype))
    dl = mx.mm((Formula(lower) + one).value, mx.kept("gt", both))
    du = mx.mm(mx.kept("le", both), upper)
    return [(Formula(dl) + Formula(du)).value, None, None]


def _line_from(shape: Sequence[Extent], first: Extent) -> Value:
    """bool: rows from `first` on."""
    rows = lookup("iota")(dtype=I64, shape=tuple(shape), axis=len(shape) - 2)
    if isinstance(first, Dim):
        limit = lookup("broadcast")(lookup("extent")(value=first), shape=tuple(shape), axes=())
        return lookup("ge")(rows, limit)
    return Formula(rows).f("ge", first).value


def _rows_in_order(x: Value, order: Value) -> Value:
    """x[..., order, :]."""
    *lead, m, n = x.shape
    shape = (*lead, m, n)
    rank = len(shape)
    index = [lookup("iota")(dtype=I64, shape=shape, axis=d) for d in range(rank)]
    index[rank - 2] = mx.along_columns(to_dtype(order, I64), n)
    return lookup("gather")(x, *index, axes=tuple(range(rank)), mode="promise")


def _corner(x: Value, rows: Extent, columns: Extent) -> Value:
    """The first rows and columns."""
    rank = len(x.shape)
    shape = (*x.shape[:-2], rows, columns)
    if shape == x.shape:
        return x
    return lookup("slice")(x, start=(0,) * rank, shape=shape, step=(1,) * rank)


def _padded(x: Value, rows: Extent, columns: Extent) -> Value:
    """Zeros around."""
    if x.shape[-2:] == (rows, columns):
        return x
    rank = len(x.shape)
    high = (*(0 for _ in range(rank - 2)), rows - x.shape[-2], columns - x.shape[-1])
    zero = zeros(x.type.with_shape(()))
    return lookup("pad")(x, zero, low=(0,) * rank, high=high, interior=(0,) * rank)


LU = register(
    OpDef(
        name="lu",
        doc="l and u of p a = l u in one matrix, the row that each was exchanged with, and p as an "
        "order of rows",
        kind="opaque",
        infer=_infer_lu,
        evaluate=_evaluate_lu,
        lower=_emit_lu,
        source="scipy.linalg.lu_factor, jax.lax.linalg.lu; LAPACK getrf",
        batching=bt.elementwise("lu"),
        derivative=mx.forward_only(_lu_jvp),
        cost=64,
        samples=lambda: (
            Sample((_t("f64[4, 4]"),)),
            Sample((_t("f64[2, 3, 5]"),)),
            Sample((_t("c128[5, 3]"),)),
            Sample((_t("f32[2, 2, 2]"),)),
            Sample((_t("c64[1, 3]"),)),
            Sample((_t("f64[0, 3]"),)),
        ),
    )
)


# --------------------------------------------------------------------------------------- slogdet


def _infer_slogdet(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...]:
    check_matrices("slogdet", types, 1)
    check_square("slogdet", types[0])
    sign = types[0].with_shape(types[0].shape[:-2])
    return sign, sign.with_dtype(sign.dtype.real)


def _evaluate_slogdet(operands: Sequence[Any], attrs: Attrs) -> Any:
    sign, size = np.linalg.slogdet(np.asarray(operands[0]))
    return np.asarray(sign), np.asarray(size)


def _emit_slogdet(c: Any) -> tuple[Stmt, ...]:
    n = c.types[0].shape[-1]
    m = Matrices(c, c.types[0].shape[:-2], n)
    a, pivots = m.temp(m.dtype, n, n), m.temp(I32, n)
    real = m.dtype.real
    sign, size = Cells(c, "sign", real, 2), Cells(c, "size", real, 1)
    m.take(0, a)
    m.call("getrf", n, n, a, leading(n), pivots, work=n * n * n)
    m.stmts += [
        sign.alloc, size.alloc, sign.set(const(1, real)), sign.set(const(0, real), 1),
        size.set(const(0, real)),
    ]  # fmt: skip

    def step(i: Index) -> Sequence[Stmt]:
        lets, pivot = m.held(pivots, I32, i)
        moved = scalar("ne", cast(pivot, I64), Idx(i + 1))  # type: ignore[arg-type]
        more, element = m.held(a, m.dtype, i, i)
        if isinstance(element, Pair):
            length = c.fresh("t")
            stmts: list[Stmt] = [Let(length, scalar("hypot", element.re, element.im))]
            re, im = (scalar("div", p, Name(length, real)) for p in (element.re, element.im))
        else:
            length = c.fresh("t")
            stmts = [Let(length, scalar("abs", element))]
            negative = scalar("lt", element, const(0, real))
            re, im = Select(negative, const(-1, real), const(1, real)), const(0, real)
        names = [c.fresh("s") for _ in range(4)]
        x, y, u, v = (Name(name, real) for name in names)
        old = sign.get(0), sign.get(1)
        for name, value in zip(names, (*old, re, im), strict=True):
            stmts.append(Let(name, value))
        turn = Select(moved, const(-1, real), const(1, real))
        first = scalar("sub", scalar("mul", x, u), scalar("mul", y, v))
        second = scalar("add", scalar("mul", x, v), scalar("mul", y, u))
        if not isinstance(element, Pair):
            first, second = scalar("mul", x, u), const(0, real)
        log = scalar("log", Name(length, real))
        return (
            *lets, *more, *stmts,
            sign.set(scalar("mul", first, turn), 0), sign.set(scalar("mul", second, turn), 1),
            size.set(scalar("add", size.get(), log)),
        )  # fmt: skip

    m.loop((n,), step)
    singular = scalar("gt", m.status(), const(0, I32))
    m.stmts.append(
        If(
            singular,
            (sign.set(const(0, real)), sign.set(const(0, real), 1),
             size.set(const(float("-inf"), real))),
        )
    )  # fmt: skip
    whole = Pair(sign.get(0), sign.get(1)) if m.dtype.is_complex else sign.get(0)
    m.stmts += [*m.put(0, (), whole), *m.put(1, (), size.get())]
    return m.loops()


def _slogdet_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    """With t the trace of a^-1 da: d log|det| = Re t, d sign = sign (t - Re t)."""
    (da,) = tangents
    assert da is not None
    trace = Formula(_sum_diagonal(SOLVE(operands[0], da, **QUIET)))
    size = mx.real(trace.value)
    if not trace.value.dtype.is_complex:
        return [None, size]
    rest = trace - Formula(to_dtype(size, trace.value.dtype))
    return [(Formula(results[0]) * rest).value, size]


def _sum_diagonal(x: Value) -> Value:
    rank = len(x.shape)
    return lookup("reduce")(mx.kept("eq", x), kind="sum", axes=(rank - 2, rank - 1))


SLOGDET = register(
    OpDef(
        name="slogdet",
        doc="the sign (phase) of the determinant, and log |det a|",
        kind="opaque",
        infer=_infer_slogdet,
        evaluate=_evaluate_slogdet,
        lower=_emit_slogdet,
        source="numpy.linalg.slogdet; LAPACK getrf",
        batching=bt.elementwise("slogdet"),
        derivative=mx.forward_only(_slogdet_jvp),
        cost=64,
        samples=lambda: (
            Sample((_t("f64[4, 4]"),)),
            Sample((_t("f64[2, 3, 3]"),)),
            Sample((_t("c128[2, 3, 3]"),)),
            Sample((_t("f32[2, 2, 2, 2]"),)),
            Sample((_t("c64[2, 2]"),)),
            Sample((_t("f64[2, 0, 0]"),)),
        ),
    )
)


# -------------------------------------------------------------------------------------------- qr


def _infer_qr(types: Sequence[TensorType], attrs: Attrs) -> tuple[TensorType, ...] | TensorType:
    check_matrices("qr", types, 1)
    *lead, m, n = types[0].shape
    few = smaller("qr", m, n)
    mode = attrs.get("mode")
    if mode not in ("reduced", "complete", "r"):
        raise TypeMismatch(f"qr: mode is {mode!r}; expected reduced, complete or r")
    upper = types[0].with_shape((*lead, m if mode == "complete" else few, n))
    if mode == "r":
        return upper
    return types[0].with_shape((*lead, m, m if mode == "complete" else few)), upper


def _evaluate_qr(operands: Sequence[Any], attrs: Attrs) -> Any:
    found = np.linalg.qr(np.asarray(operands[0]), attrs["mode"])
    return found if attrs["mode"] == "r" else tuple(found)


def _emit_qr(c: Any) -> tuple[Stmt, ...]:
    rows, columns = c.types[0].shape[-2:]
    mode = c.attrs["mode"]
    few = smaller("qr", rows, columns)
    m = Matrices(c, c.types[0].shape[:-2], larger(rows, columns))
    most = larger(rows, columns)
    width = most if mode == "complete" else columns
    a, factors = m.temp(m.dtype, width, rows), m.temp(m.dtype, few)
    lwork = at_least_one(BLOCK * most)
    work = m.temp(m.dtype, lwork)
    m.take(0, a)
    trips = rows * columns * few * 2
    m.call("geqrf", rows, columns, a, leading(rows), factors, work, lwork, work=trips)

    def on_or_above(i: Index, j: Index) -> Any:
        return below(j, i)

    upper = rows if mode == "complete" else few
    if mode == "r":
        m.give(0, a, upper, columns, on_or_above)
        return m.loops()
    m.give(1, a, upper, columns, on_or_above)
    across = rows if mode == "complete" else few
    name = "ungqr" if m.dtype.is_complex else "orgqr"
    m.call(name, rows, across, few, a, leading(rows), factors, work, lwork, work=trips)
    m.give(0, a, rows, across)
    return m.loops()


def _qr_jvp(
    operands: Sequence[Value], results: Sequence[Value], attrs: Attrs, tangents: Values
) -> Values:
    """With x = q^H da r^-1 and o = tril(x, -1) - tril(x, -1)^H + i Im(diagonal of x):
    dq = da r^-1 + q (o - x), dr = (x - o) r.

    Source: Walter, Lehmann and Lamour, On evaluating higher-order derivatives of the QR
    decomposition, 2012
    """
    (da,) = tangents
    assert da is not None
    a = operands[0]
    m, n = a.shape[-2:]
    if attrs["mode"] == "r":
        q, upper = QR(a, mode="reduced")
    else:
        q, upper = results
    low, _ = bounds(m - n)
    if low is None or low < 0 or (attrs["mode"] == "complete" and m != n):
        raise TraceError(
            f"qr of {a.type} with mode {attrs['mode']} has no derivative here: it has one for "
            "matrices with at least as many rows as columns, and modes reduced and r"
        )
    solve = {"lower": False, "turned": True, "unit": False}
    over = mx.turned(TRIANGULAR_SOLVE(upper, mx.turned(da), **solve))  # da r^-1
    x = mx.mm(mx.adjoint(q), over)
    strict = mx.kept("gt", x)
    turn = Formula(strict) - Formula(mx.adjoint(strict))
    if x.dtype.is_complex:
        main = mx.kept("eq", x)
        turn = turn + Formula(main) - Formula(to_dtype(mx.real(main), x.dtype))
    dq = Formula(mx.mm(q, (turn - Formula(x)).value)) + Formula(over)
    dr = mx.mm((Formula(x) - turn).value, upper)
    return [dr] if attrs["mode"] == "r" else [dq.value, dr]


QR = register(
    OpDef(
        name="qr",
        doc="q with orthonormal columns and the upper triangular r with q r = a; mode reduced, "
        "complete, or r alone",
        kind="opaque",
        infer=_infer_qr,
        evaluate=_evaluate_qr,
        lower=_emit_qr,
        source="numpy.linalg.qr; LAPACK geqrf",
        batching=bt.elementwise("qr"),
        derivative=mx.forward_only(_qr_jvp),
        cost=64,
        samples=lambda: (
            Sample((_t("f64[4, 4]"),), {"mode": "reduced"}),
            Sample((_t("f64[2, 5, 2]"),), {"mode": "reduced"}),
            Sample((_t("c128[4, 3]"),), {"mode": "r"}),
            Sample((_t("f32[3, 3]"),), {"mode": "complete"}),
            Sample((_t("c64[2, 2]"),), {"mode": "reduced"}),
            Sample((_t("f64[0, 3, 2]"),), {"mode": "reduced"}),
        ),
    )
)

__all__ = ["CHOLESKY", "LU", "QR", "SLOGDET", "SOLVE", "TRIANGULAR_SOLVE"]
