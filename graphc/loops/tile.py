"""tile_nest and square_copy: schedules for nests that need blocks in two axes.

None where the ordinary schedule is right.

transposed: some operand runs along the outer loop. Blocks of TILE x TILE go through a local buffer,
    so that memory is read and written along its lines.

    for i: for j: y[i, j] = a[i, j] + b[j, i]
      -> for i block: for j block: tile = b block; for ii: for jj: ...

square_copy: a local buffer that takes such an operand as it is; its squares go through registers.

    for x: for i: t[64*x + i] = q[i, x]      ->      for x square: for i square: Transpose
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .. import types as ty
from ..types import Dim
from . import ir as L

TILE = 64
Fresh = Callable[[str], str]


def tile_nest(loop: L.For, fresh: Fresh) -> list[L.Stmt] | None:
    """The nest in blocks, or None."""
    if loop.kind not in ("parallel", "serial") or len(loop.body) != 1:
        return None
    inner = loop.body[0]
    if not isinstance(inner, L.For) or inner.kind != "serial":
        return None
    deeper = tile_nest(inner, fresh)
    if deeper is not None:
        # the outer loop has the threads; blocks below it are serial
        below = tuple(replace(s, kind="serial") if isinstance(s, L.For) else s for s in deeper)
        return [replace(loop, body=below)]
    return transposed(loop, inner, fresh)


def square_copy(outer: L.For, fresh: Fresh) -> list[L.Stmt] | None:
    """The nest of two loops in squares, or None."""
    from .schedule import coefficient

    inner = outer.body[0]
    if outer.kind != "serial" or len(outer.body) != 1 or not isinstance(inner, L.For):
        return None
    if len(inner.body) != 2 or inner.kind != "serial":
        return None
    let, store = inner.body
    if not isinstance(let, L.Let) or not isinstance(store, L.Store):
        return None
    load, target = let.value, store.buffer
    if not isinstance(load, L.Load) or store.value != L.Name(let.name, load.dtype):
        return None
    if target.space != "local" or load.guard is not None or load.dtype.nbytes < 4:
        return None
    into, out = target.offset(store.index), load.buffer.offset(load.index)
    ranks = len(target.shape), len(load.buffer.shape)
    if (coefficient(into, inner.var), coefficient(out, outer.var)) != (1, 1) or ranks != (1, 1):
        return None
    steps = coefficient(into, outer.var), coefficient(out, inner.var)
    size = 64 // load.dtype.nbytes
    extents = outer.extent, inner.extent
    if None in steps or any(not isinstance(e, int) or e % size for e in extents):
        return None
    i, j = fresh("ti"), fresh("tj")
    env: dict[str, L.Index] = {outer.var: size * Dim.symbol(i), inner.var: size * Dim.symbol(j)}
    places = [tuple(ty.substitute(x, env) for x in index) for index in (store.index, load.index)]
    assert steps[0] is not None and steps[1] is not None
    move = L.Transpose(target, places[0], steps[0], load.buffer, places[1], steps[1], size)
    along = L.For(j, inner.extent // size, "serial", (move,))
    return [L.For(i, outer.extent // size, "serial", (along,))]


# -------------------------------------------------------------------------------- transposed reads


def transposed(outer: L.For, inner: L.For, fresh: Fresh) -> list[L.Stmt] | None:
    """Blocks for a map of two loops in which a load runs along the outer one."""
    from .schedule import coefficient

    i, j = outer.var, inner.var
    if any(isinstance(s, (L.For, L.If, L.Alloc, L.Accumulate)) for s in L.statements(inner.body)):
        return None
    if not (isinstance(outer.extent, int) and isinstance(inner.extent, int)):
        return None
    if outer.extent < TILE or inner.extent < TILE:
        return None
    across: list[L.Load] = []
    for stmt in inner.body:
        if isinstance(stmt, L.Store) and coefficient(stmt.buffer.offset(stmt.index), j) != 1:
            return None
        for expr in L.expressions(stmt):
            for one in L.walk(expr):
                if isinstance(one, L.Load):
                    offset = one.buffer.offset(one.index)
                    along, step = coefficient(offset, i), coefficient(offset, j)
                    if along == 1 and step not in (0, 1) and step is not None and one.guard is None:
                        if one not in across:
                            across.append(one)
    if not across:
        return None
    rows, columns = outer.extent // TILE, inner.extent // TILE
    bi, bj = fresh("bi"), fresh("bj")
    base_i, base_j = Dim.symbol(bi) * TILE, Dim.symbol(bj) * TILE
    block: list[L.Stmt] = []
    tiles: dict[L.Load, L.Buffer] = {}
    for load in across:
        tile = L.Buffer(fresh("tile"), load.dtype, (TILE * TILE,), None, "local", "temp", 64)
        tiles[load] = tile
        block.append(L.Alloc(tile))
        size = 64 // load.dtype.nbytes
        step = coefficient(load.buffer.offset(load.index), j)
        assert step is not None
        ti, tj = fresh("ti"), fresh("tj")
        env = {i: base_i + Dim.symbol(ti) * size, j: base_j + Dim.symbol(tj) * size}
        source = tuple(ty.substitute(x, env) for x in load.index)
        target = (Dim.symbol(ti) * (size * TILE) + Dim.symbol(tj) * size,)
        move = L.Transpose(tile, target, TILE, load.buffer, source, step, size)
        count = TILE // size
        block.append(L.For(tj, count, "serial", (L.For(ti, count, "serial", (move,)),)))
    ii, jj = fresh("ii"), fresh("l")

    def from_tile(expr: L.Expr) -> L.Expr:
        if isinstance(expr, L.Load) and expr in tiles:
            return L.Load(tiles[expr], (Dim.symbol(ii) * TILE + Dim.symbol(jj),))
        return expr

    env: dict[str, L.Index] = {i: base_i + Dim.symbol(ii), j: base_j + Dim.symbol(jj)}
    body = tuple(L.substitute(L.map_stmt(s, lambda x: x, from_tile), env) for s in inner.body)
    block.append(L.For(ii, TILE, "serial", (L.For(jj, TILE, "vector", body),)))
    out: list[L.Stmt] = [L.For(bi, rows, outer.kind, (L.For(bj, columns, "serial", tuple(block)),))]
    if inner.extent % TILE:
        out.append(_strip(outer, inner, 0, rows * TILE, columns * TILE, inner.extent % TILE, fresh))
    if outer.extent % TILE:
        out.append(_strip(outer, inner, rows * TILE, outer.extent % TILE, 0, inner.extent, fresh))
    return out


def _strip(
    outer: L.For, inner: L.For, i0: int, rows: int, j0: int, columns: int, fresh: Fresh
) -> L.Stmt:
    """The part of a nest of two loops that blocks left over."""
    from .schedule import rename

    i, j = fresh("i"), fresh("j")
    env: dict[str, L.Index] = {outer.var: i0 + Dim.symbol(i), inner.var: j0 + Dim.symbol(j)}
    body = rename(tuple(L.substitute(s, env) for s in inner.body), fresh)
    return L.For(i, rows, "serial", (L.For(j, columns, "serial", body),))
