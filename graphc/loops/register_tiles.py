"""Register tiles: which heights and widths fit, and what all tiles of a contraction take.

A tile of `height` rows and `width` registers of lanes keeps height * width sums in registers; for
each term it reads `height` numbers and `width` vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ir as L
from .operands import is_by_columns

if TYPE_CHECKING:
    from .contraction import Contraction
    from .machine import Machine

SOME_ROWS = 256
"""Rows that an estimate assumes where calls may have any number."""
LATENCY = 4
"""Cycles until a sum may be added to again: so many tiles' worth of sums must be under way."""
TILE_COST = 24
"""Cycles to begin and end a tile."""
WIDE_COST = {4: 1.0, 2: 1.04, 1: 1.2}
"""What tiles of so many registers take beside the widest where ports are wide: a number of a row is
read for few of them."""


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
    shared = not nest.batch and not is_by_columns(nest)
    factor = WIDE_COST if machine.wide_ports else dict.fromkeys(WIDE_COST, 1.0)
    found = [
        (
            factor[width] * tiles_cost(known, columns, width, height, vector, terms, shared),
            width,
            height,
        )
        for width, most in tallest(nest, machine.registers).items()
        if width == 1 or not isinstance(columns, int) or (width // 2) * vector < columns
        for height in range(min(known, most), 0, -1)
    ]
    return sorted(found, key=lambda tile: tile[0])


def best_tile(nest: Contraction, vector: int, machine: Machine) -> tuple[int, int]:
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


def tiles_cost(
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
