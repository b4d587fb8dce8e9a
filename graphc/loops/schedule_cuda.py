"""Schedules a naive LoopFunc for CUDA: a sequence of block loops, one kernel each.

    for i parallel: acc = 0; for r: acc += x[i, r]; y[i] = acc
      ->  for block: for warp thread(8): if 8*block + warp < n:
              acc = 0; for thread(32): for turn: acc += x[8*block + warp, 32*turn + thread]; y[...]
              = acc

What the block and thread loops mean is said in graphc/codegen/cuda.py. Reductions change their
order of addition here, to one that depends on the extents alone: the same bits from run to run.

The function's statements become segments: parallel nests (cuda_nests.py), blocks of straight
statements and short loops (one block of threads), large reductions (partial results by many blocks,
then such a block), and what cannot be spread (one thread). Names that cross segments travel through
one-element workspace. Requires: the lowering's form (parallel loops at top level only). Guarantees:
the same values but for the order of reductions. Placement: instead of `schedule`, when the target
is CUDA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace

from graphc_runtime.records import dataclass

from .. import types as ty
from . import cuda_access as A
from . import ir as L
from .cuda_access import merge
from .cuda_attention import attention_cuda
from .cuda_blocks import cooperative
from .cuda_contract import contract_cuda
from .cuda_nests import (
    LOCAL_BYTES,
    THREADS,
    WARP,
    Names,
    at,
    ceil_div,
    columns,
    elementwise,
    extent_of,
    guarded,
    in_parts,
    neutral_of,
    rename,
    row_statements,
    rows,
    symbol,
    transposed_loads,
    transposing,
)
from .cuda_scan import match as match_scan
from .cuda_scan import scan_cuda
from .cuda_sort import match as match_sort
from .cuda_sort import sort_cuda
from .ir import Accumulate, Alloc, Buffer, For, Index, Load, LoopFunc, Stmt, Store

PARTIAL_BLOCKS = 256
ONE_BLOCK_ELEMENTS = 16384
"""A loop at top level up to this long runs in one block."""
SHORT_REDUCTION = 32
MANY_RESULTS = 65536


def schedule_cuda(func: LoopFunc, arch: str | None = None, tf32: bool = False) -> LoopFunc:
    """The function with block and thread loops, and the workspace that it needs allocated at its
    top. It runs on every architecture, but with `arch` (such as "sm_90") on that one alone. With
    `tf32` operands of products of f32 may be rounded to 10 bits after the point."""
    return _Schedule(func, arch, tf32).run()


@dataclass
class _Segment:
    """Statements that become one kernel: "block" (one block), "nest", "partial" (of a reduction),
    "serial"."""

    kind: str
    stmts: list[Stmt] = field(default_factory=list)
    imports: list[Stmt] = field(default_factory=list)
    exports: list[Stmt] = field(default_factory=list)
    parts: dict[str, Buffer] = field(default_factory=dict)


class _Schedule:
    def __init__(self, func: LoopFunc, arch: str | None, tf32: bool):
        self.func, self.arch, self.tf32 = func, arch, tf32
        taken = (
            {b.name for b in func.params}
            | set(func.symbols)
            | A.defined(func.body)
            | A.allocated(func.body)
        )
        self.names = Names(taken, frozenset(func.symbols))
        self.segments: list[_Segment] = []

    def run(self) -> LoopFunc:
        body = self.func.body
        if match_scan((), body) or match_sort((), body):  # of one row
            body = (For(self.names.fresh("row"), 1, "parallel", body),)
        for stmt in self.promote(body):
            self.place(stmt)
        self.connect()
        body = tuple(k for s in self.segments if s.stmts for k in self.kernels(s))
        used = A.used_names(body)  # memory that a serial program needed may not be
        params = tuple(p for p in self.func.params if p.access != "temp" or p.name in used)
        workspace = (Alloc(b) for b in self.names.workspace)
        return replace(self.func, params=params, body=(*workspace, *body))

    def promote(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        """Arrays of the function itself stand in global memory; single elements travel with their
        segments."""
        moved: dict[str, tuple[Buffer, tuple[Index, ...]]] = {}
        for stmt in body:
            if isinstance(stmt, Alloc) and (
                stmt.buffer.space == "global" or stmt.buffer.shape not in ((), (1,))
            ):
                buffer = replace(stmt.buffer, space="global", access="temp")
                self.names.workspace.append(buffer)
                moved[buffer.name] = (buffer, ())
        return rename(body, moved) if moved else body

    # -- segments
    def here(self, kind: str) -> _Segment:
        """The last segment when it is of the kind and takes more, else a new one."""
        if not self.segments or self.segments[-1].kind != kind or kind in ("nest", "partial"):
            self.segments.append(_Segment(kind))
        return self.segments[-1]

    def place(self, stmt: Stmt) -> None:
        if not A.has_loops((stmt,)):
            self.here("block").stmts.append(stmt)
            return
        if not isinstance(stmt, For) or not ty.symbols(stmt.extent) <= self.names.symbols:
            self.here("serial").stmts.append(stmt)
            return
        if stmt.kind == "parallel" or A.is_map(stmt.var, stmt.body):
            self.here("nest").stmts.append(stmt)
            return
        chain = A.spread_chain(stmt, self.names.symbols)
        if chain is None:
            self.here("serial").stmts.append(stmt)
            return
        extent = extent_of(chain[0])
        ops = A.reduced({loop.var for loop in chain[0]}, chain[1])
        outside = {w.buffer.name for w in A.writes(chain[1])} - A.allocated(chain[1])
        single = all(
            w.buffer.shape in ((), (1,)) for w in A.writes(chain[1]) if w.buffer.name in ops
        )
        if (
            (isinstance(extent, int) and extent <= ONE_BLOCK_ELEMENTS)
            or outside != set(ops)
            or not single
        ):
            self.here("block").stmts.append(stmt)
            return
        self.split(stmt, chain[1], ops)

    def split(self, stmt: For, core: tuple[Stmt, ...], ops: dict[str, str]) -> None:
        """A large reduction: partial results, and the loop over these in the block segment that
        follows."""
        segment = _Segment("partial", [stmt])
        position = len(self.segments)
        if (
            position
            and self.segments[-1].kind == "block"
            and not self.depends(stmt, self.segments[-1])
        ):
            position -= 1  # before that block, which then joins the partial results itself
        self.segments.insert(position, segment)
        part_var = self.names.fresh("part")
        join: list[Stmt] = []
        for name in ops:
            write = next(w for w in A.writes(core) if w.buffer.name == name)
            part = self.names.temp(f"{name}_parts", write.buffer.dtype, (PARTIAL_BLOCKS,))
            segment.parts[name] = part
            join.append(
                Accumulate(write.buffer, write.index, ops[name], Load(part, (symbol(part_var),)))
            )
        self.here("block").stmts.append(For(part_var, PARTIAL_BLOCKS, "serial", tuple(join)))

    def depends(self, stmt: For, segment: _Segment) -> bool:
        """Does a reduction read what the segment makes (but for Lets that can be computed
        again)?"""
        stmts = tuple(segment.stmts)
        lets = {s.name: (0, s) for s in stmts if isinstance(s, L.Let)}
        made = {w.buffer.name for w in A.writes(stmts)} | set(lets)
        made -= self.copyable(lets, {w.buffer.name for w in A.writes(self.func.body)})
        reads = A.used_names((stmt,)) - {w.buffer.name for w in A.writes((stmt,))}
        return bool(reads & made)

    # -- names that cross segments
    def connect(self) -> None:
        written = {w.buffer.name for w in A.writes(self.func.body)}
        lets: dict[str, tuple[int, L.Let]] = {}
        registers: dict[str, tuple[int, Buffer]] = {}
        for k, segment in enumerate(self.segments):
            for stmt in segment.stmts:
                if isinstance(stmt, L.Let):
                    lets[stmt.name] = (k, stmt)
                elif isinstance(stmt, Alloc):
                    registers[stmt.buffer.name] = (k, stmt.buffer)
        copied = self.copyable(lets, written)
        held: dict[str, Buffer] = {}
        for k, segment in enumerate(self.segments):
            needs = A.used_names(tuple(segment.stmts)) - set(segment.parts)
            for name in self.with_origins(needs, lets, copied):
                home, let = lets[name]
                if home == k:
                    continue
                if name in copied:
                    segment.imports.append(let)
                    continue
                temp = held.get(name) or self.names.temp(name, let.value.dtype, (1,))
                if name not in held:
                    self.segments[home].exports.append(
                        Store(temp, (0,), L.Name(name, let.value.dtype))
                    )
                    held[name] = temp
                segment.imports.append(L.Let(name, Load(temp, (0,))))
        for name, (home, buffer) in registers.items():
            users = [
                k
                for k, s in enumerate(self.segments)
                if name in A.used_names(tuple(s.stmts)) - set(s.parts)
            ]
            if all(k == home for k in users):
                continue
            place = (0,) * len(buffer.shape)
            temp = self.names.temp(name, buffer.dtype, (1,))
            for k in sorted({home, *users}):
                segment = self.segments[k]
                if k != home:
                    segment.imports += [Alloc(buffer), Store(buffer, place, Load(temp, (0,)))]
                changed = k == home or name in {
                    w.buffer.name for w in A.writes(tuple(segment.stmts))
                }
                if changed and segment.kind in ("block", "serial"):
                    segment.exports.append(Store(temp, (0,), Load(buffer, place)))

    def copyable(self, lets: dict[str, tuple[int, L.Let]], written: set[str]) -> set[str]:
        """The Lets that only read what the function never writes: they are computed again where
        they are needed."""
        found: set[str] = set()
        own = A.allocated(self.func.body) | {b.name for b in self.names.workspace}
        for name, (_, let) in lets.items():
            needs = A.expression_names(let.value)
            known = found | self.names.symbols | {b.name for b in self.func.params}
            if not needs & (written | own) and needs <= known:
                found.add(name)
        return found

    @staticmethod
    def with_origins(
        needs: set[str], lets: dict[str, tuple[int, L.Let]], copied: set[str]
    ) -> list[str]:
        """The Lets among the names, and those that the copied ones are made of, in order of
        definition."""
        wanted, stack = set(), [n for n in needs if n in lets]
        while stack:
            name = stack.pop()
            if name not in wanted:
                wanted.add(name)
                if name in copied:
                    stack += [n for n in A.expression_names(lets[name][1].value) if n in lets]
        return [name for name in lets if name in wanted]

    # -- kernels
    def kernels(self, segment: _Segment) -> list[For]:
        """The kernel of a segment; for a contraction in parts, two."""
        if segment.kind != "nest":
            return [self.kernel(segment)]
        (loop,) = segment.stmts
        assert isinstance(loop, For)
        whole = attention_cuda(self.names, loop)
        if whole is not None:
            return [_inject(whole, tuple(segment.imports))]
        spread = scan_cuda(self.names, loop) or sort_cuda(self.names, loop)
        if spread is not None:
            return [_inject(k, tuple(segment.imports)) for k in spread]
        shared = cooperative(self.names, loop)
        if shared is not None:
            return [_inject(shared, tuple(segment.imports))]
        tiled = contract_cuda(self.names, loop, self.arch, self.tf32)
        kernels = [] if tiled is None else [tiled[0]]
        rest = loop if tiled is None else tiled[1]
        if rest is not None:
            kernels += self.nests(rest)
        return [_inject(k, tuple(segment.imports)) for k in kernels]

    def kernel(self, segment: _Segment) -> For:
        if segment.kind == "partial":
            return self.partial(segment)
        stmts = (*segment.imports, *segment.stmts, *segment.exports)
        block = self.names.fresh("block")
        if segment.kind == "block":
            made = row_statements(self.names, stmts, THREADS)
            if made is not None:
                return For(block, 1, "block", made)
        return For(block, 1, "block", self.globalized(stmts, 0, 1))

    def partial(self, segment: _Segment) -> For:
        assert isinstance(segment.stmts[0], For)
        chain = A.spread_chain(segment.stmts[0], self.names.symbols)
        assert chain is not None
        loops, core = chain
        block, thread, turn = (self.names.fresh(n) for n in ("block", "thread", "turn"))
        extent = extent_of(loops)
        # neighbouring threads read neighbouring elements, and so do neighbouring blocks
        flat = THREADS * PARTIAL_BLOCKS * symbol(turn) + THREADS * symbol(block) + symbol(thread)
        turns = ceil_div(extent, THREADS * PARTIAL_BLOCKS)
        known = {thread: THREADS, block: PARTIAL_BLOCKS}
        if isinstance(turns, int):
            known[turn] = max(1, turns)
        ops = A.reduced({loop.var for loop in loops}, core)
        own = {w.buffer.name: w for w in A.writes(core) if w.buffer.name in ops}
        start: list[Stmt] = []
        end: list[Stmt] = []
        moved: dict[str, tuple[Buffer, tuple[Index, ...]]] = {}
        for name, write in own.items():
            # under a name of its own: the place itself may be an output
            shape = (1, *write.buffer.shape)
            buffer = Buffer(self.names.fresh(name), write.buffer.dtype, shape, None, "register")
            moved[name] = (buffer, (0,))
            start += [
                Alloc(buffer),
                Store(buffer, (0, *write.index), neutral_of(ops[name], buffer)),
            ]
            end.append(
                Store(segment.parts[name], (symbol(block),), Load(buffer, (0, *write.index)))
            )
        body = rename(guarded(flat, extent, known, at(loops, core, flat)), moved)
        walk = For(thread, THREADS, "thread", (For(turn, turns, "serial", body),))
        return For(block, PARTIAL_BLOCKS, "block", (*segment.imports, *start, walk, *end))

    def nests(self, loop: For) -> list[For]:
        """The kernel of one parallel nest; of few results of many terms, two."""
        loops, core = A.chain(loop, self.names.symbols, mapped=True)
        along, across = self.directions(loops, core)
        parallel = PARTIAL_BLOCKS * (1 if along > across else WARP)
        parts = in_parts(self.names, loops, core, parallel)
        return [self.nest(one) for one in parts or (loop,)]

    def nest(self, loop: For) -> For:
        """The kernel of one parallel nest."""
        loops, core = A.chain(loop, self.names.symbols, mapped=True)
        deeper = A.chain(A.perfect(loop), self.names.symbols, mapped=True)
        if len(deeper[0]) > len(loops):
            loops, core = deeper
        if not A.has_loops(core):
            position, moved = transposed_loads(loops, core)
            if moved:
                return transposing(self.names, loops, core, position, moved)
            return elementwise(self.names, loops, core)
        made: For | None = None
        along, across = self.directions(loops, core)
        if along > across:
            made = rows(self.names, loops, core)
        else:
            count = extent_of(loops)
            if not isinstance(count, int) or count < MANY_RESULTS:
                made = columns(self.names, loops, core) if across and self.is_long(core) else None
        if made is None:
            made = self.per_thread(loops, core)
        return made

    def per_thread(self, loops: Sequence[For], core: tuple[Stmt, ...]) -> For:
        """One iteration per thread; arrays too large for a thread stand in global memory."""
        flat, total = self.names.fresh("flat"), extent_of(loops)
        block, thread = self.names.fresh("block"), self.names.fresh("thread")
        threads = 128
        body = self.globalized(at(loops, core, symbol(flat)), symbol(flat), total)
        f = threads * symbol(block) + symbol(thread)
        blocks = ceil_div(total, threads)
        known = {thread: threads}
        if isinstance(blocks, int):
            known[block] = max(1, blocks)
        body = tuple(L.substitute(s, {flat: f}) for s in body)
        return For(
            block,
            blocks,
            "block",
            (For(thread, threads, "thread", guarded(f, total, known, body)),),
        )

    def globalized(self, body: tuple[Stmt, ...], row: Index, rows: Index) -> tuple[Stmt, ...]:
        moved: dict[str, tuple[Buffer, tuple[Index, ...]]] = {}
        for stmt in L.statements(body):
            if isinstance(stmt, Alloc):
                nbytes = ty.product(stmt.buffer.shape) * stmt.buffer.dtype.nbytes
                if not isinstance(nbytes, int) or nbytes > LOCAL_BYTES:
                    temp = self.names.temp(
                        stmt.buffer.name, stmt.buffer.dtype, (rows, *stmt.buffer.shape)
                    )
                    moved[stmt.buffer.name] = (temp, (row,))
        return rename(body, moved) if moved else body

    def is_long(self, core: tuple[Stmt, ...]) -> bool:
        """Is a reduction of the core worth eight threads?"""
        for stmt in core:
            if isinstance(stmt, For) and (chain := A.spread_chain(stmt, self.names.symbols)):
                extent = extent_of(chain[0])
                if not isinstance(extent, int) or extent > 2 * SHORT_REDUCTION:
                    return True
        return False

    def directions(self, loops: Sequence[For], core: tuple[Stmt, ...]) -> tuple[int, int]:
        """How many accesses are contiguous along the core's own loops, and how many along the
        nest's last."""
        along = across = 0
        longest = 0
        for stmt in core:
            if not isinstance(stmt, For):
                continue
            chain = A.spread_chain(stmt, self.names.symbols)
            if chain is None:
                return 0, 1
            extent = extent_of(chain[0])
            longest = max(longest, extent if isinstance(extent, int) else SHORT_REDUCTION + 1)
            inner = chain[0][-1].var
            for access in (*A.loads(chain[1]), *A.writes(chain[1])):
                if access.buffer.space == "global":
                    offset = merge(access.buffer.offset(access.index))
                    along += A.stride(offset, inner) == 1
                    across += A.stride(offset, loops[-1].var) == 1
        return (along, across) if longest > SHORT_REDUCTION else (0, 1)


def _inject(kernel: For, stmts: tuple[Stmt, ...]) -> For:
    """The statements at the head of the innermost block loop."""
    if not stmts:
        return kernel
    if len(kernel.body) == 1 and isinstance(kernel.body[0], For) and kernel.body[0].kind == "block":
        return replace(kernel, body=(_inject(kernel.body[0], stmts),))
    return replace(kernel, body=(*stmts, *kernel.body))
