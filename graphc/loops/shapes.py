"""choose: the register tile of a contraction, and what is packed.

A tile of `height` rows and `lanes` columns keeps height * lanes / vector accumulators in registers
and, for each term, reads `height` numbers and lanes / vector vectors. Called by `contract` with a
nest that it took apart; decides nothing about statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import ir as L

if TYPE_CHECKING:
    from .contract import Contraction, Operand

LATENCY = 4
"""Cycles until a sum may be added to again: so many tiles' worth of sums must be under way."""
TILE_COST = 24
"""Cycles to begin and end a tile."""
BLOCK_BYTES = 160 << 10
"""A packed block of rows: on the stack of a worker, and in the second cache beside a panel."""
IN_PLACE_BYTES = 512 << 10
"""Columns up to this size stay in the second cache: they are read in place if they can be."""
LOCAL_BYTES = 128 << 10
"""Columns of one batch that are packed on the stack."""
BLOCKS = 8
"""Blocks of rows that are enough to share between workers."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a contraction is cut."""

    vector: int
    """Lanes of a register."""
    lanes: int
    height: int
    block_rows: int
    pack_columns: str
    """"", "once" for all rows, or "local" in each batch."""
    pack_rows: bool
    rows_inner: bool
    """Packed blocks run along the rows, as the rows' own memory does."""

    def lanes_for(self, count: L.Index) -> int:
        """The lanes of a panel of which `count` are there."""
        lanes = self.lanes
        while isinstance(count, int) and lanes > self.vector and lanes // 2 >= count:
            lanes //= 2
        return lanes


def choose(nest: Contraction, vector_bytes: int, registers: int) -> Shape | None:
    """The shape; None where the ordinary schedule is right."""
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    nbytes = max(4, *(s.buffer.dtype.nbytes for s in nest.sums))
    vector = max(2, vector_bytes // nbytes)
    if any(isinstance(e, int) and e < least for e, least in ((rows, 2), (depth, 2))):
        return None
    if isinstance(columns, int) and columns < vector // 2:
        return None
    in_place = all(o.along == 1 for o in nest.column_operands)
    few = isinstance(rows, int) and rows < 8
    if few and not in_place:
        return None  # sums along the terms read every column once, in place
    lanes, height = _tile(nest, vector, registers)
    pack_columns = _columns(nest, in_place, height)
    if pack_columns is None:
        return None
    readable = all(_is_readable(o) for o in nest.row_operands)
    pack_rows = not readable or _conflicts(nest, lanes, height)
    rows_inner = any(o.along == 1 and o.deep != 1 for o in nest.row_operands)
    if pack_rows and not isinstance(depth, int):
        if not readable:
            return None
        pack_rows = False
    block = _block_rows(nest, height, pack_rows)
    if block is None:
        return None
    return Shape(vector, lanes, height, block, pack_columns, pack_rows, rows_inner)


def _tile(nest: Contraction, vector: int, registers: int) -> tuple[int, int]:
    """(lanes, height) with the least cycles for all tiles, by an estimate."""
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    sums = len(nest.sums)
    widths = [w for w in ((4, 2, 1) if registers >= 32 else (2, 1))]
    # the sums, a row of columns for each of their parts, and a number of a row
    tallest = {
        w: (registers - len(nest.column_operands) * w - len(nest.row_operands)) // (w * sums)
        for w in widths
    }
    widths = [w for w in widths if tallest[w] >= 2]
    if not widths:
        widths, tallest = [1], {1: 1}
    if not isinstance(rows, int):  # single rows are left over: they need wide tiles
        width = widths[0]
        if isinstance(columns, int):
            while width > 1 and (width // 2) * vector >= columns:
                width //= 2
        return width * vector, min(6, tallest[width])
    terms = depth if isinstance(depth, int) else 256
    best: tuple[float, int, int] | None = None
    for width in widths:
        if width > 1 and isinstance(columns, int) and (width // 2) * vector >= columns:
            continue
        for height in range(min(rows, tallest[width]), 0, -1):
            cost = _cost(rows, columns, width, height, vector, terms)
            if best is None or cost < best[0]:
                best = (cost, width, height)
    assert best is not None
    return best[1] * vector, best[2]


def _cost(rows: int, columns: L.Index, width: int, height: int, vector: int, terms: int) -> float:
    """Cycles for all tiles of one shape."""
    panels = [(1, width)]
    if isinstance(columns, int):
        whole, rest = divmod(columns, width * vector)
        panels = [(whole, width)] if whole else []
        if rest:
            last = width
            while last > 1 and (last // 2) * vector >= rest:
                last //= 2
            panels.append((1, last))
    tall, left = divmod(rows, height)
    tiles = [(tall, height)] + ([(1, left)] if left else [])
    return sum(
        n * m * (terms * max(w * h, w + h, LATENCY) + TILE_COST)
        for n, w in panels
        for m, h in tiles
    )


def _columns(nest: Contraction, in_place: bool, height: int) -> str | None:
    """Whether and where columns are packed; None where they cannot be."""
    rows, depth, columns = nest.rows.extent, nest.depth, nest.columns.extent
    nbytes = sum(o.dtype_bytes for o in nest.column_operands)
    size = depth * columns * nbytes
    many = not isinstance(rows, int) or rows > 2 * height or bool(nest.batch)
    small = isinstance(size, int) and size <= IN_PLACE_BYTES
    if in_place and (small or not many):
        return ""
    if not any(o.batched for o in nest.column_operands):
        return "once"
    if isinstance(size, int) and size <= LOCAL_BYTES and isinstance(depth, int):
        return "local"
    return "" if in_place else None


def _is_readable(operand: Operand) -> bool:
    """Rows that a tile may read where they are: numbers at constant distances."""
    return isinstance(operand.along, int) and (operand.deep == 1 or operand.along == 1)


def _conflicts(nest: Contraction, lanes: int, height: int) -> bool:
    """Whether rows lie so that they push each other out of the first cache, and are read often."""
    columns = nest.columns.extent
    often = not isinstance(columns, int) or columns >= 4 * lanes
    apart = [
        o.along * o.dtype_bytes if o.deep == 1 and isinstance(o.along, int) else 1
        for o in nest.row_operands
    ]
    return often and height > 2 and any(bytes_ % 2048 == 0 for bytes_ in apart)


def _block_rows(nest: Contraction, height: int, packed: bool) -> int | None:
    """Rows of a block: a multiple of the tile's height that the second cache holds."""
    rows, depth = nest.rows.extent, nest.depth
    nbytes = sum(o.dtype_bytes for o in nest.row_operands)
    tiles = BLOCKS
    if isinstance(depth, int):
        tiles = (BLOCK_BYTES // max(1, nbytes * (depth + 16))) // height
        if not tiles and packed:
            return height if nbytes * depth * height <= 2 * BLOCK_BYTES else None
    tiles = max(1, min(tiles, 64))
    if not isinstance(rows, int):
        return height * tiles if packed else height
    whole = max(1, rows // height)
    if whole // tiles < BLOCKS:
        tiles = max(1, whole // BLOCKS)
    for count in range(tiles, tiles // 2, -1):  # a division without a rest shares evenly
        if whole % count == 0:
            return height * count
    return height * tiles
