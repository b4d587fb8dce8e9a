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

Figures and the choice of tiles: `shapes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import BOOL, I32, Dim
from . import ir as L
from . import shapes
from .blocks import (
    GAP,
    Layout,
    Slice,
    Terms,
    Vectorize,
    Waiting,
    at_indices,
    guarded,
    masked,
    needed,
    packed_sum,
    positive,
    substituted,
)  # fmt: skip
from .choice import ESTIMATE, Choice
from .contraction import Contraction, Operand, joined, match, with_more_rows
from .dots import dots, sums_of_columns
from .identities import IDENTITY, KIND_OF
from .lower import expr_names
from .machine import Machine
from .rowend import RowEnd, WaitingRows, pays, rows_that_wait
from .shapes import Shape, choose

Fresh = Callable[[str], str]
Rename = Callable[[tuple[L.Stmt, ...]], tuple[L.Stmt, ...]]
LINES = 16
"""Lines of a matrix that are packed together."""
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
    return list(_Writer(nest, shape, fresh, rename, vectorize).write(False).body)


def _few_rows(nest: Contraction, machine: Machine) -> int:
    """So many rows are too few, where a panel comes from far for each block of them."""
    size = shapes.columns_bytes(nest)
    far = not isinstance(size, int) or size > machine.l2_bytes
    return FEW_FAR_ROWS if far and machine.wide_ports else FEW_ROWS


def _columns_are_constant(nest: Contraction, constants: Collection[str]) -> bool:
    if not constants or not isinstance(nest.depth, int):
        return False
    if not all(isinstance(loop.extent, int) for loop in (*nest.batch, nest.columns)):
        return False
    loads = [e for o in nest.column_operands for e in L.walk(o.value) if isinstance(e, L.Load)]
    return all(e.buffer.name in constants for e in loads)


class _Writer:
    """Writes the blocks of one contraction."""

    def __init__(
        self, nest: Contraction, shape: Shape, fresh: Fresh, rename: Rename, vectorize: Vectorize,
        shifted: bool = False, waiting: WaitingRows | None = None,
    ):  # fmt: skip
        self.nest, self.shape = nest, shape
        self.fresh, self.rename, self.vectorize = fresh, rename, vectorize
        self.temps: list[L.Buffer] = []
        self.lanes, self.height = shape.lanes, shape.height
        self.panels: dict[L.Expr, L.Buffer] = {}
        """Columns that are packed: (batch, panel, term, lane)."""
        self.first: dict[L.Expr, L.Index] = {}
        """The first panel of the batch."""
        self.blocks: dict[L.Expr, tuple[L.Buffer, Layout]] = {}
        """Rows that are packed."""
        self.shifted = shifted
        self.waiting = waiting
        self.product: L.Buffer | None = None
        """The block of rows that waits."""
        self.begin: L.Buffer | None = None
        """Where the rows are shifted (see `dots`): what the sums of a column begin at."""

    def write(self, constant: bool) -> Scheduled:
        nest = self.nest
        columns = nest.columns.extent
        self.whole, self.rest = columns // self.lanes, columns % self.lanes
        first: list[L.Stmt] = []
        inside: list[L.Stmt] = []
        if self.shape.pack_columns == "once":
            first = self.pack_columns("global", "parallel")
        elif self.shape.pack_columns == "local":
            inside = self.pack_columns("local", "serial")
        kind = nest.rows.kind if not nest.batch else "serial"
        blocks = self.column_groups(kind) if self.shape.by_columns else self.row_blocks(kind)
        body = (*inside, *blocks)
        for loop in reversed(nest.batch):
            body = (replace(loop, body=tuple(body)),)
        return Scheduled(tuple(first), body, tuple(self.temps), constant, nest, self.shape)

    # ----------------------------------------------------------------------------------- packing
    def pack_columns(self, space: str, kind: str) -> list[L.Stmt]:
        """panel[p, term, l] = the operand; lanes beyond the last column are 0."""
        out: list[L.Stmt] = []
        panels = (self.nest.columns.extent + self.lanes - 1) // self.lanes
        for operand in self.nest.column_operands:
            around = self.around(operand) if space == "global" else ()
            batch: L.Index = 0
            for loop in around:
                batch = batch * loop.extent + Dim.symbol(loop.var)
            self.first[operand.value] = batch * panels
            number = panels * ty.product(tuple(loop.extent for loop in around))
            panel = L.Buffer(
                self.fresh("panel"), operand.value.dtype, (number * self.nest.depth * self.lanes,),
                None, space, "temp", 64,
            )  # fmt: skip
            self.panels[operand.value] = panel
            stmts: list[L.Stmt] = []
            if space == "global":
                self.temps.append(panel)
            else:
                out.append(L.Alloc(panel))
            within = "serial" if around else kind
            if self.whole != 0 and self.is_wide(operand):
                stmts += self.pack_wide(operand, panel, within)
            elif self.whole != 0:
                p = self.fresh("p")
                body = self.pack_panel(operand, panel, Dim.symbol(p), self.lanes)
                stmts.append(L.For(p, self.whole, within, tuple(body)))
            if self.rest != 0:
                body = self.pack_panel(operand, panel, self.whole, self.rest)
                if isinstance(self.rest, int):
                    stmts.append(L.For(self.fresh("p"), 1, within, tuple(body)))
                else:
                    stmts.append(L.If(positive(self.rest), tuple(body)))
            for k, loop in reversed(list(enumerate(around))):
                stmts = [L.For(loop.var, loop.extent, "serial" if k else kind, tuple(stmts))]
            out += self.rename(tuple(stmts)) if around else stmts
            if self.shifted:
                self.begin = replace(
                    panel, name=self.fresh("begin"), dtype=I32, shape=(number * self.lanes,)
                )
                loop = sums_of_columns(
                    panel, self.begin, number, self.nest.depth, self.lanes, self.fresh
                )
                out += [replace(loop, kind=kind)]
                if space == "global":
                    self.temps.append(self.begin)
                else:
                    out.insert(0, L.Alloc(self.begin))
        return out

    def around(self, operand: Operand) -> tuple[L.For, ...]:
        """The loops around the nest that move an operand."""
        names = expr_names(operand.value)
        return tuple(loop for loop in self.nest.batch if loop.var in names)

    def place(self, value: L.Expr, panel: L.Index, term: L.Index, lane: L.Index) -> L.Index:
        """Where an element of packed columns lies in its buffer."""
        return ((self.first[value] + panel) * self.nest.depth + term) * self.lanes + lane

    def is_wide(self, operand: Operand) -> bool:
        """Whether columns lie one after the other in long lines, of which a panel is a small part:
        then some lines are read for all panels before the next ones.
        """
        outer = self.nest.reduction[0].extent
        single = len(self.nest.reduction) == 1 and isinstance(outer, int)
        return single and operand.along == 1 and outer % LINES == 0

    def pack_wide(self, operand: Operand, panel: L.Buffer, kind: str) -> list[L.Stmt]:
        """The whole panels, LINES terms at a time."""
        outer = self.nest.reduction[0].extent
        lines, p = self.fresh("k"), self.fresh("p")
        part = Slice(Dim.symbol(lines) * LINES, LINES, False)
        body = self.copied_panel(operand, panel, Dim.symbol(p), self.lanes, part)
        inner = L.For(p, self.whole, "serial", tuple(body))
        return [L.For(lines, outer // LINES, kind, (inner,))]

    def pack_panel(
        self, operand: Operand, panel: L.Buffer, place: L.Index, count: L.Index
    ) -> list[L.Stmt]:
        """One panel, the first `count` lanes of which are there."""
        transposed = self.transposed_panel(operand, panel, place, count)
        if transposed is not None:
            return transposed
        return self.copied_panel(operand, panel, place, count, None)

    def copied_panel(
        self, operand: Operand, panel: L.Buffer, place: L.Index, count: L.Index, part: Slice | None
    ) -> list[L.Stmt]:
        """A panel of columns in lanes; `part` of its terms."""
        pieces = self.pieces(operand, None)
        if part is not None:
            pieces = [(operand.value, self.terms(part=part))]
        out: list[L.Stmt] = []
        for value, terms in pieces:
            out += self.copied_terms(operand, value, terms, panel, place, count)
        return out

    def copied_terms(
        self, operand: Operand, value: L.Expr, terms: Terms, panel: L.Buffer, place: L.Index,
        count: L.Index,
    ) -> list[L.Stmt]:  # fmt: skip
        """Terms of a panel, whose value is that of an operand there."""
        lane = self.fresh("l")
        column = place * self.lanes + Dim.symbol(lane)
        env: dict[str, L.Index] = {self.nest.columns.var: column, **terms.env}
        target = self.place(operand.value, place, terms.flat, Dim.symbol(lane))
        value = substituted(value, env)
        if count == self.lanes:
            store: tuple[L.Stmt, ...] = (L.Store(panel, (target,), value),)
        else:
            mask = L.Scalar("lt", (L.Idx(Dim.symbol(lane)), L.Idx(count)), BOOL)
            zero = L.const(0, panel.dtype)
            store = (
                L.Store(panel, (target,), zero),
                L.If(mask, (L.Store(panel, (target,), value),)),
            )
        return terms.around((L.For(lane, self.lanes, "vector", store),))

    def transposed_panel(
        self, operand: Operand, panel: L.Buffer, place: L.Index, count: L.Index
    ) -> list[L.Stmt] | None:
        """A panel of columns that run along the terms: squares through registers."""
        load, deep = operand.value, self.nest.reduction[-1].extent
        step, nbytes = operand.along, operand.dtype_bytes
        size = min(self.lanes, max(2, 64 // nbytes))
        if operand.deep != 1 or not isinstance(step, int):
            return None
        if not isinstance(load, L.Load) and operand.parts == 1:
            return None
        if count != self.lanes or not isinstance(deep, int) or deep < size or nbytes < 4:
            return None
        square, group = self.fresh("k"), self.fresh("g")
        terms = self.terms(inner=1)

        def move(term: L.Index, start: L.Index, value: L.Expr) -> tuple[L.Stmt, ...]:
            env: dict[str, L.Index] = {
                **terms.env,
                self.nest.reduction[-1].var: term,
                self.nest.columns.var: place * self.lanes + start,
            }
            target = self.place(operand.value, place, self.nest.flat(env), start)
            if isinstance(value, L.Load):
                source = tuple(at_indices(i, env) for i in value.index)
                buffer = value.buffer
                return (L.Transpose(panel, (target,), self.lanes, buffer, source, step, size),)
            stage = L.Buffer(self.fresh("stage"), value.dtype, (size * size,), None, "local")
            line, word = self.fresh("c"), self.fresh("k")
            env[self.nest.reduction[-1].var] = term + Dim.symbol(word)
            env[self.nest.columns.var] = place * self.lanes + start + Dim.symbol(line)
            at = (Dim.symbol(line) * size + Dim.symbol(word),)
            copy = L.For(word, size, "vector", (L.Store(stage, at, substituted(value, env)),))
            square = L.Transpose(panel, (target,), self.lanes, stage, (0,), size, size)
            return (L.Alloc(stage), L.For(line, size, "serial", (copy,)), square)

        start = Dim.symbol(group) * size
        groups = self.lanes // size
        squares = deep // size if operand.whole is None else (deep - 1) // size
        each = move(Dim.symbol(square) * size, start, operand.whole or load)
        out: list[L.Stmt] = [
            L.For(square, squares, "serial", (L.For(group, groups, "serial", each),))
        ]
        if deep != squares * size:  # the last begins earlier and writes some terms again
            again = self.fresh("g")
            last = move(deep - size, Dim.symbol(again) * size, load)
            out.append(L.For(again, groups, "serial", last))
        return terms.around(tuple(out))

    def pack_rows(self, start: L.Index, count: int, part: Slice | None) -> list[L.Stmt]:
        """A local block of rows."""
        out: list[L.Stmt] = []
        for operand in self.nest.row_operands:
            layout = self.layout(operand, part)
            block = L.Buffer(
                self.fresh("block"), operand.value.dtype, (layout.size,), None, "local", "temp", 64
            )
            self.blocks[operand.value] = (block, layout)
            out.append(L.Alloc(block))
            for value, terms in self.pieces(operand, part):
                out += self.copied_rows(start, count, value, terms, block, layout)
        return out

    def pieces(self, operand: Operand, part: Slice | None) -> list[tuple[L.Expr, Terms]]:
        """The values of an operand, and the terms where they hold: words that are whole, and the
        last of the innermost loop.
        """
        extent = self.nest.reduction[-1].extent
        if operand.whole is None or not isinstance(extent, int):
            return [(operand.value, self.terms(part=part))]
        if part is not None and len(self.nest.reduction) == 1:
            if not part.last:
                return [(operand.whole, self.terms(part=part))]
            extent = part.extent
        last = (operand.value, self.terms(part=part, span=(extent - 1, 1)))
        if extent == 1:
            return [last]
        return [(operand.whole, self.terms(part=part, span=(0, extent - 1))), last]

    def copied_rows(
        self, start: L.Index, count: int, value: L.Expr, terms: Terms, block: L.Buffer,
        layout: Layout,
    ) -> list[L.Stmt]:  # fmt: skip
        """Terms of `count` rows."""
        row = self.fresh("i")
        env: dict[str, L.Index] = {self.nest.rows.var: start + Dim.symbol(row), **terms.env}
        if layout.window is not None:  # each place of the image once, not once in each window
            var, scale = layout.window
            loops = tuple(
                (name, scale * (count - 1) + extent if loop.var == var else extent)
                for loop, (name, extent) in zip(self.nest.reduction, terms.loops, strict=True)
            )
            terms = replace(terms, loops=loops)
            env[self.nest.rows.var] = start
            target = layout.place(0, terms.names)
            store = L.Store(block, (target,), substituted(value, env))
            return terms.vector((store,), self.vectorize)
        target = layout.place(Dim.symbol(row), terms.names)
        store = L.Store(block, (target,), substituted(value, env))
        if self.shape.rows_inner:
            along = self.vectorize(L.For(row, count, "serial", (store,)))
            return terms.around(tuple(along))
        copy = terms.vector((store,), self.vectorize)
        return [L.For(row, count, "serial", tuple(copy))]

    def layout(self, operand: Operand, part: Slice | None) -> Layout:
        """How a block of a row operand is laid out."""
        extents = [loop.extent for loop in self.nest.reduction]
        if part is not None:
            extents[0] = self.shape.slice
        numbers = tuple(e for e in extents if isinstance(e, int))
        assert len(numbers) == len(extents)
        names = tuple(loop.var for loop in self.nest.reduction)
        return Layout(names, numbers, self.shape.block_rows, self.shape.rows_inner, operand.window)

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
        if self.shape.slice:
            out = self.sliced_block(start, count)
        else:
            out = self.panels_at_once(start, count, 0, self.whole, self.rest)
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

    def ended(self, after: tuple[L.Stmt, ...], row: L.Index) -> tuple[L.Stmt, ...]:
        """What follows the sums of one row: rows that wait are stored in their block."""
        if self.waiting is None or self.product is None:
            return after
        return self.waiting.stored_to(self.product, after, row)

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

    def sliced_block(self, start: L.Index, count: int) -> list[L.Stmt]:
        """The same for deep sums: panels in groups, whose sums wait while the slices pass."""
        group = self.shape.group
        out: list[L.Stmt] = []
        whole, rest = self.whole // group, self.whole % group
        if whole != 0:
            g = self.fresh("bg")
            body = self.panel_group(start, count, Dim.symbol(g) * group, group, 0)
            out.append(L.For(g, whole, "serial", tuple(body)))
        partial = isinstance(self.rest, Dim) or self.rest > 0
        if rest != 0 or partial:  # in a loop of its own, so that its buffers have a block
            body = self.panel_group(start, count, whole * group, rest, self.rest)
            out.append(L.For(self.fresh("bg"), 1, "serial", tuple(body)))
        return out

    def panel_group(
        self, start: L.Index, count: int, first: L.Index, panels: L.Index, rest: L.Index
    ) -> list[L.Stmt]:
        """Whole panels from `first`, then one of `rest` columns; all slices."""
        outer, size = self.nest.reduction[0].extent, self.shape.slice
        assert isinstance(outer, int)
        width = self.shape.group * self.lanes + (self.lanes if rest != 0 else 0) + GAP
        waiting = [
            L.Buffer(
                self.fresh("wait"), s.buffer.dtype, (count * width,), None, "local", "temp", 64
            )
            for s in self.nest.sums
        ]
        out: list[L.Stmt] = [L.Alloc(buffer) for buffer in waiting]

        def step(part: Slice) -> list[L.Stmt]:
            self.blocks = {}
            stmts = self.pack_rows(start, count, part) if self.shape.pack_rows else []
            if panels != 0:
                p = self.fresh("bj")
                wait = Waiting(tuple(waiting), width, Dim.symbol(p) * self.lanes)
                place = first + Dim.symbol(p)
                inside = self.tiles(start, count, place, self.lanes, part, wait)
                stmts.append(L.For(p, panels, "serial", tuple(inside)))
            if rest != 0:
                wait = Waiting(tuple(waiting), width, panels * self.lanes)
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

    def tiles(
        self, start: L.Index, count: int, place: L.Index, lanes: L.Index,
        part: Slice | None = None, wait: Waiting | None = None,
    ) -> list[L.Stmt]:  # fmt: skip
        """`count` rows from `start` against one panel."""
        whole, left = divmod(count, self.height)
        heights = [(0, self.height, whole)]
        if left:
            heights.append((count - left, left, 1))
        out: list[L.Stmt] = []
        for first, height, number in heights:
            if number > 1:
                var = self.fresh("bt")
                inside = first + Dim.symbol(var) * height
                tile = self.tile(start, inside, height, place, lanes, part, wait)
                out.append(L.For(var, number, "serial", (tile,)))
            elif number:
                out.append(self.tile(start, first, height, place, lanes, part, wait))
        return out

    def tile(
        self, start: L.Index, inside: L.Index, height: int, place: L.Index, count: L.Index,
        part: Slice | None, wait: Waiting | None,
    ) -> L.Stmt:  # fmt: skip
        """`height` rows from start + inside, `count` columns of panel `place`."""
        nest, lane = self.nest, self.fresh("l")
        lanes = self.shape.lanes_for(count)
        mask = None
        if count != lanes:
            mask = L.Scalar("lt", (L.Idx(Dim.symbol(lane)), L.Idx(count)), BOOL)
        column = place * self.lanes + Dim.symbol(lane)
        terms = self.terms(part=part)
        before: list[L.Stmt] = []
        sums: list[L.Stmt] = []
        ends: list[L.Stmt] = []
        after: list[L.Stmt] = []
        packed = {
            value: L.Load(panel, (self.place(value, place, terms.flat, Dim.symbol(lane)),))
            for value, panel in self.panels.items()
        }
        for u in range(height):
            row = start + inside + u
            env: dict[str, L.Index] = {nest.rows.var: row, nest.columns.var: column}
            for value, (block, layout) in self.blocks.items():
                packed[value] = L.Load(block, (layout.place(inside + u, terms.names),))
            guard = None if self.panels else mask
            totals = tuple(
                packed_sum(one, packed, terms.env, guard, nest.columns.var) for one in nest.sums
            )
            start_, rest, end = nest.before, (), nest.after
            if wait is not None:
                start_, rest, end = self.waited(wait, inside + u, lane, part)
            end = self.ended(end, inside + u)
            if self.begin is not None and (part is None or part.last):
                (total,), (operand,) = nest.sums, nest.column_operands
                at = (self.first[operand.value] + place) * self.lanes + Dim.symbol(lane)
                begin = L.Load(self.begin, (at,))
                start_ = (*start_, L.Accumulate(total.buffer, total.index, "add", begin))
            stmts = (*start_, *totals, *rest, *end)
            copy = self.rename(tuple(L.substitute(s, env) for s in stmts))
            split = len(start_), len(start_) + len(totals)
            ends += copy[split[1] : split[1] + len(rest)]
            first, late = needed(copy[: split[0]], copy[split[0] : split[1]])
            before += first
            sums += copy[split[0] : split[1]]
            after += [*late, *copy[split[1] + len(rest) :]]
        loops = [*terms.around(tuple(sums)), *ends]
        if mask is not None and (part is None or part.last):
            before = [guarded(s, mask) for s in before]
            after = masked(after, mask)
        return L.For(lane, lanes, "vector", (*before, *loops, *after))

    def waited(
        self, wait: Waiting, row: L.Index, lane: str, part: Slice | None
    ) -> tuple[tuple[L.Stmt, ...], tuple[L.Stmt, ...], tuple[L.Stmt, ...]]:
        """What stands before the sums of one slice of a row, what ends them, what follows."""
        assert part is not None
        place = (row * wait.width + wait.start + Dim.symbol(lane),)
        pairs = list(zip(self.nest.sums, wait.buffers, strict=True))
        if part.last:
            # after its own terms: added to one by one, the others' sum would lose digits each time
            rest = [L.Accumulate(s.buffer, s.index, s.op, L.Load(w, place)) for s, w in pairs]
            return self.nest.before, tuple(rest), self.nest.after
        begin: list[L.Stmt] = []
        for total, _ in pairs:
            zero = L.const(IDENTITY[KIND_OF[total.op]](total.buffer.dtype), total.buffer.dtype)
            begin += [L.Alloc(total.buffer), L.Store(total.buffer, total.index, zero)]
        first = L.Scalar("eq", (L.Idx(part.start), L.Idx(0)), BOOL)
        keep = tuple(L.Store(w, place, L.Load(s.buffer, s.index)) for s, w in pairs)
        add = tuple(L.Accumulate(w, place, s.op, L.Load(s.buffer, s.index)) for s, w in pairs)
        return tuple(begin), (L.If(first, keep, add),), ()

    def terms(
        self, inner: int = 0, part: Slice | None = None, span: tuple[int, int] | None = None
    ) -> Terms:
        """Fresh loops over the reduction (over a slice of it), but for its `inner` innermost; of
        the last loop only `span`: its first iteration, and how many.
        """
        loops = self.nest.reduction[: len(self.nest.reduction) - inner]
        names = [self.fresh("r") for _ in loops]
        extents = [loop.extent for loop in loops]
        env: dict[str, L.Index] = {
            loop.var: Dim.symbol(n) for loop, n in zip(loops, names, strict=True)
        }
        within = dict(env)
        if part is not None:
            extents[0] = part.extent
            env[loops[0].var] = part.start + Dim.symbol(names[0])
        if span is not None:
            extents[-1] = span[1]
            env[loops[-1].var] = env[loops[-1].var] + span[0]
            within[loops[-1].var] = within[loops[-1].var] + span[0]
        return Terms(tuple(zip(names, extents, strict=True)), env, self.nest.flat(env), within)
