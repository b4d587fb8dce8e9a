"""The kernels of contractions of f32 and f64 on CUDA by tensor cores: stages as cuda_staged.py has.

f32 is rounded to tf32 (the scalar op) when its fragments are read, so only where the program allows
it; f64 is not rounded. A slice is 64 bytes of each row: 16 terms of f32, 8 of f64.

Fragments of `Mma` are the same for both: number t of row q and of row q + 8, number t + 4 of these,
for lane 4q + t. Where f32 lies along the terms, 16 bytes of each of 8 rows are a matrix of
`Fragments`. Else a lane reads its numbers one by one, 32 of 4 bytes or 16 of 8 bytes at once: they
lie in different banks if lines are 32 bytes longer than they need, for these are multiples of 64.

Called by cuda_contract.py.
"""

from __future__ import annotations

from dataclasses import replace

from ..types import F32, F64, DType
from . import ir as L
from .cuda_nests import symbol
from .cuda_staged import Staged
from .cuda_tiles import BANK_BYTES, PACK_BYTES, MatrixCopy
from .ir import Buffer, Expr, For, Index, Load, Stmt, Store

SLICE_BYTES = 64
"""Of a row."""
PADDING_BYTES = 32
"""Of a line whose numbers are read one by one."""


class NumberCopy(MatrixCopy):
    """f32 or f64 in stages: tile (stage, row, term) where pieces run along the terms, else
    (stage, term, row)."""

    __slots__ = ()

    @property
    def padding(self) -> int:
        """Numbers that a line is longer than it needs."""
        dtype = self.tile.dtype
        read = PACK_BYTES if self.deep and dtype is F32 else PADDING_BYTES
        return read // dtype.nbytes

    def where(self, piece: Index) -> tuple[Index, Index]:
        """Pieces go line by line; where a line is short, along as many as are in different banks.
        A number alone is written as it is read, line by line."""
        long = self.depth if self.deep else self.extent
        groups = long // self.lanes
        nbytes = self.tile.dtype.nbytes
        once = 1
        if self.lanes > 1:
            once = _lines_at_once((long + self.padding) * nbytes, self.lanes * nbytes, groups)
        line = piece % once + once * (piece // (once * groups))
        place = self.lanes * (piece // once % groups)
        return (line, place) if self.deep else (place, line)

    @property
    def sends(self) -> bool:
        value = self.operand.value
        return isinstance(value, Load) and value.buffer.space == "global"

    def number(self, row: Index, term: Index, e: Index, lane: str) -> tuple[Expr, Expr | None]:
        """As `Copy.number`; one that is alone moves with no lane."""
        return super().number(row, term, e if self.lanes > 1 else 0, lane)

    def laid_out(self, tile: Buffer, stages: int) -> Buffer:
        lines, long = (self.extent, self.depth) if self.deep else (self.depth, self.extent)
        return replace(tile, shape=(stages, lines, long + self.padding))

    def fragments(
        self, target: Buffer, at: Index, slot: Index, own: Index, term: Index, lane: Index,
        is_left: bool,
    ) -> list[Stmt]:  # fmt: skip
        """Reads 16 rows (or columns) by 8 terms as `Mma` wants them."""
        if not self.deep or self.tile.dtype is not F32:
            return [self._one_by_one(target, at, slot, own, term, lane, is_left)]
        k = self.names.fresh("k")
        place = (at + symbol(k),)
        whole = super().fragments(target, at, slot, own, term, lane, is_left)
        return [*whole, For(k, 4, "unroll", (Store(target, place, rounded(Load(target, place))),))]

    def _one_by_one(
        self, target: Buffer, at: Index, slot: Index, own: Index, term: Index, lane: Index,
        is_left: bool,
    ) -> Stmt:  # fmt: skip
        c, h = self.names.fresh("c"), self.names.fresh("h")
        half, part = symbol(h), symbol(c)
        number = 2 * part + half if is_left else 2 * half + part
        place = self._at(slot, own + 8 * half + lane // 4, term + 4 * part + lane % 4, 0)
        take = Store(target, (at + number,), rounded(Load(self.tile, place)))
        return For(c, 2, "unroll", (For(h, 2, "unroll", (take,)),))


class Tf32(Staged):
    """f32, rounded."""

    slice, step = SLICE_BYTES // 4, 8
    nbytes, padding_bytes = 4, PACK_BYTES
    word: DType = F32
    tile = NumberCopy

    def stored(self, value: Expr) -> Expr:
        return value


class Doubles(Tf32):
    """f64."""

    slice = SLICE_BYTES // 8
    nbytes, padding_bytes = 8, PADDING_BYTES
    word = F64


def rounded(value: Expr) -> Expr:
    """As tensor cores read it."""
    return L.Scalar("tf32", (value,), F32) if value.dtype is F32 else value


def _lines_at_once(line_bytes: int, piece_bytes: int, groups: int) -> int:
    """Along how many lines pieces go, so that those which are stored at once are in different
    banks."""
    count = BANK_BYTES // piece_bytes
    for lines in (8, 4, 2):
        pieces = ((k % lines * line_bytes + k // lines * piece_bytes) for k in range(count))
        if lines * groups >= count and len({p % BANK_BYTES for p in pieces}) == count:
            return lines
    return 1
