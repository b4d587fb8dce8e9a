"""What the CUDA printer must know of loops before it prints them: block shapes, reductions, vector
accesses.

Called by cuda.py; prints nothing.
"""

from __future__ import annotations

from collections.abc import Container, Set

from .. import types as ty
from ..errors import LoweringError
from ..loops import ir as L
from ..loops.cuda_access import linear, merge
from ..loops.ir import Accumulate, Alloc, Buffer, For, Index, Load, LoopFunc, Stmt, Store

MAX_THREADS = 1024
PACK_BYTES = 16

Key = tuple[str, tuple[Index, ...] | None]
Access = tuple[Buffer, tuple[Index, ...]]

RESERVED = frozenset(
    """alignas and asm auto bool break case catch char class const continue default delete do double
    else enum error explicit export extern false float for friend goto if inline int long mutable
    namespace new not operator or private protected public register return short signed sizeof
    static struct switch template this throw true try typedef typename union unsigned using virtual
    void volatile while xor dim3 threadIdx blockIdx blockDim gridDim warpSize min max memcpy abs exp
    exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
    atan2 hypot erf erfc lgamma copysign floor ceil trunc rint nextafter sqrt cbrt pow fmod fmin
    fmax fma fabs ldexp y0 y1 j0 j1 main""".split()
)
"""Names that C, CUDA and the math library have taken."""


def thread_height(body: tuple[Stmt, ...]) -> int:
    """How many thread loops are nested in a body."""
    height = 0
    for stmt in body:
        inner = stmt.body if isinstance(stmt, For) else ()
        if isinstance(stmt, L.If):
            inner = (*stmt.then, *stmt.otherwise)
        own = 1 if isinstance(stmt, For) and stmt.kind == "thread" else 0
        height = max(height, own + thread_height(inner))
    return height


def block_shape(body: tuple[Stmt, ...]) -> tuple[int, int, int]:
    """The threads of a block in x, y and z: the largest extent of the thread loops of each."""
    shape = [1, 1, 1]
    for stmt in L.statements(body):
        if isinstance(stmt, For) and stmt.kind == "thread":
            axis = thread_height(stmt.body)
            if not isinstance(stmt.extent, int) or axis > 2:
                raise LoweringError(f"thread loop {stmt.var}: at most three, of constant extent")
            shape[axis] = max(shape[axis], stmt.extent)
    if shape[0] * shape[1] * shape[2] > MAX_THREADS:
        raise LoweringError(f"a block of {shape} threads is more than {MAX_THREADS}")
    return shape[0], shape[1], shape[2]


def find_partials(
    func: LoopFunc, loop: For, shared: Set[str], done: Container[Key]
) -> dict[Key, Accumulate]:
    """The reductions across the threads of this loop, and of the thread loops inside it.

    By place; by buffer alone (index None) where the place moves within the loop. `shared` names the
    global buffers; places in `done` are reduced by a loop further out.
    """
    inner = list(L.statements(loop.body))
    own = {s.buffer.name for s in inner if isinstance(s, Alloc)}
    threads = {s.var for s in inner if isinstance(s, For) and s.kind == "thread"} | {loop.var}
    changing = {s.var for s in inner if isinstance(s, For)} | {
        s.name for s in inner if isinstance(s, L.Let)
    }
    found: dict[Key, Accumulate] = {}
    for stmt in inner:
        if not isinstance(stmt, Accumulate) or stmt.buffer.name in own:
            continue
        names = frozenset().union(*(ty.symbols(i) for i in stmt.index))
        if names & threads:
            if threads - names and stmt.buffer.space in ("register", "local"):
                raise LoweringError(
                    f"{func.name}: {stmt.buffer.name} is reduced across some threads only"
                )
            continue
        if (stmt.buffer.name, stmt.index) in done or (stmt.buffer.name, None) in done:
            continue
        size = ty.product(stmt.buffer.shape)
        whole = bool(names & changing)
        if whole and (not isinstance(size, int) or stmt.buffer.name in shared):
            raise LoweringError(f"{func.name}: a reduction across threads into moving places of "
                                f"{stmt.buffer.name}")  # fmt: skip
        key = (stmt.buffer.name, None if whole else stmt.index)
        if found.setdefault(key, stmt).op != stmt.op:
            raise LoweringError(f"{func.name}: {stmt.buffer.name} is reduced by two ops at once")
    return found


def packed_accesses(loop: For, global_names: Set[str]) -> tuple[list[Access], list[Access]]:
    """The loads and the stores of a vector loop that can be one access for all lanes."""
    inner = list(L.statements(loop.body))
    defined = {s.name for s in inner if isinstance(s, L.Let)} | {
        s.var for s in inner if isinstance(s, For)
    }
    read: dict[str, set[tuple[Index, ...]]] = {}
    written: dict[str, set[tuple[Index, ...]]] = {}
    for stmt in inner:
        for root in L.expressions(stmt):
            for e in L.walk(root):
                if isinstance(e, Load):
                    read.setdefault(e.buffer.name, set()).add(e.index)
        if isinstance(stmt, (Store, Accumulate, L.Transpose)):
            buffer, index = (
                (stmt.target, stmt.target_index)
                if isinstance(stmt, L.Transpose)
                else (stmt.buffer, stmt.index)
            )
            written.setdefault(buffer.name, set()).add(index)

    def fits(buffer: Buffer, index: tuple[Index, ...]) -> bool:
        assert isinstance(loop.extent, int)
        aligned = buffer.strides is None or buffer.align >= PACK_BYTES
        if buffer.name not in global_names or not aligned:
            return False
        if defined & frozenset().union(*(ty.symbols(i) for i in index)):
            return False
        return linear(merge(buffer.offset(index)), loop.var, loop.extent)

    loads: dict[tuple[Buffer, tuple[Index, ...]], None] = {}
    stores: dict[tuple[Buffer, tuple[Index, ...]], None] = {}
    for stmt in loop.body:
        if isinstance(stmt, (L.If, For)):
            continue
        for root in L.expressions(stmt):
            for e in L.walk(root):
                if isinstance(e, Load) and e.guard is None and fits(e.buffer, e.index):
                    if e.buffer.name not in written:
                        loads[(e.buffer, e.index)] = None
        if isinstance(stmt, Store) and fits(stmt.buffer, stmt.index):
            if stmt.buffer.name not in read and len(written[stmt.buffer.name]) == 1:
                stores[(stmt.buffer, stmt.index)] = None
    return list(loads), list(stores)
