"""The kernel of a contraction on CUDA, once its loops are sorted: register tiles by multiply-adds,
and bytes on tensor cores.

Called by cuda_contract.py, which says what the kernels are; other floats on tensor cores:
cuda_staged.py.
"""

from __future__ import annotations

from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import U32
from . import ir as L
from .contraction import Contraction
from .cuda_nests import THREADS, WARP, Names, ceil_div, guarded, symbol
from .cuda_tiles import (
    PITCH,
    WORDS,
    Axis,
    Copy,
    Operand,
    Place,
    pair_copy,
    plain_copy,
    vector_lanes,
)
from .ir import Accumulate, Alloc, Buffer, Expr, For, If, Index, Load, Stmt, Store

WARPS = THREADS // WARP
SHARED_BYTES = 48 * 1024
PART = "_part"
"""Stands for the part of the terms in what a kernel does at its end."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A contraction with its loops sorted into four axes."""

    nest: Contraction
    batch: tuple[For, ...]
    rows: Axis
    columns: Axis
    terms: Axis
    starts: dict[str, L.Const]
    """What each sum begins with."""
    rest: tuple[Stmt, ...]
    """Statements of the end: for each result, but for the sums."""
    paired: ty.DType | None
    """The dtype of both sides where tensor cores can multiply them."""


@dataclass(frozen=True, slots=True)
class Result:
    """Some results of a thread that lie beside each other: `lanes` columns."""

    loops: tuple[tuple[str, int], ...]
    row: Index
    column: Index
    place: Index
    """Where the first one's sum is."""
    lanes: int


class Writer:
    """Writes a kernel whose threads have `u` rows and `v` columns."""

    slice: int
    """Terms of a slice."""
    sends = False
    """Does it copy past the registers where it can?"""
    warps, lanes = WARPS, WARP
    """The threads of a block: the extents of two loops."""

    def __init__(self, names: Names, parts: Parts, u: int, v: int, count: int):
        self.names, self.parts, self.u, self.v, self.count = names, parts, u, v, count
        self.height, self.width = 16 * u, 16 * v
        self.blocks = [names.fresh(n) for n in ("block_z", "block_y", "block_x")]
        self.warp, self.lane = names.fresh("warp"), names.fresh("lane")
        known = {self.warp: self.warps, self.lane: self.lanes}
        down, across = (
            ceil_div(parts.rows.extent, self.height), ceil_div(parts.columns.extent, self.width)
        )  # fmt: skip
        group = self.group(down, across)
        extents = (Axis(parts.batch).extent * count, down // group, across * group)
        self.grid = tuple(zip(self.blocks, extents, strict=True))
        for name, extent in self.grid:
            if isinstance(extent, int):
                known[name] = max(1, extent)
        self.place = Place(self.warp, self.lane, known, self.warps, self.lanes)
        z = symbol(self.blocks[0])
        self.part: Index = z % count if parts.batch or count > 1 else 0
        self.around = Axis(parts.batch).at(z // count) if parts.batch else {}
        self.around |= {PART: self.part}
        y, x = symbol(self.blocks[1]), symbol(self.blocks[2])
        self.row = self.height * (group * y + x % group if group > 1 else y)
        self.column = self.width * (x // group)
        self.sums = {
            s.buffer.name: Buffer(names.fresh("sum"), s.buffer.dtype, (u * v,), None, "register")
            for s in parts.nest.sums
        }
        self.left = [
            self.copy(o.value, parts.rows, self.row, self.height) for o in parts.nest.row_operands
        ]
        self.right = [
            self.copy(o.value, parts.columns, self.column, self.width)
            for o in parts.nest.column_operands
        ]

    def group(self, down: Index, across: Index) -> int:
        """Rows of tiles that are neighbours in the order of blocks."""
        return 1

    @property
    def fits(self) -> bool:
        return self.shared_bytes <= SHARED_BYTES

    @property
    def copies(self) -> list[Copy]:
        return [*self.left, *self.right]

    @property
    def shared_bytes(self) -> int:
        sizes = (ty.product(c.tile.shape) * c.tile.dtype.nbytes for c in self.copies)
        return sum(n for n in sizes if isinstance(n, int))

    def operand(self, value: Expr, axis: Axis) -> Operand:
        return Operand(value, axis, self.parts.terms, self.around)

    # -- what the two kinds differ in
    def copy(self, value: Expr, axis: Axis, start: Index, extent: int) -> Copy:
        raise NotImplementedError

    def multiply(self, first: Index) -> list[Stmt]:
        """Adds the products of the slice in the tiles, which begins with the term `first`."""
        raise NotImplementedError

    def result(self) -> Result:
        raise NotImplementedError

    # -- what they share
    def kernel(self) -> For:
        body: tuple[Stmt, ...] = (
            For(self.warp, self.warps, "thread", (
                For(self.lane, self.lanes, "thread", (*self.begin(), *self.slices(), self.end())),
            )),
        )  # fmt: skip
        body = (*(Alloc(c.tile) for c in self.copies), *body)
        deep = self.parts.batch or self.count > 1
        for name, extent in reversed(self.grid if deep else self.grid[1:]):
            body = (For(name, extent, "block", body),)
        (kernel,) = body
        assert isinstance(kernel, For)
        return kernel

    def begin(self) -> list[Stmt]:
        out: list[Stmt] = []
        for name, total in self.sums.items():
            k = self.names.fresh("k")
            store = Store(total, (symbol(k),), self.parts.starts[name])
            out += [Alloc(total), For(k, self.u * self.v, "unroll", (store,))]
        out += [Alloc(c.stage) for c in self.copies if not (self.sends and c.sends)]
        return out

    def slices(self) -> list[Stmt]:
        """Tiles are filled from registers, which are read ahead by one slice."""
        count = ceil_div(self.parts.terms.extent, self.slice * self.count)
        s = self.names.fresh("s")
        start = self.slice * count * self.part
        first = start + self.slice * symbol(s)
        ahead: dict[str, int] = {}
        if isinstance(count, int):
            ahead[s] = max(1, count - 1)
        fetch = [stmt for c in self.copies for stmt in c.fetch(first + self.slice, ahead)]
        more = L.less(symbol(s) + 1, count, {s: (0, count - 1)} if isinstance(count, int) else None)
        body = (
            *(stmt for c in self.copies for stmt in c.fill()),
            L.Barrier(),
            *([] if more == L.FALSE else [If(more, tuple(fetch))]),
            *self.multiply(first),
            L.Barrier(),
        )
        return [
            *(stmt for c in self.copies for stmt in c.fetch(start, {})),
            For(s, count, "serial", body),
        ]

    def end(self) -> Stmt:
        """Each result of the thread, where there is one."""
        one, parts = self.result(), self.parts
        lane = self.names.fresh("l")
        whole = parts.columns.inner.extent % one.lanes == 0 and not any(
            isinstance(s, Alloc) for s in parts.rest
        )
        column = one.column + symbol(lane)
        env = self.around | parts.rows.at(one.row) | parts.columns.at(column)

        def leaf(expr: Expr) -> Expr:
            if isinstance(expr, Load) and expr.buffer.name in self.sums:
                return Load(self.sums[expr.buffer.name], (one.place + symbol(lane),))
            return expr

        body = tuple(L.map_stmt(L.substitute(stmt, env), lambda i: i, leaf) for stmt in parts.rest)
        known = self.place.known | dict(one.loops) | {lane: one.lanes}
        if whole:
            body = (For(lane, one.lanes, "vector", body),)
            body = guarded(one.column, parts.columns.extent, known, body)
        else:
            body = guarded(column, parts.columns.extent, known, body)
            body = (For(lane, one.lanes, "unroll", body),)
        body = guarded(one.row, parts.rows.extent, known, body)
        for name, extent in reversed(one.loops):
            body = (For(name, extent, "unroll", body),)
        (stmt,) = body
        return stmt


class Plain(Writer):
    """Multiply-adds, or whatever the sums are made of: 16 by 16 threads, a warp 4 by 8 of them."""

    @property
    def slice(self) -> int:  # type: ignore[override]
        nest = self.parts.nest
        wide = max(o.value.dtype.nbytes for o in (*nest.row_operands, *nest.column_operands))
        return 16 if wide <= 4 else 8

    @property
    def at(self) -> tuple[Index, Index]:
        """The thread's place among the 16 by 16."""
        w, t = symbol(self.warp), symbol(self.lane)
        return 4 * (w // 2) + t // 8, 8 * (w % 2) + t % 8

    def copy(self, value: Expr, axis: Axis, start: Index, extent: int) -> Copy:
        operand = self.operand(value, axis)
        return plain_copy(self.names, self.place, operand, start, extent, self.slice)

    def multiply(self, first: Index) -> list[Stmt]:
        k = self.names.fresh("k")
        held: dict[Expr, Load] = {}
        stmts: list[Stmt] = []
        u, v = self.names.fresh("u"), self.names.fresh("v")
        for copies, count, thread, var in (
            (self.left, self.u, self.at[0], u), (self.right, self.v, self.at[1], v)
        ):  # fmt: skip
            lanes = _lanes(copies)
            for c in copies:
                dtype = c.operand.value.dtype
                one = Buffer(self.names.fresh("held"), dtype, (count,), None, "register")
                held[c.operand.value] = Load(one, (symbol(var),))
                stmts += [Alloc(one), self.take(c, one, count // lanes, lanes, thread, symbol(k))]
        adds = tuple(
            Accumulate(
                self.sums[s.buffer.name],
                (self.v * symbol(u) + symbol(v),),
                s.op,
                _replaced(term, held),
            )
            for s in self.parts.nest.sums
            for term in _terms(s)
        )
        body: tuple[Stmt, ...] = (*stmts, For(u, self.u, "unroll", (
            For(v, self.v, "unroll", adds),
        )))  # fmt: skip
        if not all(_vanishes(s, held.keys()) for s in self.parts.nest.sums):
            body = guarded(first + symbol(k), self.parts.terms.extent, {k: self.slice}, body)
        return [For(k, self.slice, "unroll", body)]

    def take(
        self, copy: Copy, target: Buffer, groups: int, lanes: int, thread: Index, term: Index
    ) -> Stmt:
        """A thread's numbers of a term, from the tile: groups of 16 bytes, beside those of the
        next thread."""
        h, lane = self.names.fresh("h"), self.names.fresh("l")
        place = (term, _spread(lanes, symbol(h), thread) + symbol(lane))
        store = Store(target, (lanes * symbol(h) + symbol(lane),), Load(copy.tile, place))
        return For(h, groups, "unroll", (For(lane, lanes, "vector", (store,)),))

    def result(self) -> Result:
        h, e, g = (self.names.fresh(n) for n in ("h", "e", "g"))
        lanes = (_lanes(self.left), _lanes(self.right))
        y, x = self.at
        return Result(
            ((h, self.u // lanes[0]), (e, lanes[0]), (g, self.v // lanes[1])),
            self.row + _spread(lanes[0], symbol(h), y) + symbol(e),
            self.column + _spread(lanes[1], symbol(g), x),
            self.v * (lanes[0] * symbol(h) + symbol(e)) + lanes[1] * symbol(g),
            lanes[1],
        )


class Tensor(Writer):
    """Tensor cores: 2 by 4 warps, each of which has u / 2 by v / 2 products of 16 by 8 results."""

    def result(self) -> Result:
        down, across = self.u // 2, self.v // 2
        m, n, h = (self.names.fresh(s) for s in ("m", "n", "h"))
        w, t = symbol(self.warp), symbol(self.lane)
        return Result(
            ((m, down), (h, 2), (n, across)),
            self.row + 16 * (down * (w // 4) + symbol(m)) + 8 * symbol(h) + t // 4,
            self.column + 8 * (across * (w % 4) + symbol(n)) + 2 * (t % 4),
            4 * (across * symbol(m) + symbol(n)) + 2 * symbol(h),
            2,
        )


class Bytes(Tensor):
    """Bytes, four to a word; slices are read ahead into registers."""

    @property
    def slice(self) -> int:  # type: ignore[override]
        assert self.parts.paired is not None
        return WORDS * 4 // self.parts.paired.nbytes

    def copy(self, value: Expr, axis: Axis, start: Index, extent: int) -> Copy:
        assert isinstance(value, L.Cast)
        operand = self.operand(value.value, axis)
        return pair_copy(self.names, self.place, operand, start, extent)

    def multiply(self, first: Index) -> list[Stmt]:
        assert self.parts.paired is not None
        down, across = self.u // 2, self.v // 2
        k, m, n, c, h = (self.names.fresh(s) for s in ("k", "m", "n", "c", "h"))
        left = Buffer(self.names.fresh("left"), U32, (4 * down,), None, "register")
        right = Buffer(self.names.fresh("right"), U32, (2 * across,), None, "register")
        w, t = symbol(self.warp), symbol(self.lane)
        word = PITCH * (t // 4) + 8 * symbol(k) + 4 * symbol(c) + t % 4
        row = 2 * down * (w // 4) + 2 * symbol(m) + symbol(h)
        column = across * (w % 4) + symbol(n)
        take = (
            Store(
                left,
                (4 * symbol(m) + 2 * symbol(c) + symbol(h),),
                Load(self.left[0].tile, (row, word)),
            ),
            Store(right, (2 * symbol(n) + symbol(c),), Load(self.right[0].tile, (column, word))),
        )
        (total,) = self.sums.values()
        product = L.Mma(
            total, (4 * (across * symbol(m) + symbol(n)),),
            left, (4 * symbol(m),), right, (2 * symbol(n),), self.parts.paired,
        )  # fmt: skip
        return [
            For(k, WORDS // 8, "unroll", (
                Alloc(left),
                unrolled(((m, down), (c, 2), (h, 2)), take[0]),
                Alloc(right),
                unrolled(((n, across), (c, 2)), take[1]),
                unrolled(((m, down), (n, across)), product),
            ))
        ]  # fmt: skip


def _lanes(copies: list[Copy]) -> int:
    """Rows (or columns) that are read together for all operands of a side."""
    return min(vector_lanes(c.operand.value.dtype) for c in copies)


def _spread(lanes: int, group: Index, thread: Index) -> Index:
    """Where a thread's group of rows (or columns) begins."""
    return 16 * lanes * group + lanes * thread


def unrolled(loops: tuple[tuple[str, int], ...], stmt: Stmt) -> Stmt:
    for name, extent in reversed(loops):
        stmt = For(name, extent, "unroll", (stmt,))
    return stmt


def _replaced(value: Expr, held: dict[Expr, Load]) -> Expr:
    """The expression with operands read from registers."""
    found = held.get(value)
    if found is not None:
        return found
    if isinstance(value, L.Scalar):
        return replace(value, args=tuple(_replaced(a, held) for a in value.args))
    if isinstance(value, (L.Cast, L.Bitcast)):
        return replace(value, value=_replaced(value.value, held))
    if isinstance(value, L.Select):
        return L.Select(*(_replaced(e, held) for e in (value.cond, value.a, value.b)))
    return value


def _terms(total: Accumulate) -> list[Expr]:
    """What a sum adds, so that each product can be a multiply-add: of complex numbers two."""
    value = total.value
    if total.op != "add" or not value.dtype.is_float or not isinstance(value, L.Scalar):
        return [value]
    if value.op not in ("add", "sub") or not all(map(_is_product, value.args)):
        return [value]
    a, b = value.args
    assert isinstance(b, L.Scalar)
    if value.op == "sub":
        b = replace(b, args=(L.Scalar("neg", (b.args[0],), b.dtype), b.args[1]))
    return [a, b]


def _is_product(value: Expr) -> bool:
    return isinstance(value, L.Scalar) and value.op == "mul"


def _vanishes(total: Accumulate, operands: object) -> bool:
    """Do operands that are all 0 leave the sum alone? So are they beyond the last term."""
    names = set(operands)  # type: ignore[call-overload]

    def zero(value: Expr) -> bool:
        if value in names:
            return True
        if isinstance(value, L.Scalar) and value.op in ("mul", "and", "add", "sub", "or", "xor"):
            return all(map(zero, value.args))
        return isinstance(value, L.Cast) and zero(value.value)

    return total.op in ("add", "or", "xor") and zero(total.value)
