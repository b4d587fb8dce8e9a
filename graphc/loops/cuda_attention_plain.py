"""The products of an attention in register tiles, of floats of any size (cuda_attention.py).

A block is 16 by 16 threads. Half a warp shares its rows; weights go through shared memory, in an
order of the keys that stores them to different banks.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from . import attention
from . import ir as L
from .attention import Attention
from .cuda_attention_rows import Tile, Writer, words_of
from .cuda_nests import Names, ceil_div, symbol
from .cuda_tiles import Copy, plain_copy, vector_lanes
from .ir import Accumulate, Alloc, Buffer, For, If, Index, Load, Stmt, Store

SHARED_BYTES = 48 * 1024
PLAIN_WORDS = 96
"""32-bit numbers that a thread may hold of scores and results."""


class Plain(Writer):
    """Register tiles: a thread has `u` queries, `v` keys of a block and a share of the results."""

    lanes = 16

    def __init__(self, names: Names, nest: Attention, u: int, v: int):
        self.lines = u
        super().__init__(names, nest, 8, 16 * u, 16 * v)
        self.u, self.v = u, v
        self.w = ceil_div(nest.width, 16)
        q, k = (L.cast(e, nest.inner) for e in (nest.q, nest.k))
        left = self.operand(q, attention.QUERY, nest.queries, attention.PLACE, nest.depth)
        right = self.operand(k, attention.KEY, nest.keys, attention.PLACE, nest.depth)
        values = self.operand(
            L.cast(nest.v, nest.outer), attention.PLACE, nest.width, attention.KEY, nest.keys
        )
        self.slice = 16 if max(nest.inner.bits, nest.outer.bits) <= 32 else 8
        self.q = plain_copy(names, self.place, left, self.start, self.size, self.slice)
        self.k = plain_copy(
            names, self.place, right, self.step * symbol(self.b), self.step, self.slice
        )
        self.values = plain_copy(names, self.place, values, 0, 16 * self.w, self.slice)
        self.scores = self.weights = self.held("s", nest.inner, u * v)
        if nest.inner is not nest.outer:
            self.weights = self.held("p", nest.outer, u * v)
        self.results = self.held("o", nest.outer, u * self.w)
        wide = vector_lanes(nest.outer)
        self.shared = Buffer(
            names.fresh("weights"), nest.outer, (self.step, self.size + wide), None, "shared",
            "temp", 16,
        )  # fmt: skip
        self.y = 2 * symbol(self.warp) + symbol(self.lane) // 16
        self.x = symbol(self.lane) % 16
        self.line_lanes = self.along(u)
        self.score_tile = self.tile(v, self.along(v))
        self.result_tile = self.tile(self.w, self.along(self.w))

    def along(self, count: int) -> int:
        """Neighbours that a thread has in one group of `count` rows or columns."""
        wide = min(vector_lanes(self.nest.inner), vector_lanes(self.nest.outer))
        return math.gcd(count, wide)

    def tile(self, columns: int, lanes: int) -> Tile:
        i, j, g, e = (self.names.fresh(s) for s in ("i", "j", "g", "e"))
        line = self.line_lanes * symbol(i) + symbol(j)
        column = lanes * symbol(g) + symbol(e)
        return Tile(
            ((i, self.u // self.line_lanes), (j, self.line_lanes), (g, columns // lanes),
             (e, lanes)), 2, _spread(self.line_lanes, symbol(i), self.y) + symbol(j),
            _spread(lanes, symbol(g), self.x) + symbol(e), line, columns * line + column,
        )  # fmt: skip

    @property
    def tiles(self) -> list[Buffer]:
        return [self.q.tile, self.k.tile, self.values.tile, self.shared]

    @property
    def fits(self) -> bool:
        words = sum(words_of(b) * b.dtype.nbytes // 4 for b in (self.scores, self.results))
        return self.shared_bytes <= SHARED_BYTES and words <= PLAIN_WORDS

    def fetch_keys(self, first: Index, block: Index) -> list[Stmt]:
        found = [*self.q.fetch(first, {}), *self.k.fetch(first, {})]
        return [L.substitute(s, {self.b: block}) for s in found]

    def begin(self) -> list[Stmt]:
        return [
            *(Alloc(c.stage) for c in (self.q, self.k, self.values)),
            *self.fetch_keys(0, 0),
        ]

    def slices(
        self, count: int, copies: list[Copy], ahead: Callable[[Index], list[Stmt]],
        after: list[Stmt], multiply: Callable[[Index], list[Stmt]],
    ) -> For:  # fmt: skip
        """Tiles are filled from registers, which are read ahead: the next slice, or what comes
        after the last."""
        s = self.names.fresh("slice")
        fetch: list[Stmt] = after
        if count > 1:
            more = L.less(symbol(s) + 1, count)
            fetch = [If(more, tuple(ahead(symbol(s) + 1)), tuple(after))]
        return For(s, count, "serial", (
            *(stmt for c in copies for stmt in c.fill()),
            L.Barrier(),
            *fetch,
            *multiply(symbol(s)),
            L.Barrier(),
        ))  # fmt: skip

    def multiply_keys(self) -> list[Stmt]:
        def multiply(_: Index) -> list[Stmt]:
            k = self.names.fresh("k")
            term = symbol(k)
            left, right = (
                self.held("left", self.nest.inner, self.u),
                self.held("right", self.nest.inner, self.v),
            )
            take = [
                self.take(self.q.tile, left, self.u, self.line_lanes, self.y, term),
                self.take(self.k.tile, right, self.v, self.along(self.v), self.x, term),
            ]
            adds = self.add(self.scores, left, self.u, right, self.v)
            return [For(k, self.slice, "unroll", (Alloc(left), Alloc(right), *take, adds))]

        first = self.step * symbol(self.b)
        return [
            self.slices(
                ceil_div(self.nest.depth, self.slice), [self.q, self.k],
                lambda s: self.fetch_keys(self.slice * s, symbol(self.b)),
                self.values.fetch(first, {}), multiply,
            )
        ]  # fmt: skip

    def multiply_values(self) -> list[Stmt]:
        tile, first = self.score_tile, self.step * symbol(self.b)
        # key lanes*x + e of a group of 16*lanes is line 16*e + x
        (g, _), (e, lanes) = tile.loops[2:]
        line = 16 * (lanes * symbol(g) + symbol(e)) + self.x
        (i, groups), (j, size) = tile.loops[:2]
        put = Store(self.shared, (line, tile.row), Load(self.weights, (tile.at,)))
        keep = self.over(
            (*tile.loops[2:], (i, groups)),
            (For(j, size, "vector" if size > 1 else "unroll", (put,)),),
        )

        def multiply(s: Index) -> list[Stmt]:
            k = self.names.fresh("k")
            line = line_of_key(s, symbol(k), self.slice, lanes)
            outer = self.nest.outer
            left, right = self.held("left", outer, self.u), self.held("right", outer, self.w)
            take = [
                self.take(self.shared, left, self.u, self.line_lanes, self.y, line),
                self.take(self.values.tile, right, self.w, self.along(self.w), self.x, symbol(k)),
            ]
            adds = self.add(self.results, left, self.u, right, self.w)
            return [For(k, self.slice, "unroll", (Alloc(left), Alloc(right), *take, adds))]

        ahead = self.more(
            symbol(self.b) + 1, self.blocks, self.b, self.fetch_keys(0, symbol(self.b) + 1)
        )
        return [
            *keep,
            self.slices(
                self.step // self.slice, [self.values],
                lambda s: self.values.fetch(first + self.slice * s, {}), ahead, multiply,
            ),
        ]  # fmt: skip

    def take(
        self, tile: Buffer, target: Buffer, count: int, lanes: int, thread: Index, term: Index
    ) -> Stmt:
        """A thread's numbers of a line of a tile: groups beside those of the next thread."""
        h, e = self.names.fresh("h"), self.names.fresh("l")
        place = (term, _spread(lanes, symbol(h), thread) + symbol(e))
        store = Store(target, (lanes * symbol(h) + symbol(e),), Load(tile, place))
        kind = "vector" if lanes > 1 else "unroll"
        return For(h, count // lanes, "unroll", (For(e, lanes, kind, (store,)),))

    def add(self, target: Buffer, left: Buffer, u: int, right: Buffer, v: int) -> Stmt:
        i, j = self.names.fresh("u"), self.names.fresh("v")
        product = L.scalar("mul", Load(left, (symbol(i),)), Load(right, (symbol(j),)))
        total = Accumulate(target, (v * symbol(i) + symbol(j),), "add", product)
        return For(i, u, "unroll", (For(j, v, "unroll", (total,)),))


def line_of_key(s: Index, k: Index, size: int, lanes: int) -> Index:
    """Line 16 * (lanes * (key // span) + key % lanes) + key % span // lanes of key = size * s + k,
    where span is 16 * lanes and k < size.

    No quotient of both s and k is written: NVVM of CUDA 13.0 moves the constant, which k is in an
    unrolled loop, out of one wrongly (an odd k was not divided by lanes).
    """
    span = 16 * lanes
    if size % lanes == 0 and span % size == 0:
        many = span // size
        return 16 * (lanes * (s // many) + k % lanes) + size // lanes * (s % many) + k // lanes
    if size % span == 0:
        group = size // span * s + k // span
        return 16 * (lanes * group + k % lanes) + k % span // lanes
    key = size * s + k
    return 16 * (lanes * (key // span) + key % lanes) + key % span // lanes


def _spread(lanes: int, group: Index, thread: Index) -> Index:
    """Where a thread's group of rows (or columns) begins."""
    return 16 * lanes * group + lanes * thread
