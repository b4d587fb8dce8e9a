"""Tiles of a contraction on CUDA: shared memory, registers, tensor cores.

    for i: for j: acc = 0; for k: acc += f(x[i, k], z[k, j]); y[i, j] = g(acc)

    for by: for bx in block:                                    a tile of the result
        for warp(8): for lane(32) in thread:
            acc[...] = 0; fetch slice 0
            for s: fill the tiles; barrier; fetch slice s + 1
                for k of the slice: acc[u, v] += f(left[k, u], right[k, v]); barrier
            for u: for v: if inside: y[i + u, j + v] = g(acc[u, v])

The nest is taken apart by contraction.py, as for the CPU. Loops around that one side does not
depend on join the other side's axis (the places of an image are rows of its convolution), the rest
is the grid's z. Each thread sums 8 x 8, 8 x 4, 4 x 8 or 4 x 4 results, term by term in order, so
the bits are those of the naive loops but for the fused multiply-add. Where both sides are 16-bit
floats that are summed in f32, or signed bytes that are summed in i32, warps multiply on tensor
cores (`ir.Mma`), 16 or 32 terms at a time.

Few results of many terms would leave processors without a tile: then the terms are cut into parts,
tiles of which go to workspace, and a second kernel adds these in order and ends with g.

How slices come to shared memory: cuda_tiles.py. Small products keep their threads: None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import BF16, F16, F32, I8, I32, U32, Dim
from . import contraction
from . import cuda_access as A
from . import ir as L
from .contraction import Contraction
from .cuda_nests import THREADS, WARP, Names, ceil_div, guarded, neutral_of, symbol
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
LEAST = 16
"""Rows and columns below this keep one thread for each result."""
LEAST_TERMS = 8
PROCESSORS = 108
"""Of an A100; an H100 has 132."""
EFFICIENCY = {(8, 8): 1.0, (8, 4): 0.8, (4, 8): 0.8, (4, 4): 0.6}
"""Of a tile with so many rows and columns to a thread: what it reads of shared memory for its
sums."""
PART_TERMS = 256
"""Terms below this are not worth a part of their own."""
ACCUMULATORS = 64
"""32-bit registers that a thread sums in."""
SHARED_BYTES = 48 * 1024
PART = "_part"
"""Stands for the part of the terms in what a kernel does at its end."""


def contract_cuda(names: Names, loop: For) -> tuple[For, For | None] | None:
    """The kernel of a parallel nest that is a contraction, and the nest that follows it where the
    terms were cut into parts; None where it is none, or too small."""
    parts = next(filter(None, map(_parts, _nests(names, loop))), None)
    if parts is None:
        return None
    size = _tile(parts)
    if size is None:
        return None
    count = _count(parts, *size)
    writer = (_Paired if parts.paired else _Plain)(names, parts, *size, count)
    if writer.shared_bytes > SHARED_BYTES:
        return None
    after: For | None = None
    if count > 1:
        writer.parts, after = _split(names, parts, count)
    return writer.kernel(), after


# ------------------------------------------------------------------------------------- the nest


@dataclass(frozen=True, slots=True)
class _Parts:
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


def _nests(names: Names, loop: For) -> Iterator[Contraction]:
    """What the nest is as a contraction: as it stands, then with its groups in a loop of their own
    and another loop as the rows (in an image with channels first, the last two are places)."""
    nest = contraction.match(loop)
    if nest is not None:
        yield nest
    loops, core = _grouped(names, *A.chain(A.perfect(loop), names.symbols, mapped=True))
    for k in reversed(range(len(loops) - 1)):
        made = core
        for one in reversed((*loops[:k], *loops[k + 1 : -1], loops[k], loops[-1])):
            made = (replace(one, body=made),)
        (whole,) = made
        nest = contraction.match(whole) if isinstance(whole, For) else None
        if nest is not None:
            yield nest


def _grouped(
    names: Names, loops: tuple[For, ...], core: tuple[Stmt, ...]
) -> tuple[tuple[For, ...], tuple[Stmt, ...]]:
    """The nest with each loop that is divided by a number as two: its groups, and the places in a
    group."""
    found: list[For] = []
    for loop in loops:
        divisors = _divisors(core, loop.var)
        size = divisors.pop() if len(divisors) == 1 else 0
        if not isinstance(loop.extent, int) or not 1 < size < loop.extent or loop.extent % size:
            found.append(loop)
            continue
        group = names.fresh("group")
        known: A.Known = {loop.var: (0, size - 1), group: (0, loop.extent // size - 1)}
        env = {loop.var: size * symbol(group) + symbol(loop.var)}
        core = tuple(
            L.map_stmt(L.substitute(s, env), lambda i, known=known: A.shortened(i, known))
            for s in core
        )
        found += [
            replace(loop, var=group, extent=loop.extent // size),
            replace(loop, extent=size, kind="serial"),
        ]
    return tuple(found), core


def _divisors(core: tuple[Stmt, ...], var: str) -> set[int]:
    """What a variable is divided by."""
    found: set[int] = set()

    def look(index: Index) -> Index:
        for monomial, _ in index.terms if isinstance(index, Dim) else ():
            for atom in monomial:
                if not isinstance(atom, str):
                    if atom[1] == symbol(var) and isinstance(atom[2], int):
                        found.add(atom[2])
                    look(atom[1])
        return index

    for stmt in core:
        L.map_stmt(stmt, look)
    return found


def _parts(nest: Contraction) -> _Parts | None:
    """The nest sorted; None where this file has no place for something of it."""
    sides = [
        frozenset().union(*(A.expression_names(o.value) for o in side))
        for side in (nest.row_operands, nest.column_operands)
    ]
    rows, columns, batch = [], [], []
    for loop in nest.batch:
        left, right = (loop.var in side for side in sides)
        (batch if left == right else rows if left else columns).append(loop)
    sums = {s.buffer.name: s for s in nest.sums}
    starts: dict[str, L.Const] = {}
    rest: list[Stmt] = []
    for stmt in nest.before:
        if isinstance(stmt, Alloc) and stmt.buffer.name in sums:
            continue
        if isinstance(stmt, Store) and stmt.buffer.name in sums:
            if not isinstance(stmt.value, L.Const):
                return None
            starts[stmt.buffer.name] = stmt.value
            continue
        rest.append(stmt)
    if len(sums) != len(nest.sums) or starts.keys() != sums.keys():
        return None
    if any(isinstance(s, Store) and s.buffer.name in sums for s in nest.after):
        return None
    if any(set(s.buffer.shape) != {1} or not _is_closed(nest, s.value) for s in nest.sums):
        return None
    loops = (*rows, nest.rows, *columns, nest.columns, *batch, *nest.reduction)
    inner = {loop.var for loop in loops}
    if any(ty.symbols(loop.extent) & inner for loop in loops):
        return None
    return _Parts(
        nest, tuple(batch), Axis((*rows, nest.rows)), Axis((*columns, nest.columns)),
        Axis(nest.reduction), starts, (*rest, *nest.after), _paired(nest),
    )  # fmt: skip


def _is_closed(nest: Contraction, value: Expr) -> bool:
    """Is a sum's expression made of operands and constants alone?"""
    operands = {o.value for o in (*nest.row_operands, *nest.column_operands)}

    def visit(expr: Expr) -> bool:
        if expr in operands or isinstance(expr, L.Const):
            return True
        return bool(L.children(expr)) and not isinstance(expr, Load) and all(
            map(visit, L.children(expr))
        )  # fmt: skip

    return visit(value)


def _paired(nest: Contraction) -> ty.DType | None:
    """f16 or bf16 when the nest is a plain sum of products of such numbers in f32; i8 when in
    i32."""
    if len(nest.sums) != 1 or len(nest.row_operands) != 1 or len(nest.column_operands) != 1:
        return None
    (total,) = nest.sums
    a, b = nest.row_operands[0].value, nest.column_operands[0].value
    product = total.value
    if total.op != "add" or not isinstance(product, L.Scalar) or product.op != "mul":
        return None
    if product.args not in ((a, b), (b, a)) or product.dtype not in (F32, I32):
        return None
    if not isinstance(a, L.Cast) or not isinstance(b, L.Cast):
        return None
    dtype = a.value.dtype
    fits = dtype in (F16, BF16) if product.dtype is F32 else dtype is I8
    return dtype if fits and b.value.dtype is dtype else None


def _tile(parts: _Parts) -> tuple[int, int] | None:
    """Rows and columns of a thread (of 16 by 16 threads): the least time by an estimate; None where
    the plain schedule is right."""
    rows, columns, depth = (axis.extent for axis in (parts.rows, parts.columns, parts.terms))
    if any(isinstance(e, int) and e < LEAST for e in (rows, columns)):
        return None
    if isinstance(depth, int) and depth < LEAST_TERMS:
        return None
    words = sum(max(1, s.buffer.dtype.nbytes // 4) for s in parts.nest.sums)
    batch = Axis(parts.batch).extent
    count = batch if isinstance(batch, int) else 1
    best: tuple[float, int, int] | None = None
    for (u, v), efficiency in EFFICIENCY.items():
        if u * v * words > ACCUMULATORS:
            continue
        blocks = count
        for extent, size in ((rows, 16 * u), (columns, 16 * v)):
            if isinstance(extent, int):
                blocks *= ceil_div(extent, size)
            elif size > 64:
                blocks = 0  # of an unknown number of rows there may be few
        if blocks:
            time = ceil_div(blocks, PROCESSORS) * u * v / efficiency
            best = min(best or (time, u, v), (time, u, v))
    return None if best is None else best[1:]


# ------------------------------------------------------------------------------ parts of the terms


def _count(parts: _Parts, u: int, v: int) -> int:
    """How many parts the terms are cut into."""
    rows, columns, depth = (axis.extent for axis in (parts.rows, parts.columns, parts.terms))
    batch = Axis(parts.batch).extent
    if not all(isinstance(e, int) for e in (rows, columns, depth, batch)):
        return 1
    blocks = ceil_div(rows, 16 * u) * ceil_div(columns, 16 * v) * batch
    if not isinstance(blocks, int) or not isinstance(depth, int) or blocks == 0:
        return 1
    return max(1, min(PROCESSORS // blocks, depth // PART_TERMS))


def _split(names: Names, parts: _Parts, count: int) -> tuple[_Parts, For]:
    """The contraction that sums each part into workspace, and the nest that joins them.

    The part is the last axis of the grid, so its sums lie behind all of the part before.
    """
    nest = parts.nest
    loops = (*nest.batch, nest.rows, nest.columns)
    place = tuple(symbol(loop.var) for loop in loops)
    shape = (count, *(loop.extent for loop in loops))
    part = names.fresh("part")
    store: list[Stmt] = []
    join: list[Stmt] = []
    starts: dict[str, L.Const] = {}
    for total in nest.sums:
        held = names.temp(f"{total.buffer.name}_parts", total.buffer.dtype, shape)
        value = Load(total.buffer, total.index)
        store.append(Store(held, (symbol(PART), *place), value))
        value = Load(held, (symbol(part), *place))
        join.append(Accumulate(total.buffer, total.index, total.op, value))
        starts[total.buffer.name] = neutral_of(total.op, total.buffer)
    body: tuple[Stmt, ...] = (
        *nest.before, For(part, count, "serial", tuple(join)), *nest.after
    )  # fmt: skip
    for loop in reversed(loops):
        body = (replace(loop, body=body),)
    (after,) = body
    assert isinstance(after, For)
    return replace(parts, starts=starts, rest=tuple(store)), after


# ----------------------------------------------------------------------------------- the kernel


@dataclass(frozen=True, slots=True)
class _Result:
    """Some results of a thread that lie beside each other: `lanes` columns."""

    loops: tuple[tuple[str, int], ...]
    row: Index
    column: Index
    place: Index
    """Where the first one's sum is."""
    lanes: int


class _Writer:
    """Writes a kernel whose threads have `u` rows and `v` columns."""

    slice: int
    """Terms of a slice."""

    def __init__(self, names: Names, parts: _Parts, u: int, v: int, count: int):
        self.names, self.parts, self.u, self.v, self.count = names, parts, u, v, count
        self.height, self.width = 16 * u, 16 * v
        self.blocks = [names.fresh(n) for n in ("block_z", "block_y", "block_x")]
        self.warp, self.lane = names.fresh("warp"), names.fresh("lane")
        known = {self.warp: WARPS, self.lane: WARP}
        extents = (
            Axis(parts.batch).extent * count,
            ceil_div(parts.rows.extent, self.height),
            ceil_div(parts.columns.extent, self.width),
        )
        self.grid = tuple(zip(self.blocks, extents, strict=True))
        for name, extent in self.grid:
            if isinstance(extent, int):
                known[name] = max(1, extent)
        self.place = Place(self.warp, self.lane, known)
        z = symbol(self.blocks[0])
        self.part: Index = z % count if parts.batch or count > 1 else 0
        self.around = Axis(parts.batch).at(z // count) if parts.batch else {}
        self.around |= {PART: self.part}
        self.row = self.height * symbol(self.blocks[1])
        self.column = self.width * symbol(self.blocks[2])
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

    def result(self) -> _Result:
        raise NotImplementedError

    # -- what they share
    def kernel(self) -> For:
        body: tuple[Stmt, ...] = (
            For(self.warp, WARPS, "thread", (
                For(self.lane, WARP, "thread", (*self.begin(), *self.slices(), self.end())),
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
        out += [Alloc(c.stage) for c in self.copies]
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


class _Plain(_Writer):
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

    def result(self) -> _Result:
        h, e, g = (self.names.fresh(n) for n in ("h", "e", "g"))
        lanes = (_lanes(self.left), _lanes(self.right))
        y, x = self.at
        return _Result(
            ((h, self.u // lanes[0]), (e, lanes[0]), (g, self.v // lanes[1])),
            self.row + _spread(lanes[0], symbol(h), y) + symbol(e),
            self.column + _spread(lanes[1], symbol(g), x),
            self.v * (lanes[0] * symbol(h) + symbol(e)) + lanes[1] * symbol(g),
            lanes[1],
        )


class _Paired(_Writer):
    """Tensor cores: 2 by 4 warps, each of which has u / 2 by v / 2 products of 16 by 8 results."""

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
                _unrolled(((m, down), (c, 2), (h, 2)), take[0]),
                Alloc(right),
                _unrolled(((n, across), (c, 2)), take[1]),
                _unrolled(((m, down), (n, across)), product),
            ))
        ]  # fmt: skip

    def result(self) -> _Result:
        down, across = self.u // 2, self.v // 2
        m, n, h = (self.names.fresh(s) for s in ("m", "n", "h"))
        w, t = symbol(self.warp), symbol(self.lane)
        return _Result(
            ((m, down), (h, 2), (n, across)),
            self.row + 16 * (down * (w // 4) + symbol(m)) + 8 * symbol(h) + t // 4,
            self.column + 8 * (across * (w % 4) + symbol(n)) + 2 * (t % 4),
            4 * (across * symbol(m) + symbol(n)) + 2 * symbol(h),
            2,
        )


def _lanes(copies: list[Copy]) -> int:
    """Rows (or columns) that are read together for all operands of a side."""
    return min(vector_lanes(c.operand.value.dtype) for c in copies)


def _spread(lanes: int, group: Index, thread: Index) -> Index:
    """Where a thread's group of rows (or columns) begins."""
    return 16 * lanes * group + lanes * thread


def _unrolled(loops: tuple[tuple[str, int], ...], stmt: Stmt) -> Stmt:
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
