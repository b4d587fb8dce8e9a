"""The kernel of a contraction of 16-bit floats on sm_90: four warps multiply from shared memory.

    for s < stages - 2: send slice s
    for s: wait for slice s; barrier
        for k of the slice: acc += left[k] right[k], done some time later
        send slice s + stages - 2; wait for the products of slice s - 1

A block of two groups of four warps has 128 rows, a group 64 of them, and all of its columns. Tiles
are read where slices were copied to (`ir.GroupMma`), so no fragments pass through registers. One
barrier for each slice: behind it the products of the slice before the last are done for both
groups, and into that stage the next slice is sent, while the last one's products still run.

8 rows of 16 bytes beside each other are a core matrix, and lines of core matrices lie 16 bytes
further apart than they need. So 8 neighbouring threads, which copy 128 neighbouring bytes of memory
(8 terms each of a row, or 8 columns each of a term), write to 32 different banks. Or tiles are
swizzled: then these bytes lie beside each other.

Called by cuda_contract.py, where the architecture has the instruction.
"""

from __future__ import annotations

from dataclasses import replace

from graphc_runtime.records import dataclass

from . import ir as L
from .cuda_nests import ceil_div, symbol
from .cuda_staged import Staged, where
from .cuda_tiles import Axis, MatrixCopy, matrix_copy
from .cuda_writers import Result
from .ir import Buffer, Expr, For, Index, Stmt

TERMS = 64
"""Of a slice."""
STEP = 16
"""Terms of a product."""
LINE = 8
"""Numbers of a row of a core matrix, and its rows."""
ATOM = 64
"""Numbers of a line of a swizzled tile."""
SWIZZLED = False
"""Are tiles swizzled, and not padded? Both are right; a GPU has to say which is read faster."""
PADDING = 1
"""Rows of 16 bytes between lines of core matrices; 0 is right too, with other copies."""
COPIES_FIRST = False
"""Are the copies of a slice sent before the products of another begin? Until then, tensor cores
have the products of the slice before, which of a small tile are fewer cycles than copies take."""
ALIGN = 128
SHARED_BYTES = 200 * 1024
"""Of a block; a processor has 227 KB for it."""
STAGES = 8
"""Slices in shared memory, at most: 4 of the largest tile, 8 of the smallest."""
HELD = 2
"""Slices in shared memory that are not on their way there: one whose products begin, one whose
products may still run."""


@dataclass(frozen=True, slots=True)
class GroupCopy(MatrixCopy):
    """16-bit floats as `GroupMma` reads them: tile (stage, terms // 8, row, term % 8) where pieces
    run along the terms, else (stage, row // 8, term, row % 8)."""

    def where(self, piece: Index) -> tuple[Index, Index]:
        """Pieces go along memory; without padding 8 lines at once, which are a core matrix."""
        groups = (self.depth if self.deep else self.extent) // self.lanes
        line, at = piece // groups, self.lanes * (piece % groups)
        if not PADDING and not SWIZZLED:
            line = piece % LINE + LINE * (piece // (LINE * groups))
            at = self.lanes * (piece // LINE % groups)
        return (line, at) if self.deep else (at, line)

    def _at(self, slot: Index, own: Index, term: Index, e: Index) -> tuple[Index, ...]:
        if self.deep:
            return slot, term // LINE, own, e
        if SWIZZLED:
            return slot, own // ATOM, own % ATOM // LINE, term, e
        return slot, own // LINE, term, e

    def laid_out(self, tile: Buffer, stages: int) -> Buffer:
        if SWIZZLED:
            return self._swizzled(tile, stages)
        lines, long = (self.depth, self.extent) if self.deep else (self.extent, self.depth)
        return replace(tile, shape=(stages, lines // LINE, long + PADDING, LINE), align=ALIGN)

    def _swizzled(self, tile: Buffer, stages: int) -> Buffer:
        """Lines of 64 numbers beside each other."""
        depth, extent = self.depth, self.extent
        if self.deep:
            assert depth == ATOM, "a line is a slice of a row"
            shape, strides = (depth // LINE, extent, LINE), (LINE, ATOM, 1)
        else:
            shape = (extent // ATOM, ATOM // LINE, depth, LINE)
            strides = (ATOM * depth, LINE, ATOM, 1)
        return replace(
            tile, shape=(stages, *shape), strides=(extent * depth, *strides), align=1024,
            swizzled=True,
        )  # fmt: skip

    def corner(self, slot: Index, own: Index, term: int) -> tuple[Index, ...]:
        """Where rows (or columns) from `own` on by terms from `term` on begin."""
        return self._at(slot, own, term, 0)


class Grouped(Staged):
    """16-bit floats, multiplied from shared memory."""

    slice = TERMS
    warps, lanes = 2, 128

    def stages_for(self, u: int, v: int, slices: Index) -> int:
        nbytes = 2 * 16 * (u + v) * (self.slice + (0 if SWIZZLED else PADDING))
        most = min(STAGES, slices + HELD) if isinstance(slices, int) else STAGES
        return max(HELD + 1, min(most, SHARED_BYTES // nbytes))

    @property
    def fits(self) -> bool:
        whole = all(c.sends and c.lanes == LINE for c in self.copies)
        return whole and self.shared_bytes <= SHARED_BYTES

    def copy(self, value: Expr, axis: Axis, start: Index, extent: int) -> GroupCopy:
        assert isinstance(value, L.Cast)
        operand = self.operand(value.value, axis)
        found = matrix_copy(
            self.names, self.place, operand, start, extent, self.slice, self.stages, GroupCopy
        )
        assert isinstance(found, GroupCopy)
        return found

    def slices(self) -> list[Stmt]:
        count = ceil_div(self.parts.terms.extent, self.slice * self.count)
        s = self.names.fresh("s")
        start = self.slice * count * self.part
        ahead, last = self.stages - HELD, {s: (0, count - 1)} if isinstance(count, int) else None
        known = {s: max(1, count - ahead)} if isinstance(count, int) else {}
        out: list[Stmt] = []
        for k in range(ahead):
            begin = [t for c in self.matrices for t in c.send(k, start + self.slice * k, {})]
            out += [*where(L.less(k, count), begin), L.CopyCommit()]
        first, slot = start + self.slice * (symbol(s) + ahead), (symbol(s) + ahead) % self.stages
        send = [t for c in self.matrices for t in c.send(slot, first, known)]
        (total,) = self.sums.values()
        copies = (*where(L.less(symbol(s) + ahead, count, last), send), L.CopyCommit())
        products = (L.GroupFence(), *self.multiply(symbol(s) % self.stages), L.GroupCommit())
        body = (
            L.CopyWait(ahead - 1),
            L.Barrier(proxies=True),
            *((*copies, *products) if COPIES_FIRST else (*products, *copies)),
            L.GroupWait(total, 1),
        )
        whole: list[Stmt] = [For(s, count, "serial", body), L.GroupWait(total, 0)]
        # where there may be no slice: sums that come from two places before they are waited for
        # would make ptxas wait after each product
        return [*out, *where(L.less(0, count), whole)]

    def multiply(self, first: Index) -> list[Stmt]:
        """Adds the products of a stage."""
        a, b = self.matrices
        assert isinstance(a, GroupCopy) and isinstance(b, GroupCopy)
        (total,) = self.sums.values()
        row = self.height // self.warps * symbol(self.warp)
        return [
            L.GroupMma(
                total, (0,), a.tile, a.corner(first, row, term), b.tile, b.corner(first, 0, term),
                self.width, a.deep, b.deep,
            )
            for term in range(0, self.slice, STEP)
        ]  # fmt: skip

    def result(self) -> Result:
        h, j = self.names.fresh("h"), self.names.fresh("j")
        t = symbol(self.lane)
        row = self.height // self.warps * symbol(self.warp) + 16 * (t // 32) + 8 * symbol(h)
        return Result(
            ((h, 2), (j, self.width // 8)),
            self.row + row + t % 32 // 4,
            self.column + 8 * symbol(j) + 2 * (t % 4),
            4 * symbol(j) + 2 * symbol(h),
            2,
        )
