"""choose: the register tile of a contraction, and what is packed.

A tile of `height` rows and `lanes` columns keeps height * lanes / vector accumulators in registers
and, for each term, reads `height` numbers and lanes / vector vectors. Called by `contract` with a
nest that it took apart; decides nothing about statements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import ir as L

if TYPE_CHECKING:
    from .contraction import Contraction, Operand

LATENCY = 4
"""Cycles until a sum may be added to again: so many tiles' worth of sums must be under way."""
TILE_COST = 24
"""Cycles to begin and end a tile."""
BLOCK_BYTES = 192 << 10
"""A packed block of rows: in the second cache beside a panel."""
MANY_ROWS = 160
MANY_COLUMNS = 256
DENSE_BYTES = 1 << 10
"""Lines of columns up to this length are read where they are."""
WIDE_BLOCK_BYTES = 320 << 10
"""The same where all rows pass a group of panels."""
IN_PLACE_BYTES = 512 << 10
"""Columns up to this size stay in the second cache: they are read in place if they can be."""
LOCAL_BYTES = 128 << 10
SLICE_TERMS = 512
"""Terms of a slice of a deep sum: a panel's slice and a block of rows share the second cache."""
SUM_TERMS = 384
"""Terms that are added one by one where additions round: the error of a sum grows with them.
OpenBLAS's slices for f32 are as long.
"""
GROUP_BYTES = 256 << 10
"""Sums that wait for their next slice: rows are packed again for each group of panels."""
"""Columns of one batch that are packed on the stack."""
TASKS = 16
"""Loops around with fewer iterations than this are joined, so that workers get equal shares."""
BLOCKS = 8
"""Blocks of rows that are enough to share between workers."""
SHARED_WORK = 1 << 16
"""Terms of all sums together that are worth a second worker."""
FAR = 0.6
"""The part of a tile's time that reading its panel from the third cache takes."""


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
    slice: int = 0
    """Iterations of the outermost loop of the reduction that are done for many columns before the
    next are begun; 0 for all.
    """
    group: int = 0
    """Panels that share one pass over the slices, or over the rows."""
    by_columns: bool = False
    """Workers share groups of panels: there are few rows."""

    def lanes_for(self, count: L.Index) -> int:
        """The lanes of a panel of which `count` are there."""
        lanes = self.lanes
        while isinstance(count, int) and lanes > self.vector and lanes // 2 >= count:
            lanes //= 2
        return lanes


def choose(
    nest: Contraction, vector_bytes: int, registers: int, constant: bool = False
) -> Shape | None:
    """The shape; None where the ordinary schedule is right. Columns that are `constant` cost
    nothing to pack.
    """
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    nbytes = max(4, *(s.buffer.dtype.nbytes for s in nest.sums))
    vector = max(2, vector_bytes // nbytes)
    if any(isinstance(e, int) and e < least for e, least in ((rows, 2), (depth, 2))):
        return None
    if isinstance(columns, int) and columns < vector // 2:
        return None
    in_place = all(o.along == 1 and o.parts == 1 for o in nest.column_operands)
    few = isinstance(rows, int) and rows < 8
    if few and not in_place:
        return None  # sums along the terms read every column once, in place
    lanes, height = _tile(nest, vector, registers)
    pack_columns = _columns(nest, in_place, height, constant)
    if pack_columns is None:
        return None
    readable = all(_is_readable(o) for o in nest.row_operands)
    pack_rows = not readable or _conflicts(nest, lanes, height)
    rows_inner = any(o.runs for o in nest.row_operands)
    if pack_rows and not isinstance(depth, int):
        if not readable:
            return None
        pack_rows = False
    deep = _slice(nest, pack_columns)
    block = _block_rows(nest, height, pack_rows, deep)
    if block is None:
        return None
    shape = Shape(vector, lanes, height, block, pack_columns, pack_rows, rows_inner)
    if isinstance(rows, int) and not nest.batch:
        most = tallest(nest, registers)[lanes // vector]
        shape = replace(shape, height=_height(nest, shape, most))
    if pack_columns != "local" and _is_by_columns(nest):
        return _by_columns(nest, shape, deep)
    if not deep:
        return shape
    bytes_ = sum(s.buffer.dtype.nbytes for s in nest.sums) * block * lanes
    group = max(1, GROUP_BYTES // bytes_)
    if isinstance(columns, int):
        group = min(group, -(-columns // lanes))
    return replace(shape, slice=deep, group=group)


def _is_by_columns(nest: Contraction) -> bool:
    """Whether there are too few rows for workers to share, and many columns."""
    rows, columns = nest.rows.extent, nest.columns.extent
    if nest.batch or not isinstance(nest.depth, int):
        return False
    few = isinstance(rows, int) and rows < MANY_ROWS
    return few and isinstance(columns, int) and columns >= MANY_COLUMNS


def _by_columns(nest: Contraction, shape: Shape, deep: int) -> Shape:
    """The shape for workers that share the columns: all rows in as few blocks as hold them."""
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    outer = nest.reduction[0].extent
    assert isinstance(rows, int) and isinstance(columns, int) and isinstance(depth, int)
    if deep and isinstance(outer, int):
        depth = depth // outer * deep
    blocks = -(-_block_bytes(nest, rows, depth) // WIDE_BLOCK_BYTES) if shape.pack_rows else 1
    tiles = -(-rows // shape.height)
    block = min(rows, -(-tiles // blocks) * shape.height)
    bytes_ = sum(s.buffer.dtype.nbytes for s in nest.sums) * block * shape.lanes
    group = max(1, columns // shape.lanes // BLOCKS)
    group = min(max(group, 2), max(1, GROUP_BYTES // bytes_)) if deep else max(group, 4)
    return replace(shape, block_rows=block, slice=deep, group=group, by_columns=True)


def _slice(nest: Contraction, pack_columns: str) -> int:
    """Iterations of the outermost loop of the reduction in a slice; 0 where one pass is right."""
    outer, depth = nest.reduction[0].extent, nest.depth
    if not isinstance(outer, int) or not isinstance(depth, int) or pack_columns == "local":
        return 0
    inner = depth // outer
    rounds = any(s.buffer.dtype.is_float for s in nest.sums)
    count = max(1, (min(SUM_TERMS, SLICE_TERMS) if rounds else SLICE_TERMS) // inner)
    if outer <= (count if rounds else 2 * count):
        return 0
    slices = -(-outer // count)
    return -(-outer // slices)


def tallest(nest: Contraction, registers: int) -> dict[int, int]:
    """The rows of the tallest tile by its width in registers, the widest first."""
    sums, columns, rows = len(nest.sums), len(nest.column_operands), len(nest.row_operands)
    # the sums, a row of columns for each of their parts, and a number of a row
    found = {
        w: (registers - columns * w - rows) // (w * sums)
        for w in ((4, 2, 1) if registers >= 32 else (2, 1))
    }
    return {w: most for w, most in found.items() if most >= 2} or {1: 1}


def _tile(nest: Contraction, vector: int, registers: int) -> tuple[int, int]:
    """(lanes, height) with the least cycles for all tiles, by an estimate."""
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    tallest_ = tallest(nest, registers)
    widths = list(tallest_)
    if not isinstance(rows, int):  # single rows are left over: they need wide tiles
        width = widths[0]
        if isinstance(columns, int):
            while width > 1 and (width // 2) * vector >= columns:
                width //= 2
        return width * vector, min(6, tallest_[width])
    terms = depth if isinstance(depth, int) else 256
    shared = not nest.batch and not _is_by_columns(nest)
    best: tuple[float, int, int] | None = None
    for width in widths:
        if width > 1 and isinstance(columns, int) and (width // 2) * vector >= columns:
            continue
        for height in range(min(rows, tallest_[width]), 0, -1):
            cost = _cost(rows, columns, width, height, vector, terms, shared)
            if best is None or cost < best[0]:
                best = (cost, width, height)
    assert best is not None
    return best[1] * vector, best[2]


def _cost(
    rows: int, columns: L.Index, width: int, height: int, vector: int, terms: int, shared: bool
) -> float:
    """Cycles for all tiles of one shape, of two workers together where they share the rows."""
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
    # two workers share the whole tiles; the rows left over are one worker's
    tiles = [(tall + tall % 2 if shared else tall, height)] + ([(1, left)] if left else [])
    return sum(
        n * m * (terms * max(w * h, w + h, LATENCY) + TILE_COST)
        for n, w in panels
        for m, h in tiles
    )


def _columns(nest: Contraction, in_place: bool, height: int, constant: bool) -> str | None:
    """Whether and where columns are packed; None where they cannot be."""
    rows, depth, columns = nest.rows.extent, nest.depth, nest.columns.extent
    nbytes = sum(o.dtype_bytes for o in nest.column_operands)
    size = depth * columns * nbytes
    many = not isinstance(rows, int) or rows > 2 * height or bool(nest.batch)
    small = isinstance(size, int) and size <= IN_PLACE_BYTES
    if in_place and (small or not many or _is_dense(nest)):
        return ""
    if constant or not any(o.batched for o in nest.column_operands):
        return "once"
    if isinstance(size, int) and size <= LOCAL_BYTES and isinstance(depth, int):
        return "local"
    return "" if in_place else None


def _is_dense(nest: Contraction) -> bool:
    """Whether columns lie in short lines that follow each other: a panel's lines are near."""
    columns = nest.columns.extent
    return isinstance(columns, int) and all(
        o.deep == columns and columns * o.dtype_bytes <= DENSE_BYTES for o in nest.column_operands
    )


def _is_readable(operand: Operand) -> bool:
    """Rows that a tile may read where they are: numbers at constant distances."""
    return (
        operand.parts == 1
        and isinstance(operand.along, int)
        and (operand.deep == 1 or operand.along == 1)
    )


def _conflicts(nest: Contraction, lanes: int, height: int) -> bool:
    """Whether rows lie so that they push each other out of the first cache, and are read often."""
    columns = nest.columns.extent
    often = not isinstance(columns, int) or columns >= 4 * lanes
    apart = [
        o.along * o.dtype_bytes if o.deep == 1 and isinstance(o.along, int) else 1
        for o in nest.row_operands
    ]
    return often and height > 2 and any(bytes_ % 2048 == 0 for bytes_ in apart)


def _block_bytes(nest: Contraction, rows: int, depth: int) -> int:
    """Bytes of a block of rows with so many terms."""
    total = 0
    for operand in nest.row_operands:
        terms = depth * rows
        if operand.window is not None:  # the rows' windows overlap
            (loop,) = [k for k in nest.reduction if k.var == operand.window[0]]
            assert isinstance(loop.extent, int)
            span = operand.window[1] * (rows - 1) + loop.extent
            terms = depth // loop.extent * span
        total += operand.dtype_bytes * (terms + 16 * rows)
    return total


def _block_rows(nest: Contraction, height: int, packed: bool, deep: int) -> int | None:
    """Rows of a block: a multiple of the tile's height that the second cache holds."""
    rows, depth = nest.rows.extent, nest.depth
    most = BLOCKS * height
    if isinstance(depth, int):
        outer = nest.reduction[0].extent
        if deep and isinstance(outer, int):
            depth = depth // outer * deep
        each = max(1, _block_bytes(nest, height, depth) // height)
        most = min(64 * height, BLOCK_BYTES // each)
        if most < height and packed:
            return height if each * height <= 2 * BLOCK_BYTES else None
    most = max(height, most)
    if not isinstance(rows, int):
        return most // height * height if packed else height
    if nest.batch:  # the loops around are what workers share
        return min(rows, most // height * height)
    most = min(rows, most)
    work = rows * nest.columns.extent * nest.depth
    if isinstance(work, int) and work < SHARED_WORK:
        return most
    blocks = range(-(-rows // most), max(1, rows // height) + 1)
    return min((-(-rows // n) for n in blocks), key=lambda block: _sharing(rows, block, height))


def _sharing(rows: int, block: int, height: int) -> float:
    """What blocks of so many rows cost, beside one: a panel comes from far for the first tile of
    each, and workers, two or more, get whole blocks one after another.
    """
    blocks = -(-rows // block)

    def longest(workers: int) -> float:
        ideal = max(rows / workers, height)
        return min(rows, -(-blocks // workers) * block) / ideal

    return (1 + FAR * height / block) * (4 * longest(2) + longest(4) + longest(8)) / 6


def _height(nest: Contraction, shape: Shape, most: int) -> int:
    """Rows of a tile, at most `most`, that fit a block best."""
    terms, width = nest.depth, shape.lanes // shape.vector
    if not isinstance(terms, int):
        terms = 256
    heights = range(most, 0, -1)
    rows, lanes = shape.block_rows, shape.lanes
    return min(
        heights, key=lambda h: _cost(rows, lanes, width, h, shape.vector, terms, shared=False)
    )
