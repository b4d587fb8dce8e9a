"""How opaque cards call LAPACK: loops over the matrices of a batch, and memory that it works in.

LAPACK goes down columns, graphs hold rows: matrices are turned on their way into memory of the
call and back (`take` and `give`), which costs the square of what the routine costs the cube of, and
gives the same pivots and signs as NumPy, which does the same.

Small matrices of a batch are shared by the workers, each with memory of its own. Matrices past
SHARED_EXTENT, and those of unknown extents, come one after the other: there the library's own
threads work, at their setting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import types as ty
from ..errors import ShapeMismatch, TypeMismatch
from ..loops.ir import (
    FALSE,
    Address,
    Buffer,
    Call,
    Expr,
    Fail,
    For,
    Idx,
    If,
    Index,
    Load,
    Pair,
    Select,
    Stmt,
    cast,
    const,
    less,
    scalar,
)
from ..types import C64, C128, F32, F64, I32, Dim, DType, Extent, TensorType
from .define import Element
from .emission import bound, load, store

SHARED_EXTENT = 64
"""Up to here OpenBLAS takes one thread for a matrix, whatever its setting."""
SHARES = 32
"""Into so many parts a batch of small matrices is cut."""
PREFIX = {F32: "s", F64: "d", C64: "c", C128: "z"}
DTYPES = tuple(PREFIX)


# --------------------------------------------------------------------------------------- checks


def check_matrices(op: str, types: Sequence[TensorType], count: int) -> None:
    """Raises unless there are so many operands, matrices of one dtype and one batch."""
    if len(types) != count:
        raise TypeMismatch(f"{op} takes {count} operands, got {len(types)}")
    for position, type in enumerate(types):
        if type.dtype not in DTYPES:
            raise TypeMismatch(f"{op}: operand {position} is {type}; it takes f32, f64, c64, c128")
        if type.dtype is not types[0].dtype:
            raise TypeMismatch(f"{op}: operand {position} is {type}, operand 0 {types[0]}")
        if type.rank < 2:
            raise ShapeMismatch(f"{op}: operand {position} is {type}; it has to have two axes")
        if type.shape[:-2] != types[0].shape[:-2]:
            raise ShapeMismatch(
                f"{op}: operand {position} is {type}, operand 0 {types[0]}; "
                "the leading axes, which are a batch, must be the same"
            )


def check_square(op: str, type: TensorType) -> None:
    """Raises ShapeMismatch unless the last two axes have one extent."""
    if type.shape[-1] != type.shape[-2]:
        raise ShapeMismatch(f"{op}: operand 0 is {type}; its last two axes must be equal")


def smaller(op: str, m: Extent, n: Extent) -> Extent:
    """The smaller of two extents.

    Raises:
        ShapeMismatch: where their symbols leave that open.
    """
    low, high = ty.bounds(m - n)
    if low is not None and low >= 0:
        return n
    if high is not None and high <= 0:
        return m
    raise ShapeMismatch(
        f"{op}: which of the extents {m} and {n} is the smaller one depends on the call; "
        "give one of them as a number"
    )


# --------------------------------------------------------------------------------------- emission


class Matrices:
    """The statements that a card puts together for one matrix of its batch, and the loops around.

    Used in the order: `temp` for all memory, then statements, then `loops`.
    """

    def __init__(self, c: Any, lead: Sequence[Extent], extent: Extent):
        """`extent` is the larger one of the matrices."""
        self.c, self.lead = c, tuple(lead)
        self.dtype: DType = c.types[0].dtype
        self.stmts: list[Stmt] = []
        self.total: Extent = ty.product(self.lead)
        parts: Extent = 1
        if isinstance(extent, int) and extent <= SHARED_EXTENT:
            parts = min(self.total, SHARES) if isinstance(self.total, int) else SHARES
        self.parts = max(parts, 1)
        self.share: Extent = (self.total + self.parts - 1) // self.parts
        self.part, self.step = c.fresh("part"), c.fresh("step")
        self.slot: Index = Dim.symbol(self.part) if self.parts > 1 else 0
        turn: Index = Dim.symbol(self.step) if self.total != 1 else 0
        self.number: Index = self.slot * self.share + turn
        self.info = self.temp(I32, 1)

    @property
    def at(self) -> tuple[Index, ...]:
        """The place of the matrix in the batch."""
        if 0 in self.lead:  # then nothing runs
            return (0,) * len(self.lead)
        rest, found = self.number, []
        for depth, extent in reversed(list(enumerate(self.lead))):
            found.append(rest % extent if depth else rest)
            rest = rest // extent
        return tuple(reversed(found))

    def temp(self, dtype: DType, *shape: Index) -> Buffer:
        """Memory for one matrix or line; LAPACK's matrices are (columns, rows)."""
        last = (2,) if dtype.is_complex else ()
        return self.c.temp(dtype.real, (self.parts, *shape, *last))

    def address(self, buffer: Buffer) -> Address:
        """Where the memory that `temp` gave begins, for the matrix."""
        return Address(buffer, (self.slot, *(0 for _ in buffer.shape[1:])))

    def result(self, k: int) -> Address:
        """Where the part of a result that belongs to the matrix begins."""
        buffer = self.c.result(k)
        return Address(buffer, (*self.at, *(0 for _ in range(len(buffer.shape) - len(self.at)))))

    # -- statements
    def loop(self, extents: Sequence[Index], body: Callable[..., Sequence[Stmt]]) -> None:
        """Puts `body(i, j...)` in loops."""
        if 0 in extents:
            return
        names = [self.c.fresh("i") for _ in extents]
        stmts = tuple(body(*(Dim.symbol(name) for name in names)))
        for name, extent in reversed(list(zip(names, extents, strict=True))):
            stmts = (For(name, extent, "serial", stmts),)
        self.stmts.extend(stmts)

    def take(self, k: int, target: Buffer) -> None:
        """Turns operand k into memory."""
        rows, columns = self.c.types[k].shape[-2:]

        def one(i: Index, j: Index) -> Sequence[Stmt]:
            lets, element = self.element(k, i, j)
            return (*lets, *store(target, (self.slot, j, i), element))

        self.loop((rows, columns), one)

    def element(self, k: int, *index: Index) -> tuple[tuple[Stmt, ...], Element]:
        """An element of operand k of the matrix."""
        return self.named(load(self.c.buffer(k), self.c.types[k].dtype, (*self.at, *index)))

    def named(self, element: Element) -> tuple[tuple[Stmt, ...], Element]:
        return bound(self.c, "t", element)

    def held(self, source: Buffer, dtype: DType, *index: Index) -> tuple[Any, Element]:
        """An element of memory."""
        return self.named(load(source, dtype, (self.slot, *index)))

    def put(self, k: int, index: Sequence[Index], element: Element) -> tuple[Stmt, ...]:
        """Stores an element of result k."""
        return store(self.c.result(k), (*self.at, *index), element)

    def give(
        self, k: int, source: Buffer, rows: Extent, columns: Extent,
        keep: Callable[[Index, Index], Expr] | None = None, otherwise: float = 0.0,
    ) -> None:  # fmt: skip
        """Turns memory into result k; something else where `keep` does not hold."""

        def one(i: Index, j: Index) -> Sequence[Stmt]:
            lets, element = self.held(source, self.dtype, j, i)
            if keep is not None:
                element = where(keep(i, j), element, otherwise)
            return (*lets, *self.put(k, (i, j), element))

        self.loop((rows, columns), one)

    def call(self, routine: str, *arguments: Any, work: Index = 1, dtype: Any = None) -> None:
        """Calls a routine (a name without the letter of its dtype) with `info` at the end.

        An Index is an integer, a Buffer the matrix's part of memory.
        """
        given = []
        for one in (*arguments, self.info):
            if isinstance(one, Buffer):
                given.append(self.address(one))
            elif isinstance(one, (int, Dim)):
                given.append(cast(Idx(one), I32))
            else:
                given.append(one)
        name = PREFIX[dtype or self.dtype] + routine
        self.stmts.append(Call(name, tuple(given), work))

    def status(self) -> Expr:
        """What the routine said."""
        return Load(self.info, (self.slot, 0))

    def fail(self, message: str, op: str = "ne", cond: Expr | None = None) -> None:
        """Raises LinAlgError where the routine said something else than 0 (`op`: more), or cond."""
        bad = scalar(op, self.status(), const(0, I32)) if cond is None else cond
        self.stmts.append(Fail(bad, self.c.code(message, linalg=True)))

    def loops(self) -> tuple[Stmt, ...]:
        """All statements, for every matrix of the batch."""
        body: tuple[Stmt, ...] = tuple(self.stmts)
        if self.total == 0:
            return ()
        if self.total != 1 and self.parts * self.share != self.total:
            inside = less(self.number, self.total)
            body = (If(inside, body),) if inside != FALSE else ()
        if self.total != 1:
            body = (For(self.step, self.share, "serial", body),)
        return (For(self.part, self.parts, "parallel", body),) if self.parts > 1 else body


def where(cond: Expr, a: Element, otherwise: float) -> Element:
    """An element where the condition holds, else a number."""
    if isinstance(a, Pair):
        return Pair(
            Select(cond, a.re, const(otherwise, a.re.dtype)),
            Select(cond, a.im, const(0, a.im.dtype)),
        )
    return Select(cond, a, const(otherwise, a.dtype))


def leading(rows: Extent) -> Expr:
    """A leading dimension: at least 1."""
    return cast(scalar("max", Idx(rows), const(1, ty.I64)), I32)


def larger(m: Extent, n: Extent) -> Extent:
    """At least the larger of two extents; their sum where symbols leave open which it is."""
    low, high = ty.bounds(m - n)
    if low is not None and low >= 0:
        return m
    return n if high is not None and high <= 0 else m + n


def at_least_one(count: Extent) -> Extent:
    """The elements of a workspace."""
    return max(count, 1) if isinstance(count, int) else count + 1
