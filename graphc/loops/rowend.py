"""rowend: what reduces the rows of a product is done on blocks of them, while they are in cache.

    for i in parallel: for j: acc = 0; for k: acc += x[i, k] * w[k, j]; product[i, j] = acc
    for i in parallel: m = max_j product[i, j]; ...; y[i, j] = exp(product[i, j] - m) / s

becomes, with the blocks of `contract`,

    for bi in parallel:
        rows: local
        for i in block: for j: rows[i, j] = ...
        for i in block: m = max_j rows[i, j]; ...; y[bi + i, j] = exp(rows[i, j] - m) / s

and the product is never in memory. The lowering writes the two loops (a value that `keep` marks),
and they stay two where the rows are not the same, or too long, or where workers share columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import Dim
from . import ir as L
from .blocks import GAP
from .contraction import Contraction, stride
from .machine import Machine
from .shapes import FAR, Shape

WAITING_ROWS = 48
"""So many rows must fit into `Machine.waiting_bytes`: fewer would pass each panel too often."""
LONGEST_ROW = Machine().waiting_bytes // WAITING_ROWS
"""Bytes of a row that may wait, where the machine does not say."""
MEMORY_CYCLES = 1.0
"""What an element of a product costs that is stored, and read again."""


@dataclass(frozen=True, slots=True)
class RowEnd:
    """What is done with the rows of a product, each alone, when they are complete: a reduction, a
    softmax.
    """

    product: L.Buffer
    """Where the nest stores the product, and the loop reads it; nothing else does."""
    loop: L.For
    schedule: Callable[[L.For], list[L.Stmt]]
    """Schedules a loop over some of the rows."""


def end_of_rows(loop: L.For, following: Sequence[L.Stmt]) -> tuple[int, L.Buffer, L.For] | None:
    """The next loop, where it is all that reads what a nest stores, to a temporary: its place among
    the statements that follow, the temporary, and itself.
    """
    stored = {s.buffer for s in _stores((loop,)) if s.buffer.space == "global"}
    loops = [(k, s) for k, s in enumerate(following) if isinstance(s, L.For)]
    if len(stored) != 1 or not loops:
        return None
    (product,), (place, last) = stored, loops[0]
    others = (*following[:place], *following[place + 1 :])
    if product.access != "temp" or last.kind != "parallel" or not _reads(last, product):
        return None
    return None if any(_reads(s, product) for s in others) else (place, product, last)


def _reads(stmt: L.Stmt, buffer: L.Buffer) -> bool:
    return any(
        isinstance(e, L.Load) and e.buffer.name == buffer.name
        for s in L.statements((stmt,))
        for x in L.expressions(s)
        for e in L.walk(x)
    )


@dataclass(frozen=True, slots=True)
class WaitingRows:
    """How rows of a product wait for their end: at most `most` in a local block (row, column)."""

    end: RowEnd
    vars: tuple[str, ...]
    """The end's loops over rows: those around the nest, then that over its rows; or one for all."""
    nest: tuple[L.For, ...]
    """The loops around the nest, then that over its rows."""
    body: tuple[L.Stmt, ...]
    """What is done with one row."""
    most: int
    width: int
    row: L.Index
    """Where the end reads its row from, as an offset in the product's buffer."""
    stored: L.Index
    """The same where the nest stores."""

    def on_row(self, product: L.Buffer, start: L.Index, row: L.Index) -> tuple[L.Stmt, ...]:
        """What is done with a row of the block that begins at row `start`."""

        def leaf(expr: L.Expr) -> L.Expr:
            if not isinstance(expr, L.Load) or expr.buffer.name != self.end.product.name:
                return expr
            return L.Load(product, (row * self.width + (expr.index[0] - self.row),), expr.guard)

        places = [*(Dim.symbol(loop.var) for loop in self.nest[:-1]), start + row]
        if len(self.vars) == 1:
            places = [_number(places, self.nest)]
        env: dict[str, L.Index] = dict(zip(self.vars, places, strict=True))
        body = tuple(L.map_stmt(s, lambda i: i, leaf) for s in self.body)
        return tuple(L.substitute(s, env) for s in body)

    def stored_to(
        self, product: L.Buffer, stmts: tuple[L.Stmt, ...], row: L.Index
    ) -> tuple[L.Stmt, ...]:
        """Statements of the nest with the product stored in a row of the block."""

        def moved(stmt: L.Stmt) -> L.Stmt:
            if not isinstance(stmt, L.Store) or stmt.buffer != self.end.product:
                return stmt
            at = row * self.width + (stmt.index[0] - self.stored)
            return replace(stmt, buffer=product, index=(at,))

        return tuple(moved(s) for s in stmts)


def rows_that_wait(nest: Contraction, end: RowEnd, machine: Machine) -> WaitingRows | None:
    """How the nest's rows wait for their end; None where the two do not run over the same rows."""
    loops = [end.loop]
    wanted = (*nest.batch, nest.rows)
    if end.loop.extent != ty.product(tuple(one.extent for one in wanted)):
        while len(loops) < len(wanted):
            body = loops[-1].body
            if len(body) != 1 or not isinstance(body[0], L.For):
                return None
            loops.append(body[0])
        if [one.extent for one in loops] != [one.extent for one in wanted]:
            return None
    stores = [s.index for s in nest.after if isinstance(s, L.Store) and s.buffer == end.product]
    body = loops[-1].body
    loads = [
        e.index
        for s in L.statements(body)
        for x in L.expressions(s)
        for e in L.walk(x)
        if isinstance(e, L.Load) and e.buffer.name == end.product.name
    ]
    if not stores or not loads or any(s.buffer == end.product for s in _stores(nest.before)):
        return None
    size = stride(stores[0][0], nest.rows.var)
    if not isinstance(size, int) or size < 1:
        return None
    stored, row = (
        _number([Dim.symbol(loop.var) for loop in every], every) * size for every in (wanted, loops)
    )
    if not _only_columns(stores, stored, wanted) or not _only_columns(loads, row, loops):
        return None
    width = -(-size // GAP) * GAP + (GAP if size > GAP else 0)
    most = machine.waiting_bytes // (width * end.product.dtype.nbytes)
    if most < WAITING_ROWS:
        return None
    vars = tuple(loop.var for loop in loops)
    return WaitingRows(end, vars, wanted, body, most, width, row, stored)


def pays(nest: Contraction, shape: Shape, free: Shape) -> bool:
    """Whether rows that wait are a gain; `free` is the shape that a block of any size would have.

    Not where workers share the columns. Not where a block is one tile, without a loop that holds
    its sums apart from what follows: LLVM would keep the constants of an exp in the registers that
    the sums need (16x64 by 64x64: 1.8 -> 2.4 us). And not where deep sums make the small blocks,
    which pass each panel more often, cost more than memory does (2048x2048 by 2048x1024: + 3 %).
    """
    columns, depth = nest.columns.extent, nest.depth
    if shape.by_columns:
        return False
    if isinstance(columns, int) and columns <= shape.lanes and shape.block_rows < 2 * shape.height:
        return False
    if not isinstance(depth, int) or shape.block_rows >= free.block_rows:
        return True
    more = shape.height / shape.block_rows - free.height / free.block_rows
    return FAR * more * depth / (2 * shape.vector) <= MEMORY_CYCLES


def _stores(stmts: Sequence[L.Stmt]) -> list[L.Store]:
    return [s for s in L.statements(tuple(stmts)) if isinstance(s, L.Store)]


def _number(places: Sequence[L.Index], loops: Sequence[L.For]) -> L.Index:
    """The number of an iteration of several loops."""
    number: L.Index = 0
    for place, loop in zip(places, loops, strict=True):
        number = number * loop.extent + place
    return number


def _only_columns(
    indices: Sequence[tuple[L.Index, ...]], row: L.Index, loops: Sequence[L.For]
) -> bool:
    """Whether offsets are that of a row and a part in which the loops over rows do not appear."""
    names = {loop.var for loop in loops}
    return all(not ty.symbols(index[0] - row) & names for index in indices)
