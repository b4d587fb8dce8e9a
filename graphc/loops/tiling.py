"""The tiles of a contraction: sums of a few rows and a panel of columns, in registers.

    for l in vector(lanes):
        for k: for u < height: acc[u] += f(block[u, k], panel[k, l])
        for u < height: y[i + u, j + l] = g(acc[u])

Called by `contract`, which says what tiles there are and in what order.
"""

from __future__ import annotations

from dataclasses import replace

from ..types import BOOL, Dim
from . import ir as L
from .blocks import (
    Fresh,
    Rename,
    Slice,
    Vectorize,
    Waiting,
    guarded,
    masked,
    needed,
    packed_sum,
)  # fmt: skip
from .contraction import Contraction
from .identities import IDENTITY, KIND_OF
from .packing import Packer
from .rowend import WaitingRows
from .shapes import Shape


class Tiler(Packer):
    """Writes the tiles of one contraction."""

    def __init__(
        self, nest: Contraction, shape: Shape, fresh: Fresh, rename: Rename, vectorize: Vectorize,
        shifted: bool, waiting: WaitingRows | None,
    ):  # fmt: skip
        super().__init__(nest, shape, fresh, rename, vectorize, shifted)
        self.waiting = waiting
        self.product: L.Buffer | None = None
        """The block of rows that waits."""

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
            if u == height - 1:
                packed = {**packed, **{v: self.asked(packed[v]) for v in self.panels}}
            totals = tuple(
                packed_sum(one, packed, terms.env, guard, nest.columns.var) for one in nest.sums
            )
            start_, rest, end = nest.before, (), nest.after
            if wait is not None:
                start_, rest, end = self.waited(wait, inside + u - wait.row, lane, part)
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
        loops = [*terms.stepped(tuple(sums), self.shape.step, self.fresh, self.rename), *ends]
        if mask is not None and (part is None or part.last):
            before = [guarded(s, mask) for s in before]
            after = masked(after, mask)
        return L.For(lane, lanes, "vector", (*before, *loops, *after))

    def asked(self, load: L.Load) -> L.Load:
        """The load of a panel, which asks for the terms that follow."""
        if not self.shape.ahead:
            return load
        return replace(load, ahead=self.shape.ahead * self.lanes * load.dtype.nbytes, level=1)

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

    def waiting_sums(self, count: int, width: int) -> tuple[L.Buffer, ...]:
        """Where the sums of `count` rows wait for their next slice."""
        return tuple(
            L.Buffer(
                self.fresh("wait"), s.buffer.dtype, (count * width,), None, "local", "temp", 64
            )
            for s in self.nest.sums
        )

    def ended(self, after: tuple[L.Stmt, ...], row: L.Index) -> tuple[L.Stmt, ...]:
        """What follows the sums of one row: rows that wait are stored in their block."""
        if self.waiting is None or self.product is None:
            return after
        return self.waiting.stored_to(self.product, after, row)
