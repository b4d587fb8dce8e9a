"""taps: few sums of many terms that read the same memory, as a depthwise kernel's gradient does.

    for tap in 9: for c in 64: acc = 0; for n, y, x: acc += image[n, y, x, tap, c] * g[n, y, x, c]
    ->
    for n in parallel: part[n, ...] = 0
        for y: for tap: for c in lanes: acc = 0; for x: acc += ...; part[n, tap, c] += acc
    for tap: for c in lanes: acc = 0; for n: acc += part[n, tap, c]

As it stands, each tap would read both arrays from memory. Here a line of them stays in the first
caches while all taps pass, and workers share the pieces of the outermost sum, which are added in
order: the result depends on no number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from graphc_runtime.records import dataclass

from .. import types as ty
from ..types import Dim
from . import ir as L
from .blocks import Fresh, Rename, Vectorize
from .contraction import inlined
from .identities import IDENTITY, KIND_OF
from .machine import Machine

MOST_TAPS = 128
LEAST_LANES = 8
MOST_SUMS = 1 << 13
"""Of all taps and lanes together: a piece of them is kept for each part of the sum."""
PIECES = 32
"""Parts of the sum, at most."""


@dataclass(frozen=True, slots=True)
class _Taps:
    """A nest, taken apart."""

    sets: tuple[L.For, ...]
    """The loops over taps."""
    lanes: L.For
    before: tuple[L.Stmt, ...]
    reduction: tuple[L.For, ...]
    total: L.Accumulate
    after: tuple[L.Stmt, ...]


def taps(
    loop: L.For, machine: Machine, fresh: Fresh, rename: Rename, vectorize: Vectorize
) -> tuple[list[L.Stmt], L.Buffer] | None:
    """The nest in pieces and the temporary that they are summed in; None where it is no such nest,
    or where its operands stay in the caches anyway.
    """
    nest = _match(loop)
    if nest is None:
        return None
    line = _line(nest, machine)
    if line is None:
        return None
    outer, inner = nest.reduction[:line], nest.reduction[line:]
    first, *between = outer
    assert isinstance(first.extent, int) and isinstance(nest.lanes.extent, int)
    lanes, count = nest.lanes.extent, math.prod(_extents(nest.sets))
    size = -(-first.extent // PIECES)
    pieces, left = first.extent // size, first.extent % size
    kind, buffer = KIND_OF[nest.total.op], nest.total.buffer
    start = L.const(IDENTITY[kind](buffer.dtype), buffer.dtype)
    part = L.Buffer(
        fresh("part"), buffer.dtype, ((pieces + (left > 0)) * count * lanes,), None, "global",
        "temp", 64,
    )  # fmt: skip

    def place(piece: L.Index, sets: Sequence[L.For]) -> L.Index:
        at: L.Index = piece
        for one in sets:
            at = at * one.extent + Dim.symbol(one.var)
        return at * lanes + Dim.symbol(nest.lanes.var)

    def summed(piece: L.Index, begin: L.Index, number: int) -> tuple[L.Stmt, ...]:
        """The part of `number` iterations from `begin`."""
        var, step = fresh("w"), fresh("r")
        at = (piece * (count * lanes) + Dim.symbol(var),)
        clear = vectorize(L.For(var, count * lanes, "serial", (L.Store(part, at, start),)))
        body: tuple[L.Stmt, ...] = (nest.total,)
        for one in reversed(inner):
            body = (replace(one, body=body),)
        at = (place(piece, nest.sets),)
        body = (
            L.Alloc(buffer), L.Store(buffer, nest.total.index, start), *body,
            L.Accumulate(part, at, nest.total.op, L.Load(buffer, nest.total.index)),
        )  # fmt: skip
        body = tuple(vectorize(replace(nest.lanes, kind="serial", body=body)))
        for one in reversed((*between, *nest.sets)):
            body = (replace(one, kind="serial", body=body),)
        env: dict[str, L.Index] = {first.var: begin + Dim.symbol(step)}
        body = tuple(L.substitute(s, env) for s in body)
        return rename((*clear, L.For(step, number, "serial", body)))

    piece = fresh("p")
    whole = summed(Dim.symbol(piece), Dim.symbol(piece) * size, size)
    out: list[L.Stmt] = [L.For(piece, pieces, loop.kind, whole)]
    if left:
        out.append(L.For(fresh("p"), 1, "serial", summed(pieces, pieces * size, left)))
    p = fresh("p")
    value = L.Load(part, (place(Dim.symbol(p), nest.sets),))
    add = L.For(
        p, pieces + (left > 0), "serial",
        (L.Accumulate(buffer, nest.total.index, nest.total.op, value),),
    )  # fmt: skip
    end = tuple(vectorize(replace(nest.lanes, body=rename((*nest.before, add, *nest.after)))))
    for one in reversed(nest.sets):
        end = (replace(one, kind="serial", body=end),)
    return [*out, *end], part


def _only(body: Sequence[L.Stmt]) -> L.For | None:
    """The loop that a body is."""
    if len(body) != 1 or not isinstance(body[0], L.For):
        return None
    return body[0]


def _extents(loops: Sequence[L.For]) -> tuple[int, ...]:
    return tuple(loop.extent for loop in loops if isinstance(loop.extent, int))


def _match(loop: L.For) -> _Taps | None:
    """The nest taken apart; None where it is no sum of such a form."""
    around: list[L.For] = []
    body: tuple[L.Stmt, ...] = (loop,)
    while (one := _only(body)) is not None:
        body = one.body
        if one.extent == 1:
            body = tuple(L.substitute(s, {one.var: 0}) for s in body)
        else:
            around.append(one)
    inside = [k for k, s in enumerate(body) if isinstance(s, L.For) and s.extent != 1]
    if len(around) < 2 or len(inside) != 1:
        return None
    *sets, lanes = around
    loops: list[L.For] = []
    one = _only((body[inside[0]],))
    while one is not None:
        loops.append(one)
        one = _only(one.body)
    before, after = body[: inside[0]], body[inside[0] + 1 :]
    if not all(map(_is_plain, L.statements((*before, *after)))):
        return None
    sums = inlined(loops[-1].body)
    every = (*sets, lanes, *loops)
    if sums is None or len(sums) != 1 or len(loops) < 2 or len(_extents(every)) != len(every):
        return None
    if any(one.kind not in ("parallel", "serial") for one in every):
        return None
    (total,) = sums
    named = {s.name for s in before if isinstance(s, L.Let)}
    reads = {e.name for e in L.walk(total.value) if isinstance(e, L.Name)}
    if total.op not in KIND_OF or total.buffer.shape != (1,) or named & reads:
        return None
    return _Taps(tuple(sets), lanes, before, tuple(loops), total, after)


def _is_plain(stmt: L.Stmt) -> bool:
    """A statement beside the sum that may stand behind its parts; a loop of one iteration is one,
    as of an axis that a transpose has moved.
    """
    return isinstance(stmt, (L.Let, L.Store, L.Alloc)) or (
        isinstance(stmt, L.For) and stmt.extent == 1
    )


def _line(nest: _Taps, machine: Machine) -> int | None:
    """How many loops of the sum stay outside the taps; None where the nest is right as it is."""
    from .schedule import coefficient

    lanes, count = nest.lanes.extent, math.prod(_extents(nest.sets))
    assert isinstance(lanes, int)
    if not LEAST_LANES <= lanes or not 2 <= count <= MOST_TAPS or count * lanes > MOST_SUMS:
        return None
    each, moved = 0, False
    for one in L.walk(nest.total.value):
        if not isinstance(one, L.Load):
            continue
        offset = one.buffer.offset(one.index)
        if coefficient(offset, nest.lanes.var) not in (0, 1):
            return None
        each += lanes * one.dtype.nbytes
        moved = moved or bool(ty.symbols(offset) & {s.var for s in nest.sets})
    extents = _extents(nest.reduction)
    if not moved or each * math.prod(extents) < 2 * machine.l2_bytes:
        return None
    near = machine.l2_bytes // 8
    for k in range(1, len(extents)):
        if each * math.prod(extents[k:]) <= near:
            return k
    return None
