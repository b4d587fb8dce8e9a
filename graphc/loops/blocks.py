"""What `contract` builds its blocks of: terms, layouts of packed rows, slices, and statements
rewritten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import BOOL, Dim
from . import ir as L
from .lower import expr_names, index_names

Fresh = Callable[[str], str]
Rename = Callable[[tuple[L.Stmt, ...]], tuple[L.Stmt, ...]]
Vectorize = Callable[[L.For], list[L.Stmt]]
GAP = 16
"""Elements between the rows of a packed block, so that they do not share sets of the first
cache."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Loops over the terms of a sum: their names, the reduction's variables in them, the number."""

    loops: tuple[tuple[str, L.Index], ...]
    env: dict[str, L.Index]
    flat: L.Index
    names: dict[str, L.Index]
    """The reduction's variables within the slice."""

    def around(self, body: tuple[L.Stmt, ...]) -> list[L.Stmt]:
        for name, extent in reversed(self.loops):
            body = (L.For(name, extent, "serial", body),)
        return list(body)

    def stepped(
        self, body: tuple[L.Stmt, ...], step: int, fresh: Fresh, rename: Rename
    ) -> list[L.Stmt]:
        """The same with `step` iterations of the innermost loop written out; those that are left
        over follow.
        """
        *outer, (name, extent) = self.loops
        if not isinstance(extent, int) or extent < 2 * step or step < 2:
            return self.around(body)
        block, one = fresh("r"), fresh("u")
        place = step * Dim.symbol(block) + Dim.symbol(one)
        inside = tuple(L.substitute(s, {name: place}) for s in body)
        loops: list[L.Stmt] = [
            L.For(block, extent // step, "serial", (L.For(one, step, "unroll", inside),))
        ]
        left = extent % step
        if left:
            last = fresh("r")
            env: dict[str, L.Index] = {name: extent - left + Dim.symbol(last)}
            body = rename(tuple(L.substitute(s, env) for s in body))
            loops.append(L.For(last, left, "serial", body))
        return replace(self, loops=tuple(outer)).around(tuple(loops))

    def vector(self, body: tuple[L.Stmt, ...], vectorize: Vectorize) -> list[L.Stmt]:
        """The same with the innermost loop in lanes."""
        *outer, (name, extent) = self.loops
        if extent == 1:
            return self.around(body)
        inner = tuple(vectorize(L.For(name, extent, "serial", body)))
        return replace(self, loops=tuple(outer)).around(inner)


@dataclass(frozen=True, slots=True)
class Layout:
    """A packed block of rows: (term, row), (row, term), or for a window the places of an image
    where (window, place, channel)."""

    names: tuple[str, ...]
    """The loops of the reduction."""
    extents: tuple[int, ...]
    rows: int
    rows_inner: bool
    window: tuple[str, int] | None

    def _spans(self) -> list[int]:
        """The extents in memory: GAP after the innermost, the window's loop as long as the rows
        need."""
        spans = list(self.extents)
        if self.window is not None:
            at = self.names.index(self.window[0])
            spans[at] += self.window[1] * (self.rows - 1)
        if not self.rows_inner or self.window is not None:
            spans[-1] += GAP
        return spans

    @property
    def size(self) -> int:
        """Elements."""
        terms = math.prod(self._spans())
        if self.window is not None:
            return terms
        return terms * (self.rows + GAP) if self.rows_inner else terms * self.rows

    def place(self, row: L.Index, terms: dict[str, L.Index]) -> L.Index:
        """Where a row's term lies."""
        spans, place = self._spans(), 0
        for name, span in zip(self.names, spans, strict=True):
            at = terms[name]
            if self.window is not None and name == self.window[0]:
                at = at + self.window[1] * row
            place = place * span + at
        if self.window is not None:
            return place
        if self.rows_inner:
            return place * (self.rows + GAP) + row
        return row * math.prod(spans) + place


@dataclass(frozen=True, slots=True)
class Waiting:
    """Sums of a block of rows that wait for their next slice: buffers (row, column)."""

    buffers: tuple[L.Buffer, ...]
    width: int
    start: L.Index
    row: L.Index = 0
    """The first row of the block that the buffers hold."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Iterations of the outermost loop of a reduction, and what becomes of their sums."""

    start: L.Index
    extent: int
    last: bool


# ------------------------------------------------------------------------------------- rewriting


def at_indices(index: L.Index, env: dict[str, L.Index]) -> L.Index:
    return ty.substitute(index, env) if isinstance(index, Dim) else index


def substituted(expr: L.Expr, env: dict[str, L.Index]) -> L.Expr:
    return L.map_expr(expr, lambda i: at_indices(i, env))


def packed_sum(
    total: L.Accumulate, packed: dict[L.Expr, L.Load], env: dict[str, L.Index],
    mask: L.Expr | None, column: str,
) -> L.Accumulate:  # fmt: skip
    """The sum with packed operands read from where they are packed, others in place: columns under
    the mask, if there is one.
    """

    def visit(expr: L.Expr) -> L.Expr:
        if expr in packed:
            return packed[expr]
        if isinstance(expr, L.Scalar):
            return replace(expr, args=tuple(visit(a) for a in expr.args))
        if isinstance(expr, (L.Cast, L.Bitcast)):
            return replace(expr, value=visit(expr.value))
        if isinstance(expr, L.Select):
            return L.Select(visit(expr.cond), visit(expr.a), visit(expr.b))
        found = substituted(expr, env)
        if mask is not None and isinstance(found, L.Load) and column in expr_names(expr):
            return replace(found, guard=L.both(found.guard, mask))
        return found

    return replace(total, value=visit(total.value))


def positive(index: L.Index) -> L.Expr:
    return L.Scalar("gt", (L.Idx(index), L.Idx(0)), BOOL)


def needed(before: Sequence[L.Stmt], sums: Sequence[L.Stmt]) -> tuple[list[L.Stmt], list[L.Stmt]]:
    """The statements before a reduction that it needs, and those that can follow it."""
    names = _read(sums)
    first: list[L.Stmt] = []
    late: list[L.Stmt] = []
    for stmt in reversed(before):
        other = isinstance(stmt, L.Store) and stmt.buffer.space == "global"
        if other or (isinstance(stmt, L.Let) and stmt.name not in names):
            late.append(stmt)
        else:
            first.append(stmt)
            names |= _read([stmt])
    return first[::-1], late[::-1]


def _read(stmts: Sequence[L.Stmt]) -> set[str]:
    """The names of Lets that statements read."""
    found: set[str] = set()
    for stmt in stmts:
        for expr in L.expressions(stmt):
            found |= expr_names(expr)
        if isinstance(stmt, (L.Store, L.Accumulate)):
            found |= index_names(stmt.index)
    return found


def masked(stmts: list[L.Stmt], mask: L.Expr) -> list[L.Stmt]:
    """Statements after the sums, for the lanes that are there."""
    lets = [s for s in stmts if isinstance(s, L.Let)]
    reads_memory = any(
        isinstance(e, L.Load) and e.buffer.space != "register"
        for s in lets
        for x in L.expressions(s)
        for e in L.walk(x)
    )
    if reads_memory:
        return [L.If(mask, tuple(stmts))]
    return [*lets, L.If(mask, tuple(s for s in stmts if not isinstance(s, L.Let)))]


def guarded(stmt: L.Stmt, mask: L.Expr) -> L.Stmt:
    """The statement with loads of memory that only happen where the mask holds."""

    def leaf(expr: L.Expr) -> L.Expr:
        if isinstance(expr, L.Load) and expr.buffer.space == "global":
            return replace(expr, guard=L.both(expr.guard, mask))
        return expr

    return L.map_stmt(stmt, lambda i: i, leaf)
