"""Prints a scheduled LoopFunc as CUDA C: one kernel per top-level block loop.

What the loops of graphc/loops/schedule_cuda.py mean here, and in a sequential evaluation too:

- A function's body is a sequence of global `Alloc`s (workspace) and `block` loops; each nest of
  block loops is one kernel, launched in order. The innermost block loop is blockIdx.x. An extent
  that is not known, or too large for the grid, is a grid-stride loop.
- `thread` loops have constant extents; the innermost is threadIdx.x. What stands outside a thread
  loop is done by all threads alike, but stores to global and shared memory are done by one of them.
  A register or local buffer is a copy per thread, so outside thread loops all copies are equal.
  Of a private buffer a thread has the part of its own number, which lasts from one thread loop to
  the next.
- An Accumulate inside thread loops whose buffer and place lie outside them reduces across the
  threads: partial results per thread, a warp's shuffle tree, then the warps in order. The order is
  fixed.
- A `Barrier` stands in a thread loop of its own, between others, or where every thread of the
  block comes by: in thread loops that span it. A shared buffer inside an outer thread loop exists
  once for each of its threads.
- Global buffers without strides of their own start at a multiple of 16 bytes; the launcher sees to
  it. Shared buffers do when their `align` says so.

Called by graphc/codegen/build. Never schedules, never compiles.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from graphc_runtime.gpu_steps import GRID_LIMITS
from graphc_runtime.records import dataclass

from .. import types as ty
from ..errors import LoweringError
from ..loops import ir as L
from ..loops.cuda_access import linear, merge, neutral_value
from ..loops.ir import Accumulate, Alloc, Buffer, Expr, For, Index, Load, LoopFunc, Stmt, Store
from .cuda_analysis import (
    PACK_BYTES,
    RESERVED,
    Key,
    block_shape,
    find_partials,
    packed_accesses,
    thread_height,
)
from .cuda_group import ARCHITECTURES as GROUP_ARCHITECTURES
from .cuda_group import descriptor, group_function
from .cuda_index import Bounds, IndexPrinter
from .cuda_scalar import C_TYPE, bitcast, cast, constant, operation

PRELUDE = Path(__file__).with_name("cuda_prelude.h")
STATIC_SHARED_BYTES = 48 * 1024
"""More than this a kernel asks for when it is launched."""
MAX_SHARED_BYTES = 99 * 1024
"""What a block may have on every architecture from sm_80 on."""
GROUP_SHARED_BYTES = 227 * 1024
"""What it may have where there are products of four warps."""
SHARING_WORDS = (64, 96)
"""What a thread of 256 holds in register buffers, more than the first and at most the second, when
128 registers are enough for it but the compiler may take a few more (f32 tiles: 129 on sm_90, 161
for images). It is told not to: two such blocks share the 65536 registers of a processor."""
DOUBLE_WORDS = 32
"""What such a thread holds of f64, more than this, when the compiler may spill some bytes so that
another block fits. It is told that one is enough."""


@dataclass(frozen=True, slots=True)
class CudaKernel:
    """One kernel and how to launch it.

    `grid` (x, y, z) is evaluated at launch and cut to GRID_LIMITS; a launch with an extent of 0 is
    left out. `params` are the arguments in order: buffers as pointers, symbols as i64; then `int*
    error` if `fails`.
    """

    source: str
    name: str
    grid: tuple[Index, Index, Index]
    block: tuple[int, int, int]
    shared_bytes: int
    params: tuple[Buffer | str, ...]
    fails: bool = False
    synchronizes: bool = False
    """Does it hold barriers or warp operations?"""
    dynamic_bytes: int = 0
    """What of the shared memory is asked for at launch."""
    functions: tuple[str, ...] = ()
    """What the source calls besides the prelude."""

    @property
    def has_half(self) -> bool:
        return "__half" in self.source or "__nv_bfloat16" in self.source


def print_cuda(func: LoopFunc) -> tuple[CudaKernel, ...]:
    """The kernels of a scheduled function, in launch order.

    Raises:
        LoweringError: when the loops are not scheduled for CUDA, or ask for what it cannot do.
    """
    phases = [stmt for stmt in func.body if not isinstance(stmt, Alloc)]
    kernels: list[CudaKernel] = []
    for number, phase in enumerate(phases):
        if not isinstance(phase, For) or phase.kind != "block":
            raise LoweringError(
                f"{func.name} is not scheduled for CUDA: {type(phase).__name__} at top level"
            )
        name = func.name if len(phases) == 1 else f"{func.name}_{number}"
        kernels.append(_Kernel(func, phase, len(phases) > 1).print(name))
    return tuple(kernels)


def workspace(func: LoopFunc) -> tuple[Buffer, ...]:
    """The global buffers that the caller must provide beside the inputs and outputs."""
    allocated = (stmt.buffer for stmt in func.body if isinstance(stmt, Alloc))
    return (*(b for b in func.params if b.access == "temp"), *allocated)


def translation_unit(kernels: Iterable[CudaKernel]) -> str:
    """The complete source of some kernels, equal ones once."""
    kernels = tuple(kernels)
    half = "#define GC_HALF 1\n" if any(k.has_half for k in kernels) else ""
    functions = dict.fromkeys(f for k in kernels for f in k.functions)
    parts = (*functions, *dict.fromkeys(k.source for k in kernels))
    return half + PRELUDE.read_text() + "\n" + "\n".join(parts)


def renamed(kernel: CudaKernel, name: str) -> CudaKernel:
    """The kernel under another name."""
    source = kernel.source.replace(f" {kernel.name}(", f" {name}(", 1)
    return replace(kernel, name=name, source=source)


def architecture(kernels: Iterable[CudaKernel], arch: str) -> str:
    """What some kernels are compiled for, to run on `arch`: products of four warps are for one
    architecture alone, which is said by an `a`."""
    own = arch in GROUP_ARCHITECTURES and any(k.functions for k in kernels)
    return f"{arch}a" if own else arch


def _bare(text: str) -> str:
    """The text without a pair of parentheses around the whole of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for position, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return text[1:-1] if position == len(text) - 1 else text
    return text


@dataclass(slots=True)
class _Partial:
    """A per-thread partial result of a reduction across threads."""

    name: str
    target: Accumulate
    count: int


class _Kernel:
    """The state of printing one kernel."""

    def __init__(self, func: LoopFunc, phase: For, counts: bool):
        self.func, self.phase = func, phase
        self.counts = Counter[str]() if counts else None
        """Of names by what stands before their numbers, where these are the kernel's own: equal
        kernels of one function, which numbers its names through, have equal texts then."""
        self.block = block_shape((phase,))
        self.lines: list[str] = []
        self.depth = 1
        self.names: dict[str, str] = {}
        self.taken: set[str] = set()
        self.bounds = Bounds(func)
        self.indices = IndexPrinter(self.bounds, self.index_name)
        self.bound: tuple[str, ...] = ()
        self.alloc_level: dict[str, tuple[str, ...]] = {}
        self.global_names = {b.name for b in (*func.params, *workspace(func))}
        self.used: dict[str, Buffer] = {}
        self.stored: set[str] = set()
        self.used_symbols: set[str] = set()
        self.thread_vars: list[str] = []
        self.partials: dict[Key, _Partial] = {}
        self.lanes: dict[tuple[str, tuple[Index, ...]], str] = {}
        self.shared_bytes = self.dynamic_bytes = 0
        self.grouped = any(isinstance(s, L.GroupMma) for s in L.statements((phase,)))
        self.is_dynamic = self.grouped or _shared_bytes(phase) > STATIC_SHARED_BYTES
        self.functions: dict[str, None] = {}
        self.register_bytes = self.double_bytes = 0
        self.multiplies = any(isinstance(s, L.Mma) for s in L.statements((phase,)))
        self.fails = self.synchronizes = False
        self.shared_names: set[str] = set()
        self.apart = 0
        """Thread loops around that some threads of the block have no part in."""

    # -- the kernel
    def print(self, name: str) -> CudaKernel:
        grid = self.grid()
        self.statement(self.phase)
        everything = {b.name: b for b in (*self.func.params, *workspace(self.func))}
        buffers = [b for b in everything.values() if b.name in self.used]
        symbols = [s for s in self.func.symbols if s in self.used_symbols]
        static = self.shared_bytes - self.dynamic_bytes
        most = GROUP_SHARED_BYTES if self.grouped else MAX_SHARED_BYTES
        if static > STATIC_SHARED_BYTES or max(self.shared_bytes, self.dynamic_bytes) > most:
            raise LoweringError(f"{name} asks for {self.shared_bytes} bytes of shared memory")
        params = [self.parameter(b) for b in buffers] + [
            f"long long {self.name(s)}" for s in symbols
        ]
        if self.fails:
            params.append("int* error")
        x, y, z = self.block
        least, most = (4 * words for words in SHARING_WORDS)
        bounds = f"{x * y * z}"
        if x * y * z == 256 and least < self.register_bytes <= most:
            bounds += ", 2"
        elif self.grouped or (x * y * z == 256 and self.double_bytes > 4 * DOUBLE_WORDS):
            bounds += ", 1"
        head = f'extern "C" __global__ void __launch_bounds__({bounds}) {name}(\n    '
        if self.dynamic_bytes:
            kind = "GROUP" if self.grouped else "DYNAMIC"
            self.lines.insert(0, f"  GC_{kind}_SHARED({self.dynamic_bytes});")
        source = head + ",\n    ".join(params) + ") {\n" + "\n".join(self.lines) + "\n}\n"
        return CudaKernel(
            source,
            name,
            grid,
            self.block,
            self.shared_bytes,
            (*buffers, *symbols),
            self.fails,
            self.synchronizes,
            self.dynamic_bytes,
            tuple(self.functions),
        )

    def parameter(self, buffer: Buffer) -> str:
        const = "" if buffer.name in self.stored else "const "
        return f"{const}{C_TYPE[buffer.dtype]}* __restrict__ {self.name(buffer.name)}"

    def grid(self) -> tuple[Index, Index, Index]:
        extents = [loop.extent for loop in self.block_loops()]
        if len(extents) > 3:
            raise LoweringError("a grid has at most three axes")
        x, y, z = (*reversed(extents), 1, 1)[:3]
        return x, y, z

    def block_loops(self) -> Iterator[For]:
        """The nest of block loops, outer first."""
        body: tuple[Stmt, ...] = (self.phase,)
        while body:
            loops = [s for s in body if isinstance(s, For) and s.kind == "block"]
            if len(loops) > 1:
                raise LoweringError("two block loops stand beside each other in one kernel")
            yield from loops
            body = loops[0].body if loops else ()

    # -- text
    def emit(self, text: str) -> None:
        self.lines.append("  " * self.depth + text)

    def open(self, text: str) -> None:
        self.emit(f"{text} {{".lstrip())
        self.depth += 1

    def close(self) -> None:
        self.depth -= 1
        self.emit("}")

    def name(self, name: str) -> str:
        """The C identifier of a name of the function."""
        found = self.names.get(name)
        if found is None:
            found = re.sub(r"\W", "_", name)
            if self.counts is not None:
                stem = found.rstrip("0123456789")
                found = f"{stem}{self.counts[stem]}"
                self.counts[stem] += 1
            while found in RESERVED or found.startswith(("gc_", "__")) or found in self.taken:
                found = "v" + found if found.startswith(("gc_", "__")) else found + "_"
            self.names[name] = found
            self.taken.add(found)
        return found

    def index_name(self, name: str) -> str:
        if name in self.func.symbols:
            self.used_symbols.add(name)
        return self.name(name)

    def fresh(self, stem: str) -> str:
        number = 0
        while f"{stem}{number or ''}" in self.taken or f"{stem}{number or ''}" in RESERVED:
            number += 1
        self.taken.add(f"{stem}{number or ''}")
        return f"{stem}{number or ''}"

    # -- expressions
    def index(self, index: Index) -> str:
        return self.indices.text(index)

    def offset(self, buffer: Buffer, index: tuple[Index, ...]) -> Index:
        return merge(buffer.offset(index))

    def place(self, buffer: Buffer, index: tuple[Index, ...]) -> str:
        if buffer.name in self.global_names:
            self.used[buffer.name] = buffer
        elif buffer.name not in self.alloc_level:
            raise LoweringError(
                f"{self.func.name}: buffer {buffer.name} is neither a parameter nor allocated"
            )
        if buffer.space == "private":
            if not self.thread_vars or index[0] != ty.Dim.symbol(self.thread_vars[-1]):
                raise LoweringError(
                    f"{self.func.name}: a thread uses what {buffer.name} holds for others"
                )
            index = (0, *index[1:])
        return f"{self.name(buffer.name)}[{self.index(self.offset(buffer, index))}]"

    def expr(self, expr: Expr) -> str:
        match expr:
            case L.Const(value, dtype):
                return constant(value, dtype)
            case L.Name(name, _):
                return self.name(name)
            case L.Idx(index):
                return f"(long long)({self.index(index)})"
            case Load(buffer, index, guard):
                held = self.lanes.get((buffer.name, index)) if guard is None else None
                text = held or self.place(buffer, index)
                if guard is None:
                    return text
                return f"({self.expr(guard)} ? {text} : {constant(0, buffer.dtype)})"
            case L.Scalar(op, (L.Idx(a), L.Idx(b)), _) if op in _INDEX_COMPARISONS:
                return f"({self.index(a)} {_INDEX_COMPARISONS[op]} {self.index(b)})"
            case L.Scalar(op, args, _):
                return operation(op, [self.expr(a) for a in args], args[0].dtype)
            case L.Cast(value, dtype):
                return f"({cast(self.expr(value), value.dtype, dtype)})"
            case L.Bitcast(value, dtype):
                return bitcast(self.expr(value), value.dtype, dtype)
            case L.Select(cond, a, b):
                return f"({self.expr(cond)} ? {self.expr(a)} : {self.expr(b)})"
        raise LoweringError(f"{type(expr).__name__} has no CUDA form")

    # -- statements
    def block_of(self, body: tuple[Stmt, ...]) -> None:
        for stmt in body:
            self.statement(stmt)

    def statement(self, stmt: Stmt) -> None:
        match stmt:
            case For():
                self.loop(stmt)
            case L.Let(name, value):
                self.bounds.define(name, value)
                self.emit(
                    f"const {C_TYPE[value.dtype]} {self.name(name)} = {_bare(self.expr(value))};"
                )
            case Store(buffer, index, value):
                self.store(buffer, index, self.expr(value))
            case Accumulate():
                self.accumulate(stmt)
            case Alloc(buffer):
                self.alloc(buffer)
            case L.If(cond, then, otherwise):
                self.open(f"if ({_bare(self.expr(cond))})")
                self.block_of(then)
                self.close()
                if otherwise:
                    self.open("else")
                    self.block_of(otherwise)
                    self.close()
            case L.Barrier(proxies):
                if proxies:
                    self.emit("gc_fence_proxies();")
                self.barrier()
            case L.Fail(cond, code):
                self.fails = True
                self.emit(f"if ({_bare(self.expr(cond))}) atomicCAS(error, 0, {code});")
            case L.Transpose():
                self.transpose(stmt)
            case L.Mma():
                self.mma(stmt)
            case L.Fragments():
                self.fragments(stmt)
            case L.CopyCommit():
                self.emit("gc_copy_commit();")
            case L.CopyWait(pending):
                self.emit(f"gc_copy_wait<{pending}>();")
            case L.GroupMma():
                self.group_mma(stmt)
            case L.GroupFence():
                self.emit("gc_group_fence();")
            case L.GroupCommit():
                self.emit("gc_group_commit();")
            case L.GroupWait(target, pending):
                self.emit(f"gc_group_wait<{pending}>();")
                if not pending:
                    size = ty.product(target.shape)
                    self.emit(f"gc_group_settled<{size}>({self.name(target.name)});")
            case L.Combine():
                self.combine_lanes(stmt)
            case _:
                raise LoweringError(f"{type(stmt).__name__} has no CUDA form")

    def unbound(self) -> list[str]:
        """The axes of the block along which all threads do the same here."""
        return [a for a, n in zip("xyz", self.block, strict=True) if n > 1 and a not in self.bound]

    def once(self, text: str) -> None:
        """A statement that one of the threads that do the same executes."""
        leader = " && ".join(f"threadIdx.{axis} == 0" for axis in self.unbound())
        self.emit(f"if ({leader}) {text}" if leader else text)

    def store(self, buffer: Buffer, index: tuple[Index, ...], value: str) -> None:
        held = self.lanes.get((buffer.name, index)) if buffer.space != "register" else None
        place = held or self.place(buffer, index)
        text = f"{place} = {_bare(value)};"
        if buffer.name in self.global_names or buffer.space == "shared":
            self.stored.add(buffer.name)
            self.once(text)
        elif buffer.space != "private" and self.alloc_level[buffer.name] != self.bound:
            raise LoweringError(
                f"{self.func.name}: the {buffer.space} buffer {buffer.name} is stored to inside a "
                f"thread loop that it lies outside of"
            )
        else:
            self.emit(text)

    def accumulate(self, stmt: Accumulate) -> None:
        partial = self.partials.get((stmt.buffer.name, stmt.index)) or self.partials.get(
            (stmt.buffer.name, None)
        )
        if partial is None:
            place = self.place(stmt.buffer, stmt.index)
            self.store(
                stmt.buffer,
                stmt.index,
                operation(stmt.op, [place, self.expr(stmt.value)], stmt.buffer.dtype),
            )
            return
        place = partial.name
        if partial.count > 1:
            place += f"[{self.index(self.offset(stmt.buffer, stmt.index))}]"
        value = operation(stmt.op, [place, self.expr(stmt.value)], stmt.buffer.dtype)
        self.emit(f"{place} = {_bare(value)};")

    def alloc(self, buffer: Buffer) -> None:
        shape = buffer.shape[1:] if buffer.space == "private" else buffer.shape
        size = ty.product(shape)
        if not isinstance(size, int):
            raise LoweringError(
                f"{buffer.space} buffer {buffer.name} needs constant extents, not {buffer.shape}"
            )
        if buffer.space == "global":
            raise LoweringError(f"global buffer {buffer.name} must be allocated at top level")
        self.alloc_level[buffer.name] = self.bound
        name, ctype = self.name(buffer.name), C_TYPE[buffer.dtype]
        size = max(size, 1)
        if buffer.space != "shared":
            self.register_bytes += size * buffer.dtype.nbytes
            if buffer.dtype is ty.F64 and not self.multiplies:
                self.double_bytes += size * buffer.dtype.nbytes
            self.emit(f"{ctype} {name}[{size}];")
            return
        copies = [
            (axis, n)
            for axis, n in zip("xyz", self.block, strict=True)
            if axis in self.bound and n > 1
        ]
        total, own = size, "0"
        for axis, extent in copies:
            own = (
                f"threadIdx.{axis}" if own == "0" else f"threadIdx.{axis} * {total // size} + {own}"
            )
            total *= extent
        self.shared_bytes += total * buffer.dtype.nbytes
        declared = name if not copies else self.fresh(f"{name}_all")
        # an element array without constructors: __half would make one for each
        aligned = buffer.align >= PACK_BYTES and not copies
        self.shared_names |= {buffer.name} if aligned else set()
        if aligned and self.is_dynamic:
            start = -(-self.dynamic_bytes // buffer.align) * buffer.align
            nbytes = size * buffer.dtype.nbytes
            self.dynamic_bytes = start + -(-nbytes // PACK_BYTES) * PACK_BYTES
            self.emit(f"{ctype}* const {name} = reinterpret_cast<{ctype}*>(gc_dynamic + {start});")
            return
        align = f"__align__({buffer.align}) " if aligned else ""
        self.emit(f"__shared__ {align}{ctype} {declared}[{total}];")
        if copies:
            self.emit(f"{ctype}* {name} = {declared} + ({own}) * {size};")

    def barrier(self) -> None:
        self.synchronizes = True
        if not any(n > 1 for a, n in zip("xyz", self.block, strict=True) if a in self.bound):
            self.emit("__syncthreads();")
        elif "x" not in self.bound and self.block[0] == 32:
            self.emit("__syncwarp();")
        elif not self.unbound() and not self.apart:
            self.emit("__syncthreads();")
        else:
            raise LoweringError(
                f"{self.func.name}: a barrier stands between thread loops, or inside of loops over "
                f"all threads of the block"
            )

    # -- loops
    def loop(self, loop: For) -> None:
        self.bounds.loop(loop.var, loop.extent)
        if loop.kind == "block":
            self.block_loop(loop)
        elif loop.kind == "thread":
            self.thread_loop(loop)
        elif loop.kind == "vector":
            self.vector_loop(loop)
        elif loop.kind in ("serial", "rolled", "unroll"):
            if loop.kind != "serial":
                self.emit("#pragma unroll" + " 1" * (loop.kind == "rolled"))
            self.counted(loop, "0", "1")
        else:
            raise LoweringError(f"{self.func.name}: a {loop.kind} loop is not scheduled for CUDA")

    def counted(self, loop: For, start: str, step: str) -> None:
        var, ctype = self.name(loop.var), self.bounds.ctype(loop.var)
        advance = f"++{var}" if step == "1" else f"{var} += {step}"
        self.open(f"for ({ctype} {var} = {start}; {var} < {self.index(loop.extent)}; {advance})")
        self.block_of(loop.body)
        self.close()

    def block_loop(self, loop: For) -> None:
        axis = len([s for s in L.statements(loop.body) if isinstance(s, For) and s.kind == "block"])
        where = f"blockIdx.{'xyz'[axis]}"
        if isinstance(loop.extent, int) and loop.extent <= GRID_LIMITS[axis]:
            self.emit(f"const int {self.name(loop.var)} = {where};")
            self.block_of(loop.body)
            return
        before = self.synchronizes
        self.synchronizes = False
        shared = any(
            isinstance(s, Alloc) and s.buffer.space == "shared" for s in L.statements(loop.body)
        )
        var, ctype = self.name(loop.var), self.bounds.ctype(loop.var)
        limit, step = self.index(loop.extent), f"gridDim.{'xyz'[axis]}"
        self.open(f"for ({ctype} {var} = {where}; {var} < {limit}; {var} += {step})")
        self.block_of(loop.body)
        if shared and self.synchronizes:  # the next turn writes what this one may still be reading
            self.emit("__syncthreads();")
        self.close()
        self.synchronizes |= before

    def thread_loop(self, loop: For) -> None:
        if loop.body == (L.Barrier(),):
            self.barrier()
            return
        axis = thread_height(loop.body)
        letter = "xyz"[axis]
        assert isinstance(loop.extent, int)
        partials: dict[Key, _Partial] = {}
        for key, target in find_partials(self.func, loop, self.global_names, self.partials).items():
            size = 1 if key[1] is not None else ty.product(target.buffer.shape)
            assert isinstance(size, int)
            name = self.fresh(f"{self.name(target.buffer.name)}_part")
            partials[key] = _Partial(name, target, size)
            self.declare(partials[key])
        self.partials |= partials
        guards = [f"threadIdx.{a} == 0" for a in self.unbound() if "xyz".index(a) > axis]
        if loop.extent < self.block[axis]:
            guards.append(f"threadIdx.{letter} < {loop.extent}")
        self.open(f"if ({' && '.join(guards)})" if guards else "")
        self.emit(f"const int {self.name(loop.var)} = threadIdx.{letter};")
        outer, self.bound = (
            self.bound,
            (*self.bound, letter, *(a for a in self.unbound() if "xyz".index(a) > axis)),
        )
        self.thread_vars.append(loop.var)
        self.apart += bool(guards)
        self.block_of(loop.body)
        self.apart -= bool(guards)
        self.thread_vars.pop()
        self.bound = outer
        self.close()
        for key, partial in partials.items():
            del self.partials[key]
            self.combine(partial)

    def declare(self, partial: _Partial) -> None:
        dtype = partial.target.buffer.dtype
        neutral = constant(neutral_value(partial.target.op, dtype), dtype)
        if partial.count == 1:
            self.emit(f"{C_TYPE[dtype]} {partial.name} = {neutral};")
            return
        self.emit(f"{C_TYPE[dtype]} {partial.name}[{partial.count}];")
        self.emit(f"for (int k = 0; k < {partial.count}; ++k) {partial.name}[k] = {neutral};")

    def combine(self, partial: _Partial) -> None:
        """Joins the partial results and the place's own value, in a fixed order."""
        self.synchronizes = True
        stmt = partial.target
        dtype, x = stmt.buffer.dtype, self.block[0]
        threads = x * self.block[1] * self.block[2]
        whole = not any(n > 1 for a, n in zip("xyz", self.block, strict=True) if a in self.bound)
        if threads % 32 or not (whole or x == 32):
            raise LoweringError(
                f"{self.func.name}: a reduction across threads needs a block of whole warps, "
                f"or one warp per row; the block is {self.block}"
            )
        functor = f"gc_reduce_{stmt.op}"
        if whole and threads > 32:
            scratch = self.fresh(f"{partial.name}_scratch")
            self.emit(f"__shared__ {C_TYPE[dtype]} {scratch}[{threads // 32}];")
            self.shared_bytes += threads // 32 * dtype.nbytes
            joined = f"gc_block_reduce<{functor}>(%s, {scratch})"
        else:
            joined = f"gc_warp_reduce<{functor}>(%s)"
        if partial.count == 1:
            self.emit(f"{partial.name} = {joined % partial.name};")
            place = self.place(stmt.buffer, stmt.index)
            self.store(stmt.buffer, stmt.index, operation(stmt.op, [place, partial.name], dtype))
            return
        self.open(f"for (int k = 0; k < {partial.count}; ++k)")
        one = f"{partial.name}[k]"
        self.emit(f"{one} = {joined % one};")
        place = f"{self.name(stmt.buffer.name)}[k]"
        text = f"{place} = {operation(stmt.op, [place, one], dtype)};"
        self.once(text) if stmt.buffer.space == "shared" else self.emit(text)
        self.close()

    # -- vectors
    def vector_loop(self, loop: For) -> None:
        """Lanes as an unrolled loop; contiguous aligned loads and stores of all lanes are one
        access."""
        if not isinstance(loop.extent, int):
            raise LoweringError(f"vector loop {loop.var} needs a constant extent")
        lanes = loop.extent
        match loop.body:
            case (Store(asynchronous=True) as store,):
                self.copy(loop, store)
                return
        loads, stores = packed_accesses(loop, self.global_names | self.shared_names)
        self.stored |= {buffer.name for buffer, _ in stores}
        outer = dict(self.lanes)
        var = self.name(loop.var)
        self.open("")
        after: list[str] = []
        for buffer, index, is_store in [
            *((*a, False) for a in loads),
            *((*a, True) for a in stores),
        ]:
            pack = f"gc_pack<{C_TYPE[buffer.dtype]}, {lanes}>"
            start = ty.substitute(self.offset(buffer, index), {loop.var: 0})
            held = self.fresh(f"{self.name(buffer.name)}_v")
            if buffer.name in self.global_names:
                self.used[buffer.name] = buffer
            pointer = f"{self.name(buffer.name)} + ({self.index(start)})"
            if is_store:
                self.emit(f"{pack} {held};")
                after.append(f"*reinterpret_cast<{pack}*>({pointer}) = {held};")
            else:
                self.emit(f"const {pack} {held} = *reinterpret_cast<const {pack}*>({pointer});")
            self.lanes[(buffer.name, index)] = f"{held}.at[{var}]"
        self.emit("#pragma unroll")
        self.counted(loop, "0", "1")
        for text in after:
            self.once(text)
        self.close()
        self.lanes = outer

    def copy(self, loop: For, store: Store) -> None:
        """A vector loop that is one asynchronous copy."""
        load, target = store.value, store.buffer
        if self.unbound() or not isinstance(load, Load) or not isinstance(loop.extent, int):
            raise LoweringError(f"{self.func.name}: what is copied to {target.name} is no copy")
        buffers = ((target, store.index), (load.buffer, load.index))
        whole = loop.extent == 1 or all(
            linear(self.offset(buffer, index), loop.var, loop.extent) for buffer, index in buffers
        )
        fits = whole and target.name in self.shared_names
        if not fits:
            raise LoweringError(f"{self.func.name}: {target.name} is copied to in pieces")
        to, source = (
            self.place(buffer, tuple(_at_zero(i, loop.var) for i in index))
            for buffer, index in buffers
        )
        nbytes = loop.extent * target.dtype.nbytes
        guard = "true" if load.guard is None else _bare(self.expr(load.guard))
        name = "gc_copy_swizzled" if target.swizzled else "gc_copy_async"
        self.emit(f"{name}<{nbytes}>(&{to}, &{source}, {guard});")

    # -- tiles
    def fragments(self, stmt: L.Fragments) -> None:
        self.whole_warp("a Fragments")
        target = self.place(stmt.target, stmt.target_index)
        source = self.place(stmt.source, stmt.source_index)
        name = "gc_fragments_transposed" if stmt.transposed else "gc_fragments"
        self.emit(f"{name}(&{target}, &{source});")

    def whole_warp(self, what: str) -> None:
        """Raises LoweringError unless all threads of a warp come by."""
        if self.apart or "x" not in self.bound or self.block[0] != 32:
            raise LoweringError(
                f"{self.func.name}: {what} stands in a thread loop over a warp, all of whose "
                f"threads come by; the block is {self.block}"
            )
        self.synchronizes = True

    def group_mma(self, stmt: L.GroupMma) -> None:
        if self.apart or "x" not in self.bound or self.block[0] != 128:
            raise LoweringError(
                f"{self.func.name}: a GroupMma stands in a thread loop over four warps, all of "
                f"whose threads come by; the block is {self.block}"
            )
        self.synchronizes = True
        self.functions[group_function(stmt.a.dtype, stmt.columns)] = None
        tiles = []
        for tile, index, deep in (
            (stmt.a, stmt.a_index, stmt.a_deep), (stmt.b, stmt.b_index, stmt.b_deep)
        ):  # fmt: skip
            how = descriptor(tile, deep)
            numbers = f"{how.leading}, {how.stride}" + ", 1" * how.mode
            tiles.append(f"gc_tile<{numbers}>(&{self.place(tile, index)})")
        sides = f"<{int(not stmt.a_deep)}, {int(not stmt.b_deep)}>"
        name = f"gc_group_mma<{C_TYPE[stmt.a.dtype]}, {stmt.columns}>::add{sides}"
        target = self.place(stmt.target, stmt.target_index)
        self.emit(f"{name}(&{target}, {', '.join(tiles)});")

    def combine_lanes(self, stmt: L.Combine) -> None:
        self.whole_warp("a Combine")
        place = self.place(stmt.buffer, stmt.index)
        self.emit(f"{place} = gc_group_reduce<gc_reduce_{stmt.op}, {stmt.lanes}>({place});")

    def mma(self, stmt: L.Mma) -> None:
        self.whole_warp("an Mma")
        places = ((stmt.target, stmt.target_index), (stmt.a, stmt.a_index), (stmt.b, stmt.b_index))
        parts = ", ".join(f"&{self.place(buffer, index)}" for buffer, index in places)
        self.emit(f"gc_mma_{stmt.kind}({parts});")

    def transpose(self, stmt: L.Transpose) -> None:
        """Through shared memory where the whole block is here, else element by element."""
        size = stmt.size
        r, c, k = self.fresh("r"), self.fresh("c"), self.fresh("k")
        for var in (r, c):
            self.bounds.loop(var, size)
            self.names[var] = var
        row, column = ty.Dim.symbol(r), ty.Dim.symbol(c)
        source_at = self.offset(stmt.source, stmt.source_index) + row * stmt.source_step + column
        target_at = self.offset(stmt.target, stmt.target_index) + column * stmt.target_step + row
        self.used |= {stmt.source.name: stmt.source, stmt.target.name: stmt.target}
        self.stored.add(stmt.target.name)
        source = f"{self.name(stmt.source.name)}[{self.index(source_at)}]"
        target = f"{self.name(stmt.target.name)}[{self.index(target_at)}]"
        threads = self.block[0] * self.block[1] * self.block[2]
        if self.bound or threads == 1:
            self.open(f"for (int {r} = 0; {r} < {size}; ++{r})")
            self.open(f"for (int {c} = 0; {c} < {size}; ++{c})")
            self.once(f"{target} = {source};")
            self.close()
            self.close()
            return
        self.synchronizes = True
        tile = self.fresh("tile")
        self.shared_bytes += size * (size + 1) * stmt.source.dtype.nbytes
        thread = "threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)"
        held = f"{tile}[{r}][{c}]"
        self.open("")
        self.emit(f"__shared__ {C_TYPE[stmt.source.dtype]} {tile}[{size}][{size + 1}];")
        for major, minor, text in ((r, c, f"{held} = {source};"), (c, r, f"{target} = {held};")):
            self.open(f"for (int {k} = {thread}; {k} < {size * size}; {k} += {threads})")
            self.emit(f"const int {major} = {k} / {size}, {minor} = {k} % {size};")
            self.emit(text)
            self.close()
            self.emit("__syncthreads();")
        self.close()


def _at_zero(index: Index, var: str) -> Index:
    return ty.substitute(index, {var: 0}) if isinstance(index, ty.Dim) else index


def _shared_bytes(phase: For) -> int:
    """Of the tiles of a kernel."""
    total = 0
    for stmt in L.statements((phase,)):
        if isinstance(stmt, Alloc) and stmt.buffer.space == "shared":
            size = ty.product(stmt.buffer.shape)
            total += size * stmt.buffer.dtype.nbytes if isinstance(size, int) else 0
    return total


_INDEX_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
