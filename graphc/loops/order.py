"""in_memory_order: the loops of a reduction run as memory does, the longest steps outside.

    for h in 56: for w in 56: for n in 32: acc += x[200704*n + 64*(56*h + w) + c] * ...
    ->
    for n in 32: for h in 56: for w in 56: ...

A sum's terms may be added in any order that does not depend on the data or on threads. Loops whose
extents depend on each other, and steps that are no numbers, stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import types as ty
from ..types import Dim
from . import ir as L


def in_memory_order(func: L.LoopFunc) -> L.LoopFunc:
    """Every nest of a reduction in the order of memory."""
    return replace(func, body=tuple(_ordered(s) for s in func.body))


def _ordered(stmt: L.Stmt) -> L.Stmt:
    if isinstance(stmt, L.If):
        then, otherwise = (tuple(map(_ordered, part)) for part in (stmt.then, stmt.otherwise))
        return L.If(stmt.cond, then, otherwise)
    if not isinstance(stmt, L.For):
        return stmt
    loops = _chain(stmt)
    if len(loops) > 1 and _is_reduction(loops):
        steps = [_step(loop.var, loops[-1].body) for loop in loops]
        if None not in steps:
            order = sorted(range(len(loops)), key=lambda k: -(steps[k] or 0))
            body = loops[-1].body
            for k in reversed(order):
                body = (replace(loops[k], body=body),)
            return body[0]
    return replace(stmt, body=tuple(_ordered(s) for s in stmt.body))


def _chain(loop: L.For) -> list[L.For]:
    """The serial loops of a perfect nest."""
    loops = [loop]
    while loops[-1].kind == "serial" and len(loops[-1].body) == 1:
        inner = loops[-1].body[0]
        if not isinstance(inner, L.For) or inner.kind != "serial":
            break
        loops.append(inner)
    return loops


def _is_reduction(loops: Sequence[L.For]) -> bool:
    """Whether the nest adds to registers and does nothing else, in a box of indices."""
    names = {loop.var for loop in loops}
    if any(names & ty.symbols(loop.extent) for loop in loops):
        return False
    if any(loop.kind != "serial" for loop in loops):
        return False
    added = {s.buffer.name for s in loops[-1].body if isinstance(s, L.Accumulate)}
    for stmt in loops[-1].body:
        read = {e.buffer.name for x in L.expressions(stmt) for e in _loads(x)}
        if read & added:
            return False  # what is added depends on the sum so far
        if isinstance(stmt, L.Let):
            continue
        if not isinstance(stmt, L.Accumulate) or stmt.buffer.space != "register":
            return False
        if any(names & ty.symbols(i) for i in stmt.index):
            return False
    return any(isinstance(s, L.Accumulate) for s in loops[-1].body)


def _loads(expr: L.Expr) -> list[L.Load]:
    return [one for one in L.walk(expr) if isinstance(one, L.Load)]


def _step(var: str, body: Sequence[L.Stmt]) -> int | None:
    """How far the loads of a body move with a variable, together; None where that is no number."""
    from .schedule import coefficient

    total = 0
    for stmt in body:
        for expr in L.expressions(stmt):
            for one in _loads(expr):
                if one.buffer.space != "global":
                    continue
                step = coefficient(one.buffer.offset(one.index), var)
                if isinstance(step, Dim) or step is None:
                    return None
                total += abs(step) * one.buffer.dtype.nbytes
    return total
