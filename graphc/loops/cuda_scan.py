"""Cumulative sums (products, least, greatest): threads share a row, and blocks a long one.

    for i parallel: run = neutral; for k: v = run + x[i, k]; run = v; y[i, k] = v

Along rows a block of threads takes a tile of a row at a time, through shared memory:

    for block i: for block part:
        before = total[i, 0] + ... + total[i, part - 1]
        for tile:
            for thread: tile[...] = x[...]                       neighbours read neighbours
            for thread: sums of its own few elements, one after the other; held[thread] = the last
            for step in 1, 2, 4...: for thread: held[thread] += held[thread - step]
            for thread: its elements += before + held[thread - 1]
            for thread: y[...] = tile[...]                       neighbours write neighbours
            before += held[last]

Across rows (the scan is along an axis that is not contiguous) a thread takes a part of one row. In
both, `total` is made by a kernel before, where there are parts: rows are few and long.

The order of additions depends on the extents alone: the same bits in every run, not those of a
serial sum. Requires: the lowering's form of a cumulative op, one operation of reals or sums of the
parts of complex numbers. Called by schedule_cuda.py; None where the nest is something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from . import cuda_access as A
from . import ir as L
from .cuda_access import merge
from .cuda_nests import (
    THREADS,
    WARP,
    Names,
    at,
    barrier,
    ceil_div,
    extent_of,
    guarded,
    neutral_of,
    symbol,
)
from .ir import Accumulate, Alloc, Buffer, For, Index, Let, Load, Stmt, Store

ELEMENTS = 8
"""Of a thread in a tile; of 8 bytes or more, half as many."""
BANKS = 32
"""After so many elements of a tile one place is left free: neighbours with ELEMENTS between them
use different banks of shared memory."""
ENOUGH = 512
"""Rows (along) that are enough blocks for a processor."""
MANY_ROWS = 16384
"""Rows (across) that are enough threads."""
PARTS = 256
PARTS_ACROSS = 64
SHORT_PART = 4096
"""Elements of a row that are not worth a second block."""
SHORT_ACROSS = 64
"""Elements of a row that are not worth a second thread."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A cumulative op: for each of its parts (a complex number has two) an operation, what it is
    done with, and where the result goes."""

    loops: tuple[For, ...]
    """Around; none for one row."""
    lets: tuple[Stmt, ...]
    inner: For
    ops: tuple[str, ...]
    values: tuple[L.Expr, ...]
    """By the variable of `inner`."""
    stores: tuple[Store, ...]

    @property
    def dtypes(self) -> tuple[ty.DType, ...]:
        return tuple(s.value.dtype for s in self.stores)


def match(loops: Sequence[For], core: Sequence[Stmt]) -> Scan | None:
    """The scan that a nest is; None where it is none."""
    lets = tuple(s for s in core if isinstance(s, Let))
    allocs = [s for s in core if isinstance(s, Alloc)]
    starts = [s for s in core if isinstance(s, Store)]
    inner = core[-1] if core else None
    if len(allocs) != 1 or not isinstance(inner, For) or inner.kind != "serial":
        return None
    run = allocs[0].buffer
    if len(lets) + 1 + len(starts) + 1 != len(core) or any(s.buffer != run for s in starts):
        return None
    count = len(starts)
    values = [s for s in inner.body if isinstance(s, Let)]
    own = [s for s in inner.body if isinstance(s, Store) and s.buffer == run]
    out = [s for s in inner.body if isinstance(s, Store) and s.buffer != run]
    if not len(values) == len(own) == len(out) == count or len(inner.body) != 3 * count:
        return None
    ops: list[str] = []
    terms: list[L.Expr] = []
    for k, (let, keep, store, start) in enumerate(zip(values, own, out, starts, strict=True)):
        name, value = L.Name(let.name, let.value.dtype), let.value
        if keep != Store(run, (k,), name) or store.value != name or start.index != (k,):
            return None
        if not isinstance(value, L.Scalar) or value.op not in L.ACCUMULATE_OPS:
            return None
        if value.args[0] != Load(run, (k,)) or len(value.args) != 2:
            return None
        if start.value != neutral_of(value.op, run) or store.buffer.space != "global":
            return None
        if any(isinstance(e, Load) and e.buffer == run for e in L.walk(value.args[1])):
            return None
        ops.append(value.op)
        terms.append(value.args[1])
    read = {e.buffer.name for t in terms for e in L.walk(t) if isinstance(e, Load)}
    if read & {s.buffer.name for s in out}:
        return None
    return Scan(tuple(loops), lets, inner, tuple(ops), tuple(terms), tuple(out))


def scan_cuda(names: Names, loop: For) -> list[For] | None:
    """The kernels of a scan; None where there is none, or where a thread for each row is best."""
    loops, core = A.chain(loop, names.symbols, mapped=True)
    found = match(loops, core)
    if found is None or not ty.symbols(found.inner.extent) <= names.symbols:
        return None
    last, along = found.inner.var, loops[-1].var
    accesses = [*found.stores, *(e for v in found.values for e in L.walk(v) if isinstance(e, Load))]
    steps = [merge(a.buffer.offset(a.index)) for a in accesses if a.buffer.space == "global"]
    complex_ = len(found.ops)
    if all(A.stride(s, last) in (complex_, -complex_) for s in steps):
        return _Along(names, found).kernels()
    if all(A.stride(s, along) in (complex_, -complex_) for s in steps):
        return _across(names, found)
    return _Along(names, found).kernels()


def _row(scan: Scan, names: Names) -> tuple[str, Index, tuple[Stmt, ...], Scan]:
    """The name and number of rows, and the scan with its row's number in place of the loops."""
    row, count = names.fresh("row"), extent_of(scan.loops)
    stmts: tuple[Stmt, ...] = (*scan.lets, *scan.stores)
    moved = at(scan.loops, stmts, symbol(row))
    values = at(scan.loops, tuple(Let(f"v{k}", v) for k, v in enumerate(scan.values)), symbol(row))
    lets, stores = moved[: len(scan.lets)], moved[len(scan.lets) :]
    made = replace(
        scan, lets=lets,
        values=tuple(v.value for v in values if isinstance(v, Let)),
        stores=tuple(s for s in stores if isinstance(s, Store)),
    )  # fmt: skip
    return row, count, lets, made


def _at(scan: Scan, k: int, place: Index) -> L.Expr:
    """What part k adds at a place of the row."""
    (let,) = (L.substitute(Let("v", scan.values[k]), {scan.inner.var: place}),)
    assert isinstance(let, Let)
    return let.value


def _stored(scan: Scan, k: int, place: Index, value: L.Expr) -> Store:
    store = L.substitute(scan.stores[k], {scan.inner.var: place})
    assert isinstance(store, Store)
    return replace(store, value=value)


def _parts(rows: Index, length: Index, enough: int, most: int, least: int) -> int:
    """How many parts a row is cut into."""
    if not isinstance(rows, int) or rows >= enough:
        return 1
    count = min(most, max(1, enough // max(1, rows)))
    return min(count, max(1, length // least)) if isinstance(length, int) else count


# ------------------------------------------------------------------------------------------- along


class _Along:
    """Kernels for rows that lie one element after the other."""

    def __init__(self, names: Names, scan: Scan):
        self.names = names
        self.row, self.rows, self.lets, self.scan = _row(scan, names)
        self.length = scan.inner.extent
        self.parts = _parts(self.rows, self.length, ENOUGH, PARTS, SHORT_PART)
        self.part = names.fresh("part")
        wide = max(d.nbytes for d in scan.dtypes) * len(scan.ops)
        self.elements = max(1, ELEMENTS // max(1, wide // 4))
        self.threads = THREADS
        if isinstance(self.length, int):
            while self.threads > WARP and self.threads // 2 * self.elements >= self.length:
                self.threads //= 2
        self.size = self.threads * self.elements
        tiles = ceil_div(self.length, self.size)
        self.tiles = tiles if self.parts == 1 else ceil_div(tiles, self.parts)
        """Tiles of a part."""
        self.totals = [
            names.temp("total", d, (self.rows, self.parts)) if self.parts > 1 else None
            for d in scan.dtypes
        ]

    def kernels(self) -> list[For]:
        made = [self.blocks(self.sums())] if self.parts > 1 else []
        return [*made, self.blocks(self.scan_part())]

    def blocks(self, body: list[Stmt]) -> For:
        inside: tuple[Stmt, ...] = (*self.lets, *body)
        if self.parts > 1:
            inside = (For(self.part, self.parts, "block", inside),)
        return For(self.row, self.rows, "block", inside)

    def first(self) -> Index:
        """The number of the part's first tile."""
        return self.tiles * symbol(self.part) if self.parts > 1 else 0

    def inside(
        self, place: Index, bounds: dict[str, int], body: Sequence[Stmt]
    ) -> tuple[Stmt, ...]:
        """The body where the place is one of the row's."""
        known = dict(bounds)
        if self.parts > 1:
            known[self.part] = self.parts
        return guarded(place, self.length, known, tuple(body))

    def sums(self) -> list[Stmt]:
        """The total of each part."""
        names, out = self.names, []
        thread, tile, turn = names.fresh("thread"), names.fresh("tile"), names.fresh("turn")
        place = (
            self.size * (self.first() + symbol(tile)) + self.threads * symbol(turn) + symbol(thread)
        )
        adds: list[Stmt] = []
        ends: list[Stmt] = []
        for k, op in enumerate(self.scan.ops):
            total = self.totals[k]
            assert total is not None
            acc = Buffer(names.fresh("acc"), total.dtype, (1,), None, "register")
            out += [Alloc(acc), Store(acc, (0,), neutral_of(op, acc))]
            adds.append(Accumulate(acc, (0,), op, _at(self.scan, k, place)))
            ends.append(Store(total, (symbol(self.row), symbol(self.part)), Load(acc, (0,))))
        bounds = self.bounds({thread: self.threads, turn: self.elements}, tile)
        walk = For(turn, self.elements, "unroll", self.inside(place, bounds, adds))
        loop = For(tile, self.tiles, "serial", (walk,))
        return [*out, For(thread, self.threads, "thread", (loop,)), *ends]

    def bounds(self, known: dict[str, int], tile: str) -> dict[str, int]:
        if isinstance(self.tiles, int):
            known[tile] = max(1, self.tiles)
        return known

    def scan_part(self) -> list[Stmt]:
        """The scan of a part, behind the totals of those before."""
        names, scan = self.names, self.scan
        tile = names.fresh("tile")
        out: list[Stmt] = []
        before: list[Buffer] = []
        loops: list[list[Stmt]] = []
        shared: list[Stmt] = []
        for k, (op, dtype) in enumerate(zip(scan.ops, scan.dtypes, strict=True)):
            acc = Buffer(names.fresh("before"), dtype, (1,), None, "register")
            out += [Alloc(acc), Store(acc, (0,), neutral_of(op, acc))]
            total = self.totals[k]
            if total is not None:
                thread = names.fresh("thread")
                q = symbol(thread)
                add = Accumulate(acc, (0,), op, Load(total, (symbol(self.row), q)))
                ahead: Stmt = L.If(L.less(q, symbol(self.part)), (add,))
                out.append(For(thread, PARTS, "thread", (ahead,)))
            before.append(acc)
        for k, (op, dtype) in enumerate(zip(scan.ops, scan.dtypes, strict=True)):
            room = self.size + self.size // BANKS
            held = Buffer(names.fresh("held"), dtype, (room,), None, "shared")
            sums = Buffer(names.fresh("sums"), dtype, (2, self.threads), None, "shared")
            shared += [Alloc(held), Alloc(sums)]
            loops.append(self.tile(k, op, tile, held, sums, before[k]))
        body = [s for part in loops for s in part]
        return [*shared, *out, For(tile, self.tiles, "serial", tuple(body))]

    def tile(
        self, k: int, op: str, tile: str, held: Buffer, sums: Buffer, before: Buffer
    ) -> list[Stmt]:
        names, threads = self.names, self.threads

        def spread(body: Sequence[Stmt], t: str, e: str) -> For:
            return For(t, threads, "thread", (For(e, self.elements, "unroll", tuple(body)),))

        def joined(a: L.Expr, b: L.Expr) -> L.Expr:
            return L.Scalar(op, (a, b), held.dtype)

        def padded(place: Index) -> tuple[Index, ...]:
            return (place + place // BANKS,)

        start = self.size * (self.first() + symbol(tile))
        # neighbours read neighbours
        t, e = names.fresh("thread"), names.fresh("turn")
        local = threads * symbol(e) + symbol(t)
        bounds = self.bounds({t: threads, e: self.elements}, tile)
        load = self.inside(
            start + local, bounds, [Store(held, padded(local), _at(self.scan, k, start + local))]
        )
        blank = Store(held, padded(local), neutral_of(op, held))
        if len(load) == 1 and isinstance(load[0], L.If):
            load = (replace(load[0], otherwise=(blank,)),)
        out: list[Stmt] = [spread(load, t, e), barrier(names, threads)]
        # a thread's own elements
        t, e = names.fresh("thread"), names.fresh("turn")
        run = Buffer(names.fresh("run"), held.dtype, (1,), None, "register")
        at_ = padded(self.elements * symbol(t) + symbol(e))
        own = For(e, self.elements, "unroll", (
            Store(run, (0,), joined(Load(run, (0,)), Load(held, at_))),
            Store(held, at_, Load(run, (0,))),
        ))  # fmt: skip
        out.append(
            For(t, threads, "thread", (
                Alloc(run), Store(run, (0,), neutral_of(op, run)), own,
                Store(sums, (0, symbol(t)), Load(run, (0,))),
            ))
        )  # fmt: skip
        out.append(barrier(names, threads))
        # what the threads before have
        step, now = 1, 0
        while step < threads:
            t = names.fresh("thread")
            mine = Load(sums, (now, symbol(t)))
            earlier = Load(sums, (now, symbol(t) - step))
            place = (1 - now, symbol(t))
            store = L.If(
                L.less(symbol(t), step),
                (Store(sums, place, mine),),
                (Store(sums, place, joined(earlier, mine)),),
            )
            out += [For(t, threads, "thread", (store,)), barrier(names, threads)]
            step, now = 2 * step, 1 - now
        # all that is before a thread's own
        t, e = names.fresh("thread"), names.fresh("turn")
        ahead = Buffer(names.fresh("ahead"), held.dtype, (1,), None, "register")
        at_ = padded(self.elements * symbol(t) + symbol(e))
        left = joined(Load(before, (0,)), Load(sums, (now, symbol(t) - 1)))
        out.append(
            For(t, threads, "thread", (
                Alloc(ahead), Store(ahead, (0,), Load(before, (0,))),
                L.If(L.less(0, symbol(t)), (Store(ahead, (0,), left),)),
                For(e, self.elements, "unroll", (
                    Store(held, at_, joined(Load(ahead, (0,)), Load(held, at_))),
                )),
            ))
        )  # fmt: skip
        last = Load(sums, (now, threads - 1))
        out += [
            Store(before, (0,), joined(Load(before, (0,)), last)),
            barrier(names, threads),
        ]
        # neighbours write neighbours
        t, e = names.fresh("thread"), names.fresh("turn")
        local = threads * symbol(e) + symbol(t)
        bounds = self.bounds({t: threads, e: self.elements}, tile)
        write = [_stored(self.scan, k, start + local, Load(held, padded(local)))]
        out += [
            spread(self.inside(start + local, bounds, write), t, e),
            barrier(names, threads),
        ]
        return out


# ------------------------------------------------------------------------------------------ across


def _across(names: Names, scan: Scan) -> list[For] | None:
    """A thread for a part of each row; None where one for a whole row is enough."""
    row, rows, lets, made = _row(scan, names)
    length = scan.inner.extent
    parts = _parts(rows, length, MANY_ROWS, PARTS_ACROSS, SHORT_ACROSS)
    if parts < 2:
        return None
    size = ceil_div(length, parts)
    part, k = names.fresh("part"), names.fresh("k")
    place = size * symbol(part) + symbol(k)
    known = {part: parts}
    if isinstance(size, int):
        known[k] = max(1, size)
    totals = [names.temp("total", d, (parts, rows)) for d in scan.dtypes]
    accs = [Buffer(names.fresh("run"), d, (1,), None, "register") for d in scan.dtypes]
    start = [
        s
        for op, acc in zip(scan.ops, accs, strict=True)
        for s in (Alloc(acc), Store(acc, (0,), neutral_of(op, acc)))
    ]

    def kernel(body: Sequence[Stmt]) -> For:
        block, thread = names.fresh("block"), names.fresh("thread")
        f = 128 * symbol(block) + symbol(thread)
        blocks = ceil_div(rows, 128)
        bounds = {thread: 128}
        if isinstance(blocks, int):
            bounds[block] = max(1, blocks)
        inside = tuple(L.substitute(s, {row: f}) for s in (*lets, *start, *body))
        threads = For(thread, 128, "thread", guarded(f, rows, bounds, inside))
        return For(part, parts, "block", (For(block, blocks, "block", (threads,)),))

    adds = [
        Accumulate(acc, (0,), op, _at(made, j, place))
        for j, (op, acc) in enumerate(zip(scan.ops, accs, strict=True))
    ]
    ends = [
        Store(total, (symbol(part), symbol(row)), Load(acc, (0,)))
        for total, acc in zip(totals, accs, strict=True)
    ]
    first = [For(k, size, "serial", guarded(place, length, known, tuple(adds))), *ends]
    q = names.fresh("q")
    before = [
        Accumulate(acc, (0,), op, Load(total, (symbol(q), symbol(row))))
        for op, acc, total in zip(scan.ops, accs, totals, strict=True)
    ]
    steps: list[Stmt] = []
    for j, (op, acc) in enumerate(zip(scan.ops, accs, strict=True)):
        value = L.Scalar(op, (Load(acc, (0,)), _at(made, j, place)), acc.dtype)
        steps += [Store(acc, (0,), value), _stored(made, j, place, Load(acc, (0,)))]
    second = [
        For(q, symbol(part), "serial", tuple(before)),
        For(k, size, "serial", guarded(place, length, known, tuple(steps))),
    ]
    return [kernel(first), kernel(second)]
