"""Sorts: a merge sort of positions in which every element finds its own place.

    for i parallel: p[i, j] = j; for level: merge pairs of runs of 2^level; y[i, j] = x[i, p[i, j]]

The lowering merges one element after the other. Here all elements of two runs are merged at once:
an element's place is its own within its run, and the number of the other run's elements that come
before it, which a bisection finds. Equal ones of the left run come first: the order is stable, and
the result is the same in every bit.

Rows of up to SHORT elements are a block's: positions in shared memory, all levels in one kernel.
Longer ones take a kernel for each level, with a thread for each element of all rows.

Requires: the lowering's form of a sort (`graphc/ops/ordering.py`) with a length that is known.
Called by schedule_cuda.py; None where the nest is something else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import BOOL, I32, I64
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
from .ir import Alloc, Buffer, For, Index, Let, Load, Stmt, Store

SHORT = 4096
"""Elements of a row whose positions, twice, are 32 KB of shared memory."""

Read = Callable[[Index], L.Expr]
"""The position that stands at a place of the row."""
Write = Callable[[Index, L.Expr], Stmt]


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of rows."""

    loops: tuple[For, ...]
    length: int
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
    if not isinstance(first.extent, int) or carry.extent != first.extent:
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
    if found is None or found.length < 2:
        return None
    if found.length <= SHORT:
        return [_in_a_block(names, found)]
    return _level_by_level(names, found)


def _levels(length: int) -> int:
    return (length - 1).bit_length()


def _at_row(sort: Sort, row: Index, stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
    return at(sort.loops, tuple(stmts), row) if sort.loops else tuple(stmts)


def _merged(
    names: Names, sort: Sort, row: Index, level: int, place: Index, read: Read, write: Write,
    dtype: ty.DType,
) -> tuple[Stmt, ...]:  # fmt: skip
    """Finds where the position at a place of the row goes when runs of 2^level are merged. Places
    are counted in `dtype`.
    """
    width, length = 1 << level, sort.length
    start = place // (2 * width) * (2 * width)
    own, on_right = names.fresh("own"), names.fresh("on_right")
    middle, end, other = names.fresh("middle"), names.fresh("end"), names.fresh("other")
    mine, right_side = L.Name(own, I64), L.Name(on_right, BOOL)
    low_high = Buffer(names.fresh("bounds"), dtype, (2,), None, "register")
    low, high = Load(low_high, (0,)), Load(low_high, (1,))

    def count(name: str, *args: L.Expr) -> L.Expr:
        return L.Scalar(name, args, dtype)

    def number(index: Index) -> L.Expr:
        return L.cast(L.Idx(index), dtype)

    def capped(index: Index) -> L.Expr:
        return count("min", number(index), number(length))

    half, there = names.fresh("half"), names.fresh("there")
    sides = [
        Let(sort.right, L.Select(right_side, mine, L.Name(other, I64))),
        Let(sort.left, L.Select(right_side, L.Name(other, I64), mine)),
    ]
    compared = _at_row(sort, row, sort.lets)
    earlier = names.fresh("earlier")
    goes_first = L.Select(
        right_side, L.Scalar("not", (L.Name(earlier, BOOL),), BOOL), L.Name(earlier, BOOL)
    )
    one = L.Const(1, dtype)
    half_place = count("shr", count("add", low, high), one)
    step: tuple[Stmt, ...] = (
        Let(half, L.cast(half_place, I64)),
        Let(other, read(symbol(half))),
        *sides,
        *compared,
        Let(earlier, sort.earlier),
        Let(there, goes_first),
        L.If(
            L.Name(there, BOOL),
            (Store(low_high, (0,), count("add", half_place, one)),),
            (Store(low_high, (1,), half_place),),
        ),
    )
    turn, to = names.fresh("turn"), names.fresh("to")
    search = L.If(L.Scalar("lt", (low, high), BOOL), step)
    m, e = L.Name(middle, dtype), L.Name(end, dtype)
    return (
        Let(own, read(place)),
        Let(middle, capped(start + width)),
        Let(end, capped(start + 2 * width)),
        Let(on_right, L.Scalar("ge", (number(place), m), BOOL)),
        Alloc(low_high),
        Store(low_high, (0,), L.Select(right_side, number(start), m)),
        Store(low_high, (1,), L.Select(right_side, m, e)),
        For(turn, level + 1, "serial", (search,)),
        Let(to, L.cast(count("sub", count("add", number(place), low), m), I64)),
        write(symbol(to), mine),
    )


def _carried(sort: Sort, row: Index, place: Index, read: Read) -> tuple[Stmt, ...]:
    """What reads the operands in their order."""
    let, *stores = _at_row(sort, row, sort.carry.body)
    assert isinstance(let, Let)
    moved = tuple(L.substitute(s, {sort.carry.var: place}) for s in stores)
    return (Let(let.name, read(place)), *moved)


# ---------------------------------------------------------------------------------- one block a row


def _in_a_block(names: Names, sort: Sort) -> For:
    length, row = sort.length, names.fresh("row")
    threads = THREADS
    while threads > WARP and threads // 2 >= length:
        threads //= 2
    sides = [Buffer(names.fresh("held"), I32, (length,), None, "shared") for _ in range(2)]
    turns = ceil_div(length, threads)

    def spread(body: Callable[[Index], tuple[Stmt, ...]]) -> For:
        thread, turn = names.fresh("thread"), names.fresh("turn")
        place = threads * symbol(turn) + symbol(thread)
        known = {thread: threads, turn: turns}
        inside = guarded(place, length, known, body(place))
        loop = For(turn, turns, "serial", inside)
        return For(thread, threads, "thread", (loop,))

    def reader(level: int) -> Read:
        if level == 0:  # all in their first order
            return lambda place: L.Idx(place)
        return lambda place: L.cast(Load(sides[level % 2], (place,)), I64)

    body: list[Stmt] = [Alloc(side) for side in sides]
    for level in range(_levels(length)):
        target = sides[(level + 1) % 2]

        def write(place: Index, value: L.Expr, target: Buffer = target) -> Stmt:
            return Store(target, (place,), L.cast(value, I32))

        body += [
            spread(
                lambda place, level=level, write=write: _merged(
                    names, sort, symbol(row), level, place, reader(level), write, I32
                )
            ),
            barrier(names, threads),
        ]
    last = reader(_levels(length))
    body.append(spread(lambda place: _carried(sort, symbol(row), place, last)))
    return For(row, extent_of(sort.loops), "block", tuple(body))


# ----------------------------------------------------------------------------- a kernel for a level


def _level_by_level(names: Names, sort: Sort) -> list[For]:
    length, rows = sort.length, extent_of(sort.loops)
    sides = [names.temp("order", I64, (rows, length)) for _ in range(2)]

    def kernel(body: Callable[[Index, Index], tuple[Stmt, ...]]) -> For:
        block, thread = names.fresh("block"), names.fresh("thread")
        flat = THREADS * symbol(block) + symbol(thread)
        total = rows * length
        row, place = coordinates(flat, (rows, length))
        blocks = ceil_div(total, THREADS)
        known = {thread: THREADS}
        if isinstance(blocks, int):
            known[block] = max(1, blocks)
        inside = guarded(flat, total, known, body(row, place))
        return For(block, blocks, "block", (For(thread, THREADS, "thread", inside),))

    def reader(level: int, row: Index) -> Read:
        if level == 0:
            return lambda place: L.Idx(place)
        return lambda place: Load(sides[level % 2], (row, place))

    def merge(level: int) -> Callable[[Index, Index], tuple[Stmt, ...]]:
        def body(row: Index, place: Index) -> tuple[Stmt, ...]:
            target = sides[(level + 1) % 2]
            return _merged(
                names, sort, row, level, place, reader(level, row),
                lambda to, value: Store(target, (row, to), value), I64,
            )  # fmt: skip

        return body

    count = _levels(length)
    made = [kernel(merge(level)) for level in range(count)]
    made.append(kernel(lambda row, place: _carried(sort, row, place, reader(count, row))))
    return made
