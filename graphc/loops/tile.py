"""tile_nest: schedules for nests that need blocks in two axes.

None where the ordinary schedule is right.

transposed: some operand runs along the outer loop. Blocks of TILE x TILE go through a local buffer,
    so that memory is read and written along its lines.

    for i: for j: y[i, j] = a[i, j] + b[j, i]
      -> for i block: for j block: tile = b block; for ii: for jj: ...

contraction: a reduction whose operands are each used again along the other loop. Columns are packed
    into a panel, and a block of rows times a vector of columns is accumulated in registers.

    for i: for j: for r: acc += f(x[i, r], z[j, r])
      -> for j block: panel[r, jj] = z[j, r];
           for i block: for l in lanes: for r: for u: acc[u] += f(x[i + u, r], panel[r, l])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from .. import types as ty
from ..types import BOOL, Dim
from . import ir as L
from .lower import expr_names, index_names

TILE = 64
PANEL_BYTES = 192 << 10
"""Packed columns stay in the second-level cache and on the stack of a worker."""
Fresh = Callable[[str], str]


def tile_nest(loop: L.For, machine: Any, fresh: Fresh) -> list[L.Stmt] | None:
    """The nest in blocks, or None."""
    if loop.kind not in ("parallel", "serial") or len(loop.body) != 1:
        return None
    inner = loop.body[0]
    if not isinstance(inner, L.For) or inner.kind != "serial":
        return None
    deeper = tile_nest(inner, machine, fresh)
    if deeper is not None:
        # the outer loop has the threads; blocks below it are serial
        below = tuple(replace(s, kind="serial") if isinstance(s, L.For) else s for s in deeper)
        return [replace(loop, body=below)]
    return contraction(loop, inner, machine, fresh) or transposed(loop, inner, fresh)


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


# ------------------------------------------------------------------------------------ contractions


def contraction(outer: L.For, inner: L.For, machine: Any, fresh: Fresh) -> list[L.Stmt] | None:
    """Register blocks for a reduction whose operands are used again along both loops around it."""
    from .schedule import coefficient, reduction_target

    loops = [k for k, s in enumerate(inner.body) if isinstance(s, L.For)]
    if len(loops) != 1:
        return None
    reduction = inner.body[loops[0]]
    assert isinstance(reduction, L.For)
    if reduction_target(reduction) is None or not isinstance(reduction.extent, int):
        return None
    if any(isinstance(s, (L.For, L.If, L.Fail, L.Transpose)) for s in reduction.body):
        return None
    i, j = outer.var, inner.var
    loads: list[L.Load] = []
    for stmt in reduction.body:
        for expr in L.expressions(stmt):
            loads += [
                e for e in L.walk(expr) if isinstance(e, L.Load) and e.buffer.space == "global"
            ]
    rows = [x for x in loads if _moves(x, i) and not _moves(x, j)]
    columns = [x for x in loads if _moves(x, j) and not _moves(x, i)]
    if not rows or not columns or len(rows) + len(columns) != len(loads):
        return None
    if any(
        x.guard is not None or coefficient(x.buffer.offset(x.index), j) is None for x in columns
    ):
        return None
    if any(x.guard is not None for x in rows) or reduction.extent < 2:
        return None
    if isinstance(inner.extent, int) and inner.extent < 16:
        return None
    if isinstance(outer.extent, int) and outer.extent < 4:
        return None
    nbytes = max(x.dtype.nbytes for x in loads)
    wide = machine.vector_bytes // max(4, nbytes)
    lanes = wide * 4 if machine.registers >= 32 else wide * 2
    height = 6 if machine.registers >= 32 else 4
    columns = list(dict.fromkeys(columns))
    panel_bytes = sum(reduction.extent * lanes * x.dtype.nbytes for x in columns)
    if panel_bytes > PANEL_BYTES:
        return None
    if isinstance(inner.extent, int):
        while lanes > wide and lanes // 2 >= inner.extent:
            lanes //= 2
    build = _Contraction(outer, inner, reduction, loops[0], columns, lanes, height, fresh)
    return build.blocks()


def _moves(load: L.Load, var: str) -> bool:
    return any(isinstance(x, Dim) and var in ty.symbols(x) for x in load.index)


class _Contraction:
    """Writes the blocks of one contraction."""

    def __init__(
        self, outer: L.For, inner: L.For, reduction: L.For, position: int,
        columns: Sequence[L.Load], lanes: int, height: int, fresh: Fresh,
    ):  # fmt: skip
        self.outer, self.inner, self.reduction, self.position = outer, inner, reduction, position
        self.columns, self.lanes, self.height, self.fresh = columns, lanes, height, fresh

    def blocks(self) -> list[L.Stmt]:
        extent = self.inner.extent
        whole, rest = extent // self.lanes, extent % self.lanes
        out: list[L.Stmt] = []
        if whole != 0:
            block = self.fresh("bj")
            body = self.column_block(Dim.symbol(block) * self.lanes, self.lanes)
            out.append(L.For(block, whole, self.outer.kind, tuple(body)))
        if rest != 0:
            body = self.column_block(whole * self.lanes, rest)
            if isinstance(rest, int):
                # one iteration, so that its local buffers have a block of their own
                out.append(L.For(self.fresh("bj"), 1, self.outer.kind, tuple(body)))
            else:
                some = L.Scalar("gt", (L.Idx(rest), L.Idx(0)), BOOL)
                out.append(L.If(some, tuple(body)))
        return out

    def column_block(self, start: L.Index, count: L.Index) -> list[L.Stmt]:
        """All rows against one block of columns, the first `count` lanes of which are there."""
        stmts: list[L.Stmt] = []
        panels: dict[L.Load, L.Buffer] = {}
        for load in self.columns:
            shape = (self.reduction.extent * self.lanes,)
            panel = L.Buffer(self.fresh("panel"), load.dtype, shape, None, "local", "temp", 64)
            panels[load] = panel
            stmts.append(L.Alloc(panel))
            if count != self.lanes:
                # lanes beyond the last column compute as well: with zeros, not with slow leftovers
                fill = self.fresh("l")
                place = Dim.symbol(self.fresh("r"))
                zero = L.Store(
                    panel, (place * self.lanes + Dim.symbol(fill),), L.const(0, load.dtype)
                )
                clear = L.For(fill, self.lanes, "vector", (zero,))
                stmts.append(L.For(str(place), self.reduction.extent, "serial", (clear,)))
            stmts.append(self.pack(load, panel, start, count))
        whole, rest = self.outer.extent // self.height, self.outer.extent % self.height
        if whole != 0:
            block = self.fresh("bi")
            tile = self.register_tile(
                Dim.symbol(block) * self.height, self.height, start, count, panels
            )
            stmts.append(L.For(block, whole, "serial", (tile,)))
        if isinstance(rest, int):
            if rest:
                stmts.append(self.register_tile(whole * self.height, rest, start, count, panels))
        else:
            row = self.fresh("bi")
            tile = self.register_tile(
                whole * self.height + Dim.symbol(row), 1, start, count, panels
            )
            stmts.append(L.For(row, rest, "serial", (tile,)))
        return stmts

    def pack(self, load: L.Load, panel: L.Buffer, start: L.Index, count: L.Index) -> L.Stmt:
        """panel[r, jj] = the column operand."""
        r, jj = self.fresh("r"), self.fresh("jj")
        env = {self.reduction.var: Dim.symbol(r), self.inner.var: start + Dim.symbol(jj)}
        source = L.Load(load.buffer, tuple(ty.substitute(x, env) for x in load.index))
        store = L.Store(panel, (Dim.symbol(r) * self.lanes + Dim.symbol(jj),), source)
        inside = L.For(jj, count, "serial", (store,))
        return L.For(r, self.reduction.extent, "serial", (inside,))

    def register_tile(
        self, row: L.Index, height: int, start: L.Index, count: L.Index,
        panels: dict[L.Load, L.Buffer],
    ) -> L.Stmt:  # fmt: skip
        from .schedule import rename

        lane, r = self.fresh("l"), self.fresh("r")

        def packed(expr: L.Expr) -> L.Expr:
            if isinstance(expr, L.Load) and expr in panels:
                place = Dim.symbol(self.reduction.var) * self.lanes + Dim.symbol(lane)
                return L.Load(panels[expr], (place,))
            return expr

        before: list[L.Stmt] = []
        inside: list[L.Stmt] = []
        after: list[L.Stmt] = []
        body = tuple(L.map_stmt(s, lambda x: x, packed) for s in self.inner.body)
        for u in range(height):
            env: dict[str, L.Index] = {
                self.outer.var: row + u,
                self.inner.var: start + Dim.symbol(lane),
            }
            copy = rename(tuple(L.substitute(s, env) for s in body), self.fresh)
            loop = copy[self.position]
            assert isinstance(loop, L.For)
            first, late = _needed(copy[: self.position], loop)
            before += first
            after += late
            inside += [L.substitute(s, {loop.var: Dim.symbol(r)}) for s in loop.body]
            after += copy[self.position + 1 :]
        last: tuple[L.Stmt, ...] = tuple(after)
        if count != self.lanes:
            mask = L.Scalar("lt", (L.Idx(Dim.symbol(lane)), L.Idx(count)), BOOL)
            lets = tuple(s for s in after if isinstance(s, L.Let))
            stores = tuple(s for s in after if not isinstance(s, L.Let))
            loads_memory = any(
                isinstance(e, L.Load) and e.buffer.space == "global"
                for s in lets
                for x in L.expressions(s)
                for e in L.walk(x)
            )
            last = (L.If(mask, last),) if loads_memory else (*lets, L.If(mask, stores))
            before = [_guarded(s, mask) for s in before]
        inner = L.For(r, self.reduction.extent, "serial", tuple(inside))
        return L.For(lane, self.lanes, "vector", (*before, inner, *last))


def _needed(before: Sequence[L.Stmt], loop: L.For) -> tuple[list[L.Stmt], list[L.Stmt]]:
    """The statements before a reduction that it needs, and those that can follow it."""
    names = _read(L.statements(loop.body))
    first: list[L.Stmt] = []
    late: list[L.Stmt] = []
    for stmt in reversed(before):
        other = isinstance(stmt, L.Store) and stmt.buffer.space == "global"
        if other or (isinstance(stmt, L.Let) and stmt.name not in names):
            late.append(stmt)
        else:
            first.append(stmt)
            names |= _read([stmt])
    return first[::-1], late[::-1]


def _read(stmts: Iterable[L.Stmt]) -> set[str]:
    """The names of Lets that statements read."""
    found: set[str] = set()
    for stmt in stmts:
        for expr in L.expressions(stmt):
            found |= expr_names(expr)
        if isinstance(stmt, (L.Store, L.Accumulate)):
            found |= index_names(stmt.index)
    return found


def _guarded(stmt: L.Stmt, mask: L.Expr) -> L.Stmt:
    """The statement with loads of memory that only happen where the mask holds."""

    def leaf(expr: L.Expr) -> L.Expr:
        if isinstance(expr, L.Load) and expr.buffer.space == "global":
            return replace(expr, guard=L.both(expr.guard, mask))
        return expr

    return L.map_stmt(stmt, lambda i: i, leaf)
