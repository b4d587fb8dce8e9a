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

if TYPE_CHECKING:
    from .contraction import Contraction, Operand
    from .machine import Machine

SOME_ROWS = 256
"""Rows that an estimate assumes where calls may have any number."""
LATENCY = 4
"""Cycles until a sum may be added to again: so many tiles' worth of sums must be under way."""
TILE_COST = 24
"""Cycles to begin and end a tile."""
SHORT = 16
"""Terms up to which guarded rows are read where they are, if one panel is all that reads them."""
LARGE = 256
"""Rows, columns and terms from which flat tiles are right."""
MANY_ROWS = 160
MANY_COLUMNS = 256
DENSE_BYTES = 1 << 10
"""Lines of columns up to this length are read where they are."""
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
PAGE = 4096
"""Bytes: lines that are a multiple of it apart share a place in the first cache."""
MANY_TERMS = 128
"""Terms from which on rows that run along memory are copied where ports are wide."""
WIDE_COST = {4: 1.0, 2: 1.04, 1: 1.2}
"""What tiles of so many registers take beside the widest where ports are wide: a number of a row is
read for few of them."""
LOW = 8
"""Rows of tiles that find their rows in the first cache, however these lie in memory."""
MANY_TILES = 3
"""Tiles of rows from which on columns are better copied than read across lines."""
FEW_BYTES = 64 << 10
"""Columns up to this size are read where they are: what one worker copies another has to fetch."""
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
    nest: Contraction, machine: Machine, constant: bool = False, choice: Choice = ESTIMATE,
    limit: int = 0,
) -> Shape | None:  # fmt: skip
    """The shape; None where the ordinary schedule is right. Columns that are `constant` cost
    nothing to pack. A measured `choice` is taken where it is legal. A block has at most `limit`
    rows, if that is not 0.
    """
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    vector, registers = vector_of(nest, machine.vector_bytes), machine.registers
    if any(isinstance(e, int) and e < least for e, least in ((rows, 2), (depth, 2))):
        return None
    if isinstance(columns, int) and columns < vector // 2 and not _fills(nest, columns):
        return None
    places = column_places(nest, machine, constant)
    if isinstance(rows, int) and rows < 8 and "in place" not in places:
        return None  # sums along the terms read every column once, in place
    lanes, height = _tile(nest, vector, machine)
    if choice.height and choice.height <= tallest(nest, registers).get(choice.width, 0):
        lanes, height = choice.width * vector, choice.height
    place = choice.columns if choice.columns in places else _columns(nest, machine, places, height)
    if place is None:
        return None
    pack_columns = "" if place == "in place" else place
    readable = rows_are_readable(nest)
    flat = readable and not choice.height and place == "once" and _is_large(nest)
    if flat:
        width, height = next(iter(tallest(nest, registers).items()))
        lanes = width * vector
    low = flat or (machine.wide_ports and height <= LOW)
    pack_rows = not readable or (not low and _conflicts(nest, lanes, height))
    pack_rows = pack_rows or _is_scattered(nest, height)
    pack_rows = pack_rows or (machine.wide_ports and _crosses_lines(nest, lanes))
    if pack_rows and not readable and _is_short(nest, lanes):
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
    by_columns = pack_columns != "local" and _is_by_columns(nest)
    if choice.share and pack_columns != "local" and columns_can_be_shared(nest):
        by_columns = choice.share == "columns"
    if by_columns:
        return _by_columns(nest, machine, shape, deep, choice.block)
    if not deep:
        return shape
    bytes_ = sum(s.buffer.dtype.nbytes for s in nest.sums) * block * lanes
    group = max(1, machine.group_bytes // bytes_)
    if isinstance(columns, int):
        group = min(group, -(-columns // lanes))
    return replace(shape, slice=deep, group=group)


def _fills(nest: Contraction, columns: int) -> bool:
    """Whether lanes along fewer columns than half a register are better than lanes along the terms:
    where these do not lie one after the other, and several loops run over them at once.
    """
    if len(nest.reduction) > 1:
        return columns >= 2
    lie_well = all(o.deep == 1 for o in (*nest.row_operands, *nest.column_operands))
    return columns >= 3 and not lie_well


def _is_short(nest: Contraction, lanes: int) -> bool:
    """Whether packing rows, each number of which is guarded, would cost more than it saves."""
    depth, columns = nest.depth, nest.columns.extent
    if not isinstance(depth, int) or depth > SHORT:
        return False
    if not isinstance(columns, int) or columns > lanes:
        return False
    return all(isinstance(o.value, L.Load) and o.parts == 1 for o in nest.row_operands)


def _is_large(nest: Contraction) -> bool:
    """Whether flat tiles, the widest, are right: the few rows of a tile stay in the first cache,
    so that rows need no packing, and wide columns stream from the second.
    """
    rows, columns = nest.rows.extent, nest.columns.extent
    if nest.batch or _is_by_columns(nest) or not isinstance(nest.depth, int):
        return False
    return all(isinstance(e, int) and e >= LARGE for e in (rows, columns, nest.depth))


def vector_of(nest: Contraction, vector_bytes: int) -> int:
    """Lanes of a register."""
    return max(2, vector_bytes // max(4, *(s.buffer.dtype.nbytes for s in nest.sums)))


def columns_can_be_shared(nest: Contraction) -> bool:
    """Whether workers may share columns instead of rows."""
    extents = (nest.rows.extent, nest.columns.extent, nest.depth)
    return not nest.batch and all(isinstance(e, int) for e in extents)


def _is_by_columns(nest: Contraction) -> bool:
    """Whether there are too few rows for workers to share, and many columns."""
    rows, columns = nest.rows.extent, nest.columns.extent
    if not columns_can_be_shared(nest) or not isinstance(rows, int):
        return False
    return rows < MANY_ROWS and isinstance(columns, int) and columns >= MANY_COLUMNS


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


def tallest(nest: Contraction, registers: int) -> dict[int, int]:
    """The rows of the tallest tile by its width in registers, the widest first."""
    sums, columns, rows = len(nest.sums), len(nest.column_operands), len(nest.row_operands)
    # the sums, a row of columns for each of their parts, and a number of a row
    found = {
        w: (registers - columns * w - rows) // (w * sums)
        for w in ((4, 2, 1) if registers >= 32 else (2, 1))
    }
    return {w: most for w, most in found.items() if most >= 2} or {1: 1}


def tiles(nest: Contraction, vector: int, machine: Machine) -> list[tuple[float, int, int]]:
    """(cycles of all tiles by an estimate, width in registers, height) of every tile that fits,
    the best first, and of equals the widest, then the tallest.
    """
    rows, columns, depth = nest.rows.extent, nest.columns.extent, nest.depth
    known = rows if isinstance(rows, int) else SOME_ROWS
    terms = depth if isinstance(depth, int) else 256
    shared = not nest.batch and not _is_by_columns(nest)
    factor = WIDE_COST if machine.wide_ports else dict.fromkeys(WIDE_COST, 1.0)
    found = [
        (
            factor[width] * _cost(known, columns, width, height, vector, terms, shared),
            width,
            height,
        )
        for width, most in tallest(nest, machine.registers).items()
        if width == 1 or not isinstance(columns, int) or (width // 2) * vector < columns
        for height in range(min(known, most), 0, -1)
    ]
    return sorted(found, key=lambda tile: tile[0])


def _tile(nest: Contraction, vector: int, machine: Machine) -> tuple[int, int]:
    """(lanes, height) with the least cycles for all tiles, by an estimate."""
    rows, columns = nest.rows.extent, nest.columns.extent
    if not isinstance(rows, int):  # single rows are left over: they need wide tiles
        width, most = next(iter(tallest(nest, machine.registers).items()))
        if isinstance(columns, int):
            while width > 1 and (width // 2) * vector >= columns:
                width //= 2
        return width * vector, min(6, most)
    _, width, height = tiles(nest, vector, machine)[0]
    return width * vector, height


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


def column_places(nest: Contraction, machine: Machine, constant: bool) -> tuple[str, ...]:
    """Where columns may be read: "in place", packed "once" for all rows, "local" in a batch."""
    found: list[str] = []
    if all(o.along == 1 and o.parts == 1 for o in nest.column_operands):
        found.append("in place")
    if constant or not any(o.batched for o in nest.column_operands):
        found.append("once")
    size = columns_bytes(nest)
    if isinstance(size, int) and size <= machine.local_bytes and isinstance(nest.depth, int):
        found.append("local")
    return tuple(found)


def columns_bytes(nest: Contraction) -> L.Index:
    nbytes = sum(o.dtype_bytes for o in nest.column_operands)
    return nest.depth * nest.columns.extent * nbytes


def _columns(
    nest: Contraction, machine: Machine, places: tuple[str, ...], height: int
) -> str | None:
    """Where columns are read, of the places where they may be; None where there is none."""
    rows, size = nest.rows.extent, columns_bytes(nest)
    few = (MANY_TILES if machine.wide_ports else 2) * height
    many = not isinstance(rows, int) or rows > few or bool(nest.batch)
    dense, room = _is_dense(nest), machine.in_place_bytes
    if machine.wide_ports and isinstance(rows, int) and rows > few:
        dense, room = False, FEW_BYTES  # loads that cross lines cost more than a copy
    small = isinstance(size, int) and size <= room
    if "in place" in places and (small or not many or dense):
        return "in place"
    order = [place for place in ("once", "local", "in place") if place in places]
    return order[0] if order else None


def _is_dense(nest: Contraction) -> bool:
    """Whether columns lie in short lines that follow each other: a panel's lines are near."""
    columns = nest.columns.extent
    return isinstance(columns, int) and all(
        o.deep == columns and columns * o.dtype_bytes <= DENSE_BYTES for o in nest.column_operands
    )


def rows_are_readable(nest: Contraction) -> bool:
    """Whether tiles may read rows where they are."""
    return all(_is_readable(o) for o in nest.row_operands)


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


def _is_scattered(nest: Contraction, height: int) -> bool:
    """Whether the terms of several tiles of rows lie in lines that push each other out of the
    caches: a whole number of pages apart.
    """
    rows = nest.rows.extent
    several = not isinstance(rows, int) or rows > height
    return several and any(
        o.along == 1 and isinstance(o.deep, int) and o.deep and o.deep * o.dtype_bytes % PAGE == 0
        for o in nest.row_operands
    )


def _crosses_lines(nest: Contraction, lanes: int) -> bool:
    """Whether each of many terms of a tile's rows lies in a line of its own, and several panels
    read it.
    """
    depth, columns = nest.depth, nest.columns.extent
    many = not isinstance(depth, int) or depth >= MANY_TERMS
    often = not isinstance(columns, int) or columns >= 2 * lanes
    return many and often and any(o.along == 1 and o.deep != 1 for o in nest.row_operands)


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
        heights, key=lambda h: _cost(rows, lanes, width, h, shape.vector, terms, shared=False)
    )
