"""matvec: the product of one row with a large matrix, in the order of the matrix's memory.

    for j: acc = 0; for k: acc += x[k] * z[k, j]; y[j] = g(acc)

becomes, for pieces of the sum and bands of columns whose sums stay in the first cache,

    for piece in parallel: for band:
        part[piece, ...] = 0
        for k in steps of LINES: for l in vector: part[piece, l] += sum of x[k + u] * z[k + u, l]
    for j in parallel: y[j] = g(sum of part[..., j])

Every line of the matrix is read once, along its length, LINES of them side by side, and workers
read different lines: the limit is the bandwidth. What does not fit is None: the ordinary schedule
serves it.
"""

from __future__ import annotations

from dataclasses import replace

from .. import types as ty
from ..types import Dim
from . import ir as L
from .blocks import Vectorize
from .contract import Fresh, Rename
from .contraction import inlined
from .identities import IDENTITY
from .lower import expr_names, index_names
from .machine import Machine

BAND = 4096
"""Columns of a band: 16 KiB of f32 sums, and stretches of 16 KiB of every line."""
LINES = 8
PIECES = 16
"""Pieces of a sum, which workers share; where they are long, more."""
PIECE_TERMS = 384
"""Terms of a piece at most: see shapes.SUM_TERMS."""
AHEAD = 2048
"""Bytes of a line that are asked for ahead: a processor that follows LINES streams looks less far
ahead in each (4096 x 4096, one core: 2.97 -> 2.63 ms).
"""
LEAST_COLUMNS = 2048
"""Fewer columns are read by an ordinary tile."""


def matvec(
    loop: L.For, machine: Machine, fresh: Fresh, rename: Rename, vectorize: Vectorize
) -> tuple[list[L.Stmt], list[L.Buffer]] | None:
    """The loop over columns in pieces, and the temporaries that they need; None where it is no such
    product.
    """
    found = _match(loop, machine.kept_bytes)
    if found is None:
        return None
    before, reduction, sums, after = found
    depth, columns = reduction.extent, loop.extent
    assert isinstance(depth, int)
    most = max(PIECE_TERMS // LINES, 1)
    lines = LINES * min(most, -(-depth // (PIECES * LINES)))
    pieces, short = depth // lines, depth % lines
    parts = [
        L.Buffer(
            fresh("part"), s.buffer.dtype, ((pieces + (short > 0)) * columns,), None, "global",
            "temp", 64,
        )
        for s in sums
    ]  # fmt: skip

    def add(
        piece: L.Index, first: L.Index, count: int, start: L.Index, extent: L.Index
    ) -> list[L.Stmt]:
        """`count` lines from `first` into the sums of the columns from `start`."""
        column = fresh("j")

        def ask(expr: L.Expr) -> L.Expr:
            if isinstance(expr, L.Load) and column in index_names(expr.index):
                return replace(expr, ahead=AHEAD)
            return expr

        place = (piece * columns + start + Dim.symbol(column),)
        stmts: list[L.Stmt] = []
        for total, part in zip(sums, parts, strict=True):
            held = L.Buffer(fresh("sum"), part.dtype, (1,), None, "register")
            stmts += [L.Alloc(held), L.Store(held, (0,), L.Load(part, place))]
            for u in range(count):
                env: dict[str, L.Index] = {
                    loop.var: start + Dim.symbol(column), reduction.var: first + u,
                }  # fmt: skip
                value = L.map_expr(
                    total.value,
                    lambda i, e=env: ty.substitute(i, e) if isinstance(i, Dim) else i,
                    ask,
                )
                stmts.append(L.Accumulate(held, (0,), total.op, value))
            stmts.append(L.Store(part, place, L.Load(held, (0,))))
        return vectorize(L.For(column, extent, "serial", tuple(stmts)))

    def band(piece: L.Index, count: int, start: L.Index, extent: L.Index) -> list[L.Stmt]:
        """A piece of `count` lines for a band of columns."""
        out: list[L.Stmt] = []
        for part in parts:
            var = fresh("w")
            zero = L.const(IDENTITY["sum"](part.dtype), part.dtype)
            at = (piece * columns + start + Dim.symbol(var),)
            out += vectorize(L.For(var, extent, "serial", (L.Store(part, at, zero),)))
        k, first = fresh("k"), piece * lines
        whole, left = count // LINES, count % LINES
        if whole:
            steps = add(piece, first + Dim.symbol(k) * LINES, LINES, start, extent)
            out.append(L.For(k, whole, "serial", tuple(steps)))
        if left:
            out += add(piece, first + whole * LINES, left, start, extent)
        return out

    def bands(piece: L.Index, count: int) -> tuple[L.Stmt, ...]:
        var, number = fresh("b"), columns // BAND
        out: list[L.Stmt] = []
        if number != 0:
            inside = band(piece, count, Dim.symbol(var) * BAND, BAND)
            out.append(L.For(var, number, "serial", tuple(inside)))
        if columns % BAND != 0:
            out += band(piece, count, number * BAND, columns % BAND)
        return tuple(out)

    piece = fresh("p")
    out: list[L.Stmt] = [L.For(piece, pieces, loop.kind, bands(Dim.symbol(piece), lines))]
    if short:
        out.append(L.For(fresh("p"), 1, "serial", bands(pieces, short)))
    p = fresh("p")
    early: list[L.Stmt] = []
    for total, part in zip(sums, parts, strict=True):
        at = (Dim.symbol(p) * columns + Dim.symbol(loop.var),)
        add_part = L.Accumulate(total.buffer, total.index, total.op, L.Load(part, at))
        early.append(L.For(p, pieces + (short > 0), "serial", (add_part,)))
    end = replace(loop, body=rename((*before, *early, *after)))
    return [*out, *vectorize(end)], parts


def _match(
    loop: L.For, kept_bytes: int
) -> tuple[list[L.Stmt], L.For, tuple[L.Accumulate, ...], list[L.Stmt]] | None:
    """(before, reduction, sums, after) of a loop over columns."""
    from .schedule import coefficient

    inside = [k for k, s in enumerate(loop.body) if isinstance(s, L.For)]
    if len(inside) != 1 or loop.kind not in ("parallel", "serial"):
        return None
    reduction = loop.body[inside[0]]
    assert isinstance(reduction, L.For)
    depth, columns = reduction.extent, loop.extent
    if reduction.kind != "serial" or not isinstance(depth, int) or depth < 2 * LINES:
        return None
    if isinstance(columns, int) and columns < LEAST_COLUMNS:
        return None
    before, after = list(loop.body[: inside[0]]), list(loop.body[inside[0] + 1 :])
    if any(not isinstance(s, (L.Let, L.Store, L.Alloc)) for s in (*before, *after)):
        return None
    sums = inlined(reduction.body)
    if sums is None or any(s.op != "add" for s in sums):
        return None
    moved = 0
    for total in sums:
        for one in L.walk(total.value):
            if not isinstance(one, L.Load):
                continue
            offset = one.buffer.offset(one.index)
            along, step = coefficient(offset, loop.var), coefficient(offset, reduction.var)
            if one.guard is not None or along not in (0, 1) or step is None:
                return None
            if along == 1:
                if step in (0, 1):
                    return None
                moved += 1
        if expr_names(total.value) & {s.name for s in before if isinstance(s, L.Let)}:
            return None
    size = depth * columns * 4
    if not moved or (isinstance(size, int) and size < kept_bytes):
        return None
    return before, reduction, sums, after
