"""The invariants of a LoopFunc: who breaks one is a bug of graphc, found before machine code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

from graphc_runtime.records import dataclass

from .. import types as ty
from ..errors import VerifyError
from ..types import BF16, BOOL, F16, F32, F64, I8, I32, I64, U32, DType
from .ir import (
    ACCUMULATE_OPS,
    FOR_KINDS,
    SPACES,
    Accumulate,
    Address,
    Alloc,
    Barrier,
    Bitcast,
    Buffer,
    Call,
    Cast,
    Combine,
    Const,
    CopyCommit,
    CopyWait,
    Expr,
    Fail,
    For,
    Fragments,
    GroupCommit,
    GroupFence,
    GroupMma,
    GroupWait,
    Idx,
    If,
    Index,
    Let,
    Load,
    LoopFunc,
    Mma,
    Name,
    Scalar,
    Select,
    Stmt,
    Store,
    Transpose,
    walk,
)
from .scalar import SCALAR_OPS
from .text import print_stmt

ACCESS = ("in", "out", "inout", "temp")


def verify(func: LoopFunc, target: str | None = None) -> LoopFunc:
    """Returns the function when all of this holds.

    Names:
    - A buffer, symbol, loop variable or Let is bound before it is used, and only used inside its
      block.
    - No name is bound where it is bound already; one buffer name stands for one Buffer in the whole
      function.
    Types:
    - A stored or accumulated value has the buffer's dtype; the arguments of a scalar op have one
      dtype, which the op admits, and its result is theirs or bool; conditions and guards are bool;
      no dtype is complex.
    - A Name has the dtype of its Let. A Bitcast keeps the width.
    Indices:
    - An access has one index for each axis of its buffer; an index, an extent or a stride is made
      of symbols, loop variables and Lets of dtype i64.
    Memory:
    - Nothing is stored to a buffer of access "in". Allocated buffers have access "temp"; register
      buffers have constant extents. Strides, where given, are one for each axis.
    - Nothing but an asynchronous Store of 16 bytes and a GroupMma reaches a swizzled buffer.
    - Accumulate ops are add, mul, min, max, and, or, xor.
    Loops:
    - Vector and unroll extents are constants, at least 1. Inside a vector loop there are only
      serial and unroll loops, whose extents the lanes share, and no Transpose; a buffer allocated
      there is one for each lane.
    - A parallel loop stands at the top level of the function, and has no block or thread loop
      inside.
    - A Barrier stands under a thread loop; block loops are not under thread loops.
    - A Transpose moves a constant tile between two buffers of one dtype and one axis.
    - An Mma stands in a thread loop of 32 iterations, in no vector loop, and works on register
      buffers of one axis: f32, u32 and u32; its dtype is f16 or bf16. With i8 the first is i32;
      with f32 and f64 all three are of that dtype.
    - Fragments stand in a thread loop of 32 iterations, in no vector loop; they go from a shared
      buffer of f16 or bf16 to a register buffer of u32 of one axis, or from f32 to f32 and then
      are not transposed.
    - An asynchronous Store is the whole body of a vector loop, moves 4, 8 or 16 bytes, and goes to
      a shared buffer from a global one of the same dtype: its value is a Load whose guard the
      lanes share. CopyCommit and CopyWait stand under a thread loop.
    - A GroupMma stands in a thread loop of 128 iterations, in no vector loop. Its target is a
      register buffer f32 of one axis; its tiles are shared buffers of f16 or bf16, both the same,
      that start at a multiple of 16 bytes, are contiguous (or swizzled), have three axes or more
      and 8 numbers on the last, whose place is 0. Columns are a multiple of 8, at most 256.
      GroupFence, GroupCommit and GroupWait stand in such a loop too.
    - A Combine stands in a thread loop of 32 iterations, in no vector loop, and works on a register
      buffer; it joins 2, 4, 8, 16 or 32 lanes by an op of Accumulate.
    - A Fail's code is at least 1.
    - A Call stands in no vector loop; its places are those of contiguous buffers in memory, and its
      characters are one.
    Targets: "cpu" has no block, thread, shared, Barrier, Mma, Fragments, asynchronous Store,
    CopyCommit, CopyWait, Combine, and nothing of a Group; "cuda" has no parallel loop, no Transpose
    and no Call.

    Raises:
        VerifyError: with the statement.
    """
    _Checker(func, target).run()
    return func


@dataclass
class _Checker:
    func: LoopFunc
    target: str | None
    bound: dict[str, DType | Buffer] = field(default_factory=dict)
    buffers: dict[str, Buffer] = field(default_factory=dict)
    loops: list[str] = field(default_factory=list)
    threads: list[Index] = field(default_factory=list)
    """The extents of the thread loops around."""
    varying: set[str] = field(default_factory=set)
    """Inside a vector loop: its variable, and the Lets there."""
    vector: For | None = None
    """The vector loop around."""
    stmt: Stmt | None = None

    def run(self) -> None:
        if self.target not in (None, "cpu", "cuda"):
            raise VerifyError(f"there is no target {self.target!r}; there are cpu and cuda")
        for name in self.func.symbols:
            self.bind(name, I64)
        for buffer in self.func.params:
            self.require(buffer.space == "global", f"parameter {buffer.name} is not global")
            self.declare(buffer)
        self.block(self.func.body, top=True)

    def require(self, cond: bool, message: str) -> None:
        if cond:
            return
        where = ""
        if self.stmt is not None:
            lines = print_stmt(self.stmt).splitlines()
            where = f", at: {lines[0]}" + (" ..." if len(lines) > 1 else "")
        raise VerifyError(f"loops of {self.func.name}: {message}{where}")

    # -- names
    def bind(self, name: str, what: DType | Buffer) -> None:
        self.require(name.isidentifier(), f"{name!r} is not a name")
        self.require(name not in self.bound, f"the name {name} is bound already")
        self.bound[name] = what

    def declare(self, buffer: Buffer) -> None:
        name = buffer.name
        self.require(
            self.buffers.setdefault(name, buffer) == buffer, f"there are two buffers named {name}"
        )
        self.require(
            buffer.space in SPACES, f"{name}: space {buffer.space!r} is not one of {SPACES}"
        )
        self.require(buffer.access in ACCESS, f"{name}: access {buffer.access!r} is unknown")
        self.require(not buffer.dtype.is_complex, f"{name}: a buffer has a real dtype")
        self.index((*buffer.shape, *(buffer.strides or ())))
        self.require(
            buffer.strides is None or len(buffer.strides) == len(buffer.shape),
            f"{name}: there is not one stride for each axis",
        )
        if buffer.space == "register":
            constant = all(isinstance(n, int) for n in buffer.shape)
            self.require(constant, f"{name}: the extents of a register buffer are constants")
        self.require(
            self.target != "cpu" or buffer.space != "shared", f"{name}: cpu has no shared memory"
        )
        self.bind(name, buffer)

    def index(self, index: tuple[Index, ...]) -> None:
        for one in index:
            for name in sorted(ty.symbols(one)):
                found = self.bound.get(name)
                self.require(found is not None, f"the index {one} uses {name}, which is not bound")
                self.require(found is I64, f"the index {one} uses {name}, which is no i64 number")

    def place(
        self, buffer: Buffer, index: tuple[Index, ...], writes: bool, swizzled: bool = False
    ) -> None:
        name = buffer.name
        self.require(swizzled or not buffer.swizzled, f"{name} is swizzled, and read or written")
        self.require(name in self.bound, f"the buffer {name} is not bound")
        self.require(self.bound[name] == buffer, f"the buffer {name} is not the one that is bound")
        self.require(
            len(index) == len(buffer.shape),
            f"{name} has {len(buffer.shape)} axes and is given {len(index)} indices",
        )
        self.require(not writes or buffer.access != "in", f"{name} is an input and is written")
        self.index(index)

    # -- expressions
    def typed(self, expr: Expr, dtype: DType, what: str) -> None:
        self.expr(expr)
        self.require(expr.dtype is dtype, f"{what} is {expr.dtype}, expected {dtype}")

    def expr(self, expr: Expr) -> None:
        if isinstance(expr, Name):
            found = self.bound.get(expr.name)
            self.require(found is not None, f"the name {expr.name} is not bound")
            self.require(found is expr.dtype, f"{expr.name} is {found}, read as {expr.dtype}")
        elif isinstance(expr, Idx):
            self.index((expr.index,))
        elif isinstance(expr, Load):
            self.place(expr.buffer, expr.index, writes=False)
            if expr.guard is not None:
                self.typed(expr.guard, BOOL, f"the guard of {expr.buffer.name}")
        elif isinstance(expr, Scalar):
            self.scalar(expr)
        elif isinstance(expr, (Cast, Bitcast)):
            self.expr(expr.value)
            self.require(
                isinstance(expr, Cast) or expr.value.dtype.bits == expr.dtype.bits,
                f"a bitcast of {expr.value.dtype} to {expr.dtype} changes the width",
            )
        elif isinstance(expr, Select):
            self.typed(expr.cond, BOOL, "the condition of a select")
            self.expr(expr.a)
            self.typed(expr.b, expr.a.dtype, "the other value of a select")
        else:
            self.require(isinstance(expr, Const), f"{expr!r} is no expression")
        self.require(not expr.dtype.is_complex, "an expression has a real dtype")

    def scalar(self, expr: Scalar) -> None:
        op = SCALAR_OPS.get(expr.op)
        self.require(op is not None, f"there is no scalar op {expr.op!r}")
        assert op is not None
        self.require(len(expr.args) == op.arity, f"{expr.op} takes {op.arity} arguments")
        dtype = expr.args[0].dtype
        for position, arg in enumerate(expr.args):
            self.typed(arg, dtype, f"argument {position} of {expr.op}")
        self.require(op.takes(dtype), f"{expr.op} does not take {dtype}")
        result = op.gives(dtype)
        self.require(expr.dtype is result, f"{expr.op} gives {result}, not {expr.dtype}")

    # -- statements
    def block(self, body: tuple[Stmt, ...], top: bool = False) -> None:
        before = dict(self.bound)
        for stmt in body:
            self.stmt = stmt
            check = _STATEMENTS.get(type(stmt))
            self.require(check is not None, f"{stmt!r} is no statement")
            assert check is not None
            check(self, stmt, top)
        self.bound = before

    def for_(self, stmt: For, top: bool) -> None:
        kind, outer = stmt.kind, self.loops
        self.require(kind in FOR_KINDS, f"{kind!r} is not a kind of loop")
        self.index((stmt.extent,))
        if kind in ("vector", "unroll"):
            constant = isinstance(stmt.extent, int) and stmt.extent >= 1
            self.require(constant, f"the extent of a {kind} loop is a constant, at least 1")
        if "vector" in outer:
            self.require(kind in ("serial", "unroll"), f"a {kind} loop in a vector loop")
            varying = ty.symbols(stmt.extent) & self.varying
            self.require(not varying, f"the extent {stmt.extent} differs between lanes")
        self.require(kind != "parallel" or top, "a parallel loop below the top level")
        self.require(
            kind not in ("block", "thread") or "parallel" not in outer,
            f"a {kind} loop in a parallel loop",
        )
        self.require(kind != "block" or "thread" not in outer, "a block loop in a thread loop")
        refused = {"cpu": ("block", "thread"), "cuda": ("parallel",)}.get(self.target or "", ())
        self.require(kind not in refused, f"{self.target} has no {kind} loop")
        before, lanes, vector = dict(self.bound), self.varying, self.vector
        self.bind(stmt.var, I64)
        if kind == "vector":
            self.varying, self.vector = {stmt.var}, stmt
        self.loops.append(kind)
        self.threads += [stmt.extent] if kind == "thread" else []
        self.block(stmt.body)
        self.loops.pop()
        del self.threads[len(self.threads) - (kind == "thread") :]
        self.bound, self.varying, self.vector = before, lanes, vector

    def let(self, stmt: Let, top: bool) -> None:
        self.expr(stmt.value)
        self.bind(stmt.name, stmt.value.dtype)
        if "vector" in self.loops:
            self.varying.add(stmt.name)

    def store(self, stmt: Store, top: bool) -> None:
        self.place(stmt.buffer, stmt.index, writes=True, swizzled=stmt.asynchronous)
        self.typed(stmt.value, stmt.buffer.dtype, f"the value stored to {stmt.buffer.name}")
        if stmt.asynchronous:
            self.asynchronous(stmt)

    def accumulate(self, stmt: Accumulate, top: bool) -> None:
        self.require(stmt.op in ACCUMULATE_OPS, f"{stmt.op!r} is not one of {ACCUMULATE_OPS}")
        self.place(stmt.buffer, stmt.index, writes=True)
        dtype = stmt.buffer.dtype
        self.typed(stmt.value, dtype, f"the value accumulated in {stmt.buffer.name}")
        self.require(dtype.kind in SCALAR_OPS[stmt.op].kinds, f"{stmt.op} does not take {dtype}")

    def alloc(self, stmt: Alloc, top: bool) -> None:
        self.require(stmt.buffer.access == "temp", f"{stmt.buffer.name} is allocated, so a temp")
        self.declare(stmt.buffer)

    def if_(self, stmt: If, top: bool) -> None:
        self.typed(stmt.cond, BOOL, "the condition")
        self.block(stmt.then)
        self.block(stmt.otherwise)

    def barrier(self, stmt: Barrier, top: bool) -> None:
        self.require(self.target != "cpu", "cpu has no barrier")
        self.require("thread" in self.loops, "a barrier outside thread loops")

    def fail(self, stmt: Fail, top: bool) -> None:
        self.typed(stmt.cond, BOOL, "the condition")
        self.require(isinstance(stmt.code, int) and stmt.code >= 1, "an error code is at least 1")

    def transpose(self, stmt: Transpose, top: bool) -> None:
        self.require(self.target != "cuda", "cuda has no Transpose")
        self.require("vector" not in self.loops, "a Transpose in a vector loop")
        self.place(stmt.target, stmt.target_index, writes=True)
        self.place(stmt.source, stmt.source_index, writes=False)
        self.index((stmt.target_step, stmt.source_step))
        self.require(stmt.target.dtype is stmt.source.dtype, "a Transpose changes the dtype")
        ranks = max(len(stmt.target.shape), len(stmt.source.shape))
        self.require(ranks == 1, "a Transpose moves between buffers of one axis")
        constant = isinstance(stmt.size, int) and stmt.size >= 1
        self.require(constant, "a tile has constant extents")

    def mma(self, stmt: Mma, top: bool) -> None:
        self.require(self.target != "cpu", "cpu has no Mma")
        warp = self.threads[-1:] == [32] and "vector" not in self.loops
        self.require(warp, "an Mma stands in a thread loop of 32 iterations")
        self.place(stmt.target, stmt.target_index, writes=True)
        self.place(stmt.a, stmt.a_index, writes=False)
        self.place(stmt.b, stmt.b_index, writes=False)
        total, side = _FRAGMENTS.get(stmt.dtype, (F32, U32))
        for buffer, dtype in ((stmt.target, total), (stmt.a, side), (stmt.b, side)):
            fits = buffer.dtype is dtype and buffer.space == "register" and len(buffer.shape) == 1
            self.require(fits, f"{buffer.name} is no register buffer {dtype}[n], as an Mma needs")
        known = stmt.dtype in _FRAGMENTS
        self.require(known, "the numbers of an Mma are f16, bf16, i8, f32 or f64")

    def fragments(self, stmt: Fragments, top: bool) -> None:
        self.require(self.target != "cpu", "cpu has no Fragments")
        warp = self.threads[-1:] == [32] and "vector" not in self.loops
        self.require(warp, "Fragments stand in a thread loop of 32 iterations")
        self.place(stmt.target, stmt.target_index, writes=True)
        self.place(stmt.source, stmt.source_index, writes=False)
        target, source = stmt.target, stmt.source
        fits = source.dtype in (F16, BF16, F32) and source.space == "shared"
        kinds = "f16, bf16 or f32"
        self.require(fits, f"{source.name} is no shared buffer of {kinds}, as Fragments need")
        word = F32 if source.dtype is F32 else U32
        held = target.dtype is word and target.space == "register" and len(target.shape) == 1
        self.require(held, f"{target.name} is no register buffer {word}[n], as Fragments need")
        self.require(not (stmt.transposed and word is F32), "Fragments of f32 are not transposed")

    def asynchronous(self, stmt: Store) -> None:
        self.require(self.target != "cpu", "cpu has no asynchronous Store")
        vector, value = self.vector, stmt.value
        alone = vector is not None and vector.body == (stmt,)
        self.require(alone, "an asynchronous Store is not the whole body of a vector loop")
        self.require(isinstance(value, Load), "an asynchronous Store moves what is no Load")
        assert vector is not None and isinstance(value, Load)
        spaces = f"from {value.buffer.space} to {stmt.buffer.space} memory"
        self.require(
            spaces == "from global to shared memory", f"an asynchronous Store goes {spaces}"
        )
        moved = vector.extent * stmt.buffer.dtype.nbytes
        fits = moved == 16 or (moved in (4, 8) and not stmt.buffer.swizzled)
        self.require(fits, f"an asynchronous Store moves {moved} bytes")
        for one in () if value.guard is None else walk(value.guard):
            names = ty.symbols(one.index) if isinstance(one, Idx) else ()
            self.require(
                not self.varying.intersection(names),
                "the lanes of an asynchronous Store have guards of their own",
            )

    def copies(self, stmt: CopyCommit | CopyWait, top: bool) -> None:
        self.require(self.target != "cpu", f"cpu has no {type(stmt).__name__}")
        self.require("thread" in self.loops, f"a {type(stmt).__name__} outside thread loops")
        pending = stmt.pending if isinstance(stmt, CopyWait) else 0
        self.require(0 <= pending <= 7, f"a CopyWait leaves {pending} groups pending")

    def group(self, stmt: GroupMma | GroupFence | GroupCommit | GroupWait, top: bool) -> None:
        name = type(stmt).__name__
        self.require(self.target != "cpu", f"cpu has no {name}")
        group = self.threads[-1:] == [128] and "vector" not in self.loops
        self.require(group, f"a {name} stands in a thread loop of 128 iterations")
        if isinstance(stmt, GroupWait):
            self.require(
                0 <= stmt.pending <= 7, f"a GroupWait leaves {stmt.pending} groups pending"
            )
            self.require(
                self.bound.get(stmt.target.name) == stmt.target, f"{stmt.target.name} is not bound"
            )
        if isinstance(stmt, (GroupWait, GroupMma)):
            target = stmt.target
            held = target.dtype is F32 and target.space == "register" and len(target.shape) == 1
            self.require(held, f"{target.name} is no register buffer f32[n], as a {name} needs")

    def group_mma(self, stmt: GroupMma, top: bool) -> None:
        self.group(stmt, top)
        self.place(stmt.target, stmt.target_index, writes=True)
        fits = isinstance(stmt.columns, int) and stmt.columns % 8 == 0 and 0 < stmt.columns <= 256
        self.require(fits, f"a GroupMma of {stmt.columns} columns; they are 8, 16, ... 256")
        self.require(stmt.a.dtype is stmt.b.dtype, "the tiles of a GroupMma are of two dtypes")
        for tile, index in ((stmt.a, stmt.a_index), (stmt.b, stmt.b_index)):
            self.place(tile, index, writes=False, swizzled=True)
            fits = tile.dtype in (F16, BF16) and tile.space == "shared"
            fits = fits and (tile.swizzled or tile.strides is None)
            aligned = tile.align > 0 and tile.align % 16 == 0
            pieces = len(tile.shape) >= 3 and (tile.shape[-1:], index[-1:]) == ((8,), (0,))
            self.require(fits and aligned and pieces, f"{tile.name} is no tile of a GroupMma")

    def combine(self, stmt: Combine, top: bool) -> None:
        self.require(self.target != "cpu", "cpu has no Combine")
        warp = self.threads[-1:] == [32] and "vector" not in self.loops
        self.require(warp, "a Combine stands in a thread loop of 32 iterations")
        self.place(stmt.buffer, stmt.index, writes=True)
        self.require(stmt.buffer.space == "register", f"{stmt.buffer.name} is no register buffer")
        self.require(stmt.op in ACCUMULATE_OPS, f"the unknown op {stmt.op}")
        self.require(stmt.lanes in (2, 4, 8, 16, 32), "a Combine joins 2, 4, 8, 16 or 32 lanes")

    def call(self, stmt: Call, top: bool) -> None:
        self.require(self.target != "cuda", f"cuda has no {stmt.routine}")
        self.require("vector" not in self.loops, "a Call in a vector loop")
        self.require(stmt.routine.isidentifier(), f"{stmt.routine!r} is not a name")
        for one in stmt.arguments:
            if isinstance(one, str):
                self.require(len(one) == 1, f"{one!r} is not one character")
            elif isinstance(one, Address):
                name = one.buffer.name
                self.place(one.buffer, one.index, writes=True)
                self.require(one.buffer.strides is None, f"{name} is handed over and has strides")
                self.require(one.buffer.space != "register", f"{name} has no address")
            else:
                self.expr(one)
        self.index((stmt.work,))


_FRAGMENTS = {
    F16: (F32, U32), BF16: (F32, U32), I8: (I32, U32), F32: (F32, F32), F64: (F64, F64)
}  # fmt: skip
"""What an Mma of a dtype adds to, and what its sides are held in."""

_STATEMENTS: dict[type, Callable[[_Checker, Any, bool], None]] = {
    For: _Checker.for_,
    Let: _Checker.let,
    Store: _Checker.store,
    Accumulate: _Checker.accumulate,
    Alloc: _Checker.alloc,
    If: _Checker.if_,
    Barrier: _Checker.barrier,
    Fail: _Checker.fail,
    Transpose: _Checker.transpose,
    Mma: _Checker.mma,
    Fragments: _Checker.fragments,
    CopyCommit: _Checker.copies,
    CopyWait: _Checker.copies,
    GroupMma: _Checker.group_mma,
    GroupFence: _Checker.group,
    GroupCommit: _Checker.group,
    GroupWait: _Checker.group,
    Combine: _Checker.combine,
    Call: _Checker.call,
}
