"""schedule: the naive LoopFunc -> the LoopFunc that a CPU should run.

Changes nesting, kinds and local buffers only.

    For(i, 4096, parallel)                      For(i, 4096, parallel)
      acc[0] = -inf                               lanes[...] = -inf
      For(r, 1024) acc max= x[i, r]       ->      For(q, 16)
                                                    For(l, 64, vector)
                                                      lanes[l] max= x[1024*i + 64*q + l]
                                                  For(l, 64, vector) acc[0] max= lanes[l]

The steps, in order, each a function of this folder: flatten (global buffers become one axis),
collapse (perfect nests of contiguous accesses become one loop), order (a reduction's loops run as
memory does), rowcache (costly values that several loops of one row need are kept in a local row),
then, here, lanes and threads for every nest. Results do not depend on the number of threads: a
reduction is cut in pieces of a fixed size, and lanes are combined in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import Dim
from . import ir as L
from .choice import ESTIMATE, Choice
from .contract import Scheduled as Blocks
from .contract import contract, contract_within
from .cost import body_cost, body_size
from .fission import fission
from .flatten import collapse, flatten
from .identities import IDENTITY, KIND_OF
from .lower import Lowered
from .machine import Machine
from .matvec import matvec
from .order import in_memory_order
from .rowcache import cache_rows
from .rowend import RowEnd, end_of_rows
from .taps import taps
from .tile import square_copy, tile_nest

CHUNK = 1 << 17
"""Elements of a piece of a reduction over everything: fixed, so that its bits are too."""
LARGE_WORK = 20_000_000
"""Nests with at least this work are worth more compile time."""
TASKS = 16
"""Iterations of a parallel loop that workers can share well."""
SERIAL_WORK = 200_000
"""Nests with less work than this (scalar instructions) are not offered to other threads."""


class Scheduler:
    """Schedules one function; holds the names it makes and the temporaries it adds."""

    def __init__(
        self, machine: Machine, constants: Collection[str] = (), choice: Choice = ESTIMATE
    ):
        self.machine, self.constants, self.choice = machine, constants, choice
        self.blocks: Blocks | None = None
        """The contraction that was written in blocks, where there is one."""
        self.temps: list[L.Buffer] = []
        self.unused: set[str] = set()
        """Temporaries of the function that the schedule does without."""
        self.packing: list[L.Stmt] = []
        """What packs constants."""
        self.packed: list[L.Buffer] = []
        self.count = 0
        self.large = True

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    # ------------------------------------------------------------------------------- top level
    def function(self, func: L.LoopFunc) -> tuple[L.Stmt, ...]:
        out: list[L.Stmt] = []
        todo = list(func.body)
        while todo:
            stmt = todo.pop(0)
            if not isinstance(stmt, L.For):
                out.append(stmt)
                continue
            found = end_of_rows(stmt, todo)
            if found is not None:
                place, product, last = found
                ended = self.contraction(stmt, RowEnd(product, last, self.nest))
                if ended is not None:
                    out += [*todo[:place], *ended]
                    del todo[: place + 1]
                    self.unused.add(product.name)
                    continue
            out.extend(self.top(stmt))
        return tuple(out)

    def weigh(self, *loops: L.For) -> bool:
        """Notes whether a nest, or two that become one, is large; answers whether it is too small
        for other threads.
        """
        known = [work for work in map(total_work, loops) if work is not None]
        is_known = len(known) == len(loops)
        self.large = not is_known or sum(known) >= LARGE_WORK
        return is_known and sum(known) < SERIAL_WORK

    def contraction(self, loop: L.For, end: RowEnd | None = None) -> list[L.Stmt] | None:
        """A nest at the top level in register blocks, with what its rows end in."""
        small = self.weigh(loop) if end is None else self.weigh(loop, end.loop)
        blocks = contract(
            loop, self.machine, self.fresh, self.renamed, self.map_lanes, self.constants,
            self.choice, end,
        )  # fmt: skip
        if blocks is None:
            return None
        self.blocks = blocks
        body = [*blocks.packing, *blocks.body]
        if blocks.constant:
            self.packing.extend(blocks.packing)
            self.packed.extend(blocks.temps)
            body = list(blocks.body)
        else:
            self.temps.extend(blocks.temps)
        return [_serial(s) for s in body] if small else body

    def top(self, loop: L.For) -> list[L.Stmt]:
        """One nest at the top level."""
        small = self.weigh(loop)
        if reduction_target(loop) is not None:
            if not small and not has_loops(loop.body):
                return self.chunked(loop)
            return self.inner(replace(loop, kind="serial"))
        blocks = self.contraction(loop)
        if blocks is not None:
            return blocks
        bands = matvec(loop, self.machine, self.fresh, self.renamed, self.map_lanes)
        if bands is not None:
            self.temps.extend(bands[1])
            return bands[0]
        parts = taps(loop, self.machine, self.fresh, self.renamed, self.map_lanes)
        if parts is not None:
            self.temps.append(parts[1])
            return parts[0]
        tiled = tile_nest(loop, self.fresh)
        if tiled is not None:
            return [_serial(s) for s in tiled] if small else list(tiled)
        if loop.kind != "parallel":
            return self.inner(loop)
        out = self.nest(self.shared(loop))
        return [_serial(s) for s in out] if small else out

    def shared(self, loop: L.For) -> L.For:
        """A parallel loop of few iterations and the loop inside as one, so that workers get equal
        shares; not where lanes run along the second.
        """
        while isinstance(loop.extent, int) and loop.extent < TASKS and len(loop.body) == 1:
            inner = loop.body[0]
            if not isinstance(inner, L.For) or inner.kind != "serial" or not is_map(inner):
                break
            if not isinstance(inner.extent, int) or loop.var in ty.symbols(inner.extent):
                break
            if len(inner.body) != 1 or not isinstance(inner.body[0], L.For):
                break
            var = self.fresh("i")
            env: dict[str, L.Index] = {
                loop.var: Dim.symbol(var) // inner.extent,
                inner.var: Dim.symbol(var) % inner.extent,
            }
            body = tuple(L.substitute(s, env) for s in inner.body)
            loop = L.For(var, loop.extent * inner.extent, loop.kind, body)
        return loop

    def nest(self, loop: L.For) -> list[L.Stmt]:
        """A map loop (parallel or serial) and what is inside."""
        if not has_loops(loop.body):
            return self.map_lanes(loop)
        if self.outer_lanes_pay(loop):
            return self.map_lanes(loop)
        return [replace(loop, body=tuple(self.block(loop.body)))]

    def block(self, body: Sequence[L.Stmt]) -> list[L.Stmt]:
        out: list[L.Stmt] = []
        for stmt in body:
            if isinstance(stmt, L.If):
                then, otherwise = self.block(stmt.then), self.block(stmt.otherwise)
                out.append(replace(stmt, then=tuple(then), otherwise=tuple(otherwise)))
            else:
                out.extend(self.inner(stmt) if isinstance(stmt, L.For) else [stmt])
        return out

    def inner(self, loop: L.For) -> list[L.Stmt]:
        """A loop inside others: a reduction over lanes, or a map."""
        if loop.kind not in ("serial", "parallel"):
            return [loop]
        blocks = contract_within(loop, self.machine, self.fresh, self.renamed, self.map_lanes)
        if blocks is None:
            blocks = square_copy(loop, self.fresh)
        if blocks is not None:
            return blocks
        *around, last = reduction_loops(loop)
        if all(reduction_target(one) is not None for one in (*around, last)):
            return self.reduction_lanes(last, around)
        if not has_loops(loop.body):
            if is_map(loop):
                return self.map_lanes(loop)
            return [loop]
        if is_map(loop) and self.outer_lanes_pay(loop):
            return self.map_lanes(loop)
        parts = fission(loop, self.fresh) if is_map(loop) else None
        if parts is not None:
            rows, first, second = parts
            first = replace(first, body=tuple(self.block(first.body)))
            return [*rows, first, *self.map_lanes(second)]
        return [replace(loop, body=tuple(self.block(loop.body)))]

    # ---------------------------------------------------------------------------------- lanes
    def lanes_for(self, body: Sequence[L.Stmt]) -> int:
        """Lanes of a loop: whole registers of the widest element;
        several where the body is light.
        """
        sizes = [4]
        for stmt in L.statements(tuple(body)):
            for expr in L.expressions(stmt):
                sizes += [e.dtype.nbytes for e in L.walk(expr) if not isinstance(e, L.Idx)]
        narrow = all(s <= 1 for s in sizes[1:]) and len(sizes) > 1
        base = (
            self.machine.vector_bytes if narrow else self.machine.vector_bytes // max(4, max(sizes))
        )
        weight = body_size(body)
        live = sum(1 for s in L.statements(tuple(body)) if isinstance(s, L.Let))
        # Independent chains hide latency: 1.4x for a GELU, 1.3x for Black-Scholes with four of them
        # instead of one. They cost LLVM time, which small arrays do not earn back.
        most = (400, 48) if self.large else (12, 8)
        factor = (
            4 if weight <= most[0] and live <= most[1] else 2 if weight <= 48 and live <= 24 else 1
        )
        return max(2, base * (self.choice.lanes or factor))

    def outer_lanes_pay(self, loop: L.For) -> bool:
        """Whether lanes should run along this loop rather than along the loops inside it."""
        inner = [s for s in L.statements(loop.body) if isinstance(s, L.For)]
        if any(isinstance(s, L.For) and s.kind != "serial" for s in inner):
            return False
        if any(ty.symbols(s.extent) & _bound(loop) for s in inner):
            return False
        if any(isinstance(s, (L.Transpose, L.Barrier, L.Call)) for s in L.statements(loop.body)):
            return False
        if any(isinstance(s, L.Alloc) and s.buffer.space == "local" for s in loop.body):
            return False
        outer_unit = outer_bad = inner_unit = inner_bad = 0
        inner_vars = {s.var for s in inner}
        for offset in offsets(loop.body):
            stride = coefficient(offset, loop.var)
            if stride == 1:
                outer_unit += 1
            elif stride != 0:
                outer_bad += 1
            for var in inner_vars:
                s = coefficient(offset, var)
                if s == 1:
                    inner_unit += 1
                elif s != 0:
                    inner_bad += 1
        short = all(
            isinstance(s.extent, int) and s.extent < 8 for s in inner if not has_loops(s.body)
        )
        if outer_bad and not short:
            return False
        if isinstance(loop.extent, int) and loop.extent < 4:
            return False
        # inside, nothing is read along the inner loops (random numbers made from their counters):
        # lanes along the outer one need no reduction across lanes
        made = inner_unit == inner_bad == 0 and not (
            isinstance(loop.extent, int) and loop.extent < 64
        )
        return outer_unit > 0 and (inner_bad > 0 or short or made) and outer_unit >= inner_unit

    def map_lanes(self, loop: L.For) -> list[L.Stmt]:
        """For(v, n) -> For(q, n // lanes) For(l, lanes, vector), and a masked tail."""
        if not is_vectorizable(loop):
            return [loop]
        lanes = self.lanes_for(loop.body)
        extent = loop.extent
        kind = loop.kind
        if isinstance(extent, int):
            while lanes > 2 and lanes // 2 >= extent:
                lanes //= 2
        whole, rest = extent // lanes, extent % lanes
        lane, block = self.fresh("l"), self.fresh("q")
        out: list[L.Stmt] = []
        if whole != 0:
            index = Dim.symbol(block) * lanes + Dim.symbol(lane)
            body = tuple(L.substitute(s, {loop.var: index}) for s in loop.body)
            body = self.renamed(body)
            out.append(L.For(block, whole, kind, (L.For(lane, lanes, "vector", body),)))
        if rest != 0:
            out.append(self.tail(loop, whole * lanes, rest, lanes))
        return out

    def tail(self, loop: L.For, start: L.Index, rest: L.Index, lanes: int) -> L.Stmt:
        """The last, partial vector of a loop, under a mask."""
        lane = self.fresh("l")
        if isinstance(rest, int):
            while lanes > 2 and lanes // 2 >= rest:
                lanes //= 2
        place = start + Dim.symbol(lane)
        body = self.renamed(tuple(L.substitute(s, {loop.var: place}) for s in loop.body))
        if rest == lanes:
            return L.For(lane, lanes, "vector", body)
        mask = L.Scalar("lt", (L.Idx(Dim.symbol(lane)), L.Idx(rest)), L.BOOL)
        masked = L.For(lane, lanes, "vector", (L.If(mask, body),))
        if isinstance(rest, int):
            return masked
        return L.If(L.Scalar("gt", (L.Idx(rest), L.Idx(0)), L.BOOL), (masked,))

    def renamed(self, body: tuple[L.Stmt, ...]) -> tuple[L.Stmt, ...]:
        """A copy of statements whose Lets, loops and local buffers have names of their own."""
        return rename(body, self.fresh)

    def reduction_lanes(self, loop: L.For, around: Sequence[L.For] = ()) -> list[L.Stmt]:
        """A serial reduction loop -> lanes that accumulate, combined once at the end: of the loops
        `around` it too, which reduce into the same place and hold nothing else.
        """
        lanes = self.lanes_for(loop.body)
        extent = loop.extent
        if not is_vectorizable(loop) or (isinstance(extent, int) and extent < 4):
            return _within(around, [loop])
        if isinstance(extent, int):
            while lanes > 4 and lanes > extent:
                lanes //= 2
        out: list[L.Stmt] = []
        private: dict[str, L.Buffer] = {}
        body: list[L.Stmt] = []
        lane = self.fresh("l")
        for stmt in loop.body:
            if isinstance(stmt, L.Accumulate) and stmt.buffer.space == "register":
                wide = L.Buffer(self.fresh("lanes"), stmt.buffer.dtype, (lanes,), None, "register")
                private[stmt.buffer.name] = wide
                identity = L.const(IDENTITY[KIND_OF[stmt.op]](wide.dtype), wide.dtype)
                fill = self.fresh("l")
                out.append(L.Alloc(wide))
                out.append(
                    L.For(fill, lanes, "vector", (L.Store(wide, (Dim.symbol(fill),), identity),))
                )
                body.append(L.Accumulate(wide, (Dim.symbol("lane_"),), stmt.op, stmt.value))
            else:
                body.append(stmt)

        def copy(place: L.Index, lane: str) -> tuple[L.Stmt, ...]:
            env = {loop.var: place, "lane_": Dim.symbol(lane)}
            return self.renamed(tuple(L.substitute(s, env) for s in body))

        sums: list[L.Stmt] = []
        whole, rest = extent // lanes, extent % lanes
        if whole != 0:
            block = self.fresh("q")
            inside = copy(Dim.symbol(block) * lanes + Dim.symbol(lane), lane)
            sums.append(L.For(block, whole, "serial", (L.For(lane, lanes, "vector", inside),)))
        if rest != 0:
            last = self.fresh("l")
            mask = L.Scalar("lt", (L.Idx(Dim.symbol(last)), L.Idx(rest)), L.BOOL)
            inside = copy(whole * lanes + Dim.symbol(last), last)
            masked: L.Stmt = L.For(last, lanes, "vector", (L.If(mask, inside),))
            if not isinstance(rest, int):
                masked = L.If(L.Scalar("gt", (L.Idx(rest), L.Idx(0)), L.BOOL), (masked,))
            sums.append(masked)
        out += _within(around, sums)
        for stmt in loop.body:
            if isinstance(stmt, L.Accumulate) and stmt.buffer.name in private:
                wide = private[stmt.buffer.name]
                last = self.fresh("l")
                value = L.Load(wide, (Dim.symbol(last),))
                across = L.Accumulate(stmt.buffer, stmt.index, stmt.op, value)
                out.append(L.For(last, lanes, "vector", (across,)))
        return out

    # --------------------------------------------------------------------- whole-array reductions
    def chunked(self, loop: L.For) -> list[L.Stmt]:
        """A reduction over everything -> pieces of CHUNK elements in parallel,
        then their combination in order.
        """
        targets = [s for s in loop.body if isinstance(s, L.Accumulate)]
        whole, rest = loop.extent // CHUNK, loop.extent % CHUNK
        pieces = (loop.extent + CHUNK - 1) // CHUNK
        partial = {
            t.buffer.name: L.Buffer(self.fresh("part"), t.buffer.dtype, (pieces,)) for t in targets
        }
        self.temps.extend(partial.values())
        out: list[L.Stmt] = []

        def piece(start: L.Index, extent: L.Index, place: L.Index) -> list[L.Stmt]:
            var = self.fresh("r")
            stmts: list[L.Stmt] = []
            body: list[L.Stmt] = []
            local: dict[str, L.Buffer] = {}
            for target in targets:
                acc = L.Buffer(self.fresh("acc"), target.buffer.dtype, (1,), None, "register")
                local[target.buffer.name] = acc
                identity = L.const(IDENTITY[KIND_OF[target.op]](acc.dtype), acc.dtype)
                stmts += [L.Alloc(acc), L.Store(acc, (0,), identity)]
            for stmt in loop.body:
                moved = L.substitute(stmt, {loop.var: start + Dim.symbol(var)})
                if isinstance(moved, L.Accumulate):
                    moved = replace(moved, buffer=local[moved.buffer.name])
                body.append(moved)
            inner = L.For(var, extent, "serial", self.renamed(tuple(body)))
            stmts += self.reduction_lanes(inner)
            for target in targets:
                value = L.Load(local[target.buffer.name], (0,))
                stmts.append(L.Store(partial[target.buffer.name], (place,), value))
            return stmts

        if whole != 0:
            chunk = self.fresh("c")
            inside = piece(Dim.symbol(chunk) * CHUNK, CHUNK, Dim.symbol(chunk))
            out.append(L.For(chunk, whole, "parallel", tuple(inside)))
        if rest != 0:
            last = piece(whole * CHUNK, rest, whole)
            if isinstance(rest, int):
                out.extend(last)
            else:
                out.append(L.If(L.Scalar("gt", (L.Idx(rest), L.Idx(0)), L.BOOL), tuple(last)))
        for target in targets:
            var = self.fresh("c")
            value = L.Load(partial[target.buffer.name], (Dim.symbol(var),))
            combine = L.Accumulate(target.buffer, target.index, target.op, value)
            out += self.reduction_lanes(L.For(var, pieces, "serial", (combine,)))
        return out


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What a call runs, and what packs constants for it, once for all calls."""

    main: Lowered
    """Temporaries that the schedule needs are further parameters; what is packed stands last."""
    packing: L.LoopFunc | None = None
    """Its parameters: the inputs that are constants, then what is packed."""
    packed: tuple[L.Buffer, ...] = ()
    blocks: Blocks | None = None
    """The contraction in it, where there is one that is written in blocks."""


def schedule(lowered: Lowered, machine: Machine) -> Lowered:
    """The scheduled function, with the temporaries that the schedule needs
    as further parameters.
    """
    return schedule_for(lowered, machine, ()).main


def schedule_for(
    lowered: Lowered, machine: Machine, constants: Collection[str], choice: Choice = ESTIMATE
) -> Scheduled:
    """The same where some inputs, given by name, hold the same in every call, and where some of it
    was measured.
    """
    func = collapse(in_memory_order(collapse(flatten(lowered.func))))
    func = cache_rows(func)
    scheduler = Scheduler(machine, constants, choice)
    body = scheduler.function(func)
    packed = tuple(scheduler.packed)
    used = (p for p in func.params if p.name not in scheduler.unused)
    params = (*used, *scheduler.temps, *packed)
    symbols = dict.fromkeys(func.symbols)
    for temp in scheduler.temps:
        for extent in temp.shape:
            symbols.update(dict.fromkeys(sorted(ty.symbols(extent))))
    if machine.streaming_bytes is not None:
        body = mark_streaming(body, machine)
    func = L.LoopFunc(func.name, params, tuple(symbols), body)
    inputs, outputs = len(lowered.inputs), len(lowered.outputs)
    main = Lowered(
        func,
        params[:inputs],
        params[inputs : inputs + outputs],
        params[inputs + outputs : len(params) - len(packed)],
        lowered.messages,
    )
    if not packed:
        return Scheduled(main, blocks=scheduler.blocks)
    read = tuple(b for b in main.inputs if b.name in constants)
    packing = L.LoopFunc(f"{func.name}_packing", (*read, *packed), (), tuple(scheduler.packing))
    return Scheduled(main, packing, packed, scheduler.blocks)


def mark_streaming(body: tuple[L.Stmt, ...], machine: Machine) -> tuple[L.Stmt, ...]:
    """Marks the whole-vector stores to results that may be large,
    and that nothing in the kernel reads.
    """
    assert machine.streaming_bytes is not None
    read = {
        e.buffer.name
        for s in L.statements(body)
        for x in L.expressions(s)
        for e in L.walk(x)
        if isinstance(e, L.Load)
    }
    read |= {a.buffer.name for s in L.statements(body) for a in L.addresses(s)}
    accumulated = {s.buffer.name for s in L.statements(body) if isinstance(s, L.Accumulate)}

    def large(buffer: L.Buffer) -> bool:
        size = ty.product(buffer.shape) * buffer.dtype.nbytes
        if buffer.access != "out" or buffer.name in read | accumulated:
            return False
        return isinstance(size, Dim) or size >= (machine.streaming_bytes or 0)

    def inside(stmts: tuple[L.Stmt, ...], lanes: L.For | None) -> tuple[L.Stmt, ...]:
        return tuple(fix(s, lanes) for s in stmts)

    def fix(stmt: L.Stmt, lanes: L.For | None) -> L.Stmt:
        if isinstance(stmt, L.For):
            return replace(stmt, body=inside(stmt.body, stmt if stmt.kind == "vector" else lanes))
        if isinstance(stmt, L.Store) and lanes is not None and large(stmt.buffer):
            line = machine.vector_bytes // stmt.buffer.dtype.nbytes
            offset = stmt.buffer.offset(stmt.index)
            rest = ty.substitute(offset, {lanes.var: 0}) if isinstance(offset, Dim) else offset
            steps = [c for _, c in rest.terms] if isinstance(rest, Dim) else [rest]
            whole = isinstance(lanes.extent, int) and lanes.extent % line == 0
            if coefficient(offset, lanes.var) == 1 and whole and all(c % line == 0 for c in steps):
                return replace(stmt, streaming=True)
        return stmt  # what stands under a mask is no whole vector

    return inside(body, None)


# ------------------------------------------------------------------------------------- questions


def has_loops(body: Sequence[L.Stmt]) -> bool:
    return any(isinstance(s, L.For) for s in L.statements(tuple(body)))


def reduction_target(loop: L.For) -> L.Buffer | None:
    """The register buffer that the loop reduces into, if that is all it does."""
    found: L.Buffer | None = None
    for stmt in L.statements(loop.body):
        if isinstance(stmt, L.Accumulate):
            if stmt.buffer.space != "register" or any(
                loop.var in ty.symbols(i) for i in stmt.index
            ):
                return None
            found = found or stmt.buffer
        elif isinstance(stmt, L.Store) and stmt.buffer.space in ("global", "register"):
            return None  # stored to a register: the product of complex numbers, carried on
        elif isinstance(stmt, L.Alloc):
            return None
    return found


def reduction_loops(loop: L.For) -> list[L.For]:
    """The loop and those inside, each of which holds the next one and nothing else: serial ones."""
    loops = [loop]
    while len(loops[-1].body) == 1:
        inner = loops[-1].body[0]
        if not isinstance(inner, L.For) or inner.kind != "serial" or loops[-1].kind != "serial":
            break
        loops.append(inner)
    return loops if not has_loops(loops[-1].body) else [loop]


def _within(around: Sequence[L.For], body: list[L.Stmt]) -> list[L.Stmt]:
    """Statements inside these loops."""
    for loop in reversed(around):
        body = [replace(loop, body=tuple(body))]
    return body


def is_map(loop: L.For) -> bool:
    """Whether the iterations are independent:
    the loop writes only at places of its own, and to buffers of its own.
    """
    if loop.kind == "parallel":
        return True
    if any(isinstance(s, L.Call) for s in L.statements(loop.body)):
        return False
    own = {s.buffer.name for s in L.statements(loop.body) if isinstance(s, L.Alloc)}
    read: dict[str, list[L.Index]] = {}
    for stmt in L.statements(loop.body):
        for expr in L.expressions(stmt):
            for one in L.walk(expr):
                if isinstance(one, L.Load):
                    read.setdefault(one.buffer.name, []).append(one.buffer.offset(one.index))
    for stmt in L.statements(loop.body):
        if isinstance(stmt, (L.Store, L.Accumulate)) and stmt.buffer.name not in own:
            if isinstance(stmt, L.Accumulate) and not _adds_apart(stmt, loop, read):
                return False
            places = [stmt.buffer.offset(stmt.index), *read.get(stmt.buffer.name, ())]
            if len(places) > 1 and not all(_is_column(place, loop) for place in places):
                return False
            if coefficient(stmt.buffer.offset(stmt.index), loop.var) in (0, None):
                return False
    return True


def _adds_apart(stmt: L.Accumulate, loop: L.For, read: Collection[str]) -> bool:
    """Whether every iteration adds to another place, of which nothing else is known to the loop."""
    offset = stmt.buffer.offset(stmt.index)
    if has_loops(loop.body) or stmt.buffer.name in read:
        return False
    return coefficient(offset, loop.var) == 1 and not ty.symbols(offset) & (
        _bound(loop) - {loop.var}
    )


def _is_column(offset: L.Index, loop: L.For) -> bool:
    """Whether an offset is a multiple of the loop's extent, plus the loop's variable: then no other
    iteration comes to the same place.
    """
    rest = offset - Dim.symbol(loop.var)
    if not isinstance(loop.extent, int) or loop.var in ty.symbols(rest):
        return False
    steps = [c for _, c in rest.terms] if isinstance(rest, Dim) else [rest]
    return all(c % loop.extent == 0 for c in steps)


def is_vectorizable(loop: L.For) -> bool:
    """Whether the printers can run the body in lanes."""
    bound = _bound(loop)
    for stmt in L.statements(loop.body):
        if isinstance(stmt, L.For) and (
            stmt.kind not in ("serial", "unroll") or ty.symbols(stmt.extent) & bound
        ):
            return False
        if isinstance(stmt, (L.Transpose, L.Barrier, L.Call)):
            return False
    return True


def _bound(loop: L.For) -> frozenset[str]:
    names = {loop.var}
    for stmt in L.statements(loop.body):
        if isinstance(stmt, L.Let):
            names.add(stmt.name)
    return frozenset(names)


def offsets(body: Sequence[L.Stmt]) -> list[L.Index]:
    """The offsets of every access to global and local memory."""
    found: list[L.Index] = []
    for stmt in L.statements(tuple(body)):
        for expr in L.expressions(stmt):
            for one in L.walk(expr):
                if isinstance(one, L.Load) and one.buffer.space != "register":
                    found.append(one.buffer.offset(one.index))
        if isinstance(stmt, (L.Store, L.Accumulate)) and stmt.buffer.space != "register":
            found.append(stmt.buffer.offset(stmt.index))
    return found


def coefficient(index: L.Index, var: str) -> L.Index | None:
    """The stride of an index along a variable:
    0 where it does not appear, None where it is not linear.
    """
    found = ty.linear(index, var)
    return None if found is None else found[0]


def total_work(loop: L.For) -> int | None:
    """Scalar instructions of a whole nest; None when an extent is symbolic."""
    if not isinstance(loop.extent, int):
        return None
    if any(isinstance(s, L.For) and not isinstance(s.extent, int) for s in L.statements(loop.body)):
        return None
    return loop.extent * body_cost(loop.body)


def _serial(stmt: L.Stmt) -> L.Stmt:
    parallel = isinstance(stmt, L.For) and stmt.kind == "parallel"
    return replace(stmt, kind="serial") if parallel else stmt


def rename(body: tuple[L.Stmt, ...], fresh: Callable[[str], str]) -> tuple[L.Stmt, ...]:
    """A copy of statements whose Lets, loop variables and local buffers have fresh names."""
    names: dict[str, str] = {}
    buffers: dict[str, L.Buffer] = {}
    for stmt in L.statements(body):
        if isinstance(stmt, L.Let):
            names[stmt.name] = fresh("t")
        elif isinstance(stmt, L.For):
            names[stmt.var] = fresh(stmt.var.split("_")[0].rstrip("0123456789") or "v")
        elif isinstance(stmt, L.Alloc):
            buffers[stmt.buffer.name] = replace(stmt.buffer, name=fresh(stmt.buffer.space[:3]))
    env = {old: Dim.symbol(new) for old, new in names.items()}

    def index(i: L.Index) -> L.Index:
        return ty.substitute(i, env) if isinstance(i, Dim) else i

    def leaf(e: L.Expr) -> L.Expr:
        if isinstance(e, L.Name) and e.name in names:
            return L.Name(names[e.name], e.dtype)
        if isinstance(e, L.Load) and e.buffer.name in buffers:
            return replace(e, buffer=buffers[e.buffer.name])
        return e

    def fix(stmt: L.Stmt) -> L.Stmt:
        if isinstance(stmt, L.Let):
            return L.Let(names[stmt.name], stmt.value)
        if isinstance(stmt, L.For):
            return replace(stmt, var=names[stmt.var], body=tuple(fix(s) for s in stmt.body))
        if isinstance(stmt, L.If):
            return L.If(
                stmt.cond, tuple(fix(s) for s in stmt.then), tuple(fix(s) for s in stmt.otherwise)
            )
        if isinstance(stmt, L.Alloc):
            return L.Alloc(buffers[stmt.buffer.name])
        if isinstance(stmt, (L.Store, L.Accumulate)) and stmt.buffer.name in buffers:
            return replace(stmt, buffer=buffers[stmt.buffer.name])
        if isinstance(stmt, L.Call):
            return L.readdressed(
                stmt, lambda a: L.Address(buffers.get(a.buffer.name, a.buffer), a.index)
            )
        return stmt

    return tuple(fix(L.map_stmt(s, index, leaf)) for s in body)
