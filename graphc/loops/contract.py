"""contract: register blocks for reductions whose operands are used again along two loops.

    for i: for j: acc = 0; for k: acc += f(x[i, k], z[k, j]); y[i, j] = g(acc)

becomes, for panels of `lanes` columns and tiles of `height` rows,

    for bj: panel[bj, k, l] = z[k, j]                              what is packed, once
    for bi in parallel:                                            a block of rows
        block[i, k] = x[i, k]
        for bj: for tile: for l in vector(lanes):
            for k: for u < height: acc[u] += f(block[u, k], panel[bj, k, l])
            for u < height: y[i + u, j + l] = g(acc[u])

An operand is packed only where reading it in place would cost more: a copy has unit stride along
the lanes, no conflicts in the first cache, and the casts and other arithmetic that belong to one
operand are done once. Loops around i (batches, the other axes of an image) stay where they are.
`f` is any expression, so matrix products of every dtype, distances and convolutions without
padding are one case. What does not fit is None: the ordinary schedule serves it.

Figures and the choice of tiles: `shapes.py`; copies: `packing.py`; tiles: `tiling.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from graphc_runtime.records import dataclass

from ..types import BOOL, Dim
from . import ir as L
from . import shapes
from .blocks import (
    GAP,
    Fresh,
    Rename,
    Slice,
    Vectorize,
    Waiting,
    positive,
)  # fmt: skip
from .choice import ESTIMATE, Choice
from .contraction import Contraction, joined, match, with_more_rows
from .dots import dots
from .machine import Machine
from .operands import columns_bytes
from .rowend import RowEnd, WaitingRows, pays, rows_that_wait
from .shapes import Shape, choose
from .tiling import Tiler

AtTile = Callable[[L.Index, int, L.Index, int, L.Index], list[L.Stmt]]
"""The tiles of rows within a block, their number, of a panel, its columns, and where they begin in
its group."""
Step = Callable[[L.Index, int, L.Index, L.Index, L.Index], list[L.Stmt]]
"""Rows (the first, their number) against panels: the first, their number, columns of the last."""
FEW_ROWS = 12
"""Fewer rows than this are joined with a loop around them."""
FEW_FAR_ROWS = 32
"""The same where ports are wide and the columns do not stay in the second cache."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The blocks of one nest: what packs the columns for all rows, the rest, and the temporaries
    that are packed into.
    """

    packing: tuple[L.Stmt, ...]
    body: tuple[L.Stmt, ...]
    temps: tuple[L.Buffer, ...]
    constant: bool
    """Whether `packing` reads constants only, so that it may run once for all calls."""
    nest: Contraction
    shape: Shape


def contract(
    loop: L.For, machine: Machine, fresh: Fresh, rename: Rename, vectorize: Vectorize,
    constants: Collection[str] = (), choice: Choice = ESTIMATE, end: RowEnd | None = None,
) -> Scheduled | None:  # fmt: skip
    """The nest in register blocks; None where it is no contraction or too small to be one, or where
    `end` cannot be done with its blocks of rows.

    `rename` copies statements with names of their own, `vectorize` runs a map loop in lanes,
    `constants` are the names of the buffers that hold the same in every call, `choice` is what was
    measured.
    """
    nest = match(loop)
    if nest is None:
        return None
    nest = with_more_rows(nest, _few_rows(nest, machine), fresh)
    words = dots(nest, machine.dots)
    for one, shifted in (words, (nest, False)) if words is not None else ((nest, False),):
        one = joined(one, shapes.SLICE_TERMS, shapes.TASKS, fresh)
        constant = _columns_are_constant(one, constants)
        shape = choose(one, machine, constant, choice)
        if shape is None:
            continue
        waiting = None
        if end is not None:
            waiting, free = rows_that_wait(one, end, machine), shape
            if waiting is None:
                return None
            shape = choose(one, machine, constant, choice, waiting.most)
            if shape is None or not pays(one, shape, free):
                return None
        writer = _Writer(one, shape, fresh, rename, vectorize, shifted, waiting)
        return writer.write(constant)
    return None


def contract_within(
    loop: L.For, machine: Machine, fresh: Fresh, rename: Rename, vectorize: Vectorize
) -> list[L.Stmt] | None:
    """The same for a nest inside a parallel loop that works on a local buffer, as attention's do:
    what it packs is local too.
    """
    nest = match(loop)
    if nest is None:
        return None
    operands = (*nest.row_operands, *nest.column_operands)
    loads = [e for o in operands for e in L.walk(o.value) if isinstance(e, L.Load)]
    if all(e.buffer.space != "local" for e in loads):
        return None
    columns = tuple(replace(o, batched=True) for o in nest.column_operands)
    around = L.For(fresh("b"), 1, "serial", ())  # what workers share is further out
    nest = replace(nest, column_operands=columns, batch=(around,))
    shape = choose(nest, machine)
    if shape is None:
        return None
    return list(_Writer(nest, shape, fresh, rename, vectorize, False, None).write(False).body)


def _few_rows(nest: Contraction, machine: Machine) -> int:
    """So many rows are too few, where a panel comes from far for each block of them."""
    size = columns_bytes(nest)
    far = not isinstance(size, int) or size > machine.l2_bytes
    return FEW_FAR_ROWS if far and machine.wide_ports else FEW_ROWS


def _columns_are_constant(nest: Contraction, constants: Collection[str]) -> bool:
    if not constants or not isinstance(nest.depth, int):
        return False
    if not all(isinstance(loop.extent, int) for loop in (*nest.batch, nest.columns)):
        return False
    loads = [e for o in nest.column_operands for e in L.walk(o.value) if isinstance(e, L.Load)]
    return all(e.buffer.name in constants for e in loads)


class _Writer(Tiler):
    """Writes the blocks of one contraction."""

    def write(self, constant: bool) -> Scheduled:
        nest = self.nest
        first: list[L.Stmt] = []
        inside: list[L.Stmt] = []
        if self.shape.pack_columns == "once":
            first = self.pack_columns("global", "parallel")
        elif self.shape.pack_columns == "local":
            inside = self.pack_columns("local", "serial")
        if self.shape.rounds:
            body = self.rounds()
        else:
            kind = nest.rows.kind if not nest.batch else "serial"
            blocks = self.column_groups(kind) if self.shape.by_columns else self.row_blocks(kind)
            body = (*inside, *blocks)
            for loop in reversed(nest.batch):
                body = (replace(loop, body=tuple(body)),)
        return Scheduled(tuple(first), body, tuple(self.temps), constant, nest, self.shape)

    # --------------------------------------------------------------------------------- the blocks
    def row_blocks(self, kind: str) -> list[L.Stmt]:
        """All rows against all columns."""
        rows = self.nest.rows.extent
        size = self.shape.block_rows
        whole, rest = rows // size, rows % size
        out: list[L.Stmt] = []
        block = self.fresh("bi")
        body = self.row_block(Dim.symbol(block) * size, size) if whole != 0 else []
        if isinstance(rest, int) and rest:
            last = self.row_block(whole * size, rest)
            if body:  # one loop for both: workers share the last block too
                inside = L.Scalar("lt", (L.Idx(Dim.symbol(block)), L.Idx(whole)), BOOL)
                body = [L.If(inside, tuple(body), tuple(last))]
            return [L.For(block, whole + 1, kind, tuple(body or last))]
        if body:
            out.append(L.For(block, whole, kind, tuple(body)))
        if rest != 0:
            row = self.fresh("bi")
            last = self.row_block(whole * size + Dim.symbol(row), 1)
            out.append(L.For(row, rest, kind, tuple(last)))
        return out

    def column_groups(self, kind: str) -> list[L.Stmt]:
        """All columns against all rows: groups of panels, that few rows pass one after another."""
        rows, size, group = self.nest.rows.extent, self.shape.block_rows, self.shape.group
        assert isinstance(rows, int) and isinstance(self.whole, int)
        step = self.panel_group if self.shape.slice else self.panels_at_once

        def inside(first: L.Index, panels: int, rest: L.Index) -> tuple[L.Stmt, ...]:
            out: list[L.Stmt] = []
            for start in range(0, rows, size):
                out += step(start, min(size, rows - start), first, panels, rest)
            return tuple(out)

        var = self.fresh("bg")
        number, left = divmod(self.whole, group)
        out: list[L.Stmt] = [L.For(var, number, kind, inside(Dim.symbol(var) * group, group, 0))]
        if left or self.rest != 0:
            last = inside(number * group, left, self.rest)
            out.append(L.For(self.fresh("bg"), 1, kind, last))
        return out

    def row_block(self, start: L.Index, count: int) -> list[L.Stmt]:
        """`count` rows against all columns, and what is done with complete rows."""
        waiting = self.waiting
        if waiting is not None:
            self.product = L.Buffer(
                self.fresh("rows"), waiting.end.product.dtype, (count * waiting.width,), None,
                "local", "temp", 64,
            )  # fmt: skip
        packing = self.pack_columns("local", "serial") if self.shape.pack_columns == "block" else []
        if self.shape.at_once:
            out = self.grouped_block(start, count, self.near_group)
        elif self.shape.slice:
            out = self.grouped_block(start, count, self.panel_group)
        else:
            out = self.panels_at_once(start, count, 0, self.whole, self.rest)
        out = [*packing, *out]
        if waiting is None or self.product is None:
            return out
        return [L.Alloc(self.product), *out, *self.row_end(waiting, self.product, start, count)]

    def row_end(
        self, waiting: WaitingRows, product: L.Buffer, start: L.Index, count: int
    ) -> list[L.Stmt]:
        """What is done with `count` rows that are complete."""
        row = self.fresh("i")
        body = self.rename(waiting.on_row(product, start, Dim.symbol(row)))
        return waiting.end.schedule(L.For(row, count, "serial", body))

    def panels_at_once(
        self, start: L.Index, count: int, first: L.Index, panels: L.Index, rest: L.Index
    ) -> list[L.Stmt]:
        """Whole panels from `first`, then one of `rest` columns; all terms."""
        self.blocks = {}
        out = self.pack_rows(start, count, None) if self.shape.pack_rows else []
        if panels != 0:
            p = self.fresh("bj")
            inside = self.tiles(start, count, first + Dim.symbol(p), self.lanes)
            out.append(L.For(p, panels, "serial", tuple(inside)))
        if rest != 0:
            last = self.tiles(start, count, self.whole, rest)
            if isinstance(rest, int):
                out += last
            else:
                out.append(L.If(positive(rest), tuple(last)))
        return out

    def grouped_block(self, start: L.Index, count: int, step: Step) -> list[L.Stmt]:
        """The same in groups of panels: their sums wait while the slices pass, or they stay near
        while the rows pass.
        """
        group = self.shape.group
        out: list[L.Stmt] = []
        whole, rest = self.whole // group, self.whole % group
        if whole != 0:
            g = self.fresh("bg")
            body = step(start, count, Dim.symbol(g) * group, group, 0)
            out.append(L.For(g, whole, "serial", tuple(body)))
        partial = isinstance(self.rest, Dim) or self.rest > 0
        if rest != 0 or partial:  # in a loop of its own, so that its buffers have a block
            body = step(start, count, whole * group, rest, self.rest)
            out.append(L.For(self.fresh("bg"), 1, "serial", tuple(body)))
        return out

    def panel_group(
        self, start: L.Index, count: int, first: L.Index, panels: L.Index, rest: L.Index
    ) -> list[L.Stmt]:
        """Whole panels from `first`, then one of `rest` columns; all slices."""
        outer, size = self.nest.reduction[0].extent, self.shape.slice
        assert isinstance(outer, int)
        width = self.shape.group * self.lanes + (self.lanes if rest != 0 else 0) + GAP
        waiting = self.waiting_sums(count, width)
        out: list[L.Stmt] = [L.Alloc(buffer) for buffer in waiting]

        def step(part: Slice) -> list[L.Stmt]:
            self.blocks = {}
            stmts = self.pack_rows(start, count, part) if self.shape.pack_rows else []
            if panels != 0:
                p = self.fresh("bj")
                wait = Waiting(waiting, width, Dim.symbol(p) * self.lanes)
                place = first + Dim.symbol(p)
                inside = self.tiles(start, count, place, self.lanes, part, wait)
                stmts.append(L.For(p, panels, "serial", tuple(inside)))
            if rest != 0:
                wait = Waiting(waiting, width, panels * self.lanes)
                last = self.tiles(start, count, self.whole, rest, part, wait)
                if isinstance(rest, int):
                    stmts += last
                else:
                    stmts.append(L.If(positive(rest), tuple(last)))
            return stmts

        slices = -(-outer // size)
        s = self.fresh("s")
        body = step(Slice(Dim.symbol(s) * size, size, False))
        out.append(L.For(s, slices - 1, "serial", tuple(body)))
        final = step(Slice((slices - 1) * size, outer - (slices - 1) * size, True))
        out.append(L.For(self.fresh("s"), 1, "serial", tuple(final)))
        return out

    # --------------------------------------------------------------------- sets of rows in turns
    def rounds(self) -> tuple[L.Stmt, ...]:
        """Every set of rows (an iteration of the loop around) against all columns: with each slice
        all sets of a worker, so that columns come from far once for all of them.
        """
        (loop,), rows, size = self.nest.batch, self.nest.rows.extent, self.shape.slice
        outer = self.nest.reduction[0].extent
        columns = self.nest.columns.extent
        assert isinstance(loop.extent, int) and isinstance(rows, int) and isinstance(outer, int)
        assert isinstance(columns, int)
        whole, left = divmod(loop.extent, self.shape.rounds)
        width = -(-columns // self.lanes) * self.lanes + GAP
        slices = -(-outer // size)

        def turns(first: L.Index, number: int) -> tuple[L.Stmt, ...]:
            waiting = self.waiting_sums(number * rows, width)

            def step(part: Slice) -> L.For:
                self.blocks = {}
                turn, p = self.fresh("b"), self.fresh("bj")
                stmts = self.pack_rows(0, rows, part) if self.shape.pack_rows else []
                row = -rows * Dim.symbol(turn)
                if self.whole:
                    wait = Waiting(waiting, width, Dim.symbol(p) * self.lanes, row)
                    tiles = self.tiles(0, rows, Dim.symbol(p), self.lanes, part, wait)
                    stmts.append(L.For(p, self.whole, "serial", tuple(tiles)))
                if self.rest:
                    wait = Waiting(waiting, width, self.whole * self.lanes, row)
                    stmts += self.tiles(0, rows, self.whole, self.rest, part, wait)
                env: dict[str, L.Index] = {loop.var: first + Dim.symbol(turn)}
                return L.For(turn, number, "serial", tuple(L.substitute(x, env) for x in stmts))

            s = self.fresh("s")
            passed = step(Slice(Dim.symbol(s) * size, size, False))
            final = step(Slice((slices - 1) * size, outer - (slices - 1) * size, True))
            return (
                *(L.Alloc(buffer) for buffer in waiting),
                L.For(s, slices - 1, "serial", (passed,)),
                L.For(self.fresh("s"), 1, "serial", (final,)),
            )

        group = self.fresh("bg")
        body = turns(Dim.symbol(group) * self.shape.rounds, self.shape.rounds)
        if left:
            inside = L.Scalar("lt", (L.Idx(Dim.symbol(group)), L.Idx(whole)), BOOL)
            last = turns(whole * self.shape.rounds, left)
            body = (L.If(inside, body, last),)
        return (replace(loop, var=group, extent=whole + (left > 0), body=body),)

    # ------------------------------------------------------------------ columns that stay near
    def near_group(
        self, start: L.Index, count: int, first: L.Index, panels: L.Index, rest: L.Index
    ) -> list[L.Stmt]:
        """Whole panels from `first`, then one of `rest` columns; all terms. The panels stay in the
        second cache while a tile of rows after the other passes them, some slices at a time.
        """
        outer, size, at_once = self.nest.reduction[0].extent, self.shape.slice, self.shape.at_once
        assert isinstance(panels, int) and isinstance(rest, int)

        def all_terms(
            inside: L.Index, height: int, place: L.Index, lanes: int, at: L.Index
        ) -> list[L.Stmt]:
            return [self.tile(start, inside, height, place, lanes, None, None)]

        if not size:
            return self.near_tiles(count, first, panels, rest, all_terms)
        assert isinstance(outer, int)
        slices = -(-outer // size)
        final = Slice((slices - 1) * size, outer - (slices - 1) * size, True)
        passes = -(-slices // at_once)
        width = panels * self.lanes + (self.lanes if rest else 0) + GAP
        if passes == 1:  # sums only wait until the tile is done
            width = self.lanes
        waiting = self.waiting_sums(self.height if passes == 1 else count, width)

        def some_slices(begin: L.Index, number: int, last: bool) -> AtTile:
            def at_tile(
                inside: L.Index, height: int, place: L.Index, lanes: int, at: L.Index
            ) -> list[L.Stmt]:
                wait = Waiting(
                    waiting, width, 0 if passes == 1 else at, inside if passes == 1 else 0
                )
                found: list[L.Stmt] = []
                if number:
                    s = self.fresh("s")
                    part = Slice((begin + Dim.symbol(s)) * size, size, False)
                    tile = self.tile(start, inside, height, place, lanes, part, wait)
                    found.append(L.For(s, number, "serial", (tile,)))
                if last:
                    found.append(self.tile(start, inside, height, place, lanes, final, wait))
                return found

            return at_tile

        out: list[L.Stmt] = [L.Alloc(buffer) for buffer in waiting]
        if passes > 1:
            turn = self.fresh("s")
            step = some_slices(Dim.symbol(turn) * at_once, at_once, False)
            body = self.near_tiles(count, first, panels, rest, step)
            out.append(L.For(turn, passes - 1, "serial", tuple(body)))
        begin = (passes - 1) * at_once
        step = some_slices(begin, slices - 1 - begin, True)
        return [*out, *self.near_tiles(count, first, panels, rest, step)]

    def near_tiles(
        self, count: int, first: L.Index, panels: int, rest: int, at_tile: AtTile
    ) -> list[L.Stmt]:
        """Tiles of `count` rows, each of which passes a group of panels."""
        whole, left = divmod(count, self.height)
        out: list[L.Stmt] = []
        for begin, height, number in ((0, self.height, whole), (count - left, left, 1)):
            if not number or not height:
                continue
            var, p = self.fresh("bt"), self.fresh("bj")
            inside = begin + Dim.symbol(var) * height
            body: list[L.Stmt] = []
            if panels:
                at, place = Dim.symbol(p) * self.lanes, first + Dim.symbol(p)
                tile = at_tile(inside, height, place, self.lanes, at)
                body.append(L.For(p, panels, "serial", tuple(tile)))
            if rest:
                body += at_tile(inside, height, self.whole, rest, panels * self.lanes)
            out.append(L.For(var, number, "serial", tuple(body)))
        return out
