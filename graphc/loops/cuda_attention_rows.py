"""What the kernels of an attention share (cuda_attention.py): blocks of keys, weights of scores,
results and their end. The two products are the subclasses'.

Called by cuda_attention.py through them; decides nothing about how products are made.
"""

from __future__ import annotations

import math

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import DType
from . import attention
from . import ir as L
from .attention import Attention
from .cuda_nests import WARP, Names, ceil_div, guarded, symbol
from .cuda_tiles import Axis, Operand, Place
from .ir import Accumulate, Alloc, Buffer, Combine, Expr, For, If, Index, Load, Stmt, Store


@dataclass(frozen=True, slots=True)
class Tile:
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


class Writer:
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
        block = symbol(self.block) % count
        if nest.hidden is not None:  # those with the most keys first: they end last
            block = count - 1 - block
        self.start: Index = size * block
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
    score_tile: Tile
    result_tile: Tile

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
    def count_seen(self) -> list[Stmt]:
        """Only blocks of keys that a query sees are walked over."""
        hidden = self.nest.hidden
        if hidden is None:
            return []
        seen = self.names.fresh("seen")
        last = L.scalar("max", L.Idx(self.start + (self.size - 1 + hidden)), L.const(-1, ty.I64))
        end = self.names.fresh("end")
        blocks = L.scalar("min", L.Idx(ceil_div(symbol(end) + 1, self.step)), L.Idx(self.blocks))
        self.blocks = symbol(seen)
        return [L.Let(end, last), L.Let(seen, blocks)]

    def poison(self) -> list[Buffer]:
        """Shared memory for what hidden rows add, where there are any."""
        if self.nest.hidden is None:
            return []
        width = self.nest.width
        groups = max(1, WARP * self.place.warps // width)
        name = self.names.fresh("poison")
        return [Buffer(name, self.nest.outer, (groups, width), None, "shared", "temp", 16)]

    def pass_by(self, poison: Buffer) -> list[Stmt]:
        """What hidden rows of v add to a result: 0 times each, which is 0, or NaN. Each thread
        has a column, or a part of one."""
        nest, outer = self.nest, self.nest.outer
        groups, width = poison.shape
        assert isinstance(groups, int) and isinstance(width, int)
        threads = WARP * self.place.warps
        thread, j, turn, g = (self.names.fresh(n) for n in ("thread", "j", "turn", "g"))
        each = min(width, threads)
        column = each * symbol(turn) + symbol(thread) % each
        group = symbol(thread) // each
        key = self.step * self.blocks + groups * symbol(j) + group
        part = self.held("part", outer, 1)
        term = L.scalar("mul", L.const(0, outer), L.cast(nest.v, outer))
        add = L.substitute(
            Accumulate(part, (0,), "add", term), {attention.KEY: key, attention.PLACE: column}
        )
        walk: tuple[Stmt, ...] = (
            Alloc(part),
            Store(part, (0,), L.const(0, outer)),
            For(j, ceil_div(nest.keys - self.step * self.blocks, groups), "serial", (
                If(L.less(key, nest.keys), (add,)),
            )),
            Store(poison, (group, column), Load(part, (0,))),
        )  # fmt: skip
        inside = L.both(
            None if threads % each == 0 else L.less(symbol(thread), groups * each),
            None if width % each == 0 else L.less(column, width),
        )
        flat = WARP * symbol(self.warp) + symbol(self.lane)
        fill = For(turn, ceil_div(width, each), "serial", walk if inside is None else (
            If(inside, walk),
        ))  # fmt: skip
        tile = self.result_tile
        known = self.place.known | dict(tile.loops)
        more = Accumulate(self.results, (tile.at,), "add", Load(poison, (symbol(g), tile.column)))
        body = guarded(tile.column, width, known, (For(g, groups, "serial", (more,)),))
        return [
            L.substitute(fill, {thread: flat}),
            L.Barrier(),
            *self.over(tile.loops, body),
        ]

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
        seen = self.count_seen()
        poison = self.poison()
        walk = For(self.b, self.blocks, "serial", (
            self.each(i, self.scores, L.const(0, self.scores.dtype)),
            *self.multiply_keys(),
            *self.weigh(),
            *self.multiply_values(),
        ))  # fmt: skip
        lets = tuple(L.substitute(s, {attention.HEAD: self.head}) for s in self.nest.lets)
        body: tuple[Stmt, ...] = (
            *lets, *seen, *(Alloc(b) for b in own), *fill, *self.begin(), walk,
            *(stmt for one in poison for stmt in self.pass_by(one)), *self.end(),
        )  # fmt: skip
        body = self.place.shortened(body, {})
        return For(self.block, self.total, "block", (
            *(Alloc(tile) for tile in (*self.tiles, *poison)),
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
        # of a map that reads nothing, rows beyond the queries may have weights that nobody reads
        inside = self.place.less(query, self.nest.queries, known) if self.nest.reads else None
        cond = L.both(inside, self.place.less(key, self.nest.keys, known))
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


def words_of(buffer: Buffer) -> int:
    """The numbers of a buffer of known extents."""
    size = ty.product(buffer.shape)
    assert isinstance(size, int)
    return size
