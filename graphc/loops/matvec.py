"""matvec: the product of one row with a large matrix, in the order of the matrix's memory.

    for j: acc = 0; for k: acc += x[k] * z[k, j]; y[j] = g(acc)

becomes, for a band of columns whose sums stay in the first cache,

    for band in parallel:
        wait[...] = 0
        for k in steps of LINES: for l in vector: wait[l] += sum of x[k + u] * z[k + u, l]
        for l in vector: y[l] = g(wait[l])

Every line of the matrix is read once, along its length, LINES of them side by side: the limit is
the bandwidth. What does not fit is None: the ordinary schedule serves it.
"""

from __future__ import annotations

from dataclasses import replace

from .. import types as ty
from ..types import Dim
from . import ir as L
from .blocks import Vectorize
from .contract import Fresh, Rename
from .contraction import inlined
from .lower import IDENTITY, KIND_OF, expr_names

BAND = 2048
"""Columns of a band: 8 KiB of f32 sums, and stretches of 8 KiB of every line."""
LINES = 8
LEAST_BYTES = 256 << 10
"""Smaller matrices stay in the second cache, in any order."""


def matvec(loop: L.For, fresh: Fresh, rename: Rename, vectorize: Vectorize) -> list[L.Stmt] | None:
    """The loop over columns in bands; None where it is no such product."""
    found = _match(loop)
    if found is None:
        return None
    before, reduction, sums, after = found
    bands, rest = loop.extent // BAND, loop.extent % BAND
    band = fresh("b")
    start = Dim.symbol(band) * BAND
    body: list[L.Stmt] = []
    waiting = [
        L.Buffer(fresh("wait"), s.buffer.dtype, (BAND,), None, "local", "temp", 64) for s in sums
    ]
    for total, wait in zip(sums, waiting, strict=True):
        var = fresh("w")
        zero = L.const(IDENTITY[KIND_OF[total.op]](wait.dtype), wait.dtype)
        clear = L.Store(wait, (Dim.symbol(var),), zero)
        body += [L.Alloc(wait), *vectorize(L.For(var, BAND, "serial", (clear,)))]

    def add(first: L.Index, count: int) -> list[L.Stmt]:
        """`count` lines from `first` into the sums."""
        column = fresh("j")
        place = (Dim.symbol(column),)
        stmts: list[L.Stmt] = []
        for total, wait in zip(sums, waiting, strict=True):
            held = L.Buffer(fresh("sum"), wait.dtype, (1,), None, "register")
            stmts += [L.Alloc(held), L.Store(held, (0,), L.Load(wait, place))]
            for u in range(count):
                env: dict[str, L.Index] = {
                    loop.var: start + Dim.symbol(column), reduction.var: first + u,
                }  # fmt: skip
                value = L.map_expr(
                    total.value, lambda i, e=env: ty.substitute(i, e) if isinstance(i, Dim) else i
                )
                stmts.append(L.Accumulate(held, (0,), total.op, value))
            stmts.append(L.Store(wait, place, L.Load(held, (0,))))
        return vectorize(L.For(column, BAND, "serial", tuple(stmts)))

    depth = reduction.extent
    assert isinstance(depth, int)
    k = fresh("k")
    steps = add(Dim.symbol(k) * LINES, LINES)
    body.append(L.For(k, depth // LINES, "serial", tuple(steps)))
    if depth % LINES:
        body += add(depth - depth % LINES, depth % LINES)
    column = fresh("j")
    env: dict[str, L.Index] = {loop.var: start + Dim.symbol(column)}
    early = [
        L.Accumulate(s.buffer, s.index, s.op, L.Load(w, (Dim.symbol(column),)))
        for s, w in zip(sums, waiting, strict=True)
    ]
    end = tuple(L.substitute(s, env) for s in (*before, *early, *after))
    body += vectorize(L.For(column, BAND, "serial", rename(end)))
    out: list[L.Stmt] = [L.For(band, bands, loop.kind, tuple(body))]
    if rest != 0:
        env = {loop.var: bands * BAND + Dim.symbol(loop.var)}
        left = rename(tuple(L.substitute(s, env) for s in loop.body))
        out += vectorize(replace(loop, extent=rest, body=left))
    return out


def _match(
    loop: L.For,
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
    if isinstance(columns, int) and columns < BAND:
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
    if not moved or (isinstance(size, int) and size < LEAST_BYTES):
        return None
    return before, reduction, sums, after
