"""What `shapes` asks of a contraction: how its operands lie in memory, and what that costs tiles
which read them there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ir as L

if TYPE_CHECKING:
    from .contraction import Contraction, Operand
    from .machine import Machine

SHORT = 16
"""Terms up to which guarded rows are read where they are, if one panel is all that reads them."""
LARGE, WIDE_LARGE = 256, 128
"""Rows, columns and terms from which flat tiles are right; the second where ports are wide."""
MANY_ROWS = 160
MANY_COLUMNS = 256
DENSE_BYTES = 1 << 10
"""Lines of columns up to this length are read where they are."""
PAGE = 4096
"""Bytes: lines that are a multiple of it apart share a place in the first cache."""
MANY_TERMS = 128
"""Terms from which on rows that run along memory are copied where ports are wide."""


def fills(nest: Contraction, columns: int) -> bool:
    """Whether lanes along fewer columns than half a register are better than lanes along the terms:
    where these do not lie one after the other, and several loops run over them at once.
    """
    if len(nest.reduction) > 1:
        return columns >= 2
    lie_well = all(o.deep == 1 for o in (*nest.row_operands, *nest.column_operands))
    return columns >= 3 and not lie_well


def is_short(nest: Contraction, lanes: int) -> bool:
    """Whether packing rows, each number of which is guarded, would cost more than it saves."""
    depth, columns = nest.depth, nest.columns.extent
    if not isinstance(depth, int) or depth > SHORT:
        return False
    if not isinstance(columns, int) or columns > lanes:
        return False
    return all(isinstance(o.value, L.Load) and o.parts == 1 for o in nest.row_operands)


def is_large(nest: Contraction, machine: Machine) -> bool:
    """Whether flat tiles, the widest, are right: the few rows of a tile stay in the first cache,
    so that rows need no packing, and wide columns stream from the second.
    """
    rows, columns = nest.rows.extent, nest.columns.extent
    if nest.batch or is_by_columns(nest) or not isinstance(nest.depth, int):
        return False
    least = WIDE_LARGE if machine.wide_ports else LARGE
    return all(isinstance(e, int) and e >= least for e in (rows, columns, nest.depth))


def vector_of(nest: Contraction, vector_bytes: int) -> int:
    """Lanes of a register."""
    return max(2, vector_bytes // max(4, *(s.buffer.dtype.nbytes for s in nest.sums)))


def columns_can_be_shared(nest: Contraction) -> bool:
    """Whether workers may share columns instead of rows."""
    extents = (nest.rows.extent, nest.columns.extent, nest.depth)
    return not nest.batch and all(isinstance(e, int) for e in extents)


def is_by_columns(nest: Contraction) -> bool:
    """Whether there are too few rows for workers to share, and many columns."""
    rows, columns = nest.rows.extent, nest.columns.extent
    if not columns_can_be_shared(nest) or not isinstance(rows, int):
        return False
    return rows < MANY_ROWS and isinstance(columns, int) and columns >= MANY_COLUMNS


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
    return nest.depth * nest.columns.extent * column_bytes(nest)


def column_bytes(nest: Contraction) -> int:
    """Of a term of a column."""
    return sum(o.dtype_bytes for o in nest.column_operands)


def is_dense(nest: Contraction) -> bool:
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


def conflicts(nest: Contraction, lanes: int, height: int) -> bool:
    """Whether rows lie so that they push each other out of the first cache, and are read often."""
    columns = nest.columns.extent
    often = not isinstance(columns, int) or columns >= 4 * lanes
    apart = [
        o.along * o.dtype_bytes if o.deep == 1 and isinstance(o.along, int) else 1
        for o in nest.row_operands
    ]
    return often and height > 2 and any(bytes_ % 2048 == 0 for bytes_ in apart)


def is_scattered(nest: Contraction, height: int) -> bool:
    """Whether the terms of several tiles of rows lie in lines that push each other out of the
    caches: a whole number of pages apart.
    """
    rows = nest.rows.extent
    several = not isinstance(rows, int) or rows > height
    return several and any(
        o.along == 1 and isinstance(o.deep, int) and o.deep and o.deep * o.dtype_bytes % PAGE == 0
        for o in nest.row_operands
    )


def crosses_lines(nest: Contraction, lanes: int) -> bool:
    """Whether each of many terms of a tile's rows lies in a line of its own, and several panels
    read it.
    """
    depth, columns = nest.depth, nest.columns.extent
    many = not isinstance(depth, int) or depth >= MANY_TERMS
    often = not isinstance(columns, int) or columns >= 2 * lanes
    return many and often and any(o.along == 1 and o.deep != 1 for o in nest.row_operands)
