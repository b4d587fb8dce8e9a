"""What a contraction copies before it multiplies: panels of columns, blocks of rows.

A copy has unit stride along the lanes, no conflicts in the first cache, and the casts and other
arithmetic that belong to one operand are done once. Called by `contract`.
"""

from __future__ import annotations

from dataclasses import replace

from .. import types as ty
from ..types import BOOL, I32, Dim
from . import ir as L
from .blocks import (
    Fresh,
    Layout,
    Rename,
    Slice,
    Terms,
    Vectorize,
    at_indices,
    positive,
    substituted,
)
from .contraction import Contraction, Operand
from .dots import sums_of_columns
from .lower import expr_names
from .shapes import Shape

LINES = 16
"""Lines of a matrix that are packed together."""


class Packer:
    """Copies the operands of one contraction."""

    def __init__(
        self, nest: Contraction, shape: Shape, fresh: Fresh, rename: Rename, vectorize: Vectorize,
        shifted: bool,
    ):  # fmt: skip
        self.nest, self.shape = nest, shape
        self.fresh, self.rename, self.vectorize = fresh, rename, vectorize
        self.lanes, self.height = shape.lanes, shape.height
        columns = nest.columns.extent
        self.whole, self.rest = columns // self.lanes, columns % self.lanes
        self.temps: list[L.Buffer] = []
        self.panels: dict[L.Expr, L.Buffer] = {}
        """Columns that are packed: (batch, panel, term, lane)."""
        self.first: dict[L.Expr, L.Index] = {}
        """The first panel of the batch."""
        self.blocks: dict[L.Expr, tuple[L.Buffer, Layout]] = {}
        """Rows that are packed."""
        self.shifted = shifted
        self.begin: L.Buffer | None = None
        """Where the rows are shifted (see `dots`): what the sums of a column begin at."""

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
