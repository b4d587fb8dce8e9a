"""choose: the register tile of a contraction, and what is packed.

A tile of `height` rows and `lanes` columns keeps height * lanes / vector accumulators in registers
and, for each term, reads `height` numbers and lanes / vector vectors. Called by `contract` with a
nest that it took apart; decides nothing about statements.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphc_runtime.records import dataclass

from . import ir as L
from .choice import ESTIMATE, Choice
from .operands import (
    column_bytes,
    column_places,
    columns_bytes,
    columns_can_be_shared,
    conflicts,
    crosses_lines,
    fills,
    is_by_columns,
    is_dense,
    is_large,
    is_scattered,
    is_short,
    rows_are_readable,
    vector_of,
)
from .register_tiles import best_tile, tallest, tiles_cost

if TYPE_CHECKING:
    from .contraction import Contraction
    from .machine import Machine

SLICE_TERMS = 512
"""Terms of a slice of a deep sum: a panel's slice and a block of rows share the second cache."""
SUM_TERMS = 384
"""Terms that are added one by one where additions round: the error of a sum grows with them.
OpenBLAS's slices for f32 are as long.
"""
TASKS = 16
"""Loops around with fewer iterations than this are joined, so that workers get equal shares."""
BLOCKS = 8
"""Blocks of rows that are enough to share between workers."""
SHARED_WORK = 1 << 16
"""Terms of all sums together that are worth a second worker."""
LOW = 8
"""Rows of tiles that find their rows in the first cache, however these lie in memory."""
MANY_TILES = 3
"""Tiles of rows from which on columns are better copied than read across lines."""
FEW_BYTES = 64 << 10
"""Columns up to this size are read where they are: what one worker copies another has to fetch."""
COPIED_BYTES = 32 << 10
"""Columns from this size to FEW_BYTES are copied by each worker with enough rows."""
STEP = 4
"""Terms that a loop of a tile writes out where ports are wide: two products a cycle leave the front
end no time to count each term, the less the more a neighbour shares the core.
"""
AHEAD = 8
"""Terms of a panel that are asked for there, into the first cache: the second is read at two thirds
of a cycle for each product, and the hardware alone follows it too late.
"""
NEAR_BYTES = 16 << 10
"""Panels up to this size stay in the first cache."""
FAR_COLUMNS = 4
"""Columns of so many second caches come from far each time."""
NEAR_ROWS = 64
"""Rows of a worker that are enough to fetch columns into its second cache for."""
FAR, WIDE_FAR = 0.6, 3.2
"""The part of a tile's time that reading its panel from the third cache takes; where ports are wide
a tile takes half the time, and that cache is slow.
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a contraction is cut."""

    vector: int
    """Lanes of a register."""
    lanes: int
    height: int
    block_rows: int
    pack_columns: str
    """"", "once" for all rows, "block" for each block of rows, or "local" in each batch."""
    pack_rows: bool
    rows_inner: bool
    """Packed blocks run along the rows, as the rows' own memory does."""
    slice: int = 0
    """Iterations of the outermost loop of the reduction that are done for many columns before the
    next are begun; 0 for all.
    """
    group: int = 0
    """Panels that share one pass over the slices, or over the rows."""
    at_once: int = 0
    """Slices that a tile of rows passes, over all panels of a group, before the next tile does; 0:
    each panel is passed by all tiles of a block of rows.
    """
    rounds: int = 0
    """Sets of rows of a worker that take turns with each slice; 0: one set passes all slices."""
    step: int = 1
    """Terms that are written out one after another."""
    ahead: int = 0
    """Terms of a panel that are asked into the first cache before they are read; 0: none."""
    by_columns: bool = False
    """Workers share groups of panels: there are few rows."""

    def lanes_for(self, count: L.Index) -> int:
        """The lanes of a panel of which `count` are there."""
        lanes = self.lanes
        while isinstance(count, int) and lanes > self.vector and lanes // 2 >= count:
            lanes //= 2
        return lanes


def choose(
    nest: Contraction, machine: Machine, constant: bool = False, choice: Choice = ESTIMATE,
    limit: int = 0,
) -> Shape | None:  # fmt: skip
    """The shape; None where the ordinary schedule is right. Columns that are `constant` cost
    nothing to pack. A measured `choice` is taken where it is legal. A block has at most `limit`
    rows, if that is not 0.
    """
    shape = _cut(nest, machine, constant, choice, limit)
    if shape is None or not machine.wide_ports:
        return shape
    if not constant and not limit and not choice.columns:
        shape = _copied_twice(nest, machine, shape)
    depth = _slice_depth(nest, shape.slice)
    far = not isinstance(depth, int) or shape.lanes * depth * column_bytes(nest) > NEAR_BYTES
    ahead = AHEAD if far and shape.pack_columns else 0
    return replace(shape, step=STEP, ahead=ahead)


def _cut(
    nest: Contraction, machine: Machine, constant: bool, choice: Choice, limit: int
) -> Shape | None:
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    vector, registers = vector_of(nest, machine.vector_bytes), machine.registers
    if any(isinstance(e, int) and e < least for e, least in ((rows, 2), (depth, 2))):
        return None
    if isinstance(columns, int) and columns < vector // 2 and not fills(nest, columns):
        return None
    places = column_places(nest, machine, constant)
    if isinstance(rows, int) and rows < 8 and "in place" not in places:
        return None  # sums along the terms read every column once, in place
    lanes, height = best_tile(nest, vector, machine)
    if choice.height and choice.height <= tallest(nest, registers).get(choice.width, 0):
        lanes, height = choice.width * vector, choice.height
    place = choice.columns if choice.columns in places else _columns(nest, machine, places, height)
    if place is None:
        return None
    pack_columns = "" if place == "in place" else place
    readable = rows_are_readable(nest)
    flat = readable and not choice.height and place == "once" and is_large(nest, machine)
    if flat:
        width, height = next(iter(tallest(nest, registers).items()))
        lanes = width * vector
    low = flat or (machine.wide_ports and height <= LOW)
    pack_rows = not readable or (not low and conflicts(nest, lanes, height))
    pack_rows = pack_rows or is_scattered(nest, height)
    pack_rows = pack_rows or (machine.wide_ports and crosses_lines(nest, lanes))
    if pack_rows and not readable and is_short(nest, lanes):
        pack_rows = False
    if choice.rows and readable:
        pack_rows = choice.rows == "packed"
    rows_inner = any(o.runs for o in nest.row_operands)
    if pack_rows and not isinstance(depth, int):
        if not readable:
            return None
        pack_rows = False
    deep = _slice(nest, pack_columns, choice.terms)
    block = _block_rows(nest, machine, height, pack_rows, deep, limit)
    if block is None:
        return None
    if choice.block:
        chosen = _chosen_block(nest, machine, height, pack_rows, deep, choice.block)
        block = chosen if chosen and (not limit or chosen <= limit) else block
    shape = Shape(vector, lanes, height, block, pack_columns, pack_rows, rows_inner)
    if isinstance(rows, int) and not nest.batch and not choice.height:
        most = tallest(nest, registers)[lanes // vector]
        shape = replace(shape, height=_height(nest, shape, most))
    by_columns = pack_columns != "local" and is_by_columns(nest)
    if choice.share and pack_columns != "local" and columns_can_be_shared(nest):
        by_columns = choice.share == "columns"
    if by_columns:
        return _by_columns(nest, machine, shape, deep, choice.block)
    if flat and machine.wide_ports and not limit and not choice.block and not pack_rows:
        near = _near(nest, machine, shape, deep)
        if near is not None:
            return near
    rounds = _rounds(nest, machine, shape, deep)
    if rounds:
        return replace(shape, slice=deep, rounds=rounds)
    if not deep:
        return shape
    bytes_ = sum(s.buffer.dtype.nbytes for s in nest.sums) * block * lanes
    group = max(1, machine.group_bytes // bytes_)
    if isinstance(columns, int):
        group = min(group, -(-columns // lanes))
    return replace(shape, slice=deep, group=group)


def _by_columns(nest: Contraction, machine: Machine, shape: Shape, deep: int, chosen: int) -> Shape:
    """The shape for workers that share the columns: all rows in as few blocks as hold them."""
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    outer = nest.reduction[0].extent
    assert isinstance(rows, int) and isinstance(columns, int) and isinstance(depth, int)
    if deep and isinstance(outer, int):
        depth = depth // outer * deep
    bytes_ = _block_bytes(nest, rows, depth)
    blocks = -(-bytes_ // machine.wide_block_bytes) if shape.pack_rows else 1
    tiles = -(-rows // shape.height)
    block = min(rows, -(-tiles // blocks) * shape.height)
    if chosen:
        rows_of = _chosen_block(nest, machine, shape.height, shape.pack_rows, deep, chosen)
        block = rows_of or block
    bytes_ = sum(s.buffer.dtype.nbytes for s in nest.sums) * block * shape.lanes
    group = max(1, columns // shape.lanes // BLOCKS)
    group = min(max(group, 2), max(1, machine.group_bytes // bytes_)) if deep else max(group, 4)
    return replace(shape, block_rows=block, slice=deep, group=group, by_columns=True)


def _near(nest: Contraction, machine: Machine, shape: Shape, deep: int) -> Shape | None:
    """The shape in which a group of panels stays in the second cache and the rows, of which each
    worker has one block, stream past it; None where that would be few rows.
    """
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    assert isinstance(rows, int) and isinstance(columns, int) and isinstance(depth, int)
    block = -(-rows // machine.workers)
    if block < NEAR_ROWS:
        return None
    slices, terms = 1, depth
    if deep:
        slices, terms = -(-depth // deep), deep
    bytes_ = shape.lanes * column_bytes(nest)
    group, at_once = machine.near_bytes // (bytes_ * depth), slices
    if not group:  # too deep: sums wait until all rows have passed some slices
        group = 2
        at_once = max(1, machine.near_bytes // (group * bytes_ * terms))
    group = min(group, -(-columns // shape.lanes))
    return replace(shape, block_rows=block, slice=deep, group=group, at_once=at_once)


def _copied_twice(nest: Contraction, machine: Machine, shape: Shape) -> Shape:
    """Columns that would be read in place, across lines: each worker copies them for itself, if
    they are few beside its rows. What another has copied would have to be fetched.
    """
    rows, size = nest.rows.extent, columns_bytes(nest)
    if shape.pack_columns or shape.pack_rows or shape.by_columns or nest.batch:
        return shape
    if not isinstance(rows, int) or not isinstance(size, int) or not isinstance(nest.depth, int):
        return shape
    block = -(-rows // machine.workers)
    if block < NEAR_ROWS or not COPIED_BYTES <= size <= FEW_BYTES:
        return shape
    return replace(shape, pack_columns="block", block_rows=block)


def _rounds(nest: Contraction, machine: Machine, shape: Shape, deep: int) -> int:
    """How many sets of rows take turns, where each alone would fetch many columns from far."""
    if len(nest.batch) != 1 or not deep or any(o.batched for o in nest.column_operands):
        return 0
    (loop,), size = nest.batch, columns_bytes(nest)
    sets, rows, columns = loop.extent, nest.rows.extent, nest.columns.extent
    if not isinstance(sets, int) or not isinstance(rows, int) or not isinstance(columns, int):
        return 0
    if not isinstance(size, int):
        return 0
    far = size > FAR_COLUMNS * machine.l2_bytes
    if not machine.wide_ports or not far or shape.block_rows < rows or sets < 2:
        return 0
    bytes_ = sum(s.buffer.dtype.nbytes for s in nest.sums) * rows * (columns + shape.lanes)
    number = min(-(-sets // machine.workers), machine.l2_bytes // 3 // bytes_)
    return number if number > 1 else 0


def _slice(nest: Contraction, pack_columns: str, terms: int = 0) -> int:
    """Iterations of the outermost loop of the reduction in a slice; 0 where one pass is right.

    `terms` were chosen; of floats they may be fewer than SUM_TERMS, and never more.
    """
    outer, depth = nest.reduction[0].extent, nest.depth
    if not isinstance(outer, int) or not isinstance(depth, int) or pack_columns == "local":
        return 0
    inner = depth // outer
    rounds = any(s.buffer.dtype.is_float for s in nest.sums)
    limit = min(SUM_TERMS, terms or SLICE_TERMS) if rounds else terms or SLICE_TERMS
    count = max(1, limit // inner)
    if outer <= (count if rounds or terms else 2 * count):
        return 0
    slices = -(-outer // count)
    return -(-outer // slices)


def _columns(
    nest: Contraction, machine: Machine, places: tuple[str, ...], height: int
) -> str | None:
    """Where columns are read, of the places where they may be; None where there is none."""
    rows, size = nest.rows.extent, columns_bytes(nest)
    few = (MANY_TILES if machine.wide_ports else 2) * height
    many = not isinstance(rows, int) or rows > few or bool(nest.batch)
    dense, room = is_dense(nest), machine.in_place_bytes
    if machine.wide_ports and isinstance(rows, int) and rows > few:
        dense, room = False, FEW_BYTES  # loads that cross lines cost more than a copy
    small = isinstance(size, int) and size <= room
    if "in place" in places and (small or not many or dense):
        return "in place"
    order = [place for place in ("once", "local", "in place") if place in places]
    return order[0] if order else None


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


def _chosen_block(
    nest: Contraction, machine: Machine, height: int, packed: bool, deep: int, tiles: int
) -> int | None:
    """Rows of a block of so many tiles; None where it is not the schedule's to choose, or where
    the second cache would not hold it.
    """
    rows, depth = nest.rows.extent, _slice_depth(nest, deep)
    if not isinstance(rows, int) and not packed:
        return None
    if isinstance(rows, int):
        tiles = min(tiles, -(-rows // height))
    if packed and isinstance(depth, int):
        if _block_bytes(nest, height * tiles, depth) > 2 * machine.block_bytes:
            return None
    return min(rows, height * tiles) if isinstance(rows, int) else height * tiles


def _slice_depth(nest: Contraction, deep: int) -> L.Index:
    """Terms of a slice."""
    outer, depth = nest.reduction[0].extent, nest.depth
    return depth // outer * deep if deep and isinstance(outer, int) else depth


def _block_rows(
    nest: Contraction, machine: Machine, height: int, packed: bool, deep: int, limit: int
) -> int | None:
    """Rows of a block: a multiple of the tile's height that the second cache holds."""
    rows, depth = nest.rows.extent, _slice_depth(nest, deep)
    most = BLOCKS * height
    room = machine.block_bytes
    if machine.wide_ports and not packed:
        room = machine.l2_bytes // 2
    if isinstance(depth, int):
        each = max(1, _block_bytes(nest, height, depth) // height)
        most = min(64 * height, room // each)
        if most < height and packed:
            return height if each * height <= 2 * machine.block_bytes else None
    most = max(height, min(most, limit) if limit else most)
    if not isinstance(rows, int):
        return most // height * height if packed else height
    if nest.batch:  # the loops around are what workers share
        return min(rows, most // height * height)
    most = min(rows, most)
    work = rows * nest.columns.extent * nest.depth
    if isinstance(work, int) and work < SHARED_WORK:
        return most
    least = -(-rows // most)
    blocks = range(least, max(least, rows // height) + 1)
    far = WIDE_FAR if machine.wide_ports else FAR
    sizes = (-(-rows // n) for n in blocks)
    return min(sizes, key=lambda block: _sharing(rows, block, height, far))


def _sharing(rows: int, block: int, height: int, far: float) -> float:
    """What blocks of so many rows cost, beside one: a panel comes from far for the first tile of
    each, and workers, two or more, get whole blocks one after another.
    """
    blocks = -(-rows // block)

    def longest(workers: int) -> float:
        ideal = max(rows / workers, height)
        return min(rows, -(-blocks // workers) * block) / ideal

    return (1 + far * height / block) * (4 * longest(2) + longest(4) + longest(8)) / 6


def _height(nest: Contraction, shape: Shape, most: int) -> int:
    """Rows of a tile, at most `most`, that fit a block best."""
    terms, width = nest.depth, shape.lanes // shape.vector
    if not isinstance(terms, int):
        terms = 256
    heights = range(most, 0, -1)
    rows, lanes = shape.block_rows, shape.lanes
    return min(
        heights, key=lambda h: tiles_cost(rows, lanes, width, h, shape.vector, terms, shared=False)
    )
