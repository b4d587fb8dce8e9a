"""Block and thread loops for one parallel nest: elementwise, transposing, rows, columns.

Each function takes the loops of a perfect nest with its core and answers one block loop. Extents
may be symbolic. Called by schedule_cuda.py, which decides what belongs to which kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import overload

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import Dim
from . import cuda_access as A
from . import ir as L
from .cuda_access import linear, merge, neutral_value
from .cuda_held import hold_values
from .ir import Accumulate, Alloc, Buffer, For, Index, Load, Stmt, Store

THREADS = 256
WARP = 32
TILE = 32
MAX_TILES = 4
ROW_OF_A_WARP = 1024
SHARED_ROW_BYTES = 32 * 1024
PART_TERMS = 1024
"""Terms of a reduction below this are not worth a part of their own."""
LOCAL_BYTES = 2048
"""A thread's own array above this goes to global memory."""


@dataclass
class Names:
    """Fresh names, and the workspace that schedules ask for."""

    taken: set[str]
    symbols: frozenset[str]
    workspace: list[Buffer] = field(default_factory=list)

    def fresh(self, stem: str) -> str:
        number = 0
        while f"{stem}{number or ''}" in self.taken:
            number += 1
        self.taken.add(f"{stem}{number or ''}")
        return f"{stem}{number or ''}"

    def temp(self, stem: str, dtype: ty.DType, shape: tuple[Index, ...]) -> Buffer:
        buffer = Buffer(self.fresh(stem), dtype, shape, None, "global", "temp", 16)
        self.workspace.append(buffer)
        return buffer


@overload
def ceil_div(a: int, b: int) -> int: ...
@overload
def ceil_div(a: Index, b: int) -> Index: ...
def ceil_div(a: Index, b: int) -> Index:
    """The quotient, rounded up."""
    return (a + (b - 1)) // b


def coordinates(flat: Index, extents: Sequence[Index]) -> list[Index]:
    """The indices of a nest at a flat position."""
    found: list[Index] = []
    for extent in reversed(extents[1:]):
        extent = 1 if extent == 0 else extent  # a loop that never runs; its body must still print
        found.append(flat % extent)
        flat = flat // extent
    return [flat, *reversed(found)]


def at(loops: Sequence[For], core: tuple[Stmt, ...], flat: Index) -> tuple[Stmt, ...]:
    """The core at a flat position of its nest."""
    where = coordinates(flat, [loop.extent for loop in loops])
    env = {loop.var: i for loop, i in zip(loops, where, strict=True)}
    return tuple(L.substitute(stmt, env) for stmt in core)


def extent_of(loops: Sequence[For]) -> Index:
    return ty.product(loop.extent for loop in loops)


def guarded(
    index: Index, extent: Index, known: dict[str, int], body: tuple[Stmt, ...]
) -> tuple[Stmt, ...]:
    """The body where index < extent; without a question when that is known."""
    cond = L.less(index, extent, {name: (0, n - 1) for name, n in known.items()})
    return body if cond == L.TRUE else (L.If(cond, body),)


def barrier(names: Names, threads: int) -> For:
    """Between thread loops: all threads of the block (or of the row's warp) meet."""
    return For(names.fresh("thread"), threads, "thread", (L.Barrier(),))


def symbol(name: str) -> Dim:
    return Dim.symbol(name)


# ------------------------------------------------------------------------------------ elementwise


def elementwise(names: Names, loops: Sequence[For], core: tuple[Stmt, ...]) -> For:
    """One thread per few elements: 16 bytes of vector access where that is contiguous, else strided
    by the block."""
    extents = [loop.extent for loop in loops]
    inner = extents[-1]
    flat_name = names.fresh("f")
    if len(loops) == 1 or _runs_on(at(loops, core, symbol(flat_name)), flat_name):
        return _elements(names, extent_of(loops), lambda f: at(loops, core, f), core)
    total = extent_of(loops)
    if isinstance(total, int) and total < 2**31 and isinstance(inner, int) and inner < THREADS:
        return _elements(names, total, lambda f: at(loops, core, f), core)
    row = names.fresh("row")
    last = loops[-1].var

    def element(f: Index) -> tuple[Stmt, ...]:
        return tuple(L.substitute(s, {last: f}) for s in at(loops[:-1], core, symbol(row)))

    columns = _elements(names, inner, element, core)
    return For(row, extent_of(loops[:-1]), "block", (columns,))


def _runs_on(body: tuple[Stmt, ...], flat: str) -> bool:
    """Is every global access contiguous, or the same, along the flat index?"""
    for access in (*A.loads(body), *A.writes(body)):
        if access.buffer.space == "global" and A.stride(
            merge(access.buffer.offset(access.index)), flat
        ) not in (0, 1):
            return False
    return True


def _elements(
    names: Names,
    extent: Index,
    element: Callable[[Index], tuple[Stmt, ...]],
    core: tuple[Stmt, ...],
) -> For:
    """`element(f)` for f below the extent."""
    block, thread, lane = names.fresh("block"), names.fresh("thread"), names.fresh("lane")
    b, t, v = symbol(block), symbol(thread), symbol(lane)
    threads = THREADS
    if isinstance(extent, int):
        threads = min(THREADS, max(WARP, -(-extent // WARP) * WARP))
    lanes = 1 if A.has_loops(core) else _lanes(element(symbol(block)))
    known = {thread: threads, lane: lanes}
    if lanes > 1 and _packs(element(lanes * (threads * b + t) + v), lane, lanes):
        group = threads * b + t
        whole = For(lane, lanes, "vector", element(lanes * group + v))
        if isinstance(extent, int) and extent % lanes == 0:
            groups = extent // lanes
            blocks = ceil_div(groups, threads)
            known[block] = max(blocks, 1)
            body = guarded(group, groups, known, (whole,))
        else:
            blocks = ceil_div(extent, threads * lanes)
            rest = For(
                lane,
                lanes,
                "serial",
                (L.If(L.less(lanes * group + v, extent), element(lanes * group + v)),),
            )
            body = (L.If(L.less(lanes * group + (lanes - 1), extent), (whole,), (rest,)),)
    else:
        lanes = 1 if lanes == 1 else 4
        known[lane] = lanes
        blocks = ceil_div(extent, threads * lanes)
        if isinstance(blocks, int):
            known[block] = max(blocks, 1)
        f = threads * lanes * b + threads * v + t if lanes > 1 else threads * b + t
        body = guarded(f, extent, known, element(f))
        body = (For(lane, lanes, "unroll", body),) if lanes > 1 else body
    return For(block, blocks, "block", (For(thread, threads, "thread", body),))


def _lanes(body: tuple[Stmt, ...]) -> int:
    """How many elements of the widest type are 16 bytes."""
    widths = [
        a.buffer.dtype.nbytes
        for a in (*A.loads(body), *A.writes(body))
        if a.buffer.space == "global"
    ]
    return min(8, max(2, 16 // max(widths, default=4)))


def _packs(body: tuple[Stmt, ...], lane: str, lanes: int) -> bool:
    """Can at least half of the global accesses that move along the lanes be vectors?"""
    moving = packed = 0
    for access in (*A.loads(body), *A.writes(body)):
        if access.buffer.space != "global" or lane not in A.index_names(access.index):
            continue
        moving += 1
        plain = access.buffer.strides is None or access.buffer.align >= 16
        packed += plain and linear(merge(access.buffer.offset(access.index)), lane, lanes)
    return packed > 0 and 2 * packed >= moving


# ----------------------------------------------------------------------------------- transposing


def transposed_loads(loops: Sequence[For], core: tuple[Stmt, ...]) -> tuple[int, list[Load]]:
    """The loads that are contiguous along another loop than the stores, and that loop's
    position."""
    inner = loops[-1].var
    free = {loop.var for loop in loops}
    if any(A.stride(merge(w.buffer.offset(w.index)), inner) != 1 for w in A.writes(core)):
        return 0, []
    inside = A.defined(core)
    written = {w.buffer.name for w in A.writes(core)}
    for position in range(len(loops) - 1):
        found: dict[Load, None] = {}
        for load in A.loads(core):
            offset = merge(load.buffer.offset(load.index))
            crosses = A.stride(offset, loops[position].var) == 1 and A.stride(
                offset, inner
            ) not in (0, 1)
            needs = A.expression_names(load) - {load.buffer.name}
            if (
                crosses
                and load.guard is None
                and not needs & (inside - free)
                and load.buffer.name not in written
            ):
                found[load] = None
        if found:
            return position, list(found)[:MAX_TILES]
    return 0, []


def transposing(
    names: Names, loops: Sequence[For], core: tuple[Stmt, ...], position: int, moved: list[Load]
) -> For:
    """Tiles of 32 x 32 go through shared memory (33 wide: no bank conflicts), read and written
    contiguously."""
    outer, inner = loops[position], loops[-1]
    rest = [loop for k, loop in enumerate(loops[:-1]) if k != position]
    bi, bj, y, x, k = (
        names.fresh(n) for n in ("block_i", "block_j", "thread_y", "thread_x", "turn")
    )
    tiles = {
        load: Buffer(names.fresh("tile"), load.dtype, (TILE, TILE + 1), None, "shared")
        for load in moved
    }
    step = THREADS // TILE
    line = step * symbol(k) + symbol(y)
    known = {y: step, x: TILE, k: TILE // step}
    for name, extent in ((bi, outer.extent), (bj, inner.extent)):
        if isinstance(extent, int):
            known[name] = max(1, ceil_div(extent, TILE))

    def nest(i: Index, j: Index, body: tuple[Stmt, ...]) -> For:
        env = {outer.var: i, inner.var: j}
        body = tuple(L.substitute(s, env) for s in body)
        body = guarded(i, outer.extent, known, guarded(j, inner.extent, known, body))
        return For(
            y, step, "thread", (For(x, TILE, "thread", (For(k, TILE // step, "unroll", body),)),)
        )

    i0, j0 = TILE * symbol(bi), TILE * symbol(bj)
    fill = tuple(Store(tile, (line, symbol(x)), load) for load, tile in tiles.items())
    held = {load: Load(tile, (symbol(x), line)) for load, tile in tiles.items()}
    drain = tuple(
        L.map_stmt(s, lambda i: i, lambda e: held.get(e, e) if isinstance(e, Load) else e)
        for s in core
    )
    body = (
        *(Alloc(tile) for tile in tiles.values()),
        nest(i0 + symbol(x), j0 + line, fill),
        barrier(names, TILE),
        nest(i0 + line, j0 + symbol(x), drain),
    )
    env: dict[str, Index] = {}
    row = names.fresh("row")
    if rest:
        where = coordinates(symbol(row), [loop.extent for loop in rest])
        env = {loop.var: i for loop, i in zip(rest, where, strict=True)}
    body = tuple(L.substitute(s, env) for s in body)
    tiled = For(
        bi,
        ceil_div(outer.extent, TILE),
        "block",
        (For(bj, ceil_div(inner.extent, TILE), "block", body),),
    )
    return For(row, extent_of(rest), "block", (tiled,)) if rest else tiled


# ------------------------------------------------------------------------------------------- rows


def spread(names: Names, loops: Sequence[For], core: tuple[Stmt, ...], threads: int) -> For:
    """A loop's iterations over the threads of a row, in turns."""
    extent = extent_of(loops)
    thread, turn, lane = names.fresh("thread"), names.fresh("turn"), names.fresh("lane")
    t, k, v = symbol(thread), symbol(turn), symbol(lane)
    lanes = 1 if A.has_loops(core) else _lanes(core)
    group = threads * k + t
    packs = (
        lanes > 1 and isinstance(extent, int) and extent % lanes == 0 and extent >= threads * lanes
    )
    if packs and _packs(at(loops, core, lanes * group + v), lane, lanes):
        extent = extent // lanes
        body: tuple[Stmt, ...] = (For(lane, lanes, "vector", at(loops, core, lanes * group + v)),)
    else:
        body = at(loops, core, group)
    turns = ceil_div(extent, threads)
    known = {thread: threads}
    if isinstance(turns, int):
        known[turn] = max(turns, 1)
    body = guarded(group, extent, known, body)
    if turns == 1:
        body = tuple(L.substitute(s, {turn: 0}) for s in body)
    else:
        body = (For(turn, turns, "serial", body),)
    return For(thread, threads, "thread", body)


def row_statements(names: Names, core: tuple[Stmt, ...], threads: int) -> tuple[Stmt, ...] | None:
    """Statements of one row, its loops over threads and barriers where threads read what others
    wrote.

    None when some loop has iterations that depend on each other.
    """
    done: list[Stmt] = []
    dirty: set[str] = set()
    seen: set[str] = set()
    own = {
        s.buffer.name
        for s in core
        if isinstance(s, Alloc) and s.buffer.space in ("register", "local")
    }
    for stmt in core:
        made: Stmt = stmt
        if isinstance(stmt, For):
            chain = A.spread_chain(stmt, names.symbols)
            if chain is None:
                return None
            made = spread(names, *chain, threads)
        elif A.has_loops((stmt,)):
            return None
        reads = {load.buffer.name for load in A.loads((stmt,))} - own
        wrote = {w.buffer.name for w in A.writes((stmt,))} - own
        if reads & dirty or wrote & (dirty | seen):
            done.append(barrier(names, threads))
            dirty, seen = set(), set()
        dirty |= wrote
        seen |= reads
        done.append(made)
    return tuple(done)


def share_arrays(
    names: Names, core: tuple[Stmt, ...], copies: int, row: Index, rows: Index
) -> tuple[Stmt, ...]:
    """A row's own arrays, which its threads fill together, become shared memory, or global memory
    when large."""
    filled = {
        w.buffer.name
        for s in core
        if isinstance(s, For)
        for w in A.writes((s,))
        if isinstance(w, Store)
    }
    moved: dict[str, tuple[Buffer, tuple[Index, ...]]] = {}
    left = SHARED_ROW_BYTES
    for stmt in core:
        if (
            not isinstance(stmt, Alloc)
            or stmt.buffer.name not in filled
            or stmt.buffer.space == "shared"
        ):
            continue
        nbytes = ty.product(stmt.buffer.shape) * stmt.buffer.dtype.nbytes * copies
        if isinstance(nbytes, int) and nbytes <= left:
            left -= nbytes
            moved[stmt.buffer.name] = (replace(stmt.buffer, space="shared"), ())
        else:
            shape = (rows, *stmt.buffer.shape)
            moved[stmt.buffer.name] = (
                names.temp(stmt.buffer.name, stmt.buffer.dtype, shape),
                (row,),
            )
    return rename(core, moved) if moved else core


def rename(
    body: tuple[Stmt, ...], moved: dict[str, tuple[Buffer, tuple[Index, ...]]]
) -> tuple[Stmt, ...]:
    """The body with buffers replaced, their indices behind some leading ones; Allocs of global ones
    vanish."""

    def leaf(e: L.Expr) -> L.Expr:
        if isinstance(e, Load) and e.buffer.name in moved:
            buffer, lead = moved[e.buffer.name]
            return Load(buffer, (*lead, *e.index), e.guard)
        return e

    def fix(stmt: Stmt) -> tuple[Stmt, ...]:
        if isinstance(stmt, Alloc):
            buffer = moved.get(stmt.buffer.name, (stmt.buffer, ()))[0]
            return () if buffer.space == "global" else (Alloc(buffer),)
        if isinstance(stmt, For):
            return (replace(stmt, body=rename(stmt.body, moved)),)
        stmt = L.map_stmt(stmt, lambda i: i, leaf) if not isinstance(stmt, L.If) else stmt
        if isinstance(stmt, L.If):
            cond = L.map_expr(stmt.cond, lambda i: i, leaf)
            return (L.If(cond, rename(stmt.then, moved), rename(stmt.otherwise, moved)),)
        if isinstance(stmt, (Store, Accumulate)) and stmt.buffer.name in moved:
            buffer, lead = moved[stmt.buffer.name]
            return (replace(stmt, buffer=buffer, index=(*lead, *stmt.index)),)
        if isinstance(stmt, L.Transpose):
            target, lead = moved.get(stmt.target.name, (stmt.target, ()))
            source, other = moved.get(stmt.source.name, (stmt.source, ()))
            stmt = replace(stmt, target=target, target_index=(*lead, *stmt.target_index))
            return (replace(stmt, source=source, source_index=(*other, *stmt.source_index)),)
        return (stmt,)

    return tuple(made for stmt in body for made in fix(stmt))


def rows(names: Names, loops: Sequence[For], core: tuple[Stmt, ...]) -> For | None:
    """One warp per row when rows are short, else one block per row."""
    lengths = [
        extent_of(c[0])
        for s in core
        if isinstance(s, For) and (c := A.spread_chain(s, names.symbols))
    ]
    count = extent_of(loops)
    short = all(isinstance(n, int) and n <= ROW_OF_A_WARP for n in lengths)
    block = names.fresh("block")
    if not short:
        row = symbol(block)
        body = share_arrays(names, at(loops, core, row), 1, row, count)
        made = row_statements(names, body, THREADS)
        if made is None:
            return None
        return For(block, count, "block", hold_values(names.taken, made))
    warp = names.fresh("warp")
    warps = THREADS // WARP
    row = warps * symbol(block) + symbol(warp)
    body = share_arrays(names, at(loops, core, row), warps, row, count)
    made = row_statements(names, body, WARP)
    if made is None:
        return None
    known = {warp: warps}
    if isinstance(count, int):
        known[block] = max(1, ceil_div(count, warps))
    inside = guarded(row, count, known, hold_values(names.taken, made))
    return For(block, ceil_div(count, warps), "block", (For(warp, warps, "thread", inside),))


# ---------------------------------------------------------------------------------------- columns


def columns(names: Names, loops: Sequence[For], core: tuple[Stmt, ...]) -> For | None:
    """32 neighbouring results per block; eight threads share each one's reduction and meet in
    shared memory.

    None when the core is not one reduction between statements without loops.
    """
    found = [k for k, s in enumerate(core) if isinstance(s, For)]
    if len(found) != 1 or any(A.has_loops((s,)) for k, s in enumerate(core) if k != found[0]):
        return None
    loop = core[found[0]]
    assert isinstance(loop, For)
    before, after = core[: found[0]], core[found[0] + 1 :]
    chain = A.spread_chain(loop, names.symbols)
    if chain is None:
        return None
    inner, body = chain
    ops = A.reduced({one.var for one in inner}, body)
    targets = {w.buffer.name: w for w in A.writes(body) if w.buffer.name in ops}
    outside = {w.buffer.name for w in A.writes(body)} - A.allocated(body)
    registers = {s.buffer.name for s in before if isinstance(s, Alloc)}
    if (
        outside != set(ops)
        or not outside <= registers
        or any(t.buffer.shape != (1,) for t in targets.values())
    ):
        return None
    if any(isinstance(s, (L.Fail, L.If)) for s in before):
        return None
    block, y, x, turn, line = (
        names.fresh(n) for n in ("block", "thread_y", "thread_x", "turn", "line")
    )
    share = THREADS // WARP
    parts = {
        n: Buffer(names.fresh(f"{n}_part"), w.buffer.dtype, (share, WARP), None, "shared")
        for n, w in targets.items()
    }
    column = WARP * symbol(block) + symbol(x)
    total, length = extent_of(loops), extent_of(inner)
    known = {x: WARP, y: share}
    if isinstance(total, int):
        known[block] = max(1, ceil_div(total, WARP))
    turns = ceil_div(length, share)
    if isinstance(turns, int):
        known[turn] = max(1, turns)
    position = share * symbol(turn) + symbol(y)
    walk = For(turn, turns, "serial", guarded(position, length, known, at(inner, body, position)))
    neutral = [Store(w.buffer, (0,), neutral_of(ops[n], w.buffer)) for n, w in targets.items()]
    keep = [
        Store(parts[n], (symbol(y), symbol(x)), Load(w.buffer, (0,))) for n, w in targets.items()
    ]
    prepared = [
        s
        for s in before
        if isinstance(s, L.Let) or (isinstance(s, Alloc) and s.buffer.name in registers)
    ]
    first = at(loops, (*prepared, *neutral, walk, *keep), column)
    join = [
        Accumulate(w.buffer, (0,), ops[n], Load(parts[n], (symbol(line), symbol(x))))
        for n, w in targets.items()
    ]
    second = at(loops, (*before, For(line, share, "unroll", tuple(join)), *after), column)
    return For(block, ceil_div(total, WARP), "block", (
        *(Alloc(p) for p in parts.values()),
        For(y, share, "thread", (For(x, WARP, "thread", guarded(column, total, known, first)),)),
        barrier(names, WARP),
        For(x, WARP, "thread", guarded(column, total, known, second)),
    ))  # fmt: skip


def in_parts(
    names: Names, loops: Sequence[For], core: tuple[Stmt, ...], parallel: int
) -> tuple[For, For] | None:
    """A nest of few results with long reductions as two: sums over parts of the terms, which go to
    workspace, and the nest that adds these in order and goes on.

    `parallel` is how many results a processor could work on at once. None when there are enough
    results, or when the core is not one reduction into registers.
    """
    found = [k for k, s in enumerate(core) if isinstance(s, For)]
    if len(found) != 1:
        return None
    loop = core[found[0]]
    before, after = core[: found[0]], core[found[0] + 1 :]
    assert isinstance(loop, For)
    chain = A.spread_chain(loop, names.symbols)
    total, simple = extent_of(loops), all(isinstance(s, (L.Let, Alloc, Store)) for s in before)
    if chain is None or not simple or not isinstance(total, int) or total == 0:
        return None
    inner, body = chain
    ops = A.reduced({one.var for one in inner}, body)
    targets = {w.buffer.name: w for w in A.writes(body)}
    registers = {s.buffer.name for s in before if isinstance(s, Alloc)}
    terms = extent_of(inner)
    if not isinstance(terms, int) or targets.keys() != ops.keys() or not ops.keys() <= registers:
        return None
    if any(w.buffer.shape != (1,) for w in targets.values()):
        return None
    count = min(terms // PART_TERMS, parallel // total)
    if count < 2:
        return None
    part, term = names.fresh("part"), names.fresh("term")
    chunk = ceil_div(terms, count)
    flat = chunk * symbol(part) + symbol(term)
    known = {part: count, term: chunk}
    place = (symbol(part), *(symbol(one.var) for one in loops))
    start: list[Stmt] = []
    keep: list[Stmt] = []
    join: list[Stmt] = []
    for name, write in targets.items():
        shape = (count, *(one.extent for one in loops))
        held = names.temp(f"{name}_parts", write.buffer.dtype, shape)
        start.append(Store(write.buffer, (0,), neutral_of(ops[name], write.buffer)))
        keep.append(Store(held, place, Load(write.buffer, (0,))))
        join.append(Accumulate(write.buffer, (0,), ops[name], Load(held, place)))
    kept = [
        s
        for s in before
        if isinstance(s, L.Let) or (isinstance(s, Alloc) and s.buffer.name in targets)
    ]
    walk = For(term, chunk, "serial", guarded(flat, terms, known, at(inner, body, flat)))
    first: tuple[Stmt, ...] = (*kept, *start, walk, *keep)
    second: tuple[Stmt, ...] = (*before, For(part, count, "serial", tuple(join)), *after)
    for one in reversed(loops):
        first = (replace(one, kind="serial", body=first),)
        second = (replace(one, body=second),)
    (joined,) = second
    assert isinstance(joined, For)
    return For(part, count, "parallel", first), joined


def neutral_of(op: str, buffer: Buffer) -> L.Const:
    return L.Const(neutral_value(op, buffer.dtype), buffer.dtype)
