"""Sorts: a merge sort of positions in which every element finds its own place.

    for i parallel: p[i, j] = j; for level: merge pairs of runs of 2^level; y[i, j] = x[i, p[i, j]]

The lowering merges one element after the other. Here all elements of some runs are merged at once:
an element's place is its own within its run, and the number of the other runs' elements that come
before it, which a bisection of each finds. Equal ones of the left run come first: the order is
stable, and the result is the same in every bit.

- Rows of up to COUNTED elements: a run is one element, and each counts those before it. One kernel
  with a thread for each element.
- Up to SHORT: a row is a block's; positions in shared memory, pairs of runs, all levels in one
  kernel.
- Longer: blocks sort runs of SHORT so, a kernel for each further level merges pairs of runs, with a
  thread for each element, and a last one reads the operands in order.

A length that is a symbol gets the kernels of all three. What it does not need has a grid of nothing
when it is launched, and is left out. Its levels go to runs of 2^MOST; of these, all are merged at
once.

Requires: the lowering's form of a sort (`graphc/ops/ordering.py`) with a length of numbers and
symbols. Called by schedule_cuda.py; None where the nest is something else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import BOOL, I32, I64, Dim
from . import cuda_access as A
from . import ir as L
from .cuda_nests import (
    THREADS,
    WARP,
    Names,
    at,
    barrier,
    ceil_div,
    coordinates,
    extent_of,
    guarded,
    symbol,
)
from .ir import Accumulate, Alloc, Buffer, For, Index, Let, Load, Stmt, Store

COUNTED = 64
"""Elements of a row that are counted sooner than merged."""
SHORT = 4096
"""Elements of a row whose positions, twice, are 32 KB of shared memory. A power of 2."""
MOST = 24

Read = Callable[[Index], L.Expr]
"""The position that stands at a place."""
Write = Callable[[Index, L.Expr], tuple[Stmt, ...]]
"""Puts a position at a place."""


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of rows."""

    loops: tuple[For, ...]
    length: Index
    lets: tuple[Let, ...]
    """The keys of two positions, and what is made of them."""
    right: str
    left: str
    """The names of the positions in `lets`."""
    earlier: L.Expr
    """Whether the right one comes first; equal ones do not."""
    carry: For
    """The loop that reads the operands in order, and the Let of the position in it."""
    source: Buffer
    target: Buffer


def match(loops: Sequence[For], core: Sequence[Stmt]) -> Sort | None:
    """The sort that a nest is; None where it is none."""
    if len(core) != 4 or not isinstance(core[1], Alloc):
        return None
    first, _, levels, carry = core
    if not all(isinstance(s, For) and s.kind == "serial" for s in (first, levels, carry)):
        return None
    assert isinstance(first, For) and isinstance(levels, For) and isinstance(carry, For)
    if carry.extent != first.extent:
        return None
    found = [s for s in L.statements(levels.body) if isinstance(s, For)]
    if len(found) != 2 or len(first.body) != 1 or not isinstance(first.body[0], Store):
        return None
    step = found[0].body
    takes = [k for k, s in enumerate(step) if isinstance(s, Let) and s.value.dtype is BOOL]
    reads = [k for k, s in enumerate(step) if isinstance(s, Let) and _reads(s, first.body[0])]
    writes = [s for s in step if isinstance(s, Store) and isinstance(s.value, L.Select)]
    if len(reads) != 2 or not takes or len(writes) != 1:
        return None
    take = step[takes[-1]]
    assert isinstance(take, Let)
    chosen = writes[0].value
    assert isinstance(chosen, L.Select)
    ends = take.value.args if isinstance(take.value, L.Scalar) and take.value.op == "and" else ()
    either = ends[1] if len(ends) == 2 else None
    if not isinstance(either, L.Scalar) or either.op != "or" or len(either.args) != 2:
        return None
    lets = tuple(s for s in step[reads[1] + 1 : takes[-1]] if isinstance(s, Let))
    if len(lets) != takes[-1] - reads[1] - 1 or chosen.cond != L.Name(take.name, BOOL):
        return None
    if not isinstance(chosen.a, L.Name) or not isinstance(chosen.b, L.Name):
        return None
    if not carry.body or not isinstance(carry.body[0], Let):
        return None
    return Sort(
        tuple(loops), first.extent, lets, chosen.a.name, chosen.b.name, either.args[1], carry,
        first.body[0].buffer, writes[0].buffer,
    )  # fmt: skip


def _reads(let: Let, begun: Store) -> bool:
    return isinstance(let.value, Load) and let.value.buffer == begun.buffer


def sort_cuda(names: Names, loop: For) -> list[For] | None:
    """The kernels of a sort; None where the nest is none."""
    loops, core = A.chain(loop, names.symbols, mapped=True)
    found = match(loops, core)
    if found is None or not ty.symbols(found.length) <= names.symbols:
        return None
    length, rows = found.length, extent_of(found.loops)
    if isinstance(length, int) and length <= COUNTED:
        return [_counted(names, found)] if length > 1 else None
    sides: list[Buffer] = []
    if isinstance(length, Dim) or length > SHORT:
        dtype = I32 if isinstance(length, int) and length < 2**31 else I64
        shape = (rows * _longer(length, SHORT), length)
        sides = [names.temp("order", dtype, shape) for _ in range(2)]
    made = [_counted(names, found)] if isinstance(length, Dim) else []
    made.append(_in_blocks(names, found, sides))
    return [*made, *(_in_passes(names, found, sides) if sides else ())]


FAR = 1 << 40
"""More elements than a row has."""


def _longer(length: Index, size: int) -> Index:
    """1 where a row is longer, else 0: what a grid is multiplied with."""
    return (length + (FAR - size - 1)) // FAR if isinstance(length, Dim) else int(length > size)


def _at_row(sort: Sort, row: Index, stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
    return at(sort.loops, tuple(stmts), row) if sort.loops else tuple(stmts)


def _carried(sort: Sort, row: Index, place: Index, read: Read) -> tuple[Stmt, ...]:
    """What reads the operands in their order."""
    let, *stores = _at_row(sort, row, sort.carry.body)
    assert isinstance(let, Let)
    moved = tuple(L.substitute(s, {sort.carry.var: place}) for s in stores)
    return (Let(let.name, read(place)), *moved)


# ---------------------------------------------------------------------------------------- searches


@dataclass(frozen=True, slots=True)
class _Search:
    """How elements of a row find their places. Places are counted in `dtype`."""

    names: Names
    sort: Sort
    row: Index
    length: L.Expr
    """Of the places."""
    read: Read
    write: Write
    dtype: ty.DType

    def count(self, name: str, *args: L.Expr) -> L.Expr:
        return L.Scalar(name, args, self.dtype)

    def number(self, index: Index) -> L.Expr:
        return L.cast(L.Idx(index), self.dtype)

    def capped(self, index: Index) -> L.Expr:
        return self.count("min", self.number(index), self.length)

    def before(
        self, mine: L.Expr, on_right: L.Expr, low: L.Expr, high: L.Expr, level: int
    ) -> tuple[tuple[Stmt, ...], L.Expr]:
        """Bisects the places from `low` to `high`, up to 2^level of a run in order: the one that
        `mine` would have there. The run's equals come first where `mine` is on its right."""
        names, sort, dtype = self.names, self.sort, self.dtype
        bounds = Buffer(names.fresh("bounds"), dtype, (2,), None, "register")
        low_now, high_now = Load(bounds, (0,)), Load(bounds, (1,))
        half, other, earlier, there = (
            names.fresh(n) for n in ("half", "other", "earlier", "there")
        )
        half_place = self.count("shr", self.count("add", low_now, high_now), L.Const(1, dtype))
        before = L.Name(earlier, BOOL)
        step: tuple[Stmt, ...] = (
            Let(half, L.cast(half_place, I64)),
            Let(other, self.read(symbol(half))),
            Let(sort.right, L.Select(on_right, mine, L.Name(other, I64))),
            Let(sort.left, L.Select(on_right, L.Name(other, I64), mine)),
            *_at_row(sort, self.row, sort.lets),
            Let(earlier, sort.earlier),
            Let(there, L.Select(on_right, L.Scalar("not", (before,), BOOL), before)),
            L.If(
                L.Name(there, BOOL),
                (Store(bounds, (0,), self.count("add", half_place, L.Const(1, dtype))),),
                (Store(bounds, (1,), half_place),),
            ),
        )
        search = L.If(L.Scalar("lt", (low_now, high_now), BOOL), step)
        found = (
            Alloc(bounds),
            Store(bounds, (0,), low),
            Store(bounds, (1,), high),
            For(names.fresh("turn"), level + 1, "serial", (search,)),
        )
        return found, low_now

    def pair(self, place: Index, level: int) -> tuple[Stmt, ...]:
        """Where the position at a place goes when pairs of runs of 2^level are merged."""
        names, width = self.names, 1 << level
        start = place // (2 * width) * (2 * width)
        own, right, middle, end, to = (
            names.fresh(n) for n in ("own", "on_right", "middle", "end", "to")
        )
        mine, on_right = L.Name(own, I64), L.Name(right, BOOL)
        m, e = L.Name(middle, self.dtype), L.Name(end, self.dtype)
        search, found = self.before(
            mine, on_right, L.Select(on_right, self.number(start), m),
            L.Select(on_right, m, e), level,
        )  # fmt: skip
        return (
            Let(own, self.read(place)),
            Let(middle, self.capped(start + width)),
            Let(end, self.capped(start + 2 * width)),
            Let(right, L.Scalar("ge", (self.number(place), m), BOOL)),
            *search,
            Let(
                to, L.cast(self.count("sub", self.count("add", self.number(place), found), m), I64)
            ),
            *self.write(symbol(to), mine),
        )

    def all(self, place: Index, level: int) -> tuple[Stmt, ...]:
        """The same when all runs of 2^level are merged at once."""
        names, width = self.names, 1 << level
        assert isinstance(self.length, L.Idx)
        own, run, to, right = (names.fresh(n) for n in ("own", "run", "to", "on_right"))
        mine = L.Name(own, I64)
        ahead = Buffer(names.fresh("ahead"), self.dtype, (1,), None, "register")
        other, this = L.Idx(symbol(run)), L.Idx(place // width)
        search, found = self.before(
            mine, L.Name(right, BOOL), self.number(width * symbol(run)),
            self.capped(width * symbol(run) + width), level,
        )  # fmt: skip
        one: tuple[Stmt, ...] = (
            Let(right, L.Scalar("lt", (other, this), BOOL)),
            *search,
            Accumulate(
                ahead, (0,), "add", self.count("sub", found, self.number(width * symbol(run)))
            ),
        )
        differs = L.Scalar("ne", (other, this), BOOL)
        return (
            Let(own, self.read(place)),
            Alloc(ahead),
            Store(ahead, (0,), self.number(place % width)),
            For(run, ceil_div(self.length.index, width), "serial", (L.If(differs, one),)),
            Let(to, L.cast(Load(ahead, (0,)), I64)),
            *self.write(symbol(to), mine),
        )


# ------------------------------------------------------------------------ a thread for each element


def _counted(names: Names, sort: Sort) -> For:
    """Rows of up to COUNTED elements, of any number."""
    rows, length = extent_of(sort.loops), sort.length
    block, thread = names.fresh("block"), names.fresh("thread")
    flat = THREADS * symbol(block) + symbol(thread)
    total = rows * length
    row, place = coordinates(flat, (rows, length))

    def write(to: Index, value: L.Expr) -> tuple[Stmt, ...]:
        return _carried(sort, row, to, lambda _: value)

    search = _Search(names, sort, row, L.Idx(length), L.Idx, write, I64)
    blocks = ceil_div(total, THREADS)
    known = {thread: THREADS}
    if isinstance(blocks, int):
        known[block] = max(1, blocks)
    inside = guarded(flat, total, known, search.all(place, 0))
    if isinstance(length, Dim):
        blocks = blocks * (1 - _longer(length, COUNTED))
    return For(block, blocks, "block", (For(thread, THREADS, "thread", inside),))


# -------------------------------------------------------------------------------- a block for a run


def _in_blocks(names: Names, sort: Sort, sides: Sequence[Buffer]) -> For:
    """Rows of up to SHORT elements; of longer ones runs of SHORT, whose positions are kept in the
    first of the sides."""
    length, row, run = sort.length, names.fresh("row"), names.fresh("run")
    whole = isinstance(length, int) and length <= SHORT
    room = length if isinstance(length, int) and whole else SHORT
    threads = THREADS
    while threads > WARP and threads // 2 >= room:
        threads //= 2
    held = [Buffer(names.fresh("held"), I32, (room,), None, "shared") for _ in range(2)]
    turns = ceil_div(room, threads)
    start: Index = 0 if whole else SHORT * symbol(run)
    count: Index = length
    body: list[Stmt] = [Alloc(side) for side in held]
    if not whole:
        count = symbol(names.fresh("count"))
        rest = L.scalar("min", L.Idx(length - start), L.const(SHORT, I64))
        body.append(Let(str(count), rest))

    def spread(one: Callable[[Index], tuple[Stmt, ...]]) -> For:
        thread, turn = names.fresh("thread"), names.fresh("turn")
        place = threads * symbol(turn) + symbol(thread)
        inside = guarded(place, count, {thread: threads, turn: turns}, one(place))
        loop = For(turn, turns, "serial", inside)
        return For(thread, threads, "thread", (loop,))

    def reader(level: int) -> Read:
        """Positions of the row, at places of the run."""
        if level == 0:  # all in their first order
            return lambda place: L.Idx(start + place)
        side = held[level % 2]
        return lambda place: _moved(L.cast(Load(side, (place,)), I64), "add", start)

    for level in range(_levels(room)):
        target = held[(level + 1) % 2]

        def write(to: Index, value: L.Expr, target: Buffer = target) -> tuple[Stmt, ...]:
            return (Store(target, (to,), L.cast(_moved(value, "sub", start), I32)),)

        search = _Search(
            names, sort, symbol(row), L.cast(L.Idx(count), I32), reader(level), write, I32
        )  # fmt: skip
        body += [
            spread(lambda place, search=search, level=level: search.pair(place, level)),
            barrier(names, threads),
        ]
    last = reader(_levels(room))

    def end(place: Index) -> tuple[Stmt, ...]:
        """Reads the operands, or keeps the positions for the kernels that follow."""
        done = _carried(sort, symbol(row), start + place, lambda _: last(place))
        if whole:
            return done
        side = sides[0]
        kept = Store(side, (symbol(row), start + place), L.cast(last(place), side.dtype))
        longer = L.less(SHORT, length)
        return (kept,) if longer == L.TRUE else (L.If(longer, (kept,), done),)

    body.append(spread(end))
    rows, inner = extent_of(sort.loops), tuple(body)
    if not whole:
        inner = (For(run, ceil_div(length, SHORT), "block", inner),)
    return For(row, rows * _longer(length, COUNTED), "block", inner)


def _levels(length: int) -> int:
    return (length - 1).bit_length()


def _moved(value: L.Expr, op: str, by: Index) -> L.Expr:
    return value if by == 0 else L.scalar(op, value, L.Idx(by))


# ----------------------------------------------------------------------------- a kernel for a level


def _in_passes(names: Names, sort: Sort, sides: Sequence[Buffer]) -> list[For]:
    """Merges runs of SHORT, whose positions are in the first of the sides, and reads the
    operands."""
    length, rows = sort.length, extent_of(sort.loops)

    def kernel(least: int, body: Callable[[Index, Index], tuple[Stmt, ...]]) -> For:
        """For rows of more than `least` elements."""
        row, block, thread = (names.fresh(n) for n in ("row", "block", "thread"))
        place = THREADS * symbol(block) + symbol(thread)
        blocks = ceil_div(length, THREADS)
        known = {thread: THREADS}
        if isinstance(blocks, int):
            known[block] = blocks
        inside = guarded(place, length, known, body(symbol(row), place))
        inner = For(block, blocks, "block", (For(thread, THREADS, "thread", inside),))
        return For(row, rows * _longer(length, least), "block", (inner,))

    def reader(level: int, row: Index) -> Read:
        side = sides[(level - first) % 2]
        return lambda place: L.cast(Load(side, (row, place)), I64)

    def merge(level: int, row: Index, place: Index) -> tuple[Stmt, ...]:
        side = sides[(level - first + 1) % 2]

        def write(to: Index, value: L.Expr) -> tuple[Stmt, ...]:
            return (Store(side, (row, to), L.cast(value, side.dtype)),)

        search = _Search(names, sort, row, L.Idx(length), reader(level, row), write, I64)
        if level == MOST:
            return search.all(place, level)
        return search.pair(place, level)

    first = _levels(SHORT)
    last = _levels(length) if isinstance(length, int) else MOST + 1
    last = min(last, MOST + 1)
    made = [
        kernel(1 << level, lambda row, place, level=level: merge(level, row, place))
        for level in range(first, last)
    ]

    def carry(row: Index, place: Index) -> tuple[Stmt, ...]:
        even, odd = (_carried(sort, row, place, reader(first + k, row)) for k in range(2))
        passes: Index = 0
        for level in range(first, last):
            passes = passes + _longer(length, 1 << level)
        if isinstance(passes, int):
            return odd if passes % 2 else even
        return (L.If(L.scalar("eq", L.Idx(passes % 2), L.const(0, I64)), even, odd),)

    return [*made, kernel(SHORT, carry)]
