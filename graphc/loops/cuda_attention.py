"""Attention on CUDA: a block of threads for each block of queries of a head.

    for block:                                          queries of one head
        for warp: for lane in thread:
            m = -inf; l = 0; o[...] = 0; fetch the first slice
            for b:                                      blocks of keys
                s[...] = q k^T                          slices through shared memory
                s = map(s); n = max(m, s); a = exp(m - n); m = n
                s = exp(s - n); l = l*a + sum of s; o = o*a
                o += s v                                slices of v through shared memory
            y[...] = o / l

Scores and results stay in registers, and the rows of a thread are the same in both products, so m,
l and a are numbers of the thread; the lanes that share a row meet in `Combine`. What the nest says:
attention.py; how slices come to shared memory: cuda_tiles.py. There are two kinds.

16-bit floats are multiplied on tensor cores. A warp has 32 queries (16 of long rows), whose
fragments it keeps where there is room, and all keys of the block: what `Mma` leaves of the scores
in a lane is, two numbers to a word, what the second `Mma` wants of it. Weights are rounded to the
dtype of v there, their sum is not. The block of k and that of v are each copied, past the registers
where they can, while the other is multiplied.

Other floats are multiplied in register tiles of 16 by 16 threads. Half a warp shares its rows;
weights go through shared memory, in an order of the keys that stores them to different banks.

Rows too long for registers and shared memory keep the plain schedule: None.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import BF16, F16, F32, U32, DType
from . import attention
from . import ir as L
from .attention import Attention
from .cuda_nests import WARP, Names, ceil_div, guarded, symbol
from .cuda_tiles import (
    Axis,
    Copy,
    MatrixCopy,
    Operand,
    Place,
    matrix_copy,
    packed,
    plain_copy,
    vector_lanes,
)
from .ir import Accumulate, Alloc, Buffer, Combine, Expr, For, If, Index, Load, Stmt, Store

SHARED_BYTES = 48 * 1024
PAIRED_BYTES = 96 * 1024
LOG2_E = L.const(math.log2(math.e), F32)
REGISTERS = 200
"""32-bit numbers that a thread may hold beside indices."""
PLAIN_WORDS = 96
"""The same for scores and results in register tiles."""


@dataclass(frozen=True, slots=True)
class _Form:
    """A kernel on tensor cores: `tall` times 16 queries to a warp, `step` keys to a block."""

    warps: int
    tall: int
    step: int
    keeps: bool
    """Are the fragments of the queries kept, or read for each block of keys?"""


FORMS = (
    _Form(4, 2, 64, True),
    _Form(4, 2, 64, False),
    _Form(8, 1, 64, True),
    _Form(8, 1, 64, False),
    _Form(8, 1, 32, False),
)
"""Two blocks of 4 warps share a processor. The fragments of k and v serve all queries of a warp."""
FEW_FORMS = tuple(_Form(2, 1, step, keeps) for step in (64, 32) for keeps in (True, False))
"""For up to 64 queries."""


def attention_cuda(names: Names, loop: For) -> For | None:
    """The kernel of an attention; None where the nest is none, or too large."""
    nest = attention.match(loop)
    if nest is None:
        return None
    for writer in _writers(names, nest):
        if writer.fits:
            return writer.kernel()
    return None


def _writers(names: Names, nest: Attention) -> list[_Writer]:
    """The ways to write it, the best first."""
    found: list[_Writer] = []
    dtypes = {nest.q.dtype, nest.k.dtype, nest.v.dtype}
    if len(dtypes) == 1 and dtypes <= {F16, BF16} and nest.inner is nest.outer is F32:
        few = isinstance(nest.queries, int) and nest.queries <= 64
        forms = FEW_FORMS if few else FORMS
        found += [_Paired(names, nest, form) for form in forms]
    wide = nest.inner.bits > 32 or nest.outer.bits > 32
    for u, v in ((4, 4), (4, 2), (2, 2)) if not wide else ((2, 4), (2, 2)):
        found.append(_Plain(names, nest, u, v))
    return found


@dataclass(frozen=True, slots=True)
class _Tile:
    """A thread's part of a tile of rows and columns."""

    loops: tuple[tuple[str, int], ...]
    """Over rows, then over columns."""
    rows: int
    """How many of these loops are over rows."""
    row: Index
    column: Index
    line: Index
    """The number of the row among those of the thread."""
    at: Index
    """Where the number is in the thread's buffer."""


class _Writer:
    """Writes a kernel whose blocks have `size` queries and take `step` keys at a time."""

    lanes: int
    """Neighbouring lanes that share a row."""
    lines: int
    """Rows of a thread."""

    def __init__(self, names: Names, nest: Attention, warps: int, size: int, step: int):
        self.names, self.nest, self.size, self.step = names, nest, size, step
        self.block, self.warp, self.lane, self.b = (
            names.fresh(n) for n in ("block", "warp", "lane", "b")
        )
        self.count = ceil_div(nest.queries, size)
        self.blocks = ceil_div(nest.keys, step)
        known = {self.warp: warps, self.lane: WARP}
        total = nest.heads * self.count
        for name, extent in ((self.block, total), (self.b, self.blocks)):
            if isinstance(extent, int):
                known[name] = max(1, extent)
        self.total = total
        self.place = Place(self.warp, self.lane, known, warps)
        count = 1 if self.count == 0 else self.count
        self.start: Index = size * (symbol(self.block) % count)
        self.head: Index = symbol(self.block) // count
        self.top, self.sum, self.factor, self.best = (
            self.held(stem, nest.outer, self.lines) for stem in ("top", "sum", "factor", "best")
        )

    def held(self, stem: str, dtype: DType, size: int) -> Buffer:
        return Buffer(self.names.fresh(stem), dtype, (size,), None, "register")

    def operand(self, value: Expr, own: str, extent: Index, term: str, terms: Index) -> Operand:
        loops = (For(own, extent, "serial", ()), For(term, terms, "serial", ()))
        return Operand(value, Axis(loops[:1]), Axis(loops[1:]), {})

    # -- what the two kinds differ in
    @property
    def fits(self) -> bool:
        raise NotImplementedError

    scores: Buffer
    weights: Buffer
    """The same where the dtype is."""
    results: Buffer
    score_tile: _Tile
    result_tile: _Tile

    def begin(self) -> list[Stmt]:
        """Reads ahead, and what the thread keeps."""
        raise NotImplementedError

    def multiply_keys(self) -> list[Stmt]:
        """The scores of a block of keys, but for the map."""
        raise NotImplementedError

    def multiply_values(self) -> list[Stmt]:
        """Adds the weights times the block of values to the results."""
        raise NotImplementedError

    @property
    def tiles(self) -> list[Buffer]:
        """Shared memory."""
        raise NotImplementedError

    # -- what they share
    @property
    def shared_bytes(self) -> int:
        sizes = (ty.product(tile.shape) * tile.dtype.nbytes for tile in self.tiles)
        return sum(n for n in sizes if isinstance(n, int))

    def kernel(self) -> For:
        outer = self.nest.outer
        own = [self.top, self.sum, self.factor, self.best, self.scores, self.results]
        own += [self.weights] if self.weights is not self.scores else []
        i = self.names.fresh("i")
        fill = [
            self.each(i, self.top, L.const(-math.inf, outer)),
            self.each(i, self.sum, L.const(0, outer)),
            self.each(i, self.results, L.const(0, outer)),
        ]
        walk = For(self.b, self.blocks, "serial", (
            self.each(i, self.scores, L.const(0, self.scores.dtype)),
            *self.multiply_keys(),
            *self.weigh(),
            *self.multiply_values(),
        ))  # fmt: skip
        lets = tuple(L.substitute(s, {attention.HEAD: self.head}) for s in self.nest.lets)
        body: tuple[Stmt, ...] = (
            *lets, *(Alloc(b) for b in own), *fill, *self.begin(), walk, *self.end(),
        )  # fmt: skip
        body = self.place.shortened(body, {})
        return For(self.block, self.total, "block", (
            *(Alloc(tile) for tile in self.tiles),
            For(self.warp, self.place.warps, "thread", (For(self.lane, WARP, "thread", body),)),
        ))  # fmt: skip

    def each(self, var: str, buffer: Buffer, value: Expr) -> For:
        size = buffer.shape[0]
        return For(var, size, "unroll", (Store(buffer, (symbol(var),), value),))

    def over(
        self, loops: tuple[tuple[str, int], ...], body: tuple[Stmt, ...], kind: str = "unroll"
    ) -> tuple[Stmt, ...]:
        for name, extent in reversed(loops):
            body, kind = (For(name, extent, kind, body),), "unroll"
        return body

    def weigh(self) -> list[Stmt]:
        """Scores become weights, relative to the greatest score of the row so far."""
        tile, outer = self.score_tile, self.nest.outer
        lines, columns = tile.loops[: tile.rows], tile.loops[tile.rows :]
        line, at = (tile.line,), (tile.at,)
        known = self.place.known | dict(tile.loops)
        nothing = (Store(self.weights, at, L.const(-math.inf, outer)),)
        query, key = self.start + tile.row, self.step * symbol(self.b) + tile.column
        cond = L.both(
            self.place.less(query, self.nest.queries, known),
            self.place.less(key, self.nest.keys, known),
        )
        scores = self.map(query, key, at)
        if cond is not None:
            scores = (If(cond, scores, nothing),)
        before, top, shift, factor, weight = (
            self.names.fresh(n) for n in ("before", "top", "shift", "factor", "weight")
        )

        def name(stem: str) -> Expr:
            return L.Name(stem, outer)

        least = L.const(-math.inf, outer)
        # where all scores are -inf so far, their weights are 0 and not NaN
        guarded_top = L.Select(
            L.scalar("eq", name(top), least), L.const(0, outer), name(top)
        )  # fmt: skip
        power = self.power(Load(self.weights, at), name(shift))
        row: tuple[Stmt, ...] = (
            Store(self.best, line, least),
            *self.over(columns, (Accumulate(self.best, line, "max", Load(self.weights, at)),)),
            Combine(self.best, line, "max", self.lanes),
            L.Let(before, Load(self.top, line)),
            L.Let(top, L.scalar("max", name(before), Load(self.best, line))),
            L.Let(shift, self.scaled(guarded_top)),
            L.Let(factor, self.power(name(before), name(shift))),
            Store(self.top, line, name(top)),
            Store(self.factor, line, name(factor)),
            Store(self.sum, line, L.scalar("mul", Load(self.sum, line), name(factor))),
            *self.over(columns, (
                L.Let(weight, power),
                Store(self.weights, at, name(weight)),
                Accumulate(self.sum, line, "add", name(weight)),
            )),
        )  # fmt: skip
        result = self.result_tile
        scaled = L.scalar(
            "mul", Load(self.results, (result.at,)), Load(self.factor, (result.line,))
        )
        return [
            *self.over(tile.loops, scores),
            *self.over(lines, row),
            *self.over(result.loops, (Store(self.results, (result.at,), scaled),)),
        ]

    def power(self, value: Expr, shift: Expr) -> Expr:
        """The exponential of a number less a shift, which `scaled` made."""
        return L.scalar("exp", L.scalar("sub", value, shift))

    def scaled(self, shift: Expr) -> Expr:
        return shift

    def map(self, query: Index, key: Index, at: tuple[Index, ...]) -> tuple[Stmt, ...]:
        """The score of a query and a key."""
        env: dict[str, Index] = {attention.QUERY: query, attention.KEY: key}

        def leaf(expr: Expr) -> Expr:
            return Load(self.scores, at) if expr == self.nest.product else expr

        made = (*self.nest.score, Store(self.weights, at, L.cast(self.nest.value, self.nest.outer)))
        return tuple(L.map_stmt(L.substitute(s, env), lambda i: i, leaf) for s in made)

    def end(self) -> tuple[Stmt, ...]:
        """Each result of the thread, where there is one."""
        score, tile, nest = self.score_tile, self.result_tile, self.nest
        lines = score.loops[: score.rows]
        lane, lanes = tile.loops[-1]
        query = self.start + tile.row
        value = L.scalar("div", Load(self.results, (tile.at,)), Load(self.sum, (tile.line,)))
        place = (*nest.at, query, tile.column)
        body: tuple[Stmt, ...] = (Store(nest.out, place, L.cast(value, nest.out.dtype)),)
        known = self.place.known | dict(tile.loops)
        first = ty.substitute(tile.column, {lane: 0}) if isinstance(tile.column, ty.Dim) else 0
        if nest.width % lanes == 0 and lanes > 1:
            body = guarded(first, nest.width, known, (For(lane, lanes, "vector", body),))
        else:
            body = (For(lane, lanes, "unroll", guarded(tile.column, nest.width, known, body)),)
        body = guarded(query, nest.queries, known, body)
        total = Combine(self.sum, (score.line,), "add", self.lanes)
        return (
            *self.over(lines, (total,)),
            *self.over(tile.loops[:-1], body),
            *(self.over(lines, self.end_of_row()) if nest.rows else ()),
        )

    def end_of_row(self) -> tuple[Stmt, ...]:
        """The greatest score and the logarithm of the sum, by one of the lanes that share a row."""
        tile, nest = self.score_tile, self.nest
        query = self.start + tile.row
        known = self.place.known | dict(tile.loops)
        greatest, log = nest.rows
        place = (*nest.at, query)
        body: tuple[Stmt, ...] = (
            Store(greatest, place, Load(self.top, (tile.line,))),
            Store(log, place, L.scalar("log", Load(self.sum, (tile.line,)))),
        )
        first = L.scalar("eq", L.Idx(symbol(self.lane) % self.lanes), L.const(0, ty.I64))
        return (If(first, guarded(query, nest.queries, known, body)),)

    def more(self, index: Index, count: Index, var: str, body: list[Stmt]) -> list[Stmt]:
        """The statements where there is a next turn of the loop."""
        known = {var: (0, count - 1)} if isinstance(count, int) and count > 0 else None
        cond = L.less(index, count, known)
        if cond == L.FALSE:
            return []
        return body if cond == L.TRUE else [If(cond, tuple(body))]


class _Paired(_Writer):
    """Tensor cores: a warp has 16 queries, or 32."""

    lanes = 4

    def __init__(self, names: Names, nest: Attention, form: _Form):
        self.tall, step = form.tall, form.step
        self.lines = 2 * self.tall
        super().__init__(names, nest, form.warps, 16 * self.tall * form.warps, step)
        self.terms = ceil_div(nest.depth, 16)
        self.groups = 2 * ceil_div(nest.width, 16)
        first = self.step * symbol(self.b)
        depth = 16 * self.terms
        left, k = (
            self.operand(value, own, extent, attention.PLACE, nest.depth)
            for value, own, extent in (
                (nest.q, attention.QUERY, nest.queries), (nest.k, attention.KEY, nest.keys)
            )
        )  # fmt: skip
        v = self.operand(nest.v, attention.PLACE, nest.width, attention.KEY, nest.keys)
        self.left = matrix_copy(names, self.place, left, self.start, self.size, depth, 1)
        self.k = matrix_copy(names, self.place, k, first, step, depth, 1)
        self.v = matrix_copy(names, self.place, v, 0, 8 * self.groups, step, 1)
        self.q = self.held("q", U32, 4 * self.tall * (self.terms if form.keeps else 1))
        self.keeps = form.keeps
        self.scores = self.weights = self.held("s", F32, step // 2 * self.tall)
        self.results = self.held("o", F32, 4 * self.groups * self.tall)
        w, t = symbol(self.warp), symbol(self.lane)
        i, h, n, e, m = (names.fresh(s) for s in ("i", "h", "n", "e", "m"))
        row = 16 * (self.tall * w + symbol(i)) + 8 * symbol(h) + t // 4
        self.score_tile, self.result_tile = (
            _Tile(
                ((i, self.tall), (h, 2), (var, count), (e, 2)), 2, row,
                8 * symbol(var) + 2 * (t % 4) + symbol(e), 2 * symbol(i) + symbol(h),
                4 * (count * symbol(i) + symbol(var)) + 2 * symbol(h) + symbol(e),
            ) for var, count in ((n, step // 8), (m, self.groups))
        )  # fmt: skip

    @property
    def tiles(self) -> list[Buffer]:
        return [c.tile for c in (self.left, self.k, self.v)]

    @property
    def fits(self) -> bool:
        ahead = max(0 if c.sends else _size(c.stage) for c in (self.k, self.v))
        words = sum(map(_size, (self.q, self.scores, self.results))) + ahead // 2
        return self.shared_bytes <= PAIRED_BYTES and words <= REGISTERS

    # -- copies: past the registers, or in two halves
    def ask(self, copy: MatrixCopy, first: Index, block: Index) -> list[Stmt]:
        made = copy.send(0, first, {}) if copy.sends else copy.fetch(first, {})
        return [*(L.substitute(s, {self.b: block}) for s in made), L.CopyCommit()]

    def take(self, copy: MatrixCopy) -> list[Stmt]:
        """What was asked for is in the tile."""
        return [L.CopyWait(0), *([] if copy.sends else copy.store(0)), L.Barrier()]

    def begin(self) -> list[Stmt]:
        k = self.names.fresh("k")
        return [
            *(Alloc(c.stage) for c in (self.left, self.k, self.v) if not c.sends),
            Alloc(self.q),
            *self.ask(self.left, 0, 0),
            *self.ask(self.k, 0, 0),
            *self.take(self.left),
            *([For(k, self.terms, "unroll", self.queries(symbol(k)))] if self.keeps else []),
        ]

    def queries(self, k: Index) -> tuple[Stmt, ...]:
        """The fragments of 16 terms of the warp's queries."""
        i = self.names.fresh("i")
        at = 4 * self.tall * k if self.keeps else 0
        row = 16 * (self.tall * symbol(self.warp) + symbol(i))
        read = self.left.fragments(
            self.q, at + 4 * symbol(i), 0, row, 16 * k, symbol(self.lane), True
        )
        return self.over(((i, self.tall),), tuple(read))

    def multiply_keys(self) -> list[Stmt]:
        k = self.names.fresh("k")
        at = 4 * self.tall * symbol(k) if self.keeps else 0
        return [
            *self.take(self.k),
            *self.ask(self.v, self.step * symbol(self.b), symbol(self.b)),
            For(k, self.terms, "unroll", (
                *(() if self.keeps else self.queries(symbol(k))),
                *self.products(self.k, symbol(k), self.scores, self.step // 8, self.q, at),
            )),
        ]  # fmt: skip

    def multiply_values(self) -> list[Stmt]:
        ahead = self.ask(self.k, 0, symbol(self.b) + 1)
        k, i, c, h = (self.names.fresh(s) for s in ("k", "i", "c", "h"))
        left = self.held("left", U32, 4 * self.tall)
        group = self.step // 8 * symbol(i) + 2 * symbol(k) + symbol(c)
        pair = (
            L.cast(Load(self.weights, (4 * group + 2 * symbol(h) + e,)), self.nest.v.dtype)
            for e in range(2)
        )
        pack = Store(left, (4 * symbol(i) + 2 * symbol(c) + symbol(h),), packed(*pair))
        return [
            *self.take(self.v),
            *self.more(symbol(self.b) + 1, self.blocks, self.b, ahead),
            For(k, self.step // 16, "unroll", (
                Alloc(left),
                *self.over(((i, self.tall), (c, 2), (h, 2)), (pack,)),
                *self.products(self.v, symbol(k), self.results, self.groups, left, 0),
            )),
        ]  # fmt: skip

    def products(
        self, copy: MatrixCopy, k: Index, target: Buffer, count: int, left: Buffer, at: Index
    ) -> tuple[Stmt, ...]:
        """16 terms of `count` products of 16 by 8, for each 16 queries of the warp."""
        n, i, j = (self.names.fresh(s) for s in ("n", "i", "j"))
        right = self.held("right", U32, 4)
        read = copy.fragments(
            right, 0, 0, 16 * symbol(n), 16 * k, symbol(self.lane), False
        )  # fmt: skip
        place = 4 * (count * symbol(i) + 2 * symbol(n) + symbol(j))
        product = L.Mma(
            target, (place,), left, (at + 4 * symbol(i),), right, (2 * symbol(j),),
            self.nest.v.dtype,
        )  # fmt: skip
        body = (Alloc(right), *read, *self.over(((i, self.tall), (j, 2)), (product,)))
        return (For(n, count // 2, "unroll", body),)

    def power(self, value: Expr, shift: Expr) -> Expr:
        """By exp2, for which the hardware has an instruction: both are multiplied by log2(e)."""
        return L.scalar("exp2", L.scalar("sub", L.scalar("mul", value, LOG2_E), shift))

    def scaled(self, shift: Expr) -> Expr:
        return L.scalar("mul", shift, LOG2_E)


class _Plain(_Writer):
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

    def tile(self, columns: int, lanes: int) -> _Tile:
        i, j, g, e = (self.names.fresh(s) for s in ("i", "j", "g", "e"))
        line = self.line_lanes * symbol(i) + symbol(j)
        column = lanes * symbol(g) + symbol(e)
        return _Tile(
            ((i, self.u // self.line_lanes), (j, self.line_lanes), (g, columns // lanes),
             (e, lanes)), 2, _spread(self.line_lanes, symbol(i), self.y) + symbol(j),
            _spread(lanes, symbol(g), self.x) + symbol(e), line, columns * line + column,
        )  # fmt: skip

    @property
    def tiles(self) -> list[Buffer]:
        return [self.q.tile, self.k.tile, self.values.tile, self.shared]

    @property
    def fits(self) -> bool:
        words = sum(_size(b) * b.dtype.nbytes // 4 for b in (self.scores, self.results))
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
            line = _line_of_key(s, symbol(k), self.slice, lanes)
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


def _line_of_key(s: Index, k: Index, size: int, lanes: int) -> Index:
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


def _size(buffer: Buffer) -> int:
    size = ty.product(buffer.shape)
    assert isinstance(size, int)
    return size
