"""The loop IR: what a kernel is before it is printed as LLVM IR or CUDA C.

Immutable. One screen of grammar:

    LoopFunc = (name, params: Buffer*, symbols: name*, body: Stmt*)
    Buffer   = (name, dtype, shape: Index*, strides: Index*?, space, access)
                                            space: global|shared|local|register|private
    Stmt     = For(var, extent: Index, kind, body)
                                            kind: serial|parallel|vector|unroll|block|thread
             | Let(name, value)             name holds the value until the end of the block
             | Store(buffer, index*, value) | Accumulate(buffer, index*, op, value)
             | Alloc(buffer)                lives until the end of the block
             | If(cond, then, otherwise) | Barrier(proxies)
             | Fail(cond, code)             report error `code` when cond holds; goes on
             | Transpose(target, place, step, source, place, step, size)
             | Mma(target, place, a, place, b, place, dtype)
             | Fragments(target, place, source, index*, transposed)
             | CopyCommit | CopyWait(pending)
             | GroupMma(target, place, a, place, b, place, columns, a_deep, b_deep)
             | GroupFence | GroupCommit | GroupWait(target, pending)
             | Combine(buffer, index*, op, lanes)
             | Call(routine, (Address | character | Expr)*, work)
    Expr     = Load(buffer, index*, guard?) | Name | Const | Idx(Index) | Scalar(op, Expr*)
             | Cast | Bitcast | Select(cond, a, b)
    Index    = int | Dim                    a polynomial (with // and %) over loop variables,
                                            symbols and i64 Lets

A scalar has a real dtype: complex buffers are buffers of their parts with one more axis, of extent
2, and the lowering computes with Pair(re, im). Indices count elements, per axis; strides (elements)
are the C-contiguous ones unless given. A `vector` loop has a constant extent, the lanes: every
expression that its variable reaches is a vector, an If whose condition it reaches is a mask, and an
Accumulate whose place it does not reach reduces across the lanes in a fixed order. An `unroll` loop
has a constant extent and is written out. A `parallel` loop stands at the top level of the function;
its iterations are independent. `block` and `thread` loops belong to CUDA. A Load whose guard is
false reads nothing and is 0.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from graphc_runtime.errors import LINALG as LINALG
from graphc_runtime.errors import NON_FINITE as NON_FINITE
from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import BOOL, I64, Dim, DType, Extent

Index = Extent
FOR_KINDS = ("serial", "parallel", "vector", "unroll", "block", "thread")
SPACES = ("global", "shared", "local", "register", "private")
ACCUMULATE_OPS = ("add", "mul", "min", "max", "and", "or", "xor")


@dataclass(frozen=True, slots=True)
class Buffer:
    """A typed array in memory. Compared by value; names are unique within a function.

    `access` is "in", "out", "inout" or "temp". `align` is the alignment in bytes that the data is
    known to have. Of a "private" buffer each thread has the part that is named by its number, the
    first index, and uses no other.
    """

    name: str
    dtype: DType
    shape: tuple[Index, ...]
    strides: tuple[Index, ...] | None = None
    space: str = "global"
    access: str = "temp"
    align: int = 0
    swizzled: bool = False
    """In shared memory piece p of each 64 pieces of 16 bytes is at p ^ p // 8 % 8. Nobody sees it,
    for GroupMma and asynchronous Stores of 16 bytes alone reach such a buffer."""

    def element_strides(self) -> tuple[Index, ...]:
        """Strides in elements, C-contiguous unless given."""
        if self.strides is not None:
            return self.strides
        strides: list[Index] = []
        step: Index = 1
        for extent in reversed(self.shape):
            strides.append(step)
            step = step * extent
        return tuple(reversed(strides))

    def offset(self, index: tuple[Index, ...]) -> Index:
        """The offset in elements of an element."""
        total: Index = 0
        for i, stride in zip(index, self.element_strides(), strict=True):
            total = total + i * stride
        return total


# ------------------------------------------------------------------------------------ expressions


@dataclass(frozen=True, slots=True)
class Const:
    value: Any
    dtype: DType


@dataclass(frozen=True, slots=True)
class Name:
    """The value that a Let bound."""

    name: str
    dtype: DType


@dataclass(frozen=True, slots=True)
class Idx:
    """An index as an i64 number."""

    index: Index

    @property
    def dtype(self) -> DType:
        return I64


@dataclass(frozen=True, slots=True)
class Load:
    buffer: Buffer
    index: tuple[Index, ...]
    guard: Expr | None = None
    ahead: int = 0
    """The bytes so far on will be loaded soon: they are asked for, where the target can, whether
    they are the buffer's or not.
    """
    level: int = 2
    """The cache that they are asked into."""

    @property
    def dtype(self) -> DType:
        return self.buffer.dtype


@dataclass(frozen=True, slots=True)
class Scalar:
    """An operation of graphc/loops/scalar.py; the arguments have one dtype."""

    op: str
    args: tuple[Expr, ...]
    dtype: DType


@dataclass(frozen=True, slots=True)
class Cast:
    """NumPy's astype of one element; from and to real dtypes."""

    value: Expr
    dtype: DType


@dataclass(frozen=True, slots=True)
class Bitcast:
    value: Expr
    dtype: DType


@dataclass(frozen=True, slots=True)
class Select:
    """`a` where cond holds, else `b`. Both are evaluated (guard a Load that must not happen)."""

    cond: Expr
    a: Expr
    b: Expr

    @property
    def dtype(self) -> DType:
        return self.a.dtype


Expr = Const | Name | Idx | Load | Scalar | Cast | Bitcast | Select


@dataclass(frozen=True, slots=True)
class Pair:
    """A complex number during lowering: its parts. Never inside a LoopFunc."""

    re: Expr
    im: Expr

    @property
    def dtype(self) -> DType:
        return ty.C64 if self.re.dtype is ty.F32 else ty.C128


# ------------------------------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class For:
    var: str
    extent: Index
    kind: str
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Let:
    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Store:
    buffer: Buffer
    index: tuple[Index, ...]
    value: Expr
    streaming: bool = False
    """The line will not be read soon: a non-temporal store where the target has one."""
    asynchronous: bool = False
    """A copy of 4, 8 or 16 bytes from global to shared memory, all lanes of the vector loop that
    this Store is the body of; its value is a Load, whose guard is the same for all lanes. Who wrote
    it may read it after the CopyWait for its group, others after a barrier behind that."""


@dataclass(frozen=True, slots=True)
class Accumulate:
    buffer: Buffer
    index: tuple[Index, ...]
    op: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Alloc:
    buffer: Buffer


@dataclass(frozen=True, slots=True)
class If:
    cond: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class Barrier:
    """All threads of the block (or of the row's warp) meet."""

    proxies: bool = False
    """What the threads have put into shared memory is there for a GroupMma behind it too."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Reports error `code` (a position in the kernel's table of messages) when cond holds."""

    cond: Expr
    code: int


@dataclass(frozen=True, slots=True)
class Transpose:
    """target[t + c*target_step + r] = source[s + r*source_step + c] for r, c < size:
    a tile through registers.

    t and s are the offsets of `target_index` and `source_index`; steps count elements; both buffers
    have one axis.
    """

    target: Buffer
    target_index: tuple[Index, ...]
    target_step: Index
    source: Buffer
    source_index: tuple[Index, ...]
    source_step: Index
    size: int


@dataclass(frozen=True, slots=True)
class Mma:
    """A warp adds the product of two tiles, (16, 16) and (16, 8), to a tile of f32 (16, 8).

    What PTX calls `mma.sync.aligned.m16n8k16.row.col.f32.DTYPE.DTYPE.f32`. The 32 iterations of the
    innermost thread loop around, the lanes of a warp, do it together; all of them reach it. Each
    holds a part of the three tiles in registers, from the given places on. With q, t = lane // 4,
    lane % 4:

        target f32[4]: element 2*h + e is (q + 8*h, 2*t + e)
        a      u32[4]: word 2*c + h is (q + 8*h, 8*c + 2*t) and, in its high half, the next column
        b      u32[2]: word c is (8*c + 2*t, q) and, in its high half, the next row

    A word is two numbers of `dtype`, f16 or bf16. Here the sums run along the terms in order;
    hardware rounds them in an order of its own.

    With i8 a word is four numbers, the tiles are (16, 32) and (32, 8), and the target is i32, exact
    modulo 2**32: `mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32`. Columns 8*c + 2*t become
    16*c + 4*t and the three next ones.
    """

    target: Buffer
    target_index: tuple[Index, ...]
    a: Buffer
    a_index: tuple[Index, ...]
    b: Buffer
    b_index: tuple[Index, ...]
    dtype: DType


@dataclass(frozen=True, slots=True)
class Fragments:
    """A warp reads four matrices (8, 8) of 16-bit numbers from shared memory into registers.

    What PTX calls `ldmatrix.sync.aligned.m8n8.x4.shared.b16`, with `.trans` where `transposed`. The
    32 iterations of the innermost thread loop around do it together. Lane 8*m + i names the first
    of the 8 numbers of row i of matrix m, which are contiguous along the source's last axis and
    start at a multiple of 16 bytes. Word m of the target, u32[4] from the place on, becomes, with
    q, t = lane // 4, lane % 4: (q, 2*t) of matrix m and, in its high half, (q, 2*t + 1); where
    transposed (2*t, q) and (2*t + 1, q).
    """

    target: Buffer
    target_index: tuple[Index, ...]
    source: Buffer
    source_index: tuple[Index, ...]
    transposed: bool


@dataclass(frozen=True, slots=True)
class CopyCommit:
    """The thread's asynchronous Stores since the last CopyCommit are a group (also where there were
    none)."""


@dataclass(frozen=True, slots=True)
class CopyWait:
    """Waits until all groups of the thread but the last `pending` are done."""

    pending: int


@dataclass(frozen=True, slots=True)
class GroupMma:
    """Four warps add the product of two tiles in shared memory, (64, 16) and (16, columns), to a
    tile of f32 (64, columns) in their registers.

    What PTX calls `wgmma.mma_async.sync.aligned.m64nCOLUMNSk16.f32.DTYPE.DTYPE`. The 128 iterations
    of the innermost thread loop around, the lanes of the four warps, do it together; all of them
    reach it. With w, q, t = lane // 32, lane % 32 // 4, lane % 4, element 4*j + 2*h + e of the
    target, from the given place on, is (16*w + q + 8*h, 8*j + 2*t + e).

    Tiles are shared buffers of f16 or bf16, whose last axis is 8 numbers that lie beside each
    other: along the terms where `a_deep` (`b_deep`), then the axes before it are terms // 8 and the
    row (column); else along the rows (columns), then the axes before it are row // 8 (column // 8)
    and the term. Where such a tile is swizzled, row // 8 is two axes, row // 64 and row // 8 % 8.
    The places name the first number.

    It is asynchronous: the tiles may be read, and the target's elements may change, until a
    GroupWait for its group. Between whatever else the thread does with the target and the GroupMma
    stands a GroupFence; between what is written to the tiles and the GroupMma a Barrier with
    `proxies`. Here the sums run along the terms in order; hardware rounds them in an order of its
    own.
    """

    target: Buffer
    target_index: tuple[Index, ...]
    a: Buffer
    a_index: tuple[Index, ...]
    b: Buffer
    b_index: tuple[Index, ...]
    columns: int
    a_deep: bool
    b_deep: bool


@dataclass(frozen=True, slots=True)
class GroupFence:
    """What the thread has done with registers is done before the GroupMma behind it."""


@dataclass(frozen=True, slots=True)
class GroupCommit:
    """The GroupMma of the four warps since the last GroupCommit are a group."""


@dataclass(frozen=True, slots=True)
class GroupWait:
    """Waits until all groups but the last `pending` are done. With none pending the sums in
    `target` may be read behind it."""

    target: Buffer
    pending: int


@dataclass(frozen=True, slots=True)
class Combine:
    """Each group of `lanes` neighbouring lanes of a warp joins its numbers; all of them get the
    result.

    The 32 iterations of the innermost thread loop around do it together, each with its own register
    buffer. The numbers meet in a tree: at a distance of lanes // 2 first, of 1 last.
    """

    buffer: Buffer
    index: tuple[Index, ...]
    op: str
    lanes: int


@dataclass(frozen=True, slots=True)
class Address:
    """Where an element of a contiguous buffer is: the routine reads and writes from there on."""

    buffer: Buffer
    index: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """Calls a routine of LAPACK by its name, such as `dgetrf`.

    Every argument goes by address, as Fortran passes them: an Address; a character; or a number (an
    Expr), which is put in memory first. `work` is about how many arithmetic instructions it takes.
    """

    routine: str
    arguments: tuple[Address | str | Expr, ...]
    work: Index = 1


Stmt = (
    For
    | Let
    | Store
    | Accumulate
    | Alloc
    | If
    | Barrier
    | Fail
    | Transpose
    | Mma
    | Fragments
    | CopyCommit
    | CopyWait
    | GroupMma
    | GroupFence
    | GroupCommit
    | GroupWait
    | Combine
    | Call
)


@dataclass(frozen=True, slots=True)
class LoopFunc:
    """One kernel. `symbols` are i64 parameters: extents and the strides of strided inputs."""

    name: str
    params: tuple[Buffer, ...]
    symbols: tuple[str, ...]
    body: tuple[Stmt, ...]

    def __str__(self) -> str:
        from .text import print_loops  # printing is asked for, never needed to build

        return print_loops(self)


# ------------------------------------------------------------------------- building, with folding

TRUE, FALSE = Const(True, BOOL), Const(False, BOOL)


def scalar(op: str, *args: Expr, dtype: DType | None = None) -> Expr:
    """A Scalar whose dtype is that of its arguments, or bool for comparisons and tests."""
    if dtype is None:
        dtype = BOOL if op in COMPARISONS else args[0].dtype
    return Scalar(op, args, dtype)


COMPARISONS = frozenset(
    {"eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "signbit"}
)


def const(value: Any, dtype: DType) -> Const:
    """A constant of a real dtype, held as the Python number it is after rounding to the dtype."""
    with np.errstate(over="ignore"):
        rounded = dtype.numpy.type(value)
    return Const(float(rounded) if dtype.name == "bf16" else rounded.item(), dtype)


def cast(value: Expr, dtype: DType) -> Expr:
    return value if value.dtype is dtype else Cast(value, dtype)


def both(a: Expr | None, b: Expr | None) -> Expr | None:
    """The conjunction of two guards, None being always true."""
    if a is None or a == TRUE:
        return None if b == TRUE else b
    if b is None or b == TRUE or a == b:
        return a
    return FALSE if FALSE in (a, b) else Scalar("and", (a, b), BOOL)


def less(a: Index, b: Index, known: Any = None) -> Expr:
    """a < b as an expression; a constant when the bounds of the variables (`known`) decide it."""
    low, high = ty.bounds(a - b, known)
    if high is not None and high < 0:
        return TRUE
    if low is not None and low >= 0:
        return FALSE
    return Scalar("lt", (Idx(a), Idx(b)), BOOL)


# ----------------------------------------------------------------------------------------- walks


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside one."""
    if isinstance(expr, Scalar):
        return expr.args
    if isinstance(expr, (Cast, Bitcast)):
        return (expr.value,)
    if isinstance(expr, Select):
        return expr.cond, expr.a, expr.b
    if isinstance(expr, Load) and expr.guard is not None:
        return (expr.guard,)
    return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and everything inside it."""
    stack = [expr]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(children(one))


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Every statement of a body, outer before inner."""
    for stmt in body:
        yield stmt
        if isinstance(stmt, For):
            yield from statements(stmt.body)
        elif isinstance(stmt, If):
            yield from statements(stmt.then)
            yield from statements(stmt.otherwise)


def expressions(stmt: Stmt) -> tuple[Expr, ...]:
    """The expressions directly in a statement (not in the statements inside it)."""
    if isinstance(stmt, (Let, Store, Accumulate)):
        return (stmt.value,)
    if isinstance(stmt, (If, Fail)):
        return (stmt.cond,)
    if isinstance(stmt, Call):
        return tuple(a for a in stmt.arguments if not isinstance(a, (Address, str)))
    return ()


def addresses(stmt: Stmt) -> tuple[Address, ...]:
    """The places of memory that a statement hands to a routine."""
    if not isinstance(stmt, Call):
        return ()
    return tuple(a for a in stmt.arguments if isinstance(a, Address))


def readdressed(stmt: Call, change: Callable[[Address], Address]) -> Call:
    """The call with other places."""
    arguments = tuple(change(a) if isinstance(a, Address) else a for a in stmt.arguments)
    return Call(stmt.routine, arguments, stmt.work)


def map_expr(
    expr: Expr, index: Callable[[Index], Index], leaf: Callable[[Expr], Expr] = lambda e: e
) -> Expr:
    """Rebuilds an expression with `index` applied to every Index,
    and `leaf` to every Load, Name and Idx after it.
    """
    if isinstance(expr, Scalar):
        args = tuple([map_expr(a, index, leaf) for a in expr.args])
        return expr if _same(args, expr.args) else Scalar(expr.op, args, expr.dtype)
    if isinstance(expr, Name):
        return leaf(expr)
    if isinstance(expr, Load):
        guard = None if expr.guard is None else map_expr(expr.guard, index, leaf)
        place = tuple([index(i) for i in expr.index])
        if guard is not expr.guard or not _same(place, expr.index):
            expr = Load(expr.buffer, place, guard, expr.ahead, expr.level)
        return leaf(expr)
    if isinstance(expr, Idx):
        found = index(expr.index)
        return leaf(expr if found is expr.index else Idx(found))
    if isinstance(expr, (Cast, Bitcast)):
        value = map_expr(expr.value, index, leaf)
        return expr if value is expr.value else type(expr)(value, expr.dtype)
    if isinstance(expr, Select):
        parts = tuple([map_expr(e, index, leaf) for e in (expr.cond, expr.a, expr.b)])
        return expr if _same(parts, (expr.cond, expr.a, expr.b)) else Select(*parts)
    return expr


def _same(new: tuple[object, ...], old: tuple[object, ...]) -> bool:
    """Whether all parts are the old ones: then what they are parts of need not be made again."""
    return all(map(operator.is_, new, old))


def map_stmt(
    stmt: Stmt, index: Callable[[Index], Index], leaf: Callable[[Expr], Expr] = lambda e: e
) -> Stmt:
    """Rebuilds a statement with `index` applied to every Index and `leaf` as in `map_expr`."""

    def inside(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return tuple(map_stmt(s, index, leaf) for s in body)

    def place(indices: tuple[Index, ...]) -> tuple[Index, ...]:
        return tuple(index(i) for i in indices)

    def value(expr: Expr) -> Expr:
        return map_expr(expr, index, leaf)

    if isinstance(stmt, For):
        return For(stmt.var, index(stmt.extent), stmt.kind, inside(stmt.body))
    if isinstance(stmt, Let):
        return Let(stmt.name, value(stmt.value))
    if isinstance(stmt, Store):
        return Store(
            stmt.buffer, place(stmt.index), value(stmt.value), stmt.streaming, stmt.asynchronous
        )  # fmt: skip
    if isinstance(stmt, Accumulate):
        return Accumulate(stmt.buffer, place(stmt.index), stmt.op, value(stmt.value))
    if isinstance(stmt, If):
        return If(value(stmt.cond), inside(stmt.then), inside(stmt.otherwise))
    if isinstance(stmt, Fail):
        return Fail(value(stmt.cond), stmt.code)
    if isinstance(stmt, Transpose):
        return Transpose(
            stmt.target, place(stmt.target_index), index(stmt.target_step),
            stmt.source, place(stmt.source_index), index(stmt.source_step), stmt.size,
        )  # fmt: skip
    if isinstance(stmt, Mma):
        return Mma(
            stmt.target, place(stmt.target_index), stmt.a, place(stmt.a_index),
            stmt.b, place(stmt.b_index), stmt.dtype,
        )  # fmt: skip
    if isinstance(stmt, Fragments):
        return Fragments(
            stmt.target, place(stmt.target_index), stmt.source, place(stmt.source_index),
            stmt.transposed,
        )  # fmt: skip
    if isinstance(stmt, GroupMma):
        return GroupMma(
            stmt.target, place(stmt.target_index), stmt.a, place(stmt.a_index),
            stmt.b, place(stmt.b_index), stmt.columns, stmt.a_deep, stmt.b_deep,
        )  # fmt: skip
    if isinstance(stmt, Combine):
        return Combine(stmt.buffer, place(stmt.index), stmt.op, stmt.lanes)
    if isinstance(stmt, Call):
        arguments = tuple(
            Address(a.buffer, place(a.index)) if isinstance(a, Address)
            else a if isinstance(a, str) else value(a)
            for a in stmt.arguments
        )  # fmt: skip
        return Call(stmt.routine, arguments, index(stmt.work))
    return stmt


def substitute(stmt: Stmt, env: dict[str, Index]) -> Stmt:
    """The statement with loop variables (or symbols) replaced by indices."""
    return map_stmt(stmt, lambda i: ty.substitute(i, env) if isinstance(i, Dim) else i)
